"""One PF after a pass, as a line of the report: from the plan it had, what its actions came to, and the facts now."""

from msgspec.structs import replace

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core import vf_mtus
from sriov_bootstrap.core.actions import OPTIONAL, BindVfs, LoadModule, SetNumVfs
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.desired import ports_of
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.facts import NAMED, Netdev, PfFacts, VfFacts
from sriov_bootstrap.core.placing import VfRefusal, lacks
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.report import Outcome, PfReport, PfState, Result, VfReport
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.core.verdicts import fewer_vfs_verdict, kept_vfs_verdict
from sriov_bootstrap.core.vf_attributes import VfAttributes, difference, differences_text
from sriov_bootstrap.core.vf_settings import (
    MACHINE_ID_REMEDY,
    NO_MACHINE_ID,
    QUIET_SECONDS,
    AttributeMemory,
    lacks_machine_id,
    wishes,
)

LINK_HINT = "a PF sets attributes through its netdev: it has to be in this network namespace, with the PF's own driver"
TABLES_HINT = "correct the file, check it with sriov-bootstrap check-config, then: systemctl reload sriov-bootstrap"


def report_pf(
    plan: Plan,
    pf: PfFacts | None,
    results: tuple[Result, ...],
    *,
    is_incomplete: bool,
    refusal: VfRefusal | None = None,
    attributes: AttributeMemory | None = None,
    machine_id: str = "",
) -> PfReport:
    """One PF after the pass: the plan it had, the facts as they are now, and what its actions came to.

    `is_incomplete`: VFs of our last write still wait for their driver; `refusal`: some did not get it. A plan without
    results is one not carried out. `attributes`: what is remembered of those of its VFs.
    """
    rule = plan.desired.rule
    verdict = _pf_verdict(plan, pf, results, refusal, is_incomplete=is_incomplete) or _vfs_verdict(
        plan, pf, results, attributes or AttributeMemory(), machine_id
    )
    base = PfReport(
        rule=rule.name,
        requested=str(rule.num_vfs),
        state=PfState.DEGRADED if verdict else _quiet_state(plan, pf, results),
        physical_network=rule.physical_network,
        required=rule.required,
        will_change_vfs=plan.changes_vfs and not results,
        will_move_vfs=(plan.moves_vfs or plan.changes_mode) and not results,
        desired=plan.desired.target or 0,
        reason=verdict.reason if verdict else None,
        message=printable(verdict.message if verdict else _quiet_text(plan, results)),
        hint=printable(verdict.hint if verdict else ""),
        vfs_held=len(plan.held),
        remark="" if results else plan.remark,
        vf_attributes_differing=len(_differing_vfs(plan)),
        awaits_carrier=plan.settings.awaits_carrier,
    )
    return _add_actual(base, rule, pf, attributes, machine_id) if pf else base


def _add_actual(
    base: PfReport, rule: PfRule, pf: PfFacts, attributes: AttributeMemory | None, machine_id: str
) -> PfReport:
    """What there is now."""
    full = _add_facts(base, pf, ports_of(rule.match, pf), rule.drivers(pf.num_vfs))
    full = _add_switch(full, rule, pf) if rule.eswitch else full
    return _add_attributes(full, rule, pf, attributes, machine_id) if rule.vf else full


def _add_facts(base: PfReport, pf: PfFacts, ports: tuple[Netdev, ...], drivers: DriverWishes) -> PfReport:
    return replace(
        base,
        pci_address=pf.pci_address,
        netdev=ports[0].name if ports else "",
        driver=pf.driver,
        vendor_id=pf.vendor_id,
        device_id=pf.device_id,
        numa_node=pf.numa_node,
        num_vfs=pf.num_vfs,
        max_vfs=pf.total_vfs,
        vfs=report_vfs(pf),
        vfs_unbound=sum(_is_unbound(vf, drivers) for vf in pf.vfs),
    )


def _add_switch(full: PfReport, rule: PfRule, pf: PfFacts) -> PfReport:
    from sriov_bootstrap.core.eswitch import desired_representors  # only rules that ask for it pay for the import

    return replace(
        full,
        eswitch_mode=pf.eswitch.mode if pf.eswitch else "",
        eswitch_desired=rule.eswitch.mode.value if rule.eswitch else "",
        representors=len(pf.eswitch.representors) if pf.eswitch else 0,
        representors_desired=desired_representors(rule, full.desired),
    )


def _is_unbound(vf: VfFacts, drivers: DriverWishes) -> bool:
    """Whether its driver is missing, or has not finished; one in use has what its user needs."""
    return not vf.is_ready and not vf.use and drivers.wish_for(vf.index) != VfDriver.NONE


def report_vfs(pf: PfFacts) -> tuple[VfReport, ...]:
    """The VFs of a PF as they are now."""
    return tuple(
        VfReport(vf.index, vf.pci_address, vf.driver, vf.iommu_group, "" if vf.is_tried else str(vf.use or ""), vf.note)
        for vf in pf.vfs
    )


