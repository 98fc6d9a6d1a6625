"""What one look leaves in memory for the next."""

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_pf, make_vf, make_wish
from sriov_bootstrap.core import memory, state
from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetVfAttributes,
)
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Short
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_settings import AttributeMemory, AttributeRefusal, Before, Seen

FOUR, TWO, EMPTY = make_pf(num_vfs=4), make_pf(num_vfs=2), make_pf()
PROBING = make_pf(vfs=(make_vf(driver=""), make_vf(index=1)))
WRITE = SetNumVfs(PF, 0, 4)
RELOAD = ReloadDriver(PF, "igb", (PF, PF2), 4)
LINE = PfReport("a", "4", PfState.OK, pci_address=PF)
SEEN = frozenset({100, 101, 102, 103})
NOW = frozenset({100, 101})
TABLES = (VfTable(vfs="all", vlan=100, mac="stable"),)
SHORT = {PF: Short(4, NOW, is_proven=True)}
PROBING_SHORT = {PF: Short(4, PROBING.incarnations, is_proven=True)}
NONE = {PF: Short(4, frozenset(), is_proven=True)}


@pytest.mark.parametrize(
    ("report", "is_asked", "expected", "new"),
    [
        (PassReport(pfs=(LINE,)), False, {PF: Contest(4, 2, 1, 50.0)}, {PF: 1}),
        (PassReport(pfs=(replace(LINE, state=PfState.DEGRADED),)), False, {}, {}),
        (PassReport(), False, {}, {}),
    ],
    ids=["as desired", "not as desired", "no pass yet"],
)
def test_a_number_that_a_pass_has_left_as_desired_and_is_another_was_written_over(
    report: PassReport, expected: dict[str, Contest], new: dict[str, int], *, is_asked: bool
) -> None:
    report = replace(report, pfs=tuple(replace(pf, desired=4) for pf in report.pfs))
    found = memory.notice_contests(State(report=report), (TWO,), now=50.0, is_asked=is_asked)
    assert found == (State(report=report, contests=expected), new)


def test_who_asks_need_not_wait_for_the_end_of_the_pause() -> None:
    saved = State(contests={PF: Contest(4, 2, 3, 90.0)})
    assert memory.notice_contests(saved, (TWO,), now=50.0, is_asked=False) == (saved, {})
    assert memory.notice_contests(saved, (TWO,), now=50.0, is_asked=True) == (State(), {})


STALE = Result(WRITE, Outcome.STALE)
FIRST = {PF: Contest(4, 2, 1, 55.0)}


@pytest.mark.parametrize(
    ("result", "pfs", "targets", "is_last", "expected"),
    [
        (Result(WRITE, Outcome.CHANGED, contested=(PF,)), (TWO,), {PF: 4}, False, FIRST),
        (Result(WRITE, Outcome.CHANGED, contested=(PF,)), (FOUR,), {PF: 4}, False, {}),
        (Result(WRITE, Outcome.CHANGED, contested=(PF,)), (), {PF: 4}, False, {}),
        (Result(WRITE, Outcome.CHANGED), (TWO,), {PF: 4}, True, {}),
        (Result(RELOAD, Outcome.CHANGED, contested=(PF, PF2)), (TWO,), {PF: 4, PF2: 4}, False, FIRST),
        (STALE, (TWO,), {PF: 4}, True, FIRST),
        (STALE, (EMPTY,), {PF: 4}, True, {PF: Contest(4, 0, 1, 55.0)}),
        (STALE, (TWO,), {PF: 4}, False, {PF: Contest(4, 2, 1, 50.0)}),
        (STALE, (EMPTY,), {PF: 4}, False, {}),
        (Result(SetLinkUp(PF, "e"), Outcome.STALE), (TWO,), {PF: 4}, True, {}),
    ],
    ids=[
        "over",
        "right again",
        "gone",
        "fewer made",
        "reload",
        "stale",
        "stale, none",
        "stale, again",
        "a loss",
        "link",
    ],
)
def test_what_a_round_came_to_is_a_contest(
    result: Result, pfs: tuple[PfFacts, ...], targets: dict[str, int], expected: dict[str, Contest], *, is_last: bool
) -> None:
    after, new = memory.note_contests(State(), (result,), targets, pfs, now=50.0, is_last=is_last)
    assert (after, new) == (State(contests=expected), dict.fromkeys(expected, 1))


