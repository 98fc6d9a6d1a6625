"""Who uses a VF from outside the kernel: processes that have it open, VMs that own it. In words, for a refusal.

What cannot be established counts as use.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

from sriov_bootstrap.base.printable import NAME_LIMIT, printable

NAMED = 2  # more holders of one VF than this are counted, not named: a refusal is one line


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
    """A user who has so many files open that some were not looked at.

    `nodes`: device nodes that one of them may be; `is_any`: each one may be.
    """

    uid: int
    nodes: tuple[str, ...] = ()
    is_any: bool = False

    def __str__(self) -> str:
        """For people: what it is, and what to do."""
        return f"uid {self.uid} has more files open than are looked at: end some of its processes (ps -U {self.uid})"

    def may_hold(self, devices: Iterable[str]) -> bool:
        """Whether one of these names could be among them."""
        return self.is_any or any(name in self.nodes for name in devices)


class Holders(Struct, frozen=True):
    """Who has which device open. `problem` says why some processes could not be looked at.

    `by_device`: device node (`/dev/vfio/17`), or a PCI address where the kernel tells it -> holders. `unattributed`:
    processes with a vfio device open and no word of which one it is.
    """

    by_device: dict[str, tuple[Holder, ...]] = {}
    unattributed: tuple[Holder, ...] = ()
    problem: str = ""
    unseen: tuple[Unseen, ...] = ()


class Owner(Struct, frozen=True):
    """A VM that a VF is assigned to, whether it has it open or not."""

    domain: str
    is_running: bool = False

    def __str__(self) -> str:
        """For people."""
        how = "runs" if self.is_running else "is shut off"
        return f"belongs to the VM {printable(self.domain, NAME_LIMIT)}, which {how}"


class Owners(Struct, frozen=True):
    """PCI address, netdev or device node -> the VM that has it; `problem`: why some file could not be read."""

    by_device: dict[str, Owner] = {}
    problem: str = ""


def held(devices: Collection[str], holders: Holders, *, through_vfio: bool) -> str:
    """Who has one of these names of a VF open, "" when nobody does."""
    found = {holder.pid: holder for name in devices for holder in holders.by_device.get(name, ())}
    if found:
        return f"held by {_listed(found.values())}"
    if through_vfio and holders.unattributed:
        return f"could be held by {_listed(holders.unattributed)}, who has some vfio device open"
    if holders.problem:
        return f"nobody could be ruled out: {printable(holders.problem)}"
    user = next((one for one in holders.unseen if one.may_hold(devices)), None)
    return f"nobody could be ruled out: {user}" if user else ""


def owned(devices: Iterable[str], owners: Owners) -> str:
    """Which VM one of these names of a VF is assigned to, "" when none is."""
    if owner := next((owners.by_device[name] for name in devices if name in owners.by_device), None):
        return str(owner)
    return f"no VM could be ruled out: {printable(owners.problem)}" if owners.problem else ""


def _listed(holders: Iterable[Holder]) -> str:
    everyone = [str(holder) for holder in holders]
    more = len(everyone) - NAMED
    return ", ".join(everyone[:NAMED]) + (f" and {more} more" if more > 0 else "")
