"""netlink (netlink(7)): messages and attributes as bytes, and questions on a socket, for the edges that need them.

No library: importing one costs more than a pass with nothing to do.
"""

import os
import struct
import time
from _socket import AF_NETLINK, MSG_TRUNC, SOCK_RAW, socket
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from sriov_bootstrap.base.printable import one_line

# include/uapi/linux/netlink.h
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")  # length, type
ERRNO = struct.Struct("=i")
NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_DUMP, NLM_F_DUMP_INTR = 0x300, 0x10
NLM_F_WITH_WORDS = 0x300  # NLM_F_CAPPED, NLM_F_ACK_TLVS
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLA_TYPE_MASK = 0x3FFF
# include/uapi/linux/rtnetlink.h, if_link.h
RTM_NEWLINK, RTM_GETLINK = 16, 18
LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
IFLA_IFNAME, IFLA_MASTER, IFLA_EXT_MASK, IFLA_CARRIER, IFLA_PHYS_PORT_NAME = 3, 10, 29, 33, 38
RTEXT_FILTER_SKIP_STATS = 1 << 3  # they would be collected from each driver

READ_SECONDS = 30.0
MAX_TRIES = 10  # of a list that changes while it is read
BUFFER_BYTES = 1 << 16  # half is filled by a dump, unless one message needs more (af_netlink.c, netlink_dump)
SHORTEST_WAIT_SECONDS = 0.001  # 0 would mean not to wait, and another error


T = TypeVar("T")

# A type of message, its body, flags -> the datagrams in answer.
Asker = Callable[[int, bytes, int], Iterable[bytes]]


class UnusableError(Exception):
    """An answer that must not be relied on."""


class InterruptedDumpError(Exception):
    """The list changed while it was read: something may be missing (Documentation/userspace-api/netlink/intro.rst)."""


def open_socket(protocol: int) -> socket:
    """Bound, and asking for the kernel's words about an error. OSError."""
    connection = socket(AF_NETLINK, SOCK_RAW, protocol)
    try:
        connection.bind((0, 0))
    except BaseException:
        connection.close()
        raise
    with suppress(OSError):  # before Linux 4.12 there are no words
        connection.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        connection.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    return connection


class Conversation:
    """Asks on a socket, one question at a time."""

    def __init__(
        self, connection: socket, *, timeout_seconds: float = READ_SECONDS, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        """The socket must be bound. The answer to each question has `timeout_seconds`, each message `buffer_bytes`."""
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        self._buffer = bytearray(buffer_bytes)
        self._sequence = 0

    def ask(self, kind: int, body: bytes, flags: int = 0) -> Iterator[bytes]:
        """The datagrams in answer, for as long as somebody takes them. OSError; TimeoutError at the deadline.

        rtnetlink has done what it is asked for when the question has been sent: the deadline is for the answer alone.
        """
        self._sequence += 1
        header = HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0)
        self._connection.send(header + body)
        deadline = time.monotonic() + self._timeout_seconds
        buffer = self._buffer
        while True:
            self._connection.settimeout(max(SHORTEST_WAIT_SECONDS, deadline - time.monotonic()))
            size, (port, _) = self._connection.recvfrom_into(buffer, 0, MSG_TRUNC)
            if size > len(buffer):
                raise UnusableError(f"a message of {size} bytes")
            if port == 0 and HEADER.unpack_from(buffer)[3] == self._sequence:  # the kernel's answer
                yield bytes(memoryview(buffer)[:size])


def reply_to(
    ask: Asker, kind: int, body: bytes, flags: int = 0, *, answer: int = RTM_NEWLINK, least: int = LINK.size
) -> tuple[bytes, int, str]:
    """What a question has found; an errno, 0 for done, and the kernel's words, if it has any.

    `answer`: the type of message that tells it, which has at least so many bytes: a netdev, if nothing else is said.
    OSError where there is no answer.
    """
    datagram = next(iter(ask(kind, body, flags)), b"")
    size, type_, flags = header_at(datagram, 0)
    said = datagram[HEADER.size : size]
    if type_ == answer and len(said) >= least:
        return said, 0, ""
    if type_ != NLMSG_ERROR or len(said) < ERRNO.size:
        raise UnusableError("it is neither what was asked for nor an error")
    (negative,) = ERRNO.unpack_from(said)
    return b"", -negative, _words(said) if flags & NLM_F_WITH_WORDS == NLM_F_WITH_WORDS else ""


