"""Who uses a VF: processes that have it open, VMs that own it, what the kernel does with its netdev.

If in doubt, a VF is in use.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import NAME_LIMIT, printable
from sriov_bootstrap.core.plurals import shortlist

NAMED = 2  # more holders of one VF than this are counted, not named: a refusal is one line


class UseKind(StrEnum):
    """What makes a VF one in use. Decisions ask for it; the words in USES are for people alone."""

    HELD = "held"
    MAY_BE_HELD = "may be held"
    HOLDER_UNKNOWN = "holder unknown"
    OWNED = "owned"
    SHUT_OFF = "owned, shut off"
    OWNER_UNKNOWN = "owner unknown"
    NO_NETDEV = "no netdev"
    NO_NIC = "no NIC"
    LOWER = "lower"
    XDP = "XDP"
    PROMISCUOUS = "promiscuous"
    LINK_UNKNOWN = "link unknown"
    ADDRESSED = "addressed"
    TRIED = "tried"


OPEN = frozenset({UseKind.HELD, UseKind.MAY_BE_HELD})  # by a process that the kernel waits for
# It is in use because nobody can tell; a later look may.
DOUBTS = frozenset({UseKind.MAY_BE_HELD, UseKind.HOLDER_UNKNOWN, UseKind.OWNER_UNKNOWN, UseKind.LINK_UNKNOWN})
LATENT = frozenset({UseKind.SHUT_OFF, UseKind.OWNER_UNKNOWN})  # nobody's at this moment, if the VF has no driver

USES = {
    UseKind.HELD: "held by {who}",
    UseKind.MAY_BE_HELD: "could be held by {who}, which has a vfio device open",
    UseKind.HOLDER_UNKNOWN: "cannot tell who is using it: {who}",
    UseKind.OWNED: "{who}",
    UseKind.SHUT_OFF: "{who}",
    UseKind.OWNER_UNKNOWN: "cannot tell which VM owns it: {who}",
    UseKind.NO_NETDEV: "driver {who} has no netdev here: it is in another network namespace, or bypasses the kernel",
    UseKind.NO_NIC: "driver {who} is bound to it, and what uses it through that cannot be seen",
    UseKind.LOWER: "netdev {netdev} is below {who}",
    UseKind.XDP: "netdev {netdev} has an XDP program",
    UseKind.PROMISCUOUS: "netdev {netdev} is up and promiscuous: a program receives all its packets",
    UseKind.LINK_UNKNOWN: "netdev {netdev} is up, and its addresses are unknown: {who}",
    UseKind.ADDRESSED: "netdev {netdev} is up with {who}",
    UseKind.TRIED: "tried by sriov-bootstrap verify",
}


class Use(Struct, frozen=True):
    """That a VF is in use. `who`: by whom, or why that is unknown; `netdev`: the VF's, if that is what is in use."""

    kind: UseKind
    who: str = ""
    netdev: str = ""

    def __str__(self) -> str:
        """For people: `held by qemu-system-x86 pid 4711`."""
        return USES[self.kind].format(who=self.who, netdev=self.netdev)


class Holder(Struct, frozen=True):
    """A process that has a device node open; `name` is its command name, `domain` a VM's name where one is known."""

    pid: int
    name: str
    domain: str = ""

    def __str__(self) -> str:
        """For people: `qemu-system-x86 pid 4711 (instance-0000002a)`."""
        domain = f" ({printable(self.domain, NAME_LIMIT)})" if self.domain else ""
        return f"{printable(self.name, NAME_LIMIT)} pid {self.pid}{domain}"


class Unseen(Struct, frozen=True):
    """A user with so many open files that some were not looked at.

    `nodes`: device nodes that one of them may be; `is_any`: each one may be.
    """

    uid: int
    nodes: tuple[str, ...] = ()
    is_any: bool = False

    def __str__(self) -> str:
        """For people: what it is, and what to do."""
        return f"uid {self.uid} has more open files than can be checked: end some of its processes (ps -U {self.uid})"

    def may_hold(self, devices: Iterable[str]) -> bool:
        """Whether one of these names could be among them."""
        return self.is_any or any(name in self.nodes for name in devices)


class Holders(Struct, frozen=True):
    """Who has which device open. `problem` says why some processes could not be looked at.

    `by_device`: device node (`/dev/vfio/17`), or a PCI address where the kernel tells it -> holders. `unattributed`:
    processes with a vfio device open that cannot be attributed to a VF.
    """

    by_device: dict[str, tuple[Holder, ...]] = {}
    unattributed: tuple[Holder, ...] = ()
    problem: str = ""
    unseen: tuple[Unseen, ...] = ()

    def besides(self, domain: str) -> "Holders":
        """The same without what the VM of this name has open."""
        found = {device: _without(holders, domain) for device, holders in self.by_device.items()}
        by_device = {device: holders for device, holders in found.items() if holders}
        return replace(self, by_device=by_device, unattributed=_without(self.unattributed, domain))


def _without(holders: Iterable[Holder], domain: str) -> tuple[Holder, ...]:
    return tuple(holder for holder in holders if holder.domain != domain)


class Owner(Struct, frozen=True):
    """A VM that a VF is assigned to, whether it has it open or not."""

    domain: str
    is_running: bool = False

    def __str__(self) -> str:
        """For people."""
        how = "is running" if self.is_running else "is shut off"
        return f"belongs to the VM {printable(self.domain, NAME_LIMIT)}, which {how}"


class Owners(Struct, frozen=True):
    """PCI address, netdev or device node -> the VM that has it; `problem`: why some file could not be read.

    `tried`: PCI addresses of VFs that `verify` has, whose VM is nobody's.
    """

    by_device: dict[str, Owner] = {}
    problem: str = ""
    tried: frozenset[str] = frozenset()

    def besides(self, domain: str) -> "Owners":
        """What others have: neither the VM of this name, nor `verify` by its record."""
        by_device = {device: owner for device, owner in self.by_device.items() if owner.domain != domain}
        return Owners(by_device, self.problem)


def use_by_holder(devices: Collection[str], holders: Holders, *, through_vfio: bool) -> Use | None:
    """Who has a VF open under one of these names; None if no one does."""
    found = {holder.pid: holder for name in devices for holder in holders.by_device.get(name, ())}
    if found:
        return Use(UseKind.HELD, shortlist([str(holder) for holder in found.values()], NAMED))
    if through_vfio and holders.unattributed:
        return Use(UseKind.MAY_BE_HELD, shortlist([str(holder) for holder in holders.unattributed], NAMED))
    if holders.problem:
        return Use(UseKind.HOLDER_UNKNOWN, printable(holders.problem))
    unseen = next((user for user in holders.unseen if user.may_hold(devices)), None)
    return Use(UseKind.HOLDER_UNKNOWN, str(unseen)) if unseen else None


def use_by_vm(devices: Iterable[str], owners: Owners) -> Use | None:
    """Which VM a VF is assigned to under one of these names; None if it is not."""
    if owner := next((owners.by_device[name] for name in devices if name in owners.by_device), None):
        return Use(UseKind.OWNED if owner.is_running else UseKind.SHUT_OFF, str(owner))
    return Use(UseKind.OWNER_UNKNOWN, printable(owners.problem)) if owners.problem else None
