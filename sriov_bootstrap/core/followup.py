"""What next: which units restart after VFs changed, and when a restart that failed is tried again.

A unit needs a restart only if it started before the change: systemd's own timestamps say so. Thus nothing restarts at
boot (consumers start after us), a restart by anything else counts as done, and a crash between a write and its restart
neither loses the restart nor does it twice.

A unit that our restart stopped and that did not start again is tried three more times: the cause may be a database that
is away for a minute, and nothing else starts it. In between it is systemd's turn (Restart=): a unit that is starting or
stopping on its own is waited for. One that is inactive was stopped on purpose, and stays that way.

If the bus goes away after systemd was asked for a restart, that may have stopped the unit as well, and nobody hears of
it: the unit is looked at again, and has all its tries. If systemd was not asked, a unit that has failed since did so
without us, and is not started.

A graceful shutdown may take longer than we wait. Then our job is still systemd's to finish: the unit is looked at again
until it has started, and gets no second job. Only one that takes STOPPING_SECONDS more has failed.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.state import FailedRestart, PendingRestart

RUNNING = frozenset({"active", "activating", "reloading", "refreshing"})
IN_BETWEEN = frozenset({"activating", "deactivating"})
RESTART_RETRY_SECONDS = (30.0, 60.0, 120.0)
STOPPING = "deactivating"
STOPPING_LOOK_SECONDS = 30.0
STOPPING_SECONDS = 300.0  # beyond the deadline of its restart; a graceful shutdown of nova-compute takes up to 185 s
IN_BETWEEN_SECONDS = 300.0  # after a failure: one that restarts itself for ever is not watched for ever


class UnitState(Struct, frozen=True):
    """A unit as systemd sees it; `started_at` on CLOCK_MONOTONIC, 0 if it never started."""

    name: str
    load_state: str
    active_state: str
    started_at: float = 0.0


class Need(StrEnum):
    """What a unit needs after VFs changed."""

    RESTART = "restart"
    START = "start"  # our restart stopped it, and it did not come up
    WAIT = "wait"
    WAIT_TO_RETRY = "wait to try again"
    GIVEN_UP = "given up"
    WAIT_TO_STOP = "wait until it has stopped"
    STOPPED_NEVER = "has not stopped"
    CAME_UP = "came up late"
    CAME_NOT_UP = "stopped late, and did not come up"
    FINDS_VFS = "finds new VFs itself"
    STARTED_SINCE = "started since the change"
    NOT_RUNNING = "not running"


class UnitPlan(Struct, frozen=True):
    """One unit's need; `due_at` on CLOCK_MONOTONIC says until when a wait lasts. `why`: what a restart is for."""

    name: str
    need: Need
    due_at: float = 0.0
    why: str = ""


class UnitOutcome(StrEnum):
    """How a restart ended. Everything but DONE and STOPPING is a failure; of STOPPING the end is not known yet."""

    DONE = "done"
    STOPPING = "stopping"
    FAILED = "failed"
    TIMEOUT = "timeout"
    BUS_ERROR = "bus_error"


# Of units that had not stopped when we ceased to wait for their restart: need -> outcome, and a text for name and time.
ENDS = {
    Need.CAME_UP: (UnitOutcome.DONE, ""),
    Need.CAME_NOT_UP: (UnitOutcome.FAILED, "{}: it stopped, and did not start again"),
    Need.STOPPED_NEVER: (UnitOutcome.TIMEOUT, "{}: still stopping after {:.0f} s, left to systemd"),
}


class UnitResult(Struct, frozen=True):
    """One restart and its end. `fate`: what becomes of one that failed, in words; `why`: what it was for.

    `may_have_begun`: of a BUS_ERROR, whether systemd was asked for it, or may have been.
    """

    unit: str
    outcome: UnitOutcome
    seconds: float = 0.0
    message: str = ""
    fate: str = ""
    why: str = ""
    may_have_begun: bool = False

    @property
    def words(self) -> str:
        """Why it failed, and what happens next."""
        return f"{self.message}; {self.fate}" if self.fate else self.message


class FollowUpReport(Struct, frozen=True):
    """One round of restarts. `due_at` is when the next one should be (CLOCK_MONOTONIC), None when no unit has to wait.

    `retry_at`: the same for units whose restart has failed, or that are still stopping. `problem` says why the bus
    could not be used, and `hint` what to do about it: the restarts stay pending. `spared`: what was not restarted, and
    why, in words.
    """

    results: tuple[UnitResult, ...] = ()
    due_at: float | None = None
    problem: str = ""
    pci_addresses: tuple[str, ...] = ()
    retry_at: float | None = None
    spared: tuple[str, ...] = ()
    hint: str = ""

    @property
    def is_over(self) -> bool:
        """Whether there will be no other round for this change."""
        return self.due_at is None and self.retry_at is None and not self.problem


def plan_restarts(
    units: Iterable[UnitState], pending: PendingRestart, services: Services, *, now: float
) -> tuple[UnitPlan, ...]:
    """For each unit what it needs. `now` on CLOCK_MONOTONIC."""
    return tuple(_plan_unit(unit, pending, services, now) for unit in units)


def _plan_unit(unit: UnitState, pending: PendingRestart, services: Services, now: float) -> UnitPlan:
    if unit.load_state == "masked":
        return UnitPlan(unit.name, Need.NOT_RUNNING)
    changed_at = now if pending.changed_at is None else pending.changed_at
    since = pending.stopping.get(unit.name)
    late_at = (since or 0.0) + services.job_timeout_seconds + STOPPING_SECONDS
    stopping = None if since is None else _plan_stopping(unit, max(since, changed_at), late_at, now)
    return stopping or _plan_idle(unit, pending.failed.get(unit.name), changed_at, services, now)


