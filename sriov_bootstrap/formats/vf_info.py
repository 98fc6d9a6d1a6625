"""A PF and its VFs' attributes as rtnetlink has them (include/uapi/linux/if_link.h): bytes -> values, and back.

The kernel's side is net/core/rtnetlink.c: rtnl_fill_vfinfo, do_setvfinfo.
"""

import struct
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sriov_bootstrap.base.netlink import (
    ATTRIBUTE,
    IFLA_CARRIER,
    LINK,
    NLA_TYPE_MASK,
    UnusableError,
    attribute,
    attributes,
    place_of,
)
from sriov_bootstrap.core.vf_attributes import REQUESTS, LinkState, PfLink, Request, VfAttributes, VlanProtocol

IFLA_MTU, IFLA_NUM_VF, IFLA_VFINFO_LIST = 4, 21, 22
IFF_PROMISC = (
    0x100  # as somebody has set it: what a packet socket asks for is not shown (net/core/dev.c, dev_get_flags)
)
ARPHRD_ETHER = 1
IFLA_VF_INFO, IFLA_VF_VLAN_LIST, IFLA_VF_VLAN_INFO = 1, 12, 1
PROTOCOL = struct.Struct("!H2x")  # of struct ifla_vf_vlan_info, after what struct ifla_vf_vlan has
ETH_P_8021Q, ETH_P_8021AD = 0x8100, 0x88A8
PROTOCOLS = {
    ETH_P_8021Q: VlanProtocol.DOT1Q,
    ETH_P_8021AD: VlanProtocol.DOT1AD,
    0: VlanProtocol.DOT1Q,
}  # 0: never set (netdevsim)
STATES = (LinkState.AUTO, LinkState.ENABLE, LinkState.DISABLE)
UNTOLD = 0xFFFFFFFF  # the driver has not filled it in
MAC_BYTES, GUID_BYTES = 6, 8


class Codec(NamedTuple):
    """One attribute: its type; its layout, which begins with the VF's number; from numbers or bytes, and to them."""

    kind: int
    layout: struct.Struct
    value: Callable[[Any], object]
    raw: Callable[[Any], object]


def _mac(raw: bytes) -> str:
    return raw[:MAC_BYTES].hex(":")


def _mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _flag(raw: int) -> bool | None:
    return None if raw == UNTOLD else bool(raw)


def _state(raw: int) -> LinkState | None:
    return STATES[raw] if raw < len(STATES) else None


def _guid(raw: int) -> str:
    return raw.to_bytes(GUID_BYTES, "big").hex(":")


def _guid_number(guid: str) -> int:
    return int(guid.replace(":", ""), 16)


_PAIR = struct.Struct("=II")
_TRIPLE = struct.Struct("=III")
_GUID = struct.Struct("@IQ")  # aligned as C does it on this machine
CODECS: dict[Request, Codec] = {  # in the order of REQUESTS
    "mac": Codec(1, struct.Struct("=I32s"), _mac, _mac_bytes),
    "vlan": Codec(2, _TRIPLE, int, int),
    "rate": Codec(6, _TRIPLE, int, int),
    "spoofchk": Codec(4, _PAIR, _flag, int),
    "link_state": Codec(5, _PAIR, _state, STATES.index),
    "query_rss": Codec(7, _PAIR, _flag, int),
    "trust": Codec(9, _PAIR, _flag, int),
    "node_guid": Codec(10, _GUID, _guid, _guid_number),
    "port_guid": Codec(11, _GUID, _guid, _guid_number),
}
_BY_KIND = {codec.kind: (request, codec) for request, codec in CODECS.items()}
_WANTED = frozenset((*_BY_KIND, IFLA_VF_VLAN_LIST))