def _differing_vfs(plan: Plan) -> set[int]:
    """VFs that nobody uses, and whose attributes or MTU are not those of the rule."""
    pf = plan.desired.pf
    return {
        *plan.settings.differing,
        *(vf.index for vf in (vf_mtus.differing_vfs(plan.desired.rule, pf) if pf else ())),
    }


def _add_attributes(
    full: PfReport, rule: PfRule, pf: PfFacts, memory: AttributeMemory | None, machine_id: str
) -> PfReport:
    """The same with what the PF has set for each of its VFs."""
    wished, mtus = wishes(rule.vf, pf.pci_address, pf.num_vfs, machine_id), rule.vf_mtus(pf.num_vfs)
    actual = pf.link.vfs if pf.link else {}
    known = memory if memory and memory.tables == rule.attribute_tables else AttributeMemory()
    found = []
    for vf, facts in zip(full.vfs, pf.vfs, strict=True):
        has, differs = actual.get(vf.index), None
        if vf.index in wished and pf.link:
            refused = known.refusal.requests_of(facts) if known.refusal else ()
            is_given = facts.incarnation in known.given
            differs = difference(wished[vf.index], has, is_given=is_given, refused=refused)
        texts = [differences_text(differs, has)] if differs else []
        texts += [f"mtu {facts.mtu}, not {mtus[vf.index]}"] if mtus.get(vf.index, facts.mtu) != facts.mtu != 0 else []
        shown = has and has.worth_telling(wished.get(vf.index, VfAttributes()))
        found.append(replace(vf, attributes=shown, differs=", ".join(filter(None, texts)), mtu=facts.mtu))
    needs_carrier = driver_of(pf.driver).rates_need_carrier and any("rate" in table.requests for table in rule.vf)
    return replace(full, vfs=tuple(found), rates_need_carrier=needs_carrier)


def _quiet_state(plan: Plan, pf: PfFacts | None, results: tuple[Result, ...]) -> PfState:
    if pf is None:
        return PfState.OPTIONAL
    return PfState.PENDING if (plan.actions or plan.carrier) and not results else PfState.OK


def _quiet_text(plan: Plan, results: tuple[Result, ...]) -> str:
    """What is to be said of a PF with which nothing is wrong; most often nothing."""
    return _intention(plan, results) or _held_text(plan) or _later_text(plan)


def _intention(plan: Plan, results: tuple[Result, ...]) -> str:
    """What a plan that was not carried out would do; "" for the others."""
    if plan.desired.pf is None:
        if plan.desired.lost:
            address, first = plan.desired.lost
            return f'{address}: rule "{first}" takes it before rule "{plan.desired.rule.name}", which is not required'
        return f'no PF matches rule "{plan.desired.rule.name}", which is not required'
    if results:
        return ""
    steps = ", then ".join(map(str, plan.actions)) or (f"the steps of {plan.carrier}" if plan.carrier else "")
    return f"to do: {steps}" if steps else ""


def _held_text(plan: Plan) -> str:
    """VFs of a PF that is as desired but for their driver, which they keep for as long as they are in use."""
    if not plan.held or plan.desired.pf is None:
        return ""
    said = shortlist([vf.refusal for vf in plan.held], NAMED, "; ")
    rule = plan.desired.rule
    is_usual = all(table.driver is None for table in rule.vf)
    wanted = f'vf_driver = "{rule.vf_driver}" applies' if is_usual else "what the rule says of its driver applies"
    lead = f"{plan.desired.pf.pci_address}: {quantity(len(plan.held), 'VF keeps its driver', 'VFs keep their driver')}"
    return f"{lead} until released, then {wanted}: {said}"


def _later_text(plan: Plan) -> str:
    """VFs of a PF that is as desired but for attributes that have to wait."""
    pf, found = plan.desired.pf, plan.settings
    if pf is None or not (found.later or found.awaits_carrier):
        return ""
    texts = []
    if found.later:
        differ = quantity(
            len(found.later),
            "VF differs from the rule, and is set once it has been left alone",
            "VFs differ from the rule, and are set once they have been left alone",
        )
        texts.append(f"{differ} for {QUIET_SECONDS:g} s")
    if found.awaits_carrier:
        texts.append(f"rates of its VFs are set once {pf.netdev} has a carrier")
    return f"{pf.pci_address}: {'; '.join(texts)}"


def _pf_verdict(
    plan: Plan, pf: PfFacts | None, results: tuple[Result, ...], refusal: VfRefusal | None, *, is_incomplete: bool
) -> Verdict | None:
    """Why number, drivers or switch are not as desired: the first that holds."""
    return (
        plan.verdict
        or _failure(plan, results)
        or _refusal_verdict(plan, pf, refusal)
        or _shortfall(plan, pf, results, is_incomplete=is_incomplete)
        or _switch_verdict(plan, pf, results)
    )


def _vfs_verdict(
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

    return lack_verdict(pf, rule)


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
        message = (
            f"{pf.pci_address}: VFs that still have no {lack}, {len(waiting)} of {target}: {shortlist(waiting, NAMED)}"
        )
        return Verdict(Reason.VFS_INCOMPLETE, message, "load or update the VF driver; journalctl -k shows its messages")
    return None
