"""Who restarts after a change."""

import pytest

from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.followup import Need, UnitPlan, UnitState, plan_restarts
from sriov_bootstrap.core.state import FailedRestart, PendingRestart


@pytest.mark.parametrize(
    ("load", "active", "started_at", "changed_at", "need", "due_at"),
    [
        ("loaded", "active", 10.0, 100.0, Need.RESTART, 0.0),
        ("loaded", "activating", 10.0, 100.0, Need.RESTART, 0.0),
        ("loaded", "reloading", 10.0, 100.0, Need.RESTART, 0.0),
        ("loaded", "refreshing", 10.0, 100.0, Need.RESTART, 0.0),
        ("loaded", "active", 100.0, 100.0, Need.WAIT, 130.0),
        ("loaded", "active", 90.0, 100.0, Need.WAIT, 120.0),
        ("loaded", "active", 80.0, 100.0, Need.RESTART, 0.0),
        ("loaded", "active", 100.5, 100.0, Need.STARTED_SINCE, 0.0),
        ("loaded", "active", 10.0, None, Need.RESTART, 0.0),
        ("loaded", "inactive", 10.0, 100.0, Need.NOT_RUNNING, 0.0),
        ("loaded", "failed", 10.0, 100.0, Need.NOT_RUNNING, 0.0),
        ("loaded", "deactivating", 10.0, 100.0, Need.NOT_RUNNING, 0.0),
        ("not-found", "inactive", 0.0, 100.0, Need.NOT_RUNNING, 0.0),
        ("masked", "active", 10.0, 100.0, Need.NOT_RUNNING, 0.0),
        ("loaded", "a word of tomorrow", 10.0, 100.0, Need.NOT_RUNNING, 0.0),
    ],
)
def test_a_unit_restarts_if_it_runs_since_before_the_change(
    *, load: str, active: str, started_at: float, changed_at: float | None, need: Need, due_at: float
) -> None:
    unit = UnitState("nova-compute.service", load, active, started_at)
    plans = plan_restarts([unit], PendingRestart(changed_at), Services(), now=110.0)
    assert plans == (UnitPlan("nova-compute.service", need, due_at),)


@pytest.mark.parametrize(
    ("active", "started_at", "failed", "need", "due_at"),
    [
        ("failed", 0.0, FailedRestart(1, 125.0), Need.WAIT_TO_RETRY, 155.0),
        ("failed", 0.0, FailedRestart(2, 145.0), Need.WAIT_TO_RETRY, 205.0),
        ("failed", 0.0, FailedRestart(1, 120.0), Need.START, 0.0),
        ("failed", 0.0, FailedRestart(4, 120.0), Need.GIVEN_UP, 0.0),
        # Of an earlier change: this one is worth its own tries, half a minute after the last at the soonest.
        ("failed", 0.0, FailedRestart(4, 95.0), Need.START, 0.0),
        ("active", 10.0, FailedRestart(1, 120.0), Need.RESTART, 0.0),
        # Nobody could tell how its restart ended.
        ("failed", 0.0, FailedRestart(0, 150.0), Need.START, 0.0),
        ("active", 10.0, FailedRestart(0, 150.0), Need.RESTART, 0.0),
        ("active", 130.0, FailedRestart(0, 150.0), Need.STARTED_SINCE, 0.0),
        ("deactivating", 0.0, FailedRestart(0, 149.0), Need.WAIT_TO_RETRY, 180.0),
        ("inactive", 0.0, FailedRestart(0, 149.0), Need.NOT_RUNNING, 0.0),
        ("active", 130.0, FailedRestart(1, 120.0), Need.STARTED_SINCE, 0.0),
        ("activating", 130.0, FailedRestart(1, 120.0), Need.WAIT_TO_RETRY, 180.0),
        ("inactive", 0.0, FailedRestart(1, 120.0), Need.NOT_RUNNING, 0.0),
    ],
)
def test_a_unit_whose_restart_failed_is_tried_again(
    *, active: str, started_at: float, failed: FailedRestart, need: Need, due_at: float
) -> None:
    unit = UnitState("nova-compute.service", "loaded", active, started_at)
    pending = PendingRestart(100.0, failed={unit.name: failed})
    plans = plan_restarts([unit], pending, Services(), now=150.0)
    assert plans == (UnitPlan(unit.name, need, due_at),)


@pytest.mark.parametrize(
    ("active", "started_at", "need"),
    [
        ("activating", 130.0, Need.STARTED_SINCE),
        ("activating", 10.0, Need.RESTART),
        ("deactivating", 0.0, Need.NOT_RUNNING),
    ],
)
def test_a_unit_that_never_comes_to_rest_is_not_waited_for_for_ever(active: str, started_at: float, need: Need) -> None:
    unit = UnitState("nova-compute.service", "loaded", active, started_at)
    pending = PendingRestart(100.0, failed={unit.name: FailedRestart(1, 120.0)})
    assert plan_restarts([unit], pending, Services(), now=420.0) == (UnitPlan(unit.name, need),)
