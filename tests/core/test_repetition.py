"""When a pass, or an action within it, is tried again."""

import pytest

from builders import PF
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.repetition import (
    IN_USE_SECONDS,
    in_pass_delay_seconds,
    is_unfinished,
    is_worth_retrying,
    left_alone_in_seconds,
    next_look_seconds,
    retry_delay_seconds,
)
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.vf_settings import AttributeMemory, Seen

WRITE = SetNumVfs(PF, 0, 4)


@pytest.mark.parametrize(
    ("reason", "failures", "seconds"),
    [
        (Reason.IN_USE, 0, None),
        (Reason.IN_USE, 1, 5.0),
        (Reason.IN_USE, 4, 60.0),
        (Reason.IN_USE, 5, 60.0),
        (Reason.IN_USE, 5000, 60.0),
        (Reason.LAG_INACTIVE, 1, 5.0),
        (Reason.LAG_INACTIVE, 5000, 5.0),
        (Reason.STUCK, 5, 120.0),
        (Reason.STUCK, 5000, 300.0),
    ],
)
def test_a_vf_in_use_is_looked_at_every_minute_at_the_least(
    reason: Reason, failures: int, seconds: float | None
) -> None:
    report = PassReport(pfs=(PfReport("a", "4", PfState.DEGRADED, reason=reason),))
    assert next_look_seconds(State(report=report), failures, now=0.0) == seconds


def test_a_vf_that_keeps_another_driver_is_looked_at_until_it_is_released() -> None:
    report = PassReport(pfs=(PfReport("a", "4", PfState.OK, vfs_held=1),))
    assert next_look_seconds(State(report=report), 0, now=0.0) == IN_USE_SECONDS


@pytest.mark.parametrize(
    ("failures", "address", "seconds"),
    [(1, PF, 5.0), (5, PF, 30.0), (5000, PF, 30.0), (5, "0000:af:00.0", 120.0), (5, "0000:d8:00.0", 0.0)],
    ids=["soon", "due", "due, after many events", "not remembered", "overdue"],
)
def test_a_number_that_was_written_over_is_looked_at_when_its_pause_ends(
    failures: int, address: str, seconds: float
) -> None:
    line = PfReport("a", "4", PfState.DEGRADED, pci_address=address, reason=Reason.CONTESTED)
    contests = {PF: Contest(4, 1, 3, 130.0), "0000:d8:00.0": Contest(4, 1, 3, 90.0)}
    state = State(report=PassReport(pfs=(line,)), contests=contests)
    assert next_look_seconds(state, failures, now=100.0) == seconds


@pytest.mark.parametrize(
    ("failures", "delay"), [(0, None), (1, 5.0), (2, 10.0), (3, 30.0), (6, 300.0), (7, 300.0), (1000, 300.0)]
)
def test_the_back_off_grows_and_is_bounded(failures: int, delay: float | None) -> None:
    assert retry_delay_seconds(failures) == delay


@pytest.mark.parametrize(
    ("outcome", "is_transient", "attempt", "delay"),
    [
        (Outcome.FAILED, True, 0, 0.2),
        (Outcome.FAILED, True, 4, 4.0),
        (Outcome.FAILED, True, 5, None),
        (Outcome.FAILED, False, 0, None),
        (Outcome.STALE, True, 0, None),
        (Outcome.CHANGED, False, 0, None),
    ],
)
def test_only_a_transient_failure_is_tried_again_within_the_pass(
    outcome: Outcome, attempt: int, delay: float | None, *, is_transient: bool
) -> None:
    assert in_pass_delay_seconds(Result(WRITE, outcome, is_transient=is_transient), attempt) == delay


def report(state: PfState, reason: Reason | None = None, *results: Result) -> PassReport:
    """A pass over one PF."""
    return PassReport(pfs=(PfReport("tenant-a", "4", state, reason=reason),), results=results)


@pytest.mark.parametrize(
    ("one", "is_worth_it"),
    [
        (report(PfState.OK), False),
        (report(PfState.DEGRADED, Reason.IN_USE), True),
        (report(PfState.DEGRADED, Reason.EXCEEDS_MAX), False),
        (report(PfState.DEGRADED, Reason.WRITE_FAILED, Result(WRITE, Outcome.FAILED, is_transient=True)), True),
        (report(PfState.DEGRADED, Reason.WRITE_FAILED, Result(WRITE, Outcome.FAILED)), False),
        (report(PfState.OK, None, Result(WRITE, Outcome.CHANGED, is_transient=True)), False),
    ],
)
def test_what_time_alone_may_help_is_retried(one: PassReport, *, is_worth_it: bool) -> None:
    assert is_worth_retrying(one) is is_worth_it


def test_a_pass_that_ends_with_things_to_do_is_unfinished() -> None:
    assert is_unfinished(report(PfState.PENDING))
    assert not is_unfinished(report(PfState.DEGRADED, Reason.IN_USE))


@pytest.mark.parametrize(
    ("seen", "failures", "look", "left_alone"),
    [
        ((), 0, None, None),
        ((Seen(1, 100.0),), 0, 30.0, 30.0),
        ((Seen(1, 71.0),), 0, 1.0, 1.0),
        ((Seen(1, 71.0), Seen(2, 80.0)), 0, 1.0, 10.0),
        ((Seen(1, 70.0),), 0, 60.0, None),
        ((Seen(1, 1.0),), 0, 60.0, None),
        ((Seen(1, 1.0), Seen(1, 90.0)), 0, 20.0, 20.0),
        ((Seen(1, 71.0, awaits_carrier=True),), 0, None, None),
        ((Seen(1, 71.0),), 5000, 1.0, 1.0),
        ((Seen(1, 1.0),), 1, 5.0, None),
    ],
)
def test_vfs_that_differ_are_looked_at_once_they_may_be_set_and_never_at_once(
    seen: tuple[Seen, ...], failures: int, look: float | None, left_alone: float | None
) -> None:
    state = State(attributes={PF: AttributeMemory(seen=dict(enumerate(seen)))})
    assert next_look_seconds(state, failures, now=100.0) == look
    assert left_alone_in_seconds(state, now=100.0) == left_alone
