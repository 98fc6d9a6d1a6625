"""Whose VFs: ours are those that we created, or that existed in the number that a rule asked for, until they are gone.

`ours` is PCI address of a PF -> incarnations of its VFs that are ours. A VF that something else has created again is
not ours, although its address is the same.
"""

from collections.abc import Iterable, Iterator, Mapping

from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.desired import DesiredPf, rule_of
from sriov_bootstrap.core.driver_wishes import DriverWishes, named_driver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.pf_report import report_vfs
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Leftover
from sriov_bootstrap.core.surroundings import Surroundings

Ours = Mapping[str, frozenset[int]]
NOTHING: frozenset[int] = frozenset()


def is_ours(ours: Ours, pf: PfFacts) -> bool:
    """Whether its current VFs are ours."""
    return pf.incarnations <= ours.get(pf.pci_address, NOTHING)


def still_ours(ours: Ours, pfs: Iterable[PfFacts], *, adopted: Iterable[str] = ()) -> dict[str, frozenset[int]]:
    """What is left of the VFs that were ours, and every VF of the PFs that are `adopted`."""
    kept = {
        pf.pci_address: pf.incarnations
        if pf.pci_address in adopted
        else pf.incarnations & ours.get(pf.pci_address, NOTHING)
        for pf in pfs
    }
    return {address: vfs for address, vfs in kept.items() if vfs}


def leftovers(ours: Ours, pfs: Iterable[PfFacts], config: Config) -> tuple[Leftover, ...]:
    """PFs with our VFs that no rule asks for any more."""
    return tuple(
        Leftover(pf.pci_address, pf.netdev, report_vfs(pf))
        for pf in pfs
        if pf.num_vfs and is_ours(ours, pf) and not rule_of(config, pf)
    )


def plans_without_rule(config: Config, pfs: Iterable[PfFacts], around: Surroundings) -> Iterator[Plan]:
    """PFs whose rule is gone, and whose VFs still carry the driver that it named."""
    for pf in pfs:
        applied = around.placement(pf.pci_address).drivers
        is_free = pf.pci_address not in around.bindings and not pf.vfs_in_use and not around.jam
        if applied.names and pf.vfs and is_free and not rule_of(config, pf):
            rule = PfRule("", Match(pci_address=pf.pci_address), pf.num_vfs)
            names = {vf.index: named_driver(applied.wish_for(vf.index)) for vf in pf.vfs}
            former = DriverWishes("", names).among(names)
            vfs = tuple(vf.pci_address for vf in pf.vfs)
            binding = BindVfs(pf.pci_address, "", vfs, former.usual, others_former=former.others)
            yield Plan(DesiredPf(rule, pf), (binding,))
