"""rtnetlink: every netdev, with what is not in /sys: altnames, addresses and XDP; and the names of ports.

Two dumps (rtnetlink(7), netlink(7)). Importing `socket` would cost more than a pass with nothing to do; its C half has
all that is needed here. VFs of a PF are not asked for, see vf_attributes.py.

The kernel dumps links under its rtnl lock. Where a driver holds that for good, no signal and no deadline of ours ends
the call: whoever must not wait for a driver makes it in a process that can be left behind.
"""

import struct
from _socket import AF_INET, AF_INET6, AF_NETLINK, NETLINK_ROUTE, SOCK_RAW, inet_ntop, socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial

from msgspec.structs import replace

from sriov_bootstrap.base.netlink import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    IFLA_PHYS_PORT_NAME,
    LINK,
    MAX_TRIES,
    NLM_F_DUMP,
    READ_SECONDS,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    Conversation,
    InterruptedDumpError,
    UnusableError,
    attribute,
    attributes,
    bodies_of,
    read_undisturbed,
)
from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.core.facts import Link, Links

# include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h
RTM_NEWADDR, RTM_GETADDR = 20, 22
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
IFLA_XDP, IFLA_PROP_LIST, IFLA_ALT_IFNAME = 43, 52, 53
LINK_ATTRIBUTES = frozenset((IFLA_IFNAME, IFLA_PHYS_PORT_NAME, IFLA_XDP, IFLA_PROP_LIST))
IFLA_XDP_ATTACHED = 2
IFA_ADDRESS, IFA_LOCAL = 1, 2
RT_SCOPE_LINK = 253

REQUESTS = {
    # Without RTEXT_FILTER_VF nothing is said of VFs.
    RTM_GETLINK: LINK.pack(0, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS)),
    RTM_GETADDR: ADDRESS.pack(0, 0, 0, 0, 0),
}

# A type of request -> the messages in answer, as they arrive: one or several to a datagram.
Dump = Callable[[int], Iterable[bytes]]


def read_links(dump: Dump | None = None) -> Links:
    """Every netdev of this network namespace; never raises: what failed is in Links.problem."""
    try:
        if dump:
            return read_undisturbed(partial(_read, dump))
        with closing(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)) as connection:
            connection.bind((0, 0))
            return read_undisturbed(partial(_read, Dumps(connection)))
    except OSError as error:
        return Links(problem=f"the kernel did not list the netdevs: {error.strerror or error}")
    except UnusableError as error:
        return Links(problem=f"the kernel's list of netdevs cannot be used: {error}")
    except InterruptedDumpError:
        return Links(problem=f"the kernel's list of netdevs changed {MAX_TRIES} times while it was read")


class Dumps:
    """Asks on a socket, one question at a time."""

    def __init__(self, connection: socket, *, timeout_seconds: float = READ_SECONDS) -> None:
        """The socket must be bound. Each dump has `timeout_seconds`."""
        self._conversation = Conversation(connection, timeout_seconds=timeout_seconds)

    def __call__(self, request: int) -> Iterator[bytes]:
        """One dump. OSError if it fails, TimeoutError at the deadline."""
        return self._conversation.ask(request, REQUESTS[request], NLM_F_DUMP)


def _read(dump: Dump) -> Links:
    links = [_link(body) for body in bodies_of(dump(RTM_GETLINK), RTM_NEWLINK, LINK.size)]
    addresses: dict[int, list[str]] = {}
    for body in bodies_of(dump(RTM_GETADDR), RTM_NEWADDR, ADDRESS.size):
        index, text = _address(body)
        addresses.setdefault(index, []).append(text)
    return Links({link.name: _add_addresses(link, addresses.get(link.ifindex, [])) for link in links})


def _add_addresses(link: Link, addresses: list[str]) -> Link:
    """Without link-local ones, which are "" here."""
    known = tuple(filter(None, addresses))
    return replace(link, addresses=known) if known else link


def _link(body: bytes) -> Link:
    name, altnames, has_xdp, port_name = "", [], False, ""
    for type_, value in attributes(body, LINK.size, LINK_ATTRIBUTES):
        if type_ == IFLA_IFNAME:
            name = _name(value)
        elif type_ == IFLA_PHYS_PORT_NAME:
            port_name = _name(value)
        elif type_ == IFLA_PROP_LIST:
            altnames += [_name(inner) for _, inner in attributes(value, 0, {IFLA_ALT_IFNAME})]
        elif type_ == IFLA_XDP:
            has_xdp = any(any(inner) for _, inner in attributes(value, 0, {IFLA_XDP_ATTACHED}))
    if not name:
        raise UnusableError("a netdev has no name")
    return Link(name, tuple(altnames), (), LINK.unpack_from(body)[2], has_xdp=has_xdp, port_name=port_name)


def _address(body: bytes) -> tuple[int, str]:
    """The index of its netdev, and the address; "" if that is link-local. With a peer, IFA_LOCAL is ours."""
    family, prefix_length, _, scope, index = ADDRESS.unpack_from(body)
    if scope == RT_SCOPE_LINK:
        return index, ""
    found = dict(attributes(body, ADDRESS.size, {IFA_LOCAL, IFA_ADDRESS}))
    raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, b"")
    if not raw:
        raise UnusableError("an address is missing")
    try:
        text = inet_ntop(family, raw) if family in {AF_INET, AF_INET6} else raw.hex()
    except ValueError as error:
        raise UnusableError(f"an address has {len(raw)} bytes") from error
    return index, f"{text}/{prefix_length}"


def _name(raw: bytes) -> str:
    return text_of(raw.partition(b"\0")[0])