def test_who_gets_in_between_a_second_time_is_given_a_pause() -> None:
    saved = State(contests={PF: Contest(4, 2, 1, 50.0)})
    after, new = memory.note_contests(saved, (STALE,), {PF: 4}, (TWO,), now=50.0, is_last=False)
    assert (after.contests, new) == ({PF: Contest(4, 2, 2, 60.0)}, {PF: 1})


def made(pf: PfFacts, *, short: dict[str, Short] | None = None, incomplete: tuple[str, ...] = ()) -> State:
    """What is remembered after we made the VFs of this PF."""
    return State(ours={PF: pf.incarnations}, short=short or {}, incomplete=incomplete)


@pytest.mark.parametrize(
    ("saved", "results", "pf", "expected"),
    [
        (State(), (), TWO, State()),
        (State(incomplete=(PF,)), (), PROBING, State(incomplete=(PF,))),
        (State(incomplete=(PF,)), (), TWO, State()),
        (State(incomplete=(PF2,)), (), TWO, State()),
        (State(incomplete=(PF,)), (), make_pf(vfs=PROBING.vfs, autoprobe=False), State()),
        (State(), (Result(WRITE, Outcome.CHANGED),), FOUR, made(FOUR)),
        (State(), (Result(WRITE, Outcome.CHANGED),), TWO, made(TWO, short=SHORT)),
        (State(incomplete=(PF,)), (Result(WRITE, Outcome.CHANGED),), PROBING, made(PROBING, short=PROBING_SHORT)),
        (State(), (Result(WRITE, Outcome.CHANGED),), EMPTY, made(EMPTY)),
        (State(short=SHORT), (Result(WRITE, Outcome.CHANGED, contested=(PF,)),), TWO, State()),
        (State(), (Result(WRITE, Outcome.CHANGED, contested=(PF,)),), FOUR, made(FOUR)),
        (State(), (Result(WRITE, Outcome.FAILED),), TWO, State()),
        (State(short=SHORT), (Result(WRITE, Outcome.CHANGED),), FOUR, made(FOUR)),
        (State(), (Result(WRITE, Outcome.CHANGED, is_settled=False),), FOUR, made(FOUR, incomplete=(PF,))),
        (State(), (Result(SetNumVfs(PF2, 0, 4), Outcome.CHANGED),), TWO, State()),
        (State(), (Result(RELOAD, Outcome.CHANGED),), FOUR, made(FOUR)),
        (State(), (Result(RELOAD, Outcome.CHANGED),), EMPTY, made(EMPTY, short=NONE)),
        (State(), (Result(RELOAD, Outcome.CHANGED, is_settled=False),), FOUR, made(FOUR, incomplete=(PF,))),
        (State(), (Result(SetLinkUp(PF, "e"), Outcome.CHANGED),), TWO, State()),
        (State(), (Result(SetAutoprobe(PF, enabled=False), Outcome.CHANGED),), TWO, State(autoprobe_off=(PF,))),
        (State(), (Result(SetAutoprobe(PF, enabled=False), Outcome.FAILED),), TWO, State()),
        (State(autoprobe_off=(PF,)), (Result(SetAutoprobe(PF, enabled=True), Outcome.CHANGED),), TWO, State()),
    ],
    ids=[
        "nothing", "still incomplete", "complete", "incomplete and gone", "none is to bind", "all made", "fewer made",
        "fewer made, still without drivers",
        "none made", "written over", "written over, and right again", "failed",
        "made at last", "not ready", "gone", "reloaded", "reloaded for nothing",
        "reloaded, not ready", "link", "autoprobe off", "autoprobe failed", "autoprobe on",
    ],
)  # fmt: skip
def test_the_next_look_knows_what_was_done(
    saved: State, results: tuple[Result, ...], pf: object, expected: State
) -> None:
    assert isinstance(pf, type(FOUR))
    assert memory.remember(saved, results, (pf,)) == expected


def set_for(*numbers: int, tables: tuple[VfTable, ...] = TABLES, keeps_drivers: bool = True) -> SetVfAttributes:
    """Of the VFs of FOUR with these numbers, all if none is named."""
    vfs = {number: Before(7, is_given=False) for number in numbers}
    return SetVfAttributes(PF, "e", tables, 4, vfs, keeps_drivers=keeps_drivers)


