"""rtnetlink, and one file of /sys: the only module that reads and sets what a PF sets for its VFs, and its own MTU.

What the kernel does there (net/core/rtnetlink.c, do_setlink and do_setvfinfo) decides how:

- It sets what a message says in turn, and stops at the first error, without a word about where. So a message asks for
  one attribute, of many VFs; after an error they are read again, and the first that is not as asked is the refused one.
- It asks the driver while it holds its rtnl lock. No signal and no deadline of ours ends the call: whoever must not
  wait for a driver runs this in a process that can be left behind.
- One attribute has 64 KiB, which 334 VFs fit into without statistics. From Linux 7.3 on the list ends after 256 (128
  with statistics); before, the length of a longer one overflows, and formats/vf_info.py reads it all the same.
"""

import errno
import os
import struct
from _socket import NETLINK_ROUTE, if_indextoname
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.kernel_writes import write_attribute
from sriov_bootstrap.base.netlink import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    LINK,
    NLM_F_ACK,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    Asker,
    Conversation,
    UnusableError,
    attribute,
    open_socket,
    reply_to,
)
from sriov_bootstrap.base.printable import raw_of, text_of
from sriov_bootstrap.core.errnos import name_of
from sriov_bootstrap.core.facts import NAMED
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, RefusedSetting, Request, VfAttributes
from sriov_bootstrap.formats.vf_info import CODECS, IFF_PROMISC, IFLA_MTU, IFLA_VFINFO_LIST, read_link, vf_list

# include/uapi/linux/rtnetlink.h, netlink.h
RTM_SETLINK = 19
RTEXT_FILTER_VF = 1 << 0

MESSAGE_BYTES = 1 << 20
SHORTEST_CUT = 128  # VFs in a list that the kernel has cut off
MOST_VFS = 1000  # in one message: 44 KiB, where an attribute's limit is 64
TRIES = 2  # of VFs with the same wish, until EOPNOTSUPP is the driver's answer and not one VF's

VfWish = tuple[int, VfAttributes]
RANGE = "mtu: `ip -d link show` tells the least and the most; journalctl -k shows the driver's messages"
HINT = "journalctl -k shows the driver's messages; sriov-bootstrap --once tries again"
CAUSES = {
    errno.EPERM: ("CAP_NET_ADMIN is missing", "run as root; check CapabilityBoundingSet= if the unit was changed"),
    errno.ENODEV: ("there is no such netdev any more", "none needed: the next pass looks again"),
    errno.ETIMEDOUT: ("the kernel did not answer", "a driver may hold its lock for network devices: journalctl -k"),
}


def read_pf_links(netdevs: Iterable[str], ask: Asker | None = None) -> PfLinks:
    """PFs and their VFs, a question for each; never raises: what failed is in `problem`, and not in `by_name`.

    Nor is a netdev there that is gone.
    """
    found, problems = dict[str, PfLink](), list[str]()
    try:
        with _conversation(ask) as question:
            for netdev in netdevs:
                link, problem = _try_to_read(question, netdev)
                if link:
                    found[netdev] = link
                if problem:
                    problems.append(problem)
    except OSError as error:
        problems.append(f"the kernel did not tell of PFs and their VFs: {error.strerror or error}")
    return PfLinks(found, shortlist(problems, NAMED, "; "))


def _try_to_read(ask: Asker, netdev: str) -> tuple[PfLink | None, str]:
    """The netdev, None if it is gone, and what could not be read. OSError where no other can be, either."""
    try:
        link, num_vfs = _read_link(ask, raw_of(netdev))
    except UnusableError as error:
        return None, f"{netdev}: the kernel's answer cannot be used: {error}"
    except OSError as error:
        if error.errno is None:  # no answer
            raise
        what = "its VFs do not fit into one message of the kernel" if error.errno == errno.EMSGSIZE else error.strerror
        return None, f"{netdev}: {name_of(error.errno)}: {what}"
    if link and SHORTEST_CUT <= len(link.vfs) < num_vfs:  # fewer: the driver does not tell of some
        return link, f"{netdev}: the kernel lists {len(link.vfs)} of its {quantity(num_vfs, 'VF')}"
    return link, ""


