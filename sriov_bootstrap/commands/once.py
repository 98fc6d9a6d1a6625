"""--once: one pass and its restarts, then an answer; --dry-run: the plan instead."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sriov_bootstrap.base.errors import ExitCode, SriovBootstrapError
from sriov_bootstrap.base.printable import printable, to_json, write_stderr
from sriov_bootstrap.commands.terminal import progress_printer
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport
from sriov_bootstrap.core.state import REQUESTED
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded, load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass

if TYPE_CHECKING:
    from sriov_bootstrap.core.followup import FollowUpReport, UnitResult

NOTHING_TO_DO = "nothing to do: no rule in the config (sriov-bootstrap init prints one for this host)"
BUS_TRIES = 3
A_MOMENT = 0.05


def once(machine: HostMachine, *, dry_run: bool, force: bool, as_json: bool) -> int:
    """The manual reapply. Prints what it did, or with `dry_run` what it would do."""
    if not dry_run:
        machine.require_root("--once")
    machine.say = say = progress_printer()
    loaded = load_config(machine, None)
    if dry_run or force:
        plan = run_pass(machine, loaded, mode=Mode.OBSERVE, force=force, handover=REQUESTED)
        if dry_run:
            return print_plan(machine, loaded, plan, as_json=as_json)
        if not _may_force(plan):
            return ExitCode.DEGRADED
    report = run_pass(machine, loaded, mode=Mode.APPLY, force=force, handover=REQUESTED)
    report = _set_vfs_left_alone(machine, loaded, report)
    # Making the page takes as long as a pass that changes nothing, which leaves the daemon's page alone.
    has_news = report.results or report.is_degraded or loaded.config.metrics.textfile
    problems = _publish(machine, loaded) if has_news else ()
    follow_up = None
    if machine.has_pending_restart:
        follow_up = restart_all(machine, loaded)
        problems = _publish(machine, loaded)
    say("")
    for problem in problems:
        write_stderr(f"sriov-bootstrap: {printable(problem)}\n")
    if as_json:
        print_json(report, follow_up)
    else:
        print_report(report, follow_up)
    return ExitCode.DEGRADED if report.is_short_of_config else ExitCode.OK


def _set_vfs_left_alone(machine: HostMachine, loaded: Loaded, report: PassReport) -> PassReport:
    """Waits until the attributes of existing VFs may be set: there may be no daemon that comes back for them."""
    saved = machine.load_state()[0]
    if not any(memory.seen for memory in saved.attributes.values()):
        return report
    from sriov_bootstrap.core.repetition import left_alone_in_seconds

    seconds = left_alone_in_seconds(saved, now=machine.monotonic())
    if seconds is None:
        return report
    text = "VFs that differ from their rule are set in {:.0f} s, unless somebody touches them until then"
    _count_down(machine, machine.monotonic() + seconds + A_MOMENT, text)
    again = run_pass(machine, loaded, mode=Mode.APPLY)
    return msgspec.structs.replace(again, results=(*report.results, *again.results))


def _publish(machine: HostMachine, loaded: Loaded) -> tuple[str, ...]:
    from sriov_bootstrap.machine.jobs import publish

    return publish(machine, loaded)


def _may_force(plan: PassReport) -> bool:
    from sriov_bootstrap.commands.consent import has_consent

    return has_consent(plan)


def restart_all(machine: HostMachine, loaded: Loaded) -> "FollowUpReport":
    """Rounds until nothing has to wait; a silent bus and failed units are left to the daemon."""
    from sriov_bootstrap.core.followup import FollowUpReport
    from sriov_bootstrap.machine.jobs import do_restarts

    results: tuple[object, ...] = ()
    spared = dict[str, None]()
    report = FollowUpReport()
    for _ in range(BUS_TRIES):
        report = do_restarts(machine, loaded)
        results += report.results
        spared |= dict.fromkeys(report.spared)
        if report.due_at is not None:
            text = "recently started units will restart in {:.0f} s (min_interval_seconds)"
            _count_down(machine, report.due_at, text)
        if report.due_at is None and not report.problem:
            break
    return msgspec.structs.replace(report, results=results, spared=tuple(spared))


def _count_down(machine: HostMachine, until: float, text: str) -> None:
    """Waits until then (CLOCK_MONOTONIC); `text` has a place for the seconds that are left."""
    while (left := until - machine.monotonic()) > 0:
        machine.say(text.format(left))
        machine.pause(min(left, 0.5))


def print_json(report: PassReport, follow_up: "FollowUpReport | None") -> None:
    """What was done, for programs; without `follow_up` no restart was due."""
    from sriov_bootstrap.core.followup import FollowUpReport

    print(to_json({"report": report, "restarts": follow_up or FollowUpReport()}).decode())


def print_report(report: PassReport, follow_up: "FollowUpReport | None") -> None:
    """The same for people."""
    if not report.pfs:
        print(NOTHING_TO_DO)
    for pf in report.pfs:
        print(_line(pf, report))
        if pf.is_degraded and pf.hint:
            print(f"  hint: {pf.hint}")
    for unit in follow_up.results if follow_up else ():
        print(_unit_line(unit))
    for text in follow_up.spared if follow_up else ():
        print(text)
    pending = f"restarts stay pending: {follow_up.problem}" if follow_up and follow_up.problem else ""
    for problem in filter(None, (*report.notes, *report.table_problems, pending)):
        write_stderr(f"sriov-bootstrap: {printable(problem)}\n")
    if follow_up and follow_up.hint:
        write_stderr(f"  hint: {printable(follow_up.hint)}\n")
    if report.pfs:
        print(_summary(report))


def _unit_line(unit: "UnitResult") -> str:
    from sriov_bootstrap.core.followup import UnitOutcome

    said = unit.why if unit.outcome is UnitOutcome.DONE else unit.words
    ending = f": {printable(said)}" if said else ""
    return f"{unit.unit}: restart {unit.outcome}{ending}"


def _line(pf: PfReport, report: PassReport) -> str:
    own = [result for result in report.results if result.action.pci_address == pf.pci_address and pf.pci_address]
    done = [f"{result.action} ({result.seconds:.1f} s)" for result in own if result.outcome is Outcome.CHANGED]
    state = pf.message or f"{quantity(pf.num_vfs, 'VF')}, as desired"
    is_named = f'rule "{pf.rule}"' in pf.message if not pf.pci_address else pf.message.startswith(pf.pci_address)
    lead = "" if is_named else f"{pf}: "
    return f"{lead}{state}" + (f"; {', '.join(done)}" if done else "")


def _summary(report: PassReport) -> str:
    changed = any(result.outcome is Outcome.CHANGED for result in report.results)
    degraded = sum(pf.is_degraded for pf in report.pfs)
    verdict = "degraded: the config has an error" if report.is_short_of_config else "as desired"
    if degraded:
        verdict = f"degraded: {degraded} of {quantity(len(report.pfs), 'PF')} not as desired"
    return f"{verdict}, {'changed' if changed else 'nothing changed'}"


def _costs(pf: PfReport) -> Iterator[str]:
    """What would go, and what would lose its traffic."""
    for vf in pf.vfs if pf.will_change_vfs else ():
        what = vf.user or vf.note
        yield f"VF {vf.index} {vf.pci_address} would be removed" + (f": {printable(what)}" if what else "")
    yield from (f"would lose its traffic: {victim}" for victim in pf.eswitch_victims)


def print_plan(machine: HostMachine, loaded: Loaded, report: PassReport, *, as_json: bool) -> int:
    """What would be done, and what it would cost whom."""
    changing = [pf for pf in report.pfs if pf.will_change_vfs or pf.will_move_vfs]
    units, lines, problem = _units(machine, loaded) if changing else ((), (), "")
    machine.say("")
    if as_json:
        print(to_json({"report": report, "would_restart": units, "problem": problem}).decode())
        return ExitCode.DEGRADED if report.is_short_of_config else ExitCode.OK
    if not report.pfs:
        print(NOTHING_TO_DO)
    for pf in report.pfs:
        print(_line(pf, report))
        if pf.remark:
            print(f"  {pf.remark}")
        for line in _costs(pf):
            print(f"  {line}")
        if pf.is_degraded and pf.hint:
            print(f"  hint: {pf.hint}")
    for line in lines:
        print(line)
    for note in (*report.notes, *report.table_problems):
        write_stderr(f"sriov-bootstrap: {printable(note)}\n")
    if problem:
        write_stderr(f"sriov-bootstrap: the units that would restart are unknown: {problem}\n")
    print("dry run: nothing was changed")
    return ExitCode.DEGRADED if report.is_short_of_config else ExitCode.OK


def _units(machine: HostMachine, loaded: Loaded) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Units that would restart; a line about each, and about what would be spared; and why that is not known."""
    from sriov_bootstrap.core.followup import Need
    from sriov_bootstrap.passes.restarts import preview

    try:
        plans = preview(machine, loaded.config.services)
    except SriovBootstrapError as error:
        return (), (), error.message
    due = [plan for plan in plans if plan.need in {Need.RESTART, Need.WAIT}]
    lines = [f"{plan.name} would restart" + (f": {printable(plan.why)}" if plan.why else "") for plan in due]
    lines += [printable(plan.why) for plan in plans if plan.need is Need.FINDS_VFS]
    return tuple(plan.name for plan in due), tuple(lines), ""
