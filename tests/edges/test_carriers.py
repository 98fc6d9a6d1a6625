"""Carriers of PFs, by messages such as the kernel sends."""

import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from sriov_bootstrap.base.netlink import HEADER, IFLA_CARRIER, IFLA_IFNAME, IFLA_MASTER, LINK, RTM_NEWLINK, attribute
from sriov_bootstrap.edges.carriers import NO_SOCKET, Carriers

RTM_DELLINK = 17


class Kernel:
    """The other end of the socket."""

    def __init__(self) -> None:
        self._end, self._ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.settimeout(0)
        self.carriers = Carriers(lambda: self._ours)

    def send(self, name: str, *, carrier: bool | None, kind: int = RTM_NEWLINK, master: int = 0) -> None:
        body = LINK.pack(0, 1, 2, 0, 0) + attribute(IFLA_IFNAME, name.encode() + b"\0")
        body += b"" if carrier is None else attribute(IFLA_CARRIER, struct.pack("B", carrier))
        body += attribute(IFLA_MASTER, struct.pack("I", master)) if master else b""
        self.send_raw(HEADER.pack(HEADER.size + len(body), kind, 0, 0, 0) + body)

    def send_raw(self, datagram: bytes) -> None:
        self._end.send(datagram)

    def close(self) -> None:
        self.carriers.close()
        self._end.close()
        self._ours.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


def test_a_carrier_that_comes_is_news_once(kernel: Kernel) -> None:
    kernel.carriers.watch(frozenset({"ens1f0"}))
    found = []
    for carrier in (False, True, True, False, True):
        kernel.send("ens1f0", carrier=carrier)
        found.append(kernel.carriers.drain())
    assert found == [False, True, False, False, True]


def test_a_bond_that_takes_it_is_news_once(kernel: Kernel) -> None:
    kernel.carriers.watch(frozenset({"ens1f0"}))
    found = []
    for master in (0, 7, 7, 0, 8):
        kernel.send("ens1f0", carrier=False, master=master)
        found.append(kernel.carriers.drain())
    assert found == [False, True, False, False, True]


def test_what_others_do_is_none(kernel: Kernel) -> None:
    kernel.carriers.watch(frozenset({"ens1f0"}))
    kernel.send("tap7", carrier=True)
    kernel.send("ens1f0", carrier=None)
    kernel.send("ens1f0", carrier=True, kind=RTM_DELLINK)
    kernel.send_raw(b"cut")
    kernel.send_raw(HEADER.pack(400, RTM_NEWLINK, 0, 0, 0))
    assert not kernel.carriers.drain()


def test_without_netdevs_there_is_no_socket(kernel: Kernel) -> None:
    assert (kernel.carriers.fileno(), kernel.carriers.drain()) == (NO_SOCKET, False)
    kernel.carriers.watch(frozenset({"ens1f0"}))
    assert kernel.carriers.fileno() != NO_SOCKET
    kernel.carriers.watch(frozenset({"ens1f0", "ens1f1"}))
    kernel.send("ens1f1", carrier=True)
    assert kernel.carriers.drain()
    kernel.carriers.watch(frozenset())
    assert kernel.carriers.fileno() == NO_SOCKET


class Overflowed:
    """A socket that has lost messages, and then has another trouble."""

    def __init__(self, *errors: int) -> None:
        self._errors = [*errors]

    def recv(self, _size: int) -> bytes:
        number = self._errors.pop(0)
        raise BlockingIOError(number, "none") if number == errno.EAGAIN else OSError(number, "trouble")

    def close(self) -> None:
        """Nothing to close."""


def test_lost_messages_are_news_and_other_trouble_is_raised() -> None:
    carriers = Carriers(lambda: Overflowed(errno.ENOBUFS, errno.EAGAIN, errno.EIO))  # type: ignore[arg-type,return-value]
    carriers.watch(frozenset({"ens1f0"}))
    assert carriers.drain()
    with pytest.raises(OSError, match="trouble"):
        carriers.drain()


def test_the_kernels_own_socket_opens_without_privileges() -> None:
    carriers = Carriers()
    carriers.watch(frozenset({"lo"}))
    assert carriers.fileno() != NO_SOCKET
    carriers.drain()
    carriers.close()