def _words(said: bytes) -> str:
    """net/netlink/af_netlink.c, netlink_ack: after the errno and the header of the question."""
    words = attributes(said, ERRNO.size + HEADER.size, {NLMSGERR_ATTR_MSG})
    return next((one_line(value.rstrip(b"\0")) for _, value in words), "")


def bodies_of(datagrams: Iterable[bytes], kind: int, least: int) -> Iterator[bytes]:
    """What each message of that kind says, to the end of the dump; read to it even if it is interrupted on the way."""
    is_interrupted = False
    for datagram in datagrams:
        start = 0
        while start < len(datagram):
            size, type_, flags = header_at(datagram, start)
            body = datagram[start + HEADER.size : start + size]
            start += (size + 3) & ~3
            is_interrupted = is_interrupted or bool(flags & NLM_F_DUMP_INTR)
            if type_ in {NLMSG_DONE, NLMSG_ERROR}:
                _raise_for(body, is_needed=type_ == NLMSG_ERROR)
                if is_interrupted:
                    raise InterruptedDumpError
                return
            if type_ == kind:
                if len(body) < least:
                    raise UnusableError("a message is too short")
                yield body
    raise UnusableError("it has no end")


def _raise_for(body: bytes, *, is_needed: bool) -> None:
    """A dump's end carries an errno as an error does; older kernels leave it out there."""
    if len(body) < ERRNO.size:
        if is_needed:
            raise UnusableError("an error is cut off")
        return
    (negative,) = ERRNO.unpack_from(body)
    if negative or is_needed:
        raise OSError(-negative, os.strerror(-negative) if negative else "no answer, only an acknowledgement")


def read_undisturbed(read: Callable[[], T]) -> T:
    """What it reads of dumps, begun anew whenever one was interrupted. InterruptedDumpError after MAX_TRIES."""
    for _ in range(MAX_TRIES):
        with suppress(InterruptedDumpError):
            return read()
    raise InterruptedDumpError


def header_at(datagram: bytes, start: int) -> tuple[int, int, int]:
    """Length, type and flags of the message there, which is whole."""
    if len(datagram) - start < HEADER.size:
        raise UnusableError("a message is cut off")
    size, type_, flags, _, _ = HEADER.unpack_from(datagram, start)
    if not HEADER.size <= size <= len(datagram) - start:
        raise UnusableError("a message is cut off")
    return size, type_, flags


def attribute(kind: int, value: bytes) -> bytes:
    """One to send, with its padding."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(body: bytes, start: int, wanted: Container[int]) -> Iterator[tuple[int, bytes]]:
    """Of all that are there, those: type and value."""
    end = len(body)
    while start + ATTRIBUTE.size <= end:
        size, type_ = ATTRIBUTE.unpack_from(body, start)
        if not ATTRIBUTE.size <= size <= end - start:
            raise UnusableError("an attribute is cut off")
        if type_ & NLA_TYPE_MASK in wanted:
            yield type_ & NLA_TYPE_MASK, body[start + ATTRIBUTE.size : start + size]
        start += (size + 3) & ~3


def place_of(body: bytes, start: int, kind: int) -> int:
    """Where the first attribute of that type begins, or the end of `body`."""
    end = len(body)
    while start + ATTRIBUTE.size <= end:
        size, type_ = ATTRIBUTE.unpack_from(body, start)
        if type_ & NLA_TYPE_MASK == kind:
            return start
        start += max((size + 3) & ~3, ATTRIBUTE.size)
    return end