def set_vf_attributes(
    ifindex: int,
    wishes: Mapping[int, VfAttributes],
    read: Callable[[], Mapping[int, VfAttributes]] | None = None,
    *,
    ask: Asker | None = None,
) -> tuple[RefusedSetting, ...]:
    """Sets what `wishes` says of VFs, complete for each request, but for "msix"; gives what was refused.

    `read` gives the VFs as they are after an error. KernelError where no VF can be set, such as without the netdev.
    """
    refused = list[RefusedSetting]()
    with _in_words(ifindex, "cannot set attributes of its VFs"), _conversation(ask) as question:
        setter = Setter(question, ifindex, read)
        for request in CODECS:
            parts = [(vf, wish.only(request)) for vf, wish in sorted(wishes.items()) if request in wish.requests]
            refused += setter.refusals(request, parts)
    return tuple(refused)


def set_link(ifindex: int, *, mtu: int = 0, promisc: bool | None = None, ask: Asker | None = None) -> None:
    """Of the PF; 0 and None leave it alone. KernelError."""
    link = LINK.pack(0, 0, ifindex, 0, 0)
    if mtu:
        with _in_words(ifindex, f"cannot set mtu to {mtu}", RANGE), _conversation(ask) as question:
            _send(question, link + attribute(IFLA_MTU, struct.pack("=I", mtu)))
    if promisc is not None:
        with _in_words(ifindex, f"cannot set promisc to {'on' if promisc else 'off'}"), _conversation(ask) as question:
            _send(question, LINK.pack(0, 0, ifindex, IFF_PROMISC if promisc else 0, IFF_PROMISC))


def write_msix(
    address: str, vf: int, vectors: int, *, root: str = "/sys", write: Callable[[str, str], None] = write_attribute
) -> RefusedSetting | None:
    """How many MSI-X vectors the VF at this PCI address has, 0 for the driver's default (sriov_vf_msix_count)."""
    folder = f"{root}/bus/pci/devices/{address}"
    try:
        write(f"{folder}/sriov_vf_msix_count", str(vectors))
    except OSError as error:
        number = error.errno or errno.EIO
        is_gone = number == errno.ENOENT and not os.path.exists(folder)
        return RefusedSetting(vf, "msix", VfAttributes(msix_vectors=vectors), errno.ENODEV if is_gone else number)
    return None


class Setter:
    """Sets one attribute of VFs of one PF."""

    def __init__(self, ask: Asker, ifindex: int, read: Callable[[], Mapping[int, VfAttributes]] | None) -> None:
        """Asks nothing yet."""
        self._ask = ask
        self._ifindex = ifindex
        self._read = read or self._read_vfs

    def refusals(self, request: Request, wishes: Sequence[VfWish]) -> Iterator[RefusedSetting]:
        """Sets what can be set while the refusals are taken: all wishes that are left, in one message, after each."""
        left, at_once, tries = list(wishes), MOST_VFS, Tries()
        while left:
            group = left[:at_once]
            number = self._set(request, group)
            done, is_known = self._count_done(group) if number and group[1:] else (0 if number else len(group), True)
            tries.add_done(group[:done])
            left = left[done:]
            if not is_known:
                at_once = 1
            elif number:
                vf, asked = left.pop(0)
                yield RefusedSetting(vf, request, asked, number)
                if number == errno.EOPNOTSUPP:
                    hopeless = tries.hopeless(asked, left)
                    yield from (RefusedSetting(vf, request, asked, number) for vf, asked in hopeless)
                    left = [wish for wish in left if wish[0] not in dict(hopeless)]

    def _set(self, request: Request, group: Sequence[VfWish]) -> int:
        """The errno of one of them, 0 if all is done. OSError where it is not about a VF."""
        link = LINK.pack(0, 0, self._ifindex, 0, 0)
        _, number, _ = reply_to(
            self._ask, RTM_SETLINK, link + attribute(IFLA_VFINFO_LIST, vf_list(request, group)), NLM_F_ACK
        )
        if number in {errno.EPERM, errno.ENODEV}:  # a driver's, or that of whoever asks, and for nothing as well
            _send(self._ask, link)
        return number

    def _count_done(self, group: Sequence[VfWish]) -> tuple[int, bool]:
        """How many have been set before the error, and whether the kernel tells so of the next one, too."""
        vfs = self._read()
        for index, (vf, asked) in enumerate(group):
            told, said = vfs.get(vf, VfAttributes()).said, asked.said
            if not said.keys() <= told.keys():
                return index, False
            if any(told[name] != value for name, value in said.items()):
                return index, True
        return 0, False

    def _read_vfs(self) -> Mapping[int, VfAttributes]:
        try:
            link, _ = _read_link(self._ask, self._ifindex)
        except (OSError, UnusableError):
            return {}
        return link.vfs if link else {}


