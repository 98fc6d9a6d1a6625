"""Messages as the kernel answers a dump of rtnetlink (include/uapi/linux/netlink.h, rtnetlink.h, if_link.h)."""

import socket
import struct
from collections.abc import Iterable

from sriov_bootstrap.edges import rtnetlink
from sriov_bootstrap.edges.rtnetlink import Dump

GLOBAL, LINK_LOCAL = 0, rtnetlink.RT_SCOPE_LINK
NESTED = 0x8000
FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, body: bytes, *, flags: int = 0, sequence: int = 1) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + b"\0" * (-len(body) % 4)


def link(index: int, name: bytes, *altnames: bytes, xdp: int | None = None, flags: int = 0) -> bytes:
    """A netdev, among attributes that nobody asks for."""
    body = struct.pack("=BxHiII", 0, 1, index, 0x1003, 0) + attribute(rtnetlink.IFLA_IFNAME, name + b"\0")
    body += attribute(4, struct.pack("=I", 1500))
    if xdp is not None:
        body += attribute(rtnetlink.IFLA_XDP | NESTED, attribute(rtnetlink.IFLA_XDP_ATTACHED, bytes([xdp])))
    properties = b"".join(attribute(rtnetlink.IFLA_ALT_IFNAME, altname + b"\0") for altname in altnames)
    body += attribute(rtnetlink.IFLA_PROP_LIST | NESTED, properties) if properties else b""
    return message(rtnetlink.RTM_NEWLINK, body, flags=flags)


def address(index: int, text: str, *, peer: str = "", scope: int = GLOBAL, flags: int = 0) -> bytes:
    """An address such as 192.0.2.7/24. IPv6 has IFA_LOCAL only with a peer."""
    ours, _, prefix_length = text.partition("/")
    raw = packed(ours)
    body = struct.pack("=BBBBI", FAMILIES[len(raw)], int(prefix_length), 0x80, scope, index)
    body += attribute(rtnetlink.IFA_ADDRESS, packed(peer) if peer else raw)
    body += attribute(rtnetlink.IFA_LOCAL, raw) if peer or len(raw) == 4 else b""
    return message(rtnetlink.RTM_NEWADDR, body, flags=flags)


def packed(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def done(errno: int = 0, *, flags: int = 0) -> bytes:
    return message(rtnetlink.NLMSG_DONE, struct.pack("=i", -errno), flags=flags)


def error(errno: int) -> bytes:
    return message(rtnetlink.NLMSG_ERROR, struct.pack("=i", -errno) + b"\0" * 16)


def answers(links: Iterable[bytes], addresses: Iterable[bytes] = ()) -> Dump:
    """The same to each dump, each in datagrams of its own; an end comes after them."""
    said = {rtnetlink.RTM_GETLINK: (*links, done()), rtnetlink.RTM_GETADDR: (*addresses, done())}
    return lambda request: said[request]
