"""What next: which units restart after VFs changed, and when something that failed is tried again.

A unit needs a restart only if it started before the change: systemd's own timestamps say so. Thus nothing restarts at
boot (consumers start after us), a restart by anything else counts as done, and a crash between a write and its restart
neither loses the restart nor does it twice.

A unit that our restart stopped and that did not start again is tried three more times: the cause may be a database that
is away for a minute, and nothing else starts it. In between it is systemd's turn (Restart=): a unit that is starting or
stopping on its own is waited for. One that is inactive was stopped on purpose, and stays that way.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfState, Result
from sriov_bootstrap.core.state import FailedRestart, PendingRestart, State
from sriov_bootstrap.core.vf_settings import QUIET_SECONDS

RUNNING = frozenset({"active", "activating", "reloading", "refreshing"})
IN_BETWEEN = frozenset({"activating", "deactivating"})
RESTART_RETRY_SECONDS = (30.0, 60.0, 120.0)
IN_BETWEEN_SECONDS = 300.0  # after a failure: one that restarts itself for ever is not watched for ever
RETRY_SECONDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
IN_USE_SECONDS = 60.0  # walking /proc costs little, and an operator may be waiting for the VM that was just stopped
IN_PASS_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)


class UnitState(Struct, frozen=True):
    """A unit as systemd sees it; `started_at` on CLOCK_MONOTONIC, 0 if it never started."""

    name: str
    load_state: str = "not-found"
    active_state: str = "inactive"
    started_at: float = 0.0


class Need(StrEnum):
    """What a unit needs after VFs changed."""

    RESTART = "restart"
    START = "start"  # our restart stopped it, and it did not come up
    WAIT = "wait"
    WAIT_TO_RETRY = "wait to try again"
    GIVEN_UP = "given up"
    STARTED_SINCE = "started since the change"
    NOT_RUNNING = "not running"


class UnitPlan(Struct, frozen=True):
    """One unit's need; `due_at` on CLOCK_MONOTONIC says until when a wait lasts."""

    name: str
    need: Need
    due_at: float = 0.0


