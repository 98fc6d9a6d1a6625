"""Somebody else writes over our number: when it counts, when ours is next, when it is forgotten."""

import pytest

from builders import PF, make_pf
from sriov_bootstrap.core.contest import Contest, find_contests, next_contest, pause_seconds
from sriov_bootstrap.core.facts import PfFacts

THREE, ONE, EMPTY = make_pf(num_vfs=3), make_pf(num_vfs=1), make_pf()
BARE = make_pf(num_vfs=1, driver="")
TWICE = Contest(3, 1, times=2, due_at=100.0)


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 5.0), (2, 10.0), (3, 30.0), (4, 60.0), (5, 120.0), (6, 300.0), (5000, 300.0)]
)
def test_each_time_the_pause_is_longer_up_to_five_minutes(times: int, seconds: float) -> None:
    assert pause_seconds(times) == seconds


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        (None, Contest(3, 2, 1, 105.0)),
        (TWICE, Contest(3, 2, 3, 130.0)),
        (Contest(7, 1, 4, 90.0), Contest(3, 2, 1, 105.0)),
    ],
    ids=["first", "again", "a new target"],
)
def test_once_more(earlier: Contest | None, expected: Contest) -> None:
    assert next_contest(earlier, 3, 2, now=100.0) == expected


@pytest.mark.parametrize(
    ("contests", "placed", "pf", "expected", "is_new"),
    [
        pytest.param({}, {PF: 3}, THREE, {}, False, id="as it was left"),
        pytest.param({}, {PF: 3}, ONE, {PF: Contest(3, 1, 1, 60.0)}, True, id="written over: put right at once"),
        pytest.param({}, {PF: 3}, EMPTY, {}, False, id="gone: a loss"),
        pytest.param({}, {PF: 0}, ONE, {PF: Contest(0, 1, 1, 60.0)}, True, id="none were asked for"),
        pytest.param({}, {}, ONE, {}, False, id="ours was never there"),
        pytest.param({}, {PF: 3}, BARE, {}, False, id="its driver is gone"),
        pytest.param({}, {PF: 3}, None, {}, False, id="it is gone"),
        pytest.param({PF: TWICE}, {PF: 3}, ONE, {PF: Contest(3, 1, 3, 90.0)}, True, id="again"),
        pytest.param({PF: TWICE}, {PF: 3}, EMPTY, {PF: Contest(3, 0, 3, 90.0)}, True, id="again, with none"),
        pytest.param({PF: TWICE}, {PF: 7}, ONE, {PF: Contest(7, 1, 1, 60.0)}, True, id="over another number"),
        pytest.param({PF: TWICE}, {PF: 7}, EMPTY, {PF: TWICE}, False, id="another number, and a loss"),
        pytest.param({PF: TWICE}, {}, ONE, {PF: TWICE}, False, id="in the pause"),
        pytest.param({PF: TWICE}, {}, EMPTY, {PF: TWICE}, False, id="in the pause, on his way"),
        pytest.param({PF: TWICE}, {}, make_pf(num_vfs=2), {PF: Contest(3, 2, 2, 100.0)}, False, id="a third number"),
        pytest.param({PF: TWICE}, {PF: 3}, THREE, {PF: TWICE}, False, id="not yet forgotten"),
        pytest.param({PF: Contest(3, 1, 2, -540.0)}, {PF: 3}, THREE, {}, False, id="forgotten"),
        pytest.param({PF: TWICE}, {}, BARE, {}, False, id="forgotten with its driver"),
        pytest.param({PF: TWICE}, {}, None, {}, False, id="forgotten with its card"),
    ],
)
def test_what_a_pass_finds(
    contests: dict[str, Contest],
    placed: dict[str, int],
    pf: PfFacts | None,
    expected: dict[str, Contest],
    *,
    is_new: bool,
) -> None:
    found = find_contests(contests, placed, (pf,) if pf else (), now=60.0)
    assert found == (expected, (PF,) if is_new else ())
