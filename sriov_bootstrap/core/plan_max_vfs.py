"""What to do where VFs come from a module parameter: one number for all PFs of a driver, decided for them together.

max_vfs is one unsigned number. A list (`max_vfs=2,4`, as in old guides) makes mainline igb refuse to load, and a
number above 63 makes ixgbe create none: a wrong file costs the NIC at the next boot, so it is judged before it is
written. The parameter is read only when the module loads, and passing it to a loaded module is silently ignored:
hence the reload, which takes every PF of the driver down and is therefore guarded.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.core.actions import Action, ReloadDriver, SetAutoprobe, WriteFile
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.plan import Plan, keep_count, plan_pf, preparations
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.surroundings import ModuleFacts, Short, Surroundings
from sriov_bootstrap.core.verdicts import (
    binding_verdict,
    blocked_verdict,
    contested_verdict,
    fewer_vfs_verdict,
    unfit_verdict,
)


class Wish(Struct, frozen=True):
    """A complete wish: a PF with a driver, and a count."""

    desired: DesiredPf
    pf: PfFacts
    target: int


def make_plans(wishes: Iterable[DesiredPf], around: Surroundings) -> tuple[Plan, ...]:
    """A plan for each wish, in their order. Of the PFs of one driver that use max_vfs the first carries the steps."""
    wishes = tuple(wishes)
    families: dict[str, list[Wish]] = {}
    for wish in filter(None, map(_max_vfs_wish, wishes)):
        families.setdefault(wish.pf.driver, []).append(wish)
    return tuple(
        _plan_pf(mine, families[mine.pf.driver], around)
        if (mine := _max_vfs_wish(candidate))
        else plan_pf(candidate, around)
        for candidate in wishes
    )


def _max_vfs_wish(wish: DesiredPf) -> Wish | None:
    """None: it goes through sriov_numvfs, including its refusals."""
    if not wish.rule.uses_max_vfs or wish.pf is None or not wish.pf.driver or wish.target is None:
        return None
    return Wish(wish, wish.pf, wish.target)


def due_step(plans: Iterable[Plan], driver: str) -> WriteFile | ReloadDriver | Verdict:
    """The file or the reload of this driver, if that is the next step; otherwise why it is not."""
    plans = tuple(plan for plan in plans if plan.desired.pf and plan.desired.pf.driver == driver)
    for plan in plans:
        if plan.actions and isinstance(plan.actions[0], WriteFile | ReloadDriver):
            return plan.actions[0]
    hint = "sriov-bootstrap --once --dry-run shows what has to be done"
    nothing = Verdict(Reason.RELOAD_REQUIRED, f"the config does not ask for a reload of {driver} now", hint)
    return next((plan.verdict for plan in plans if plan.verdict), nothing)


def modprobe_path(driver: str) -> str:
    """The one file of modprobe.d that is ours for this driver."""
    return f"/etc/modprobe.d/sriov-bootstrap-{driver}.conf"


def modprobe_text(driver: str, count: int) -> str:
    """That file's whole text."""
    header = '# Written by sriov-bootstrap (method = "max_vfs"); changes here are replaced.'
    return f"{header}\noptions {driver} max_vfs={count}\n"


def _plan_pf(wish: Wish, family: Sequence[Wish], around: Surroundings) -> Plan:
    pf, is_carrier = wish.pf, wish.pf == family[0].pf
    module = around.modules.get(pf.driver, ModuleFacts())
    if verdict := _impossible_verdict(wish, family, around, module):
        return Plan(wish.desired, verdict=verdict)
    steps: list[Action] = []
    text = modprobe_text(pf.driver, wish.target)
    if is_carrier and module.modprobe_text != text:
        steps.append(WriteFile(pf.pci_address, modprobe_path(pf.driver), text))
    if all(other.pf.num_vfs == wish.target for other in family):
        kept = keep_count(wish.desired, pf, wish.target, around)
        if kept.actions and around.jam:
            return Plan(wish.desired, tuple(steps), blocked_verdict(pf, around.jam))
        return replace(kept, actions=(*steps, *kept.actions))
    if verdict := _no_reload_verdict(wish, family, around):
        return Plan(wish.desired, tuple(steps), verdict if pf.num_vfs != wish.target else None)
    if not is_carrier:
        return Plan(wish.desired, carrier=family[0].pf.pci_address)
    return Plan(wish.desired, (*steps, *_reload_steps(wish, family, around)))


def _reload_steps(wish: Wish, family: Sequence[Wish], around: Surroundings) -> tuple[Action, ...]:
    """autoprobe outlives the reload (struct pci_sriov belongs to the device), a netdev that is up does not."""
    prepared = (step for member in family for step in preparations(member.desired, member.pf, member.target, around))
    probes = (step for step in prepared if isinstance(step, SetAutoprobe))
    driver = wish.pf.driver
    addresses = tuple(other.pci_address for other in around.pfs if other.driver == driver)
    return (*probes, ReloadDriver(wish.pf.pci_address, driver, addresses, wish.target))