def read_link(body: bytes) -> tuple[PfLink, int]:
    """A netdev, and how many VFs it has, of which the list may name fewer.

    What follows that list is not needed, and cannot be found where the length of the list has overflown.
    """
    at = place_of(body, LINK.size, IFLA_VFINFO_LIST)
    told = dict(attributes(body[:at], LINK.size, {IFLA_MTU, IFLA_NUM_VF, IFLA_CARRIER}))
    vfs = read_vfs(body, at + ATTRIBUTE.size)
    _, hardware, ifindex, flags, _ = LINK.unpack_from(body)
    if hardware != ARPHRD_ETHER:  # a VF of IPoIB has GUIDs
        vfs = {vf: attributes_of_vf.without("mac") for vf, attributes_of_vf in vfs.items()}
    mtu, num_vfs = (int.from_bytes(told.get(kind, b""), sys.byteorder) for kind in (IFLA_MTU, IFLA_NUM_VF))
    is_promiscuous, has_carrier = bool(flags & IFF_PROMISC), any(told.get(IFLA_CARRIER, b""))
    return PfLink(ifindex, mtu, is_promiscuous=is_promiscuous, has_carrier=has_carrier, vfs=vfs), num_vfs


def read_vfs(body: bytes, start: int) -> dict[int, VfAttributes]:
    """VF number -> its attributes, of every IFLA_VF_INFO from `start` on.

    They end where another attribute begins, and not where the list says that it ends: the length of a list of more than
    64 KiB, which 335 VFs have, overflows before Linux 7.3. A VF that the driver says nothing about is not in it.
    """
    found = {}
    while start + ATTRIBUTE.size <= len(body):
        size, kind = ATTRIBUTE.unpack_from(body, start)
        if kind & NLA_TYPE_MASK != IFLA_VF_INFO:
            break
        if not ATTRIBUTE.size <= size <= len(body) - start:
            raise UnusableError("a VF is cut off")
        number, attributes_of_vf = _read_vf(body[start + ATTRIBUTE.size : start + size])
        found[number] = attributes_of_vf
        start += (size + 3) & ~3
    return found


def _read_vf(raw: bytes) -> tuple[int, VfAttributes]:
    number, told = -1, dict[str, Any]()
    for kind, value in attributes(raw, 0, _WANTED):
        try:
            number, more = (_read_first_vlan if kind == IFLA_VF_VLAN_LIST else _read_attribute)(kind, value)
        except struct.error as error:
            raise UnusableError("a VF's attribute is cut off") from error
        told |= more
    if number < 0:
        raise UnusableError("a VF has no number")
    return number, VfAttributes(**told)


def _read_attribute(kind: int, value: bytes) -> tuple[int, dict[str, object]]:
    request, codec = _BY_KIND[kind]
    number, *values = codec.layout.unpack_from(value)
    told = dict(zip(REQUESTS[request], map(codec.value, values), strict=False))
    if request == "vlan":  # of kernels without a list, before 4.9, it is the only one
        told["vlan_protocol"] = VlanProtocol.DOT1Q
    return number, told


def _read_first_vlan(_: int, vlans: bytes) -> tuple[int, dict[str, object]]:
    """There is none beside it."""
    first = next((value for _, value in attributes(vlans, 0, {IFLA_VF_VLAN_INFO})), b"")
    number, told = _read_attribute(CODECS["vlan"].kind, first)
    told["vlan_protocol"] = PROTOCOLS.get(PROTOCOL.unpack_from(first, _TRIPLE.size)[0])
    return number, told


def vf_list(request: Request, wishes: Iterable[tuple[int, VfAttributes]]) -> bytes:
    """What IFLA_VFINFO_LIST says to have this one attribute set for these VFs, in their order."""
    return b"".join(attribute(IFLA_VF_INFO, _vf_attribute(request, number, asked)) for number, asked in wishes)


def _vf_attribute(request: Request, number: int, asked: VfAttributes) -> bytes:
    codec = CODECS[request]
    values = [getattr(asked, name) for name in REQUESTS[request] if name != "vlan_protocol"]
    raw = codec.layout.pack(number, *(codec.raw(0 if value is None else value) for value in values))
    if asked.vlan_protocol is VlanProtocol.DOT1AD and request == "vlan":  # older kernels know no list
        return attribute(IFLA_VF_VLAN_LIST, attribute(IFLA_VF_VLAN_INFO, raw + PROTOCOL.pack(ETH_P_8021AD)))
    return attribute(codec.kind, raw)
