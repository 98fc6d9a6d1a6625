"""VFs that `verify` tries in VMs right now: trials.json, so that passes leave them alone and a later run cleans up."""

from collections.abc import Collection

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.vf_attributes import VfAttributes


class TriedVf(Struct, frozen=True):
    """One VF as it was before; `number` among those of its PF, `attributes` None where the PF tells none.

    `incarnation`: as in VfFacts; a VF with another one is not this VF. 0: an earlier version, which has run in this
    boot, did not record it, and it counts for the VF at this address.
    """

    pci_address: str
    number: int
    driver: str = ""
    attributes: VfAttributes | None = None
    incarnation: int = 0

    def is_at(self, pci_address: str, incarnation: int) -> bool:
        """Whether the VF at this address is still this one."""
        return pci_address == self.pci_address and self.incarnation in {0, incarnation}


class Trial(Struct, frozen=True):
    """One VM and the VFs that it gets; all are of one PF, whose `netdev` is "" if it has none here."""

    domain: str
    pf: str
    netdev: str
    vfs: tuple[TriedVf, ...]


class Trials(Struct, frozen=True):
    """All that one process has begun. What another boot has written counts for nothing."""

    boot_id: str = ""
    trials: tuple[Trial, ...] = ()

    @property
    def vfs(self) -> frozenset[str]:
        """The PCI addresses of all VFs in them."""
        return frozenset(vf.pci_address for trial in self.trials for vf in trial.vfs)

    def without(self, over: Collection[Trial]) -> "Trials":
        """The same without those that are over."""
        return Trials(self.boot_id, tuple(trial for trial in self.trials if trial not in over))


def load_trials(data: bytes, *, boot_id: str) -> Trials:
    """Never raises: none where nothing can be understood, or where it is from another boot."""
    try:
        saved = msgspec.json.decode(data, type=Trials)
    except UNDECODABLE:
        return Trials()
    return saved if saved.boot_id == boot_id else Trials()


def dump_trials(trials: Trials) -> bytes:
    """The text of trials.json."""
    return to_json(trials) + b"\n"
