"""One round of restarts: pending change -> unit states -> who needs one -> restart -> what is still pending.

Runs where it may block, like a pass: in the `--once` process, or in a child of the daemon.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec.structs import replace

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, UnitError
from sriov_bootstrap.core import followup, restart_reasons
from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.followup import FollowUpReport, Need, UnitOutcome, UnitPlan, UnitResult, UnitState
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.state import PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam

HALF_OF_A_CHANGE = "they wait for a pass: one has begun to write, and did not come to its end yet"


class RestartMachine(Protocol):
    """The machine as a round of restarts needs it."""

    def restart_lock(self) -> AbstractContextManager[None]:
        """One round at a time, over all processes."""

    def pass_lock(self) -> AbstractContextManager[None]:
        """state.json is only changed under it."""

    def load_state(self) -> tuple[State, str]:
        """state.json."""

    def save_state(self, value: State) -> str:
        """Writes state.json."""

    def read_jam(self) -> Jam | None:
        """The write that has not returned, if there is one."""

    def unit_states(self, names: Iterable[str]) -> tuple[UnitState, ...]:
        """How systemd sees these units. SriovBootstrapError if it cannot be asked: no bus, no answer, no process."""

    def nova_version(self, unit: str) -> NovaVersion:
        """Of the nova that this unit starts, as far as files and rpm tell."""

    def restart_units(
        self,
        names: Sequence[str],
        *,
        failed: frozenset[str],
        job_timeout_seconds: float,
        on_result: Callable[[UnitResult], None],
    ) -> None:
        """Restarts them together and reports each as it ends.

        UnitError if the others were not asked for, another SriovBootstrapError if nobody can tell.
        `failed`: those of them that are started also from the state `failed`.
        """

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC, the clock of systemd's timestamps."""

    def say(self, text: str) -> None:
        """Progress, for whoever is watching."""


def run_restarts(machine: RestartMachine, services: Services) -> FollowUpReport:
    """Restarts what needs it now. What has to wait, or could not be done, stays pending in state.json."""
    with machine.restart_lock():
        saved = machine.load_state()[0]
        if (pending := saved.pending) is None:
            return FollowUpReport()
        if jam := machine.read_jam():  # nova-compute reads sriov_numvfs when it starts, and would hang there as well
            return FollowUpReport(problem=f"they wait for a write: {jam}", pci_addresses=pending.pci_addresses)
        if pending.changed_at is None:  # what it left may be half of a change, which the next pass makes whole
            return FollowUpReport(problem=HALF_OF_A_CHANGE, pci_addresses=pending.pci_addresses)
        try:
            plans = _plan_restarts(machine, saved, pending, services)
        except SriovBootstrapError as error:
            report = FollowUpReport(problem=error.message, pci_addresses=pending.pci_addresses, hint=error.hint)
            _remember_round(machine, pending, report, replace(pending, problem=error.message))
            return report
        due = [plan for plan in plans if plan.need in {Need.RESTART, Need.START}]
        late = followup.late_results(plans, pending, now=machine.monotonic())
        results, problem = _restart_due(machine, due, services)
        due_at = min((plan.due_at for plan in plans if plan.need is Need.WAIT), default=None)
        report = FollowUpReport((*late, *results), due_at, problem, pending.pci_addresses)
        report = replace(report, spared=tuple(plan.why for plan in plans if plan.need is Need.FINDS_VFS))
        now = machine.monotonic()
        stopping = followup.still_stopping(report, plans, pending, now=now)
        report, retries = followup.retry_failed(report, plans, pending, now=now)
        _remember_round(machine, pending, report, replace(pending, failed=retries, stopping=stopping, problem=problem))
        return report


def preview(machine: RestartMachine, services: Services) -> tuple[UnitPlan, ...]:
    """What a change of VFs now would restart. Raises SriovBootstrapError if systemd cannot be asked."""
    return _plan_restarts(machine, machine.load_state()[0], PendingRestart(machine.monotonic()), services)


def _plan_restarts(
    machine: RestartMachine, saved: State, pending: PendingRestart, services: Services
) -> tuple[UnitPlan, ...]:
    units = machine.unit_states(services.restart)
    plans = followup.plan_restarts(units, pending, services, now=machine.monotonic())
    versions = {name: machine.nova_version(name) for name in restart_reasons.novas_in(plans)}
    return restart_reasons.give_reasons(plans, units, versions, services.nova_restart, saved, pending)


def _restart_due(
    machine: RestartMachine, plans: list[UnitPlan], services: Services
) -> tuple[tuple[UnitResult, ...], str]:
    """The results and why the bus was lost, "" if it was not."""
    if not plans:
        return (), ""
    whys = {plan.name: plan.why for plan in plans}
    names = [*whys]
    results: list[UnitResult] = []
    machine.say(f"restarting {', '.join(names)}")
    problem = ""
    try:
        failed = frozenset(plan.name for plan in plans if plan.need is Need.START)
        timeout = services.job_timeout_seconds
        machine.restart_units(names, failed=failed, job_timeout_seconds=timeout, on_result=results.append)
    except SriovBootstrapError as error:
        problem = error.message
        heard, is_unknown = {result.unit for result in results}, not isinstance(error, UnitError)
        unheard = (name for name in names if name not in heard)
        results += [
            UnitResult(name, UnitOutcome.BUS_ERROR, 0.0, problem, may_have_begun=is_unknown) for name in unheard
        ]
    return tuple(replace(result, why=whys[result.unit]) for result in results), problem


def _remember_round(
    machine: RestartMachine, pending: PendingRestart, report: FollowUpReport, left: PendingRestart
) -> None:
    """Counts the results; forgets the change when every unit knows of it and no newer one has come.

    `left`: `pending` with the units that will be looked at again.
    """
    if not report.results and not report.is_over and left == pending:
        return
    try:
        with machine.pass_lock():
            saved = machine.load_state()[0]
            done, failed = dict(saved.counters.restarts), dict(saved.counters.restart_failures)
            for result in report.results:
                if result.outcome is UnitOutcome.STOPPING:  # counted once it has ended
                    continue
                counter = done if result.outcome is UnitOutcome.DONE else failed
                counter[result.unit] = counter.get(result.unit, 0) + 1
            rest = None if report.is_over and saved.pending == pending else saved.pending
            rest = rest and replace(rest, failed=left.failed, stopping=left.stopping, problem=left.problem)
            counters = replace(saved.counters, restarts=done, restart_failures=failed)
            machine.save_state(replace(saved, pending=rest, counters=counters))
    except BusyError:  # it stays pending; the units' own start times keep them from a second restart
        return
