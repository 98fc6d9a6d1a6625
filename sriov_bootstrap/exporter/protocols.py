"""What a connection needs: a channel, rules for who may see the pages, and the endpoint that gives it its turns."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from sriov_bootstrap.exporter.refusals import Peer, Refusal

if TYPE_CHECKING:
    from sriov_bootstrap.exporter.connection import Connection

OnVerdict = Callable[[bool | None], None]  # None: not now, too many passwords wait to be checked


class Channel(Protocol):
    """What lies between the wire and HTTP."""

    is_over: bool

    def receive(self, data: bytes) -> bytes:
        """From the wire to plain text. ConnectionError when this peer is not to be served."""

    def send(self, data: bytes) -> None:
        """Plain text, for take()."""

    def take(self) -> bytes:
        """What is to go out over the wire."""

    def close(self) -> None:
        """A goodbye, for take()."""


class AccessRules(Protocol):
    """Who may see the pages. A connection that began under other rules ends with its next answer."""

    @property
    def headers(self) -> Iterable[tuple[str, str]]:
        """Of every answer."""

    def open_channel(self) -> Channel:
        """For a new connection, at its first bytes."""

    def admits(self, authorization: bytes, peer: Peer, later: OnVerdict) -> bool | None:
        """Whether this header opens the pages; None: `later` will be told."""

    def withdraw(self, later: OnVerdict) -> None:
        """That verdict is no longer needed."""


class House(Protocol):
    """The endpoint, as its peers see it."""

    pages: dict[bytes, tuple[Callable[[], bytes], str]]
    rules: Callable[[], AccessRules]
    request_seconds: float
    idle_seconds: float
    buffer: bytearray

    def admit(self, connection: "Connection") -> None: ...
    def line_up(self, connection: "Connection") -> None: ...
    def requeue(self, connection: "Connection", *, is_done: bool) -> None: ...
    def refuse(self, refusal: Refusal, peer: Peer) -> None: ...
    def forget(self, connection: "Connection") -> None: ...
