"""The rules where there are none: everyone sees the pages, in plain text."""

from sriov_bootstrap.exporter.protocols import Channel, OnVerdict
from sriov_bootstrap.exporter.refusals import Peer


class Plain:
    """The channel that is none."""

    is_over = False

    def __init__(self) -> None:
        self._outgoing = b""

    def receive(self, data: bytes) -> bytes:
        return data

    def send(self, data: bytes) -> None:
        self._outgoing += data

    def take(self) -> bytes:
        data, self._outgoing = self._outgoing, b""
        return data

    def close(self) -> None:
        pass


class Public:
    """The rules where there are none."""

    headers = ()

    def open_channel(self) -> Channel:
        return Plain()

    def admits(self, _authorization: bytes, _peer: Peer, _later: OnVerdict) -> bool:
        return True

    def withdraw(self, _later: OnVerdict) -> None:
        pass


PUBLIC = Public()
