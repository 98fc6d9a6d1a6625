"""rtnetlink's messages about netdevs: whether one of some PFs has got its carrier, or a bond. udev does not tell.

A message only means "look again". It is looked at here only because there are so many others: each setting of a VF
gives one, and so does everything that any VM's tap does. Without PFs to watch there is no socket.
"""

import contextlib
import errno
from _socket import AF_NETLINK, NETLINK_ROUTE, SO_RCVBUF, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW, SOL_SOCKET, socket
from collections.abc import Callable
from typing import NamedTuple

from sriov_bootstrap.base.netlink import (
    HEADER,
    IFLA_CARRIER,
    IFLA_IFNAME,
    IFLA_MASTER,
    LINK,
    RTM_NEWLINK,
    UnusableError,
    attributes,
    header_at,
)
from sriov_bootstrap.base.printable import text_of

RTMGRP_LINK = 1  # include/uapi/linux/rtnetlink.h
BUFFER_BYTES = 1 << 20
MESSAGE_BYTES = 1 << 16
MOST_AT_ONCE = 10_000  # the event loop needs its turn
NO_SOCKET = -1


def _connection() -> socket:
    connection = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)
    connection.setsockopt(SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES)
    connection.bind((0, RTMGRP_LINK))
    return connection


class _Seen(NamedTuple):
    has_carrier: bool = False
    has_master: bool = False


class Carriers:
    """A listener for the carriers of some netdevs."""

    def __init__(self, connect: Callable[[], socket] | None = None) -> None:
        """Watches none. Tests give another `connect`."""
        self._connect = connect or _connection
        self._socket: socket | None = None
        self._known: dict[str, _Seen] = {}

    def watch(self, netdevs: frozenset[str]) -> None:
        """These from now on. Their first message counts as news, as nothing is known of them."""
        self._known = {name: seen for name, seen in self._known.items() if name in netdevs}
        self._known |= {name: _Seen() for name in netdevs if name not in self._known}
        if not netdevs:
            self.close()
        elif self._socket is None:
            self._socket = self._connect()

    def close(self) -> None:
        """Watches none."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """For the event loop; NO_SOCKET while none is watched."""
        return NO_SOCKET if self._socket is None else self._socket.fileno()

    def drain(self) -> bool:
        """Receives what is there, without blocking; whether one of them has got a carrier or a master, or may have."""
        has_news = False
        for _ in range(MOST_AT_ONCE):
            if self._socket is None:
                break
            try:
                datagram = self._socket.recv(MESSAGE_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # messages were lost
                    raise
                has_news = True
                continue
            with contextlib.suppress(UnusableError):
                has_news |= self._note(datagram)
        return has_news

    def _note(self, datagram: bytes) -> bool:
        size, kind, _ = header_at(datagram, 0)
        if kind != RTM_NEWLINK:
            return False
        found = dict(attributes(datagram[:size], HEADER.size + LINK.size, {IFLA_IFNAME, IFLA_CARRIER, IFLA_MASTER}))
        name = text_of(found.get(IFLA_IFNAME, b"").partition(b"\0")[0])
        if name not in self._known or IFLA_CARRIER not in found:
            return False
        before, now = self._known[name], _Seen(any(found[IFLA_CARRIER]), any(found.get(IFLA_MASTER, b"")))
        self._known[name] = now
        return (now.has_carrier and not before.has_carrier) or (now.has_master and not before.has_master)