class Tries:
    """What a driver has set, and what it has no operation for: the same wish for many VFs has the same answer."""

    def __init__(self) -> None:
        """Nothing has been tried."""
        self._done: set[frozenset[tuple[str, object]]] = set()
        self._unsupported: Counter[frozenset[tuple[str, object]]] = Counter()

    def add_done(self, wishes: Iterable[VfWish]) -> None:
        """These are set."""
        self._done.update(_kind(asked) for _, asked in wishes)

    def hopeless(self, unsupported: VfAttributes, left: Iterable[VfWish]) -> list[VfWish]:
        """Those that need not be tried any more, after EOPNOTSUPP for this one."""
        kind = _kind(unsupported)
        self._unsupported[kind] += 1
        if kind in self._done or self._unsupported[kind] < TRIES:
            return []
        return [(vf, asked) for vf, asked in left if _kind(asked) == kind]


def _kind(asked: VfAttributes) -> frozenset[tuple[str, object]]:
    """A driver may have an operation for this setting and not for that one, but for all addresses, VLANs and rates."""
    return frozenset((name, bool(value) if type(value) in {int, str} else value) for name, value in asked.said.items())


@contextmanager
def _conversation(ask: Asker | None) -> Iterator[Asker]:
    if ask:
        yield ask
        return
    with closing(open_socket(NETLINK_ROUTE)) as connection:
        yield Conversation(connection, buffer_bytes=MESSAGE_BYTES).ask


def _send(ask: Asker, body: bytes) -> None:
    """Has a netdev changed. OSError, with the kernel's words where it has some."""
    _, number, words = reply_to(ask, RTM_SETLINK, body, NLM_F_ACK)
    if number:
        raise OSError(number, words or os.strerror(number))


def _read_link(ask: Asker, netdev: int | bytes) -> tuple[PfLink | None, int]:
    """By its index or name, and how many VFs it has; None if it is gone. OSError."""
    by_name = attribute(IFLA_IFNAME, netdev + b"\0") if isinstance(netdev, bytes) else b""
    link = LINK.pack(0, 0, 0 if by_name else netdev, 0, 0) + by_name
    mask = struct.pack("=I", RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
    body, number, _ = reply_to(ask, RTM_GETLINK, link + attribute(IFLA_EXT_MASK, mask))
    if number == errno.ENODEV:
        return None, 0
    if number:
        raise OSError(number, os.strerror(number))
    return read_link(body)


@contextmanager
def _in_words(ifindex: int, what: str, remedy: str = HINT) -> Iterator[None]:
    """What is raised in this block is a KernelError with netdev, cause and remedy."""
    try:
        yield
    except UnusableError as error:
        raise KernelError(
            f"{_name(ifindex)}: {what}: the kernel's answer cannot be used: {error}", hint=HINT
        ) from error
    except OSError as error:
        number = error.errno or errno.ETIMEDOUT
        cause, hint = CAUSES.get(number, (error.strerror, remedy))
        raise KernelError(f"{_name(ifindex)}: {what}: {name_of(number)}: {cause}", errno=number, hint=hint) from error


def _name(ifindex: int) -> str:
    try:
        return text_of(os.fsencode(if_indextoname(ifindex)))
    except (OSError, OverflowError):
        return f"the netdev with index {ifindex}"
