"""The host as it is now -> what is to be done: the facts, and all that plans depend on beside them, put together."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from sriov_bootstrap.core import facts
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import DesiredPf, resolve
from sriov_bootstrap.core.driver_wishes import DriverWishes
from sriov_bootstrap.core.drivers import is_module_name
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.ours import plans_without_rule
from sriov_bootstrap.core.placing import Moves
from sriov_bootstrap.core.plan import Plan, plan_pf
from sriov_bootstrap.core.reasons import Verdict
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam, Surroundings
from sriov_bootstrap.core.vf_settings import Seen

if TYPE_CHECKING:
    from sriov_bootstrap.passes.protocols import PassMachine  # loaded for no pass: it only names types


class HostSnapshot(Struct, frozen=True):
    """The machine at one moment, and what is to be done about it. `leaving`: the same for PFs whose rule is gone.

    `placed`: PCI address -> the drivers that all VFs of that PF have. `machine_id`: "" if no rule needs it.
    """

    pfs: tuple[PfFacts, ...]
    plans: tuple[Plan, ...]
    jam: Jam | None
    leaving: tuple[Plan, ...] = ()
    placed: dict[str, DriverWishes] = {}
    machine_id: str = ""

    @property
    def all_plans(self) -> tuple[Plan, ...]:
        """Also those of PFs whose rule is gone, and which are not reported."""
        return (*self.plans, *self.leaving)

    @property
    def pfs_with_rule(self) -> tuple[PfFacts, ...]:
        """The PFs that have a rule."""
        return tuple(plan.desired.pf for plan in self.plans if plan.desired.pf)

    @property
    def differing(self) -> dict[str, dict[int, Seen]]:
        """PCI address -> VFs whose attributes differ from the rule: see AttributeMemory."""
        return {plan.pci_address: plan.settings.seen for plan in self.plans if plan.settings.seen}

    @property
    def targets(self) -> dict[str, int]:
        """PCI address -> the number that its rule asks for."""
        wishes = ((plan.desired.pf, plan.desired.target) for plan in self.plans)
        return {pf.pci_address: target for pf, target in wishes if pf and target is not None}


def decide(
    machine: "PassMachine",
    config: Config,
    pfs: tuple[PfFacts, ...],
    saved: State,
    *,
    force: bool,
    is_release: bool = False,
) -> HostSnapshot:
    """What is to be done about these facts. `is_release`: the config has one rule and says nothing of other PFs."""
    wishes = resolve(config, pfs)
    drivers = {wish.pf.driver for wish in wishes if wish.rule.uses_max_vfs and wish.pf}
    named = {name for wish in wishes if wish.pf for name in wish.rule.driver_names}
    bindings = machine.read_bindings()
    around = Surroundings(
        pfs=pfs,
        jam=machine.read_jam(),
        modules={driver: machine.read_module(driver) for driver in drivers if is_module_name(driver)},
        routes=machine.default_routes() if drivers else facts.Routes(),
        autoprobe_off_by_us=frozenset(saved.autoprobe_off),
        short=saved.short,
        contests=saved.contests,
        suspects=machine.read_suspects() if saved.contests else {},
        now=machine.monotonic(),
        force=force,
        placements=saved.placements,
        bindings=bindings,
        absent_drivers=frozenset(name for name in named if not machine.has_driver(name)),
        absent=_absent_verdicts(machine, wishes, pfs),
        names_follow_probes=_may_bind_late(wishes) and machine.names_follow_probes(),
        attributes=saved.attributes,
        mode_first=frozenset(saved.mode_first),
        refused_modes=saved.refused_modes,
        machine_id=machine.machine_id() if any(rule.has_stable_mac for rule in config.pf) else "",
    )
    jam = around.jam or next(iter(bindings.values()), None)
    leaving = () if is_release else tuple(plans_without_rule(config, pfs, around))
    applied = dict(_applied_drivers(wishes, around))
    return HostSnapshot(pfs, _plans(wishes, around), jam, leaving, applied, around.machine_id)


def _absent_verdicts(
    machine: "PassMachine", wishes: tuple[DesiredPf, ...], pfs: tuple[PfFacts, ...]
) -> dict[str, Verdict]:
    """Most passes have a PF for each rule, and look no further."""
    if all(wish.pf or not wish.rule.required for wish in wishes):
        return {}
    from sriov_bootstrap.passes.presence import absent_verdicts

    return absent_verdicts(machine, wishes, pfs)


def _may_bind_late(wishes: tuple[DesiredPf, ...]) -> bool:
    """Whether it matters how netdevs are named: reading that takes time, which most passes can save."""
    return any(wish.pf and (wish.pf.num_vfs != wish.target or wish.rule.vf) for wish in wishes)


def _applied_drivers(wishes: tuple[DesiredPf, ...], around: Surroundings) -> Iterator[tuple[str, DriverWishes]]:
    """Not of PFs with a write or a binding in progress: it may still bring VFs, or take their driver.

    Nor where it is not known what the rule says of single VFs.
    """
    at_work = {*around.bindings, *((around.jam.pci_address,) if around.jam else ())}
    for rule, pf in ((wish.rule, wish.pf) for wish in wishes):
        is_known = pf and pf.driver and pf.pci_address not in at_work and not rule.vf_problems
        if pf and is_known and around.moves(rule, pf) == Moves():
            yield pf.pci_address, rule.drivers(pf.num_vfs)


def _plans(wishes: tuple[DesiredPf, ...], around: Surroundings) -> tuple[Plan, ...]:
    """One for each; what max_vfs takes is imported only where a rule asks for it."""
    if not any(wish.rule.uses_max_vfs for wish in wishes):
        return tuple(plan_pf(wish, around) for wish in wishes)
    from sriov_bootstrap.core.plan_max_vfs import make_plans

    return make_plans(wishes, around)
