"""A report as log events: what is new in it, each with its level, its words and its fields.

What has not changed since the previous report is not logged again: a NIC missing for a month is one line.
"""

from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.errnos import name_of
from sriov_bootstrap.core.finding import Finding, Severity
from sriov_bootstrap.core.followup import FollowUpReport, UnitOutcome
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.report import Leftover, Outcome, PassReport, PfReport, PfState, Result

Value = str | int | float


class Level(StrEnum):
    """The levels that are used."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(Struct, frozen=True):
    """One line of the log."""

    level: Level
    text: str
    fields: dict[str, Value] = {}


def pass_events(report: PassReport, before: PassReport) -> tuple[Event, ...]:
    """What is new in `report` after `before`."""
    rules = {pf.pci_address: pf.rule for pf in report.pfs}
    earlier = {(pf.rule, pf.pci_address): pf for pf in before.pfs}
    events = [
        _problem("config is not valid, the last valid one stays in force", problem)
        for problem in report.config_problems
    ]
    if report.config_problems == before.config_problems:
        events = []
    events += [
        _problem("config is not valid, and its rule sets nothing for VFs", problem)
        for problem in report.table_problems
        if problem not in before.table_problems
    ]
    events += [_problem(note) for note in report.notes if note not in before.notes]
    events += [_loss(address, count, rules, report.loss_suspects) for address, count in report.losses.items()]
    events += [_result(result, rules.get(result.action.pci_address, "")) for result in report.results]
    said = {result.message for result in report.results}
    events += [
        event
        for pf in report.pfs
        if pf.message not in said and (event := _change(pf, earlier.get((pf.rule, pf.pci_address))))
    ]
    left_before = {leftover.pci_address for leftover in before.leftovers}
    events += [_leftover(leftover) for leftover in report.leftovers if leftover.pci_address not in left_before]
    return tuple(events)


def follow_up_events(report: FollowUpReport, before: FollowUpReport) -> tuple[Event, ...]:
    """The restarts of one round; a bus that stays away is logged once, and so is a unit that is spared."""
    because = ", ".join(report.pci_addresses)
    events = []
    if report.problem and report.problem != before.problem:
        stays: dict[str, Value] = {"changed": because}
        stays |= {"hint": report.hint} if report.hint else {}
        events.append(Event(Level.WARNING, f"restarts stay pending: {report.problem}", stays))
    said = () if before.is_over else before.spared
    events += [Event(Level.INFO, text, {"changed": because}) for text in report.spared if text not in said]
    for result in report.results:
        is_done = result.outcome is UnitOutcome.DONE
        text = f"{result.unit}: restarted" if is_done else f"{result.unit}: restart {result.outcome}: {result.words}"
        fields: dict[str, Value] = {"unit": result.unit, "seconds": round(result.seconds, 3), "changed": because}
        fields |= {"why": result.why} if result.why else {}
        is_good = is_done or result.outcome is UnitOutcome.STOPPING
        events.append(Event(Level.INFO if is_good else Level.ERROR, text, fields))
    return tuple(events)


def findings_event(findings: tuple[Finding, ...], before: tuple[Finding, ...]) -> Event | None:
    """One line when what doctor finds has changed; None when it has not."""
    new = [finding for finding in findings if finding not in before]
    gone = [finding for finding in before if finding not in findings]
    if not new and not gone:
        return None
    if not findings:
        return Event(Level.INFO, "doctor has no findings any more", {"gone": _places(gone)})
    fields: dict[str, Value] = {key: _places(some) for key, some in (("new", new), ("gone", gone)) if some}
    is_bad = any(finding.severity is Severity.ERROR for finding in new)
    text = f"doctor has {quantity(len(findings), 'finding')}: see sriov-bootstrap doctor"
    return Event(Level.WARNING if is_bad else Level.INFO, text, fields)


def _places(findings: list[Finding]) -> str:
    return ", ".join(f"{finding.code} {finding.place}" for finding in findings)


def _problem(text: str, detail: str = "") -> Event:
    return Event(Level.WARNING, f"{text}: {detail}" if detail else text)


def _leftover(left: Leftover) -> Event:
    return Event(Level.INFO, str(left), {"pci_address": left.pci_address, "vfs": len(left.vfs), "hint": left.hint})


def _loss(address: str, count: int, rules: dict[str, str], suspects: dict[str, str]) -> Event:
    text = f"{address}: {quantity(count, 'VF')} disappeared, and not by sriov-bootstrap"
    text += f": perhaps {suspects[address]}" if address in suspects else ""
    return Event(Level.WARNING, text, {"pci_address": address, "rule": rules.get(address, ""), "lost": count})


def _result(result: Result, rule: str) -> Event:
    action = result.action
    fields: dict[str, Value] = {"pci_address": action.pci_address, "rule": rule}
    if isinstance(action, SetNumVfs):
        fields |= {"from": action.before, "to": action.after}
    fields["seconds"] = round(result.seconds, 3)
    if result.errno:
        fields["errno"] = name_of(result.errno)
    if result.hint:
        fields["hint"] = result.hint
    text = result.message or f"{action.pci_address}: {action}: {result.outcome}"
    is_good = result.is_done or result.outcome is Outcome.STALE  # planned again at once
    return Event(Level.INFO if is_good else Level.ERROR, text, fields)


def _change(pf: PfReport, before: PfReport | None) -> Event | None:
    fields: dict[str, Value] = {"pci_address": pf.pci_address, "rule": pf.rule, "from": pf.num_vfs, "to": pf.desired}
    if pf.is_degraded:
        if before and before.message == pf.message:
            return None
        return Event(Level.WARNING, pf.message, fields | {"reason": str(pf.reason), "hint": pf.hint})
    if pf.state is not PfState.PENDING and (before is None or before.is_degraded):
        text = f"{pf}: {quantity(pf.num_vfs, 'VF')}, as desired" if pf.pci_address else pf.message
        return Event(Level.INFO, text, {"pci_address": pf.pci_address, "rule": pf.rule})
    return None