REFUSAL = AttributeRefusal({"trust": frozenset({101})}, "no", "do")
BEFORE = AttributeMemory(TABLES, NOW, refusal=REFUSAL)


@pytest.mark.parametrize(
    ("before", "result", "expected"),
    [
        (None, Result(set_for(), Outcome.CHANGED), AttributeMemory(TABLES, SEEN)),
        (None, Result(set_for(1), Outcome.UNCHANGED), AttributeMemory(TABLES, frozenset({101}))),
        (None, Result(set_for(1), Outcome.STALE), None),
        (None, Result(set_for(1), Outcome.FAILED), None),
        (
            None,
            Result(set_for(), Outcome.FAILED, message="no", hint="do", refused={"trust": (1,)}),
            AttributeMemory(TABLES, SEEN, refusal=REFUSAL),
        ),
        (BEFORE, Result(set_for(3), Outcome.CHANGED), AttributeMemory(TABLES, NOW | {103}, refusal=REFUSAL)),
        (BEFORE, Result(set_for(1), Outcome.CHANGED), AttributeMemory(TABLES, NOW)),
        (BEFORE, Result(set_for(3, tables=()), Outcome.CHANGED), AttributeMemory((), frozenset({103}))),
        (
            BEFORE,
            Result(set_for(0), Outcome.FAILED, message="now", refused={"mac": (0, 9)}),
            AttributeMemory(
                TABLES, NOW, refusal=AttributeRefusal({"trust": frozenset({101}), "mac": frozenset({100})}, "now")
            ),
        ),
        (replace(BEFORE, seen={101: Seen(1, 2.0), 7: Seen(1, 2.0)}), Result(WRITE, Outcome.FAILED), BEFORE),
    ],
    ids=["new", "one", "stale", "failed", "refused", "another", "again", "another rule", "refused, too", "gone"],
)
def test_what_was_set_or_refused_is_known_by_the_next_look(
    before: AttributeMemory | None, result: Result, expected: AttributeMemory | None
) -> None:
    after = memory.remember(State(attributes={PF: before} if before else {}), (result,), (FOUR,)).attributes.get(PF)
    assert (after and replace(after, seen={})) == expected


def test_a_pf_that_is_gone_takes_what_was_set_with_it() -> None:
    saved = State(attributes={PF: BEFORE, PF2: BEFORE})
    assert memory.remember(saved, (Result(set_for(), Outcome.CHANGED),), ()).attributes == {}


def test_vfs_that_differ_are_noted_and_no_others() -> None:
    old, new = {100: Seen(1, 2.0)}, {101: Seen(3, 4.0)}
    saved = State(attributes={PF: AttributeMemory(seen=old), PF2: replace(BEFORE, seen=old)})
    noted = memory.note_seen(saved, {PF2: new}).attributes
    assert noted == {PF2: replace(BEFORE, seen=new)}
    assert memory.note_seen(State(), {PF: new}).attributes == {PF: AttributeMemory(seen=new)}


def test_who_asks_has_what_was_refused_tried_again() -> None:
    asked = memory.ask_again(State(attributes={PF: BEFORE}))
    assert asked.attributes == {PF: AttributeMemory(TABLES, frozenset({100}))}


TAKE, BACK = set_for(0, keeps_drivers=False), BindVfs(PF, "kernel", ("0000:3b:02.0",), returns=True)
STEPS: tuple[Action, ...] = (TAKE, BACK)


@pytest.mark.parametrize(
    ("outcomes", "is_unfinished"),
    [
        ((Outcome.CHANGED, Outcome.CHANGED), False),
        ((Outcome.CHANGED, Outcome.STALE), True),
        ((Outcome.CHANGED,), True),
        ((Outcome.FAILED,), True),
        ((Outcome.STUCK,), True),
        ((Outcome.STALE,), False),
    ],
)
def test_vfs_that_have_left_their_driver_are_unfinished_until_they_have_it_back(
    outcomes: tuple[Outcome, ...], *, is_unfinished: bool
) -> None:
    begun = state.begin_write(State(), (PF,), [Plan(make_wish(pf=FOUR), (TAKE, BACK))])
    assert begun.placements[PF].is_unfinished
    results = tuple(Result(action, outcome) for action, outcome in zip(STEPS, outcomes, strict=False))
    after = memory.remember(State(), results, (FOUR,), begun)
    assert after.placements.get(PF, Placement()).is_unfinished is is_unfinished
