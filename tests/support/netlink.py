"""Messages as the kernel's rtnetlink answers (include/uapi/linux/netlink.h, rtnetlink.h, if_link.h)."""

import socket
import struct
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sriov_bootstrap.base.netlink import IFLA_IFNAME, NLMSG_DONE, NLMSG_ERROR, RTM_GETLINK, RTM_NEWLINK
from sriov_bootstrap.edges import rtnetlink
from sriov_bootstrap.edges.rtnetlink import Dump

GLOBAL, LINK_LOCAL = 0, rtnetlink.RT_SCOPE_LINK
NESTED = 0x8000
SETTINGS = {"spoofchk": (4, 1), "link_state": (5, 0), "query_rss": (7, 0xFFFFFFFF), "trust": (9, 0)}
NO_SETTINGS: Mapping[str, int] = MappingProxyType({})
FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, body: bytes, *, flags: int = 0, sequence: int = 1) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + b"\0" * (-len(body) % 4)


def link(
    index: int, name: bytes, *altnames: bytes, xdp: int | None = None, port_name: bytes | None = None, flags: int = 0
) -> bytes:
    """A netdev, among attributes that nobody asks for."""
    body = struct.pack("=BxHiII", 0, 1, index, 0x1003, 0) + attribute(IFLA_IFNAME, name + b"\0")
    body += attribute(4, struct.pack("=I", 1500))
    body += b"" if port_name is None else attribute(38, port_name)
    if xdp is not None:
        body += attribute(rtnetlink.IFLA_XDP | NESTED, attribute(rtnetlink.IFLA_XDP_ATTACHED, bytes([xdp])))
    properties = b"".join(attribute(rtnetlink.IFLA_ALT_IFNAME, altname + b"\0") for altname in altnames)
    body += attribute(rtnetlink.IFLA_PROP_LIST | NESTED, properties) if properties else b""
    return message(RTM_NEWLINK, body, flags=flags)


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
    return message(NLMSG_DONE, struct.pack("=i", -errno), flags=flags)


def error(errno: int) -> bytes:
    return message(NLMSG_ERROR, struct.pack("=i", -errno) + b"\0" * 16)


def answers(links: Iterable[bytes], addresses: Iterable[bytes] = ()) -> Dump:
    """The same to each dump, each in datagrams of its own; an end comes after them."""
    said = {RTM_GETLINK: (*links, done()), rtnetlink.RTM_GETADDR: (*addresses, done())}
    return lambda request: said[request]


def vf_info(
    vf: int,
    mac: str = "00:00:00:00:00:00",
    *,
    vlan: tuple[int, int, int] = (0, 0, 0x8100),
    rates: tuple[int, int] = (0, 0),
    guids: tuple[int, int] | None = None,
    settings: Mapping[str, int] = NO_SETTINGS,
) -> bytes:
    """A VF with what the kernel says of each (net/core/rtnetlink.c, rtnl_fill_vfinfo), without statistics.

    `settings` is by the names in SETTINGS.
    """
    number, qos, protocol = vlan
    body = attribute(1, struct.pack("=I32s", vf, bytes.fromhex(mac.replace(":", ""))))
    body += attribute(13, b"\xff" * 6 + b"\0" * 26)
    body += attribute(2, struct.pack("=III", vf, number, qos))
    body += attribute(6, struct.pack("=III", vf, *rates)) + attribute(3, struct.pack("=II", vf, rates[1]))
    for name, (kind, default) in SETTINGS.items():
        body += attribute(kind, struct.pack("=II", vf, settings.get(name, default)))
    for kind, guid in zip((10, 11), guids or (), strict=False):
        body += attribute(kind, struct.pack("@IQ", vf, guid))
    body += attribute(12, attribute(1, struct.pack("=III", vf, number, qos) + struct.pack("!H2x", protocol)))
    return attribute(1, body)


def pf_link(
    index: int, name: bytes, vfs: Iterable[bytes] | None = (), *, num_vfs: int = 0, flags: int = 0, kind: int = 1
) -> bytes:
    """A netdev in answer to a question about its VFs; None: its driver says nothing of them.

    `num_vfs` is how many there are, 0: as many as are listed.
    """
    infos = tuple(vfs or ())
    body = struct.pack("=BxHiII", 0, kind, index, 0x1003 | flags, 0) + attribute(IFLA_IFNAME, name + b"\0")
    body += (
        attribute(4, struct.pack("=I", 9000))
        + attribute(33, b"\x01")
        + attribute(21, struct.pack("=I", num_vfs or len(infos)))
    )
    content = b"".join(infos)
    if vfs is not None:  # the kernel lets the length of a long list overflow
        body += struct.pack("=HH", (4 + len(content)) & 0xFFFF, 22) + content
    return message(RTM_NEWLINK, body + attribute(52, b"what comes after"))
