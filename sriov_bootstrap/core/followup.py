"""What next: which units restart after VFs changed, and when something that failed is tried again.

A unit needs a restart only if it started before the change: systemd's own timestamps say so. Thus nothing restarts at
boot (consumers start after us), a restart that somebody else did counts as done, and a crash between a write and its
restart neither loses the restart nor does it twice.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.plan import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfState, Result
from sriov_bootstrap.core.state import PendingRestart

RUNNING = frozenset({"active", "activating", "reloading", "refreshing"})
# Closing a file sends no event, and neither does a kernel that recovers.
RETRIED = frozenset({Reason.IN_USE, Reason.STUCK, Reason.BLOCKED, Reason.VFS_INCOMPLETE})
RETRY_SECONDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
IN_USE_SECONDS = (
    60.0  # the walk through /proc costs little, and somebody may be waiting for the VM that he has just ended
)
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
    WAIT = "wait"
    STARTED_SINCE = "started since the change"
    NOT_RUNNING = "not running"


class UnitPlan(Struct, frozen=True):
    """One unit's need; `due_at` on CLOCK_MONOTONIC says until when a WAIT lasts."""

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
    """One restart and its end."""

    unit: str
    outcome: UnitOutcome
    seconds: float = 0.0
    message: str = ""


class FollowUpReport(Struct, frozen=True):
    """One round of restarts. `due_at` is when the next one should be (CLOCK_MONOTONIC), None when nothing is pending.

    `problem` says why the bus could not be used: the restarts stay pending.
    """

    results: tuple[UnitResult, ...] = ()
    due_at: float | None = None
    problem: str = ""
    pci_addresses: tuple[str, ...] = ()


def plan_restarts(
    units: Iterable[UnitState], pending: PendingRestart, services: Services, *, now: float
) -> tuple[UnitPlan, ...]:
    """For each unit what it needs. `now` on CLOCK_MONOTONIC."""
    return tuple(_plan_unit(unit, pending, services, now) for unit in units)


def _plan_unit(unit: UnitState, pending: PendingRestart, services: Services, now: float) -> UnitPlan:
    if unit.active_state not in RUNNING or unit.load_state == "masked":
        return UnitPlan(unit.name, Need.NOT_RUNNING)
    changed_at = now if pending.changed_at is None else pending.changed_at
    if unit.started_at > changed_at:
        return UnitPlan(unit.name, Need.STARTED_SINCE)
    due_at = unit.started_at + services.min_interval_seconds
    return UnitPlan(unit.name, Need.RESTART) if due_at <= now else UnitPlan(unit.name, Need.WAIT, due_at)


def retry_delay_seconds(failures: int) -> float | None:
    """How long to wait before the next pass after so many failed ones in a row; None after a good one."""
    if failures <= 0:
        return None
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]


def next_look_seconds(report: PassReport, failures: int) -> float | None:
    """The same for the pass after this one: a VF that is in use is looked at again sooner, for ever."""
    delay = retry_delay_seconds(failures)
    waits = any(pf.reason is Reason.IN_USE for pf in report.pfs)
    return min(delay, IN_USE_SECONDS) if waits and delay is not None else delay


def is_worth_retrying(report: PassReport) -> bool:
    """Whether time alone may help: a VF is let go, a firmware recovers. Else an event or a new config has to come."""
    return report.has_transient_failure or any(pf.reason in RETRIED for pf in report.pfs)


def is_unfinished(report: PassReport) -> bool:
    """Whether somebody changed the VFs while the pass was at work, so that it ended with things to do."""
    return any(pf.state is PfState.PENDING for pf in report.pfs)


def in_pass_delay_seconds(result: Result, attempt: int) -> float | None:
    """How long to wait before the same action is tried again within the pass; None: not at all."""
    if result.outcome is not Outcome.FAILED or not result.is_transient or attempt >= len(IN_PASS_RETRY_SECONDS):
        return None
    return IN_PASS_RETRY_SECONDS[attempt]
