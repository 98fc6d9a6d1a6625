"""Why a PF is not as its rule says although its actions were carried out: from its plan, their results, the facts now.

What keeps a plan from having actions is in verdicts.py; here the plan's own verdict comes first.
"""

from sriov_bootstrap.core.actions import OPTIONAL, BindVfs, LoadModule, SetNumVfs
from sriov_bootstrap.core.desired import ports_of
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import NAMED, PfFacts
from sriov_bootstrap.core.placing import VfRefusal, lacks
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.core.verdicts import fewer_vfs_verdict, kept_vfs_verdict
from sriov_bootstrap.core.vf_settings import MACHINE_ID_REMEDY, NO_MACHINE_ID, AttributeMemory, lacks_machine_id

LINK_HINT = "a PF sets attributes through its netdev: it has to be in this network namespace, with the PF's own driver"
TABLES_HINT = "correct the file, check it with sriov-bootstrap check-config, then: systemctl reload sriov-bootstrap"


def pf_verdict(
    plan: Plan, pf: PfFacts | None, results: tuple[Result, ...], refusal: VfRefusal | None, *, is_incomplete: bool
) -> Verdict | None:
    """Why number, drivers or switch are not as desired: the first that holds."""
    return (
        plan.verdict
        or _failure(plan, results)
        or _refusal_verdict(plan, pf, refusal)
        or _shortfall(plan, pf, results, is_incomplete=is_incomplete)
        or _switch_verdict(plan, pf, results)
        or _unlisted_verdict(plan, pf, results)
    )


def vfs_verdict(
    plan: Plan, pf: PfFacts | None, results: tuple[Result, ...], memory: AttributeMemory, machine_id: str
) -> Verdict | None:
    """Why what the rule says of single VFs is not so."""
    return (
        _tables_verdict(plan, pf, results)
        or _attributes_verdict(plan, pf, results, memory, machine_id)
        or _functions_verdict(plan, pf, results)
    )


def _functions_verdict(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...]) -> Verdict | None:
    """Of VFs' ports of a switch."""
    rule = plan.desired.rule
    if pf is None or not rule.asks_port_functions or (plan.actions and not results):
        return None
    from sriov_bootstrap.core.eswitch import functions_verdict  # only rules that ask for it pay for the import

    return functions_verdict(pf, rule)


def _switch_verdict(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...]) -> Verdict | None:
    """Why what the rule says of its switch is not so, although every action ended well."""
    rule = plan.desired.rule
    if pf is None or not rule.asks_devlink or (plan.actions and not results):
        return None
    from sriov_bootstrap.core.eswitch import lack_verdict  # only rules that ask for it pay for the import

    return plan.refused_mode or lack_verdict(pf, rule)


def _unlisted_verdict(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...]) -> Verdict | None:
    """A PF that stays down while nobody can tell its ports from representors: libvirt gives none of its VFs to a VM."""
    desired = plan.desired
    if pf is None or not desired.target or not desired.rule.pf_up or (plan.actions and not results):
        return None
    if pf.are_ports_known:
        return None
    if any(dev.is_up for dev in ports_of(desired.rule.match, pf)):
        return None
    message = f"{pf.pci_address}: its ports stay down: the kernel lists no netdevs, and one may be a representor"
    hint = (
        "a driver may hold the kernel's lock for network devices: journalctl -k; it is tried again within ten minutes"
    )
    return Verdict(Reason.WRITE_FAILED, message, hint)


def _tables_verdict(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...]) -> Verdict | None:
    """What is wrong in [[pf.vf]] tables, once all else is as the rule says."""
    problems = plan.desired.rule.vf_problems
    if pf is None or not problems or (plan.actions and not results):
        return None
    message = f"{pf.pci_address}: nothing is set for its VFs: {shortlist(problems, NAMED, '; ')}"
    return Verdict(Reason.ATTRIBUTES_REFUSED, message, TABLES_HINT)


