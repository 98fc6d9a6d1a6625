"""What to do where VFs come from a module parameter: one number for all PFs of a driver, decided for them together.

max_vfs is one unsigned number. A list (`max_vfs=2,4`, as old guides have it) makes mainline igb refuse to load, and a
number above 63 makes ixgbe create none: a wrong file costs the NIC at the next boot, so it is judged before it is
written. The parameter is read only when the module loads, and passing it to a loaded module is silently ignored:
hence the reload, which takes every PF of the driver down and is therefore guarded.
"""

from collections.abc import Iterable

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.plan import (
    Action,
    ModuleFacts,
    Plan,
    Reason,
    ReloadDriver,
    Surroundings,
    Verdict,
    WriteFile,
    blocked,
    plan_pf,
    unfit,
)


def make_plans(wishes: Iterable[DesiredPf], around: Surroundings) -> tuple[Plan, ...]:
    """A plan for each wish, in their order. Of the PFs of one driver that use max_vfs the first carries the steps."""
    plans: list[Plan] = []
    wishes = tuple(wishes)
    done: set[str] = set()
    for wish in wishes:
        if not wish.rule.uses_max_vfs or wish.pf is None or not wish.pf.driver:
            plans.append(plan_pf(wish, around))
            continue
        driver = wish.pf.driver
        siblings = [other for other in wishes if other.rule.uses_max_vfs and other.pf and other.pf.driver == driver]
        plans.append(_plan(wish, siblings, around, is_first=driver not in done))
        done.add(driver)
    return tuple(plans)


def modprobe_path(driver: str) -> str:
    """The one file of modprobe.d that is ours for this driver."""
    return f"/etc/modprobe.d/sriov-bootstrap-{driver}.conf"


def modprobe_text(driver: str, count: int) -> str:
    """That file's whole text."""
    header = '# Written by sriov-bootstrap (method = "max_vfs"); changes here are replaced.'
    return f"{header}\noptions {driver} max_vfs={count}\n"


def _plan(wish: DesiredPf, siblings: list[DesiredPf], around: Surroundings, *, is_first: bool) -> Plan:
    pf, target = wish.pf, wish.target
    if pf is None or target is None:
        return Plan(wish)
    module = around.modules.get(pf.driver, ModuleFacts())
    if verdict := unfit(wish) or _impossible(pf, siblings, module):
        return Plan(wish, verdict=verdict)
    text = modprobe_text(pf.driver, target)
    steps: list[Action] = []
    if is_first and module.modprobe_text != text:
        steps.append(WriteFile(pf.pci_address, modprobe_path(pf.driver), text))
    if all(other.pf and other.pf.num_vfs == target for other in siblings):
        return Plan(wish, tuple(steps))
    verdict = _no_reload(wish, pf, siblings, around)
    if verdict is None and around.jam:
        verdict = blocked(pf, around.jam)
    if verdict is None and is_first:
        addresses = tuple(other.pci_address for other in around.pfs if other.driver == pf.driver)
        steps.append(ReloadDriver(pf.pci_address, pf.driver, addresses, target))
    return Plan(wish, tuple(steps), verdict if pf.num_vfs != target else None)


def _impossible(pf: PfFacts, siblings: list[DesiredPf], module: ModuleFacts) -> Verdict | None:
    if not module.has_max_vfs:
        message = f"{pf.pci_address}: the module {pf.driver} has no parameter max_vfs that takes one number"
        return Verdict(Reason.METHOD_UNSUPPORTED, message, 'use method = "sriov_numvfs"')
    targets = {other.target for other in siblings}
    if len(targets) > 1:
        names = ", ".join(sorted({f'"{other.rule.name}"' for other in siblings}))
        message = f"{pf.pci_address}: max_vfs is one number for all PFs of {pf.driver}, and the rules {names} differ"
        return Verdict(Reason.CONFLICT, message, 'give these rules the same num_vfs, or use method = "sriov_numvfs"')
    return None


def _no_reload(wish: DesiredPf, pf: PfFacts, siblings: list[DesiredPf], around: Surroundings) -> Verdict | None:
    """Why the module may not be reloaded now, None if it may."""
    hint = f"reboot, or when nothing needs the NIC: modprobe -r {pf.driver} && modprobe {pf.driver}"
    family = [other for other in around.pfs if other.driver == pf.driver]
    if not wish.rule.reload_driver:
        message = f"{pf.pci_address}: {pf.num_vfs} VFs instead of {wish.target} until {pf.driver} is reloaded"
        return Verdict(Reason.RELOAD_REQUIRED, message, f"{hint}; reload_driver = true in the rule does it")
    covered = {other.pf.pci_address for other in siblings if other.pf}
    for other in family:
        if other.pci_address not in covered:
            message = f"{other.pci_address}: no rule with max_vfs covers this PF, so {pf.driver} is not reloaded"
            return Verdict(Reason.RELOAD_REQUIRED, message, hint)
        if users := [vf for vf in other.vfs_in_use if not around.force]:
            message = f"{other.pci_address}: VF {users[0].index} {users[0].pci_address} is in use: {users[0].user}"
            return Verdict(Reason.IN_USE, f"{message}; {pf.driver} is not reloaded", "it is done when it is released")
        if carried := [dev.name for dev in other.netdevs if around.default_route_netdevs & {dev.name, *dev.uppers}]:
            message = f"{other.pci_address}: {carried[0]} carries the default route, so {pf.driver} is not reloaded"
            return Verdict(Reason.RELOAD_REQUIRED, message, hint)
    return None