def _impossible_verdict(
    wish: Wish, family: Sequence[Wish], around: Surroundings, module: ModuleFacts
) -> Verdict | None:
    """A count that one PF of the driver refuses is not written for the others either: they share the module."""
    pf = wish.pf
    if around.jam and around.jam.pci_address == pf.pci_address:
        return blocked_verdict(pf, around.jam)
    if binding := next(filter(None, (around.bindings.get(other.pf.pci_address) for other in family)), None):
        return binding_verdict(pf, binding)  # it would keep the driver from being unloaded
    if verdict := next(filter(None, map(unfit_verdict, [wish.desired, *(other.desired for other in family)])), None):
        return verdict
    if not module.has_max_vfs:
        message = f"{pf.pci_address}: the module {pf.driver} has no max_vfs parameter that takes one number"
        return Verdict(Reason.METHOD_UNSUPPORTED, message, 'use method = "sriov_numvfs"')
    if len({other.target for other in family}) > 1:
        names = ", ".join(sorted({f'"{other.desired.rule.name}"' for other in family}))
        message = f"{pf.pci_address}: max_vfs is one number for all PFs of {pf.driver}, but the rules {names} differ"
        return Verdict(Reason.CONFLICT, message, 'give these rules the same num_vfs, or use method = "sriov_numvfs"')
    return None


def _no_reload_verdict(wish: Wish, family: Sequence[Wish], around: Surroundings) -> Verdict | None:
    """Why the module may not be reloaded now, None if it may."""
    pf, driver = wish.pf, wish.pf.driver
    quoted = shell_quoted(driver)
    hint = f"reboot, or while nothing uses the device: modprobe -r {quoted} && modprobe {quoted}"
    if not all(other.desired.rule.reload_driver for other in family):
        message = f"{pf.pci_address}: {quantity(pf.num_vfs, 'VF')} instead of {wish.target} until {driver} is reloaded"
        return Verdict(
            Reason.RELOAD_REQUIRED,
            message,
            f"{hint}; with reload_driver = true in the rule, this is done automatically",
        )
    if not pf.is_nic:
        message = f"{pf.pci_address}: it is not a NIC, and what uses it cannot be seen, so {driver} is not reloaded"
        return Verdict(Reason.RELOAD_REQUIRED, message, hint)
    if verdict := _tried_verdict(wish, family, around):
        return verdict
    covered = {other.pf.pci_address for other in family}
    for other in (sibling for sibling in around.pfs if sibling.driver == driver):
        if other.pci_address not in covered:
            message = f"{other.pci_address}: no rule with max_vfs covers this PF, so {driver} is not reloaded"
            return Verdict(Reason.RELOAD_REQUIRED, message, hint)
        if users := other.vfs_in_use:
            message = f"{other.pci_address}: {users[0].refusal}"
            return Verdict(
                Reason.IN_USE, f"{message}; {driver} is not reloaded", "this is done automatically once it is released"
            )
    return _route_verdict(pf, around, hint) or (blocked_verdict(pf, around.jam) if around.jam else None)


def _route_verdict(pf: PfFacts, around: Surroundings, hint: str) -> Verdict | None:
    """A default route through a PF of the driver, or one whose PF is not known."""
    driver, routes = pf.driver, around.routes
    for other in (sibling for sibling in around.pfs if sibling.driver == driver):
        if carried := [dev.name for dev in other.netdevs if routes.netdevs & {dev.name, *dev.uppers}]:
            message = f"{other.pci_address}: {carried[0]} carries the default route, so {driver} is not reloaded"
            return Verdict(Reason.RELOAD_REQUIRED, message, hint)
    if routes.problem:
        message = f"{pf.pci_address}: it may carry a default route, so {driver} is not reloaded"
        return Verdict(Reason.RELOAD_REQUIRED, f"{message}: {routes.problem}", hint)
    return None


def _tried_verdict(wish: Wish, family: Sequence[Wish], around: Surroundings) -> Verdict | None:
    """The result of the last reload, if another one would have the same."""
    if not around.force and any(_was_tried(other, around) for other in family):
        return fewer_vfs_verdict(wish.pf, wish.target)
    return next(filter(None, (contested_verdict(other.pf, other.target, around) for other in family)), None)


def _was_tried(wish: Wish, around: Surroundings) -> bool:
    """A reload gave this PF these VFs, or none, for exactly this number: the next one would too."""
    made = around.short.get(wish.pf.pci_address)
    return made == Short(wish.target, wish.pf.incarnations, is_proven=True)