def _attributes_verdict(
    plan: Plan, pf: PfFacts | None, results: tuple[Result, ...], memory: AttributeMemory, machine_id: str
) -> Verdict | None:
    """What could not be set of attributes. The VFs are there all the same, with their drivers."""
    if pf is None:
        return None
    last = {type(result.action): result for result in results}
    for kind in OPTIONAL:
        if (result := last.get(kind)) and result.outcome is Outcome.FAILED:
            return Verdict(Reason.ATTRIBUTES_REFUSED, result.message, result.hint)
    if memory.refusal and plan.settings.refused:
        return Verdict(Reason.ATTRIBUTES_REFUSED, memory.refusal.message, memory.refusal.hint)
    if pf.link and lacks_machine_id(plan.desired.rule, machine_id):
        return Verdict(Reason.ATTRIBUTES_REFUSED, f"{pf.pci_address}: {NO_MACHINE_ID}", MACHINE_ID_REMEDY)
    if pf.link_problem and (pf.vfs or plan.desired.rule.asks_own_link):
        return Verdict(Reason.ATTRIBUTES_REFUSED, f"{pf.pci_address}: {pf.link_problem}", LINK_HINT)
    return None


def _failure(plan: Plan, results: tuple[Result, ...]) -> Verdict | None:
    """The last action as a verdict, if it failed: earlier ones were planned again and done after all."""
    bad = results[-1] if results else None
    if bad is None or bad.is_done or (bad.outcome is Outcome.FAILED and isinstance(bad.action, OPTIONAL)):
        return None
    if bad.outcome is Outcome.STUCK:
        return Verdict(Reason.STUCK, bad.message, bad.hint)
    if isinstance(bad.action, BindVfs | LoadModule) and bad.outcome is Outcome.FAILED:
        return Verdict(Reason.VFS_INCOMPLETE, bad.message, bad.hint)
    if isinstance(bad.action, SetEswitchMode) and bad.outcome is Outcome.FAILED:
        return Verdict(Reason.ESWITCH_MODE, bad.message, bad.hint)
    return _undone(bad) if plan.actions or plan.carrier else None  # None: it has come about since


def _undone(bad: Result) -> Verdict:
    if bad.outcome is Outcome.STALE:
        message = f"{bad.action.pci_address}: cannot {bad.action}: something else keeps changing it"
        what = "sets VFs" if isinstance(bad.action, OPTIONAL) else "writes sriov_numvfs"
        return Verdict(Reason.WRITE_FAILED, message, f"find out what else {what}, and let only one program do it")
    if bad.outcome is Outcome.REFUSED:
        return Verdict(Reason.IN_USE, bad.message, bad.hint)
    return Verdict(Reason.WRITE_FAILED, bad.message, bad.hint)


def _refusal_verdict(plan: Plan, pf: PfFacts | None, refusal: VfRefusal | None) -> Verdict | None:
    """What the last attempt came to, for as long as these VFs are there and lack that driver."""
    if pf is None or refusal is None or plan.actions:
        return None
    drivers = plan.desired.rule.drivers(pf.num_vfs)
    wanted = ((vf, drivers.wish_for(vf.index)) for vf in pf.vfs)
    still = any(refusal.is_about(vf, driver) and lacks(vf, driver) for vf, driver in wanted)
    return Verdict(Reason.VFS_INCOMPLETE, refusal.message, refusal.hint) if still else None


def _shortfall(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...], *, is_incomplete: bool) -> Verdict | None:
    """Every action ended well, and yet the VFs are not there."""
    target = plan.desired.target
    if pf is None or target is None or ((plan.actions or plan.carrier) and not results):
        return None
    if pf.num_vfs != target:
        is_removal = bool(results and isinstance(results[-1].action, SetNumVfs) and not results[-1].action.after)
        return kept_vfs_verdict(pf, target) if is_removal and target else fewer_vfs_verdict(pf, target)
    if is_incomplete:
        drivers = plan.desired.rule.drivers(pf.num_vfs)
        waiting = [vf.pci_address for vf in pf.vfs if not vf.is_ready and drivers.wish_for(vf.index) != VfDriver.NONE]
        lack = "netdev" if pf.is_nic else "driver"
        those = f"{len(waiting)} of {quantity(target, 'VF')} still without a {lack}"
        message = f"{pf.pci_address}: {those}: {shortlist(waiting, NAMED)}"
        return Verdict(Reason.VFS_INCOMPLETE, message, "load or update the VF driver; journalctl -k shows its messages")
    return None