def _plan_idle(
    unit: UnitState, failed: FailedRestart | None, changed_at: float, services: Services, now: float
) -> UnitPlan:
    """One for which systemd has no job of ours."""
    if failed and unit.active_state in IN_BETWEEN and now < failed.at + IN_BETWEEN_SECONDS:
        return UnitPlan(unit.name, Need.WAIT_TO_RETRY, now + RESTART_RETRY_SECONDS[0])
    if unit.active_state not in RUNNING and not (failed and unit.active_state == "failed"):
        return UnitPlan(unit.name, Need.NOT_RUNNING)
    if unit.started_at > changed_at:
        return UnitPlan(unit.name, Need.STARTED_SINCE)
    if failed:
        return _plan_retry(unit, failed, changed_at, now)
    due_at = unit.started_at + services.min_interval_seconds
    return UnitPlan(unit.name, Need.RESTART) if due_at <= now else UnitPlan(unit.name, Need.WAIT, due_at)


def _plan_stopping(unit: UnitState, since: float, late_at: float, now: float) -> UnitPlan | None:
    """One that had not stopped at the deadline of its restart; None if it needs what any other unit does.

    `since`: of the restart and the last change of VFs the later.
    """
    if unit.active_state == STOPPING:
        need = Need.STOPPED_NEVER if now >= late_at else Need.WAIT_TO_STOP
        return UnitPlan(unit.name, need, now + STOPPING_LOOK_SECONDS)
    if unit.active_state == "failed":
        return UnitPlan(unit.name, Need.CAME_NOT_UP)
    has_come_up = unit.active_state in RUNNING and unit.started_at > since
    return UnitPlan(unit.name, Need.CAME_UP) if has_come_up else None


def late_results(plans: Iterable[UnitPlan], pending: PendingRestart, *, now: float) -> tuple[UnitResult, ...]:
    """How the restarts ended that had not when we ceased to wait for them."""
    results = []
    for plan in plans:
        if plan.need not in ENDS:
            continue
        seconds = now - pending.stopping[plan.name]
        outcome, text = ENDS[plan.need]
        results.append(UnitResult(plan.name, outcome, seconds, text.format(plan.name, seconds)))
    return tuple(results)


def still_stopping(
    report: FollowUpReport, plans: Iterable[UnitPlan], pending: PendingRestart, *, now: float
) -> dict[str, float]:
    """Which units are to be looked at again until they have stopped, and when their restart began."""
    kept = {plan.name: pending.stopping[plan.name] for plan in plans if plan.need is Need.WAIT_TO_STOP}
    return kept | {
        result.unit: now - result.seconds for result in report.results if result.outcome is UnitOutcome.STOPPING
    }


def _plan_retry(unit: UnitState, failed: FailedRestart, changed_at: float, now: float) -> UnitPlan:
    due_at = _retry_at(failed) if failed.at > changed_at else failed.at + RESTART_RETRY_SECONDS[0]
    if due_at is None:
        return UnitPlan(unit.name, Need.GIVEN_UP)
    if due_at > now:
        return UnitPlan(unit.name, Need.WAIT_TO_RETRY, due_at)
    return UnitPlan(unit.name, Need.RESTART if unit.active_state in RUNNING else Need.START)


def _retry_at(failed: FailedRestart) -> float | None:
    """None when it has been tried often enough; at once when nobody could tell how that ended."""
    if failed.tries > len(RESTART_RETRY_SECONDS):
        return None
    return failed.at + (RESTART_RETRY_SECONDS[failed.tries - 1] if failed.tries else 0.0)


def retry_failed(
    report: FollowUpReport, plans: Iterable[UnitPlan], pending: PendingRestart, *, now: float
) -> tuple[FollowUpReport, dict[str, FailedRestart]]:
    """What becomes of the restarts that failed in this round, and which units will be tried again.

    A job that has not ended (TIMEOUT) is systemd's, which goes on with it. One with an unknown end costs no try.
    """
    waiting = [plan for plan in plans if plan.need in {Need.WAIT_TO_RETRY, Need.WAIT_TO_STOP}]
    kept = {plan.name: pending.failed[plan.name] for plan in waiting if plan.name in pending.failed}
    dues, results = [plan.due_at for plan in waiting], []
    for result in report.results:
        fate = ""
        if result.outcome is UnitOutcome.STOPPING:
            dues.append(now + STOPPING_LOOK_SECONDS)
        if result.outcome is UnitOutcome.FAILED:
            failed = FailedRestart(_tries(result.unit, pending) + 1, now)
            if (due_at := _retry_at(failed)) is None:
                fate = f"gave up after {failed.tries} attempts: manual action needed"
            else:
                fate = f"tried again in {due_at - now:.0f} s"
                kept[result.unit] = failed
                dues.append(due_at)
        elif result.may_have_begun:
            kept[result.unit] = FailedRestart(_tries(result.unit, pending), now)
        elif result.outcome is UnitOutcome.BUS_ERROR and result.unit in pending.failed:
            kept[result.unit] = pending.failed[result.unit]
        results.append(replace(result, fate=fate))
    return replace(report, results=tuple(results), retry_at=min(dues, default=None)), kept


def _tries(unit: str, pending: PendingRestart) -> int:
    """How often it has failed since the last change: each change is worth its own tries."""
    failed = pending.failed.get(unit)
    return failed.tries if failed and pending.changed_at is not None and failed.at > pending.changed_at else 0
