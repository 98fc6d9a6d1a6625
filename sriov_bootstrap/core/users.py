"""Who uses a VF from outside the kernel: processes that have it open, VMs that own it. In words, for a refusal.

What cannot be established counts as use.
"""

from collections.abc import Iterable

from msgspec import Struct

from sriov_bootstrap.printable import NAME_LIMIT, printable

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


class Holders(Struct, frozen=True):
    """Who has which device open. `problem` says why some processes could not be looked at.

    `by_device`: device node (`/dev/vfio/17`), or a PCI address where the kernel tells it -> holders. `unattributed`:
    processes with a vfio device open and no word of which one it is.
    """

    by_device: dict[str, tuple[Holder, ...]] = {}
    unattributed: tuple[Holder, ...] = ()
    problem: str = ""


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


def held(devices: Iterable[str], holders: Holders, *, through_vfio: bool) -> str:
    """Who has one of these names of a VF open, "" when nobody does."""
    found = {holder.pid: holder for name in devices for holder in holders.by_device.get(name, ())}
    if found:
        return f"held by {_listed(found.values())}"
    if through_vfio and holders.unattributed:
        return f"could be held by {_listed(holders.unattributed)}, who has some vfio device open"
    return f"nobody could be ruled out: {printable(holders.problem)}" if holders.problem else ""


def owned(devices: Iterable[str], owners: Owners) -> str:
    """Which VM one of these names of a VF is assigned to, "" when none is."""
    if owner := next((owners.by_device[name] for name in devices if name in owners.by_device), None):
        return str(owner)
    return f"no VM could be ruled out: {printable(owners.problem)}" if owners.problem else ""


def _listed(holders: Iterable[Holder]) -> str:
    everyone = [str(holder) for holder in holders]
    more = len(everyone) - NAMED
    return ", ".join(everyone[:NAMED]) + (f" and {more} more" if more > 0 else "")
