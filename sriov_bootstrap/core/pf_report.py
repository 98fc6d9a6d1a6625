"""One PF after a pass, as a line of the report: from the plan it had, what its actions came to, and the facts now."""

from msgspec.structs import replace

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core import vf_mtus
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.desired import ports_of
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.facts import NAMED, Netdev, PfFacts, VfFacts
from sriov_bootstrap.core.outcome_verdicts import pf_verdict, vfs_verdict
from sriov_bootstrap.core.placing import VfRefusal
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.report import PfReport, PfState, Result, VfReport
from sriov_bootstrap.core.vf_attributes import VfAttributes, difference, differences_text
from sriov_bootstrap.core.vf_settings import QUIET_SECONDS, AttributeMemory, wishes


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
    verdict = pf_verdict(plan, pf, results, refusal, is_incomplete=is_incomplete) or vfs_verdict(
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
        is_final=bool(verdict and verdict.is_final),
        vfs_held=len(plan.held),
        remark="" if results else plan.remark,
        eswitch_victims=() if results else tuple(map(printable, plan.victims)),
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
        texts.append(f"rates of its VFs are set once {plan.desired.netdev} has a carrier")
    return f"{pf.pci_address}: {'; '.join(texts)}"