class UnitOutcome(StrEnum):
    """How a restart ended. Everything but DONE and the three REASONS not to is a failure."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    BUS_ERROR = "bus_error"


class UnitResult(Struct, frozen=True):
    """One restart and its end. `fate`: what becomes of one that failed, in words."""

    unit: str
    outcome: UnitOutcome
    seconds: float = 0.0
    message: str = ""
    fate: str = ""

    @property
    def words(self) -> str:
        """Why it failed, and what happens next."""
        return f"{self.message}; {self.fate}" if self.fate else self.message


class FollowUpReport(Struct, frozen=True):
    """One round of restarts. `due_at` is when the next one should be (CLOCK_MONOTONIC), None when no unit has to wait.

    `retry_at`: the same for units whose restart has failed. `problem` says why the bus could not be used: the restarts
    stay pending.
    """

    results: tuple[UnitResult, ...] = ()
    due_at: float | None = None
    problem: str = ""
    pci_addresses: tuple[str, ...] = ()
    retry_at: float | None = None


def plan_restarts(
    units: Iterable[UnitState], pending: PendingRestart, services: Services, *, now: float
) -> tuple[UnitPlan, ...]:
    """For each unit what it needs. `now` on CLOCK_MONOTONIC."""
    return tuple(_plan_unit(unit, pending, services, now) for unit in units)


def _plan_unit(unit: UnitState, pending: PendingRestart, services: Services, now: float) -> UnitPlan:
    failed = pending.failed.get(unit.name)
    if unit.load_state == "masked":
        return UnitPlan(unit.name, Need.NOT_RUNNING)
    if failed and unit.active_state in IN_BETWEEN and now < failed.at + IN_BETWEEN_SECONDS:
        return UnitPlan(unit.name, Need.WAIT_TO_RETRY, now + RESTART_RETRY_SECONDS[0])
    if unit.active_state not in RUNNING and not (failed and unit.active_state == "failed"):
        return UnitPlan(unit.name, Need.NOT_RUNNING)
    changed_at = now if pending.changed_at is None else pending.changed_at
    if unit.started_at > changed_at:
        return UnitPlan(unit.name, Need.STARTED_SINCE)
    if failed:
        return _plan_retry(unit, failed, changed_at, now)
    due_at = unit.started_at + services.min_interval_seconds
    return UnitPlan(unit.name, Need.RESTART) if due_at <= now else UnitPlan(unit.name, Need.WAIT, due_at)


def _plan_retry(unit: UnitState, failed: FailedRestart, changed_at: float, now: float) -> UnitPlan:
    due_at = _retry_at(failed) if failed.at > changed_at else failed.at + RESTART_RETRY_SECONDS[0]
    if due_at is None:
        return UnitPlan(unit.name, Need.GIVEN_UP)
    if due_at > now:
        return UnitPlan(unit.name, Need.WAIT_TO_RETRY, due_at)
    return UnitPlan(unit.name, Need.RESTART if unit.active_state in RUNNING else Need.START)


def _retry_at(failed: FailedRestart) -> float | None:
    """None when it has been tried often enough."""
    if failed.tries > len(RESTART_RETRY_SECONDS):
        return None
    return failed.at + RESTART_RETRY_SECONDS[failed.tries - 1]


def retry_failed(
    report: FollowUpReport, plans: Iterable[UnitPlan], pending: PendingRestart, *, now: float
) -> tuple[FollowUpReport, dict[str, FailedRestart]]:
    """What becomes of the restarts that failed in this round, and which units will be tried again.

    A job that has not ended (TIMEOUT) is systemd's, which goes on with it.
    """
    waiting = [plan for plan in plans if plan.need is Need.WAIT_TO_RETRY]
    kept = {plan.name: pending.failed[plan.name] for plan in waiting}
    dues, results = [plan.due_at for plan in waiting], []
    for result in report.results:
        fate = ""
        if result.outcome is UnitOutcome.FAILED:
            failed = FailedRestart(_tries(result.unit, pending) + 1, now)
            if (due_at := _retry_at(failed)) is None:
                fate = f"gave up after {failed.tries} attempts: manual action needed"
            else:
                fate = f"tried again in {due_at - now:.0f} s"
                kept[result.unit] = failed
                dues.append(due_at)
        elif result.outcome is UnitOutcome.BUS_ERROR and result.unit in pending.failed:
            kept[result.unit] = pending.failed[result.unit]
        results.append(replace(result, fate=fate))
    return replace(report, results=tuple(results), retry_at=min(dues, default=None)), kept


def _tries(unit: str, pending: PendingRestart) -> int:
    """How often it has failed since the last change: each change is worth its own tries."""
    failed = pending.failed.get(unit)
    return failed.tries if failed and pending.changed_at is not None and failed.at > pending.changed_at else 0


def retry_delay_seconds(failures: int) -> float | None:
    """How long to wait before the next pass after so many failed ones in a row; None after a good one."""
    if failures <= 0:
        return None
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]


def next_look_seconds(state: State, failures: int, *, now: float) -> float | None:
    """The same for the pass after the last one: a VF in use is looked at again sooner, for ever.

    So is a number that was overwritten, when its pause ends, however many passes those writes have triggered.
    """
    delay = retry_delay_seconds(failures)
    if delay is None:
        return min(_quiet_looks(state, now), default=None)
    contested = [pf.pci_address for pf in state.report.pfs if pf.reason is Reason.CONTESTED]
    dues = [max(0.0, state.contests[address].due_at - now) for address in contested if address in state.contests]
    waits = any(pf.reason is Reason.IN_USE for pf in state.report.pfs)
    return min([delay, *dues, *_quiet_looks(state, now), *([IN_USE_SECONDS] if waits else [])])


def _quiet_looks(state: State, now: float) -> Iterator[float]:
    """When something may have come about that sends no event, on a host where nothing is wrong."""
    if any(pf.vfs_held for pf in state.report.pfs):
        yield IN_USE_SECONDS
    dues = _attributes_due_in(state, now)
    yield from (due if due > 0 else IN_USE_SECONDS for due in dues)  # overdue: something else is in the way


def left_alone_in_seconds(state: State, *, now: float) -> float | None:
    """When the last of the VFs that differ from their rule will have been left alone for long enough; None: none."""
    return max((due for due in _attributes_due_in(state, now) if due > 0), default=None)


def _attributes_due_in(state: State, now: float) -> Iterator[float]:
    """When each VF that differs has been left alone for long enough, in seconds; the past is negative."""
    for memory in state.attributes.values():
        yield from (seen.since + QUIET_SECONDS - now for seen in memory.seen.values() if not seen.awaits_carrier)


def is_worth_retrying(report: PassReport) -> bool:
    """Whether time alone may help: a VF is released, a firmware recovers. If not, an event or new config must come."""
    return report.has_transient_failure or any(pf.reason and pf.reason.traits.is_retried for pf in report.pfs)


def is_unfinished(report: PassReport) -> bool:
    """Whether the VFs were changed during the pass, so that it ended with things left to do."""
    return any(pf.state is PfState.PENDING for pf in report.pfs)


def in_pass_delay_seconds(result: Result, attempt: int) -> float | None:
    """How long to wait before the same action is tried again within the pass; None: not at all."""
    if result.outcome is not Outcome.FAILED or not result.is_transient or attempt >= len(IN_PASS_RETRY_SECONDS):
        return None
    return IN_PASS_RETRY_SECONDS[attempt]
