import pytest

from builders import PF
from sriov_bootstrap.core.state import Counters, FailedRestart, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.doctor.service.now import Now, notes, now_of

PASSED = State(passed_at=1000.0, counters=Counters(passes=1))
JAM = Jam(4711, PF, "set it", 0.0, began_at=990.0)


@pytest.mark.parametrize(
    ("state", "jam", "now"),
    [
        pytest.param(State(), None, Now(), id="before the first pass"),
        pytest.param(PASSED, JAM, Now(jam=JAM, jam_age=90.0, has_passed=True, pass_age=80.0), id="a pass and a jam"),
        pytest.param(State(counters=PASSED.counters), None, Now(has_passed=True), id="a pass of an older version"),
        pytest.param(
            State(pending=PendingRestart(1070.0, (PF,))),
            None,
            Now(pending=PendingRestart(1070.0, (PF,)), pending_age=10.0),
            id="restarts are due",
        ),
        pytest.param(
            State(pending=PendingRestart(None, (PF,))), None, Now(pending=PendingRestart(None, (PF,))), id="a write"
        ),
    ],
)
def test_ages_are_counted_from_what_was_left(state: State, jam: Jam | None, now: Now) -> None:
    assert now_of(state, 1080.0, jam=jam, switches=(), has_udevd=True) == now


FAILED = PendingRestart(1.0, (PF,), {"nova-compute.service": FailedRestart(2, 200.0)})
UNKNOWN = PendingRestart(1.0, (PF,), {"nova-compute.service": FailedRestart(0, 200.0)})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Now(has_passed=True, pass_age=1300.0), []),
        (Now(has_passed=True), []),
        (Now(has_passed=True, pass_age=1320.0), ["the last pass was 22 minutes ago: systemctl status"]),
        (Now(), ["no pass since boot: systemctl status sriov-bootstrap, or sriov-bootstrap --once"]),
        (
            Now(switches=("x",), has_passed=True),
            [
                "switched off: x keeps the unit from starting",
                "sriov-bootstrap.service has passed since the boot: if it",
            ],
        ),
        (
            Now(switches=("x",), has_passed=True, pass_age=1320.0),
            ["switched off: x keeps the unit from starting", "the last pass was 22 minutes ago: systemctl status"],
        ),
        (Now(has_udevd=False, has_passed=True), ["systemd-udevd is down: VF losses are noticed up to 10 minutes late"]),
        (Now(jam=JAM, jam_age=90.0, has_passed=True), [f"{JAM}, for 90 s"]),
        (
            Now(pending=FAILED, has_passed=True),
            [
                f"restarts are pending, because VFs changed on: {PF}",
                "nova-compute.service: its restart failed, and will be",
            ],
        ),
        (
            Now(pending=UNKNOWN, has_passed=True),
            [
                f"restarts are pending, because VFs changed on: {PF}",
                "nova-compute.service: how its restart ended is not known; it is started if",
            ],
        ),
        (
            Now(pending=PendingRestart(1.0, (PF,), problem="no bus"), has_passed=True),
            [f"restarts are pending, because VFs changed on: {PF}", "they could not be made: no bus"],
        ),
        (
            Now(pending=PendingRestart(1.0, (PF,), stopping={"nova-compute.service": 2.0}), has_passed=True),
            [
                f"restarts are pending, because VFs changed on: {PF}",
                "nova-compute.service: is still stopping; systemd starts it",
            ],
        ),
    ],
)
def test_an_operator_is_told_what_holds_now(now: Now, said: list[str]) -> None:
    assert all(note.startswith(words) for note, words in zip(notes(now), said, strict=True))
