"""What outlives a pass."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import PF, PF2, make_pf, make_vf, make_wish
from sriov_bootstrap.core import state
from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    LoadModule,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    SetVfAttributes,
    WriteFile,
)
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState, Result
from sriov_bootstrap.core.state import Counters, FailedRestart, Handover, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam, Short
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_settings import AttributeMemory, AttributeRefusal, Before, Seen

FOUR, TWO, EMPTY = make_pf(num_vfs=4), make_pf(num_vfs=2), make_pf()
PROBING = make_pf(vfs=(make_vf(driver=""), make_vf(index=1)))
WRITE = SetNumVfs(PF, 0, 4)
RELOAD = ReloadDriver(PF, "igb", (PF, PF2), 4)
LINE = PfReport("a", "4", PfState.OK, pci_address=PF)
SEEN = frozenset({100, 101, 102, 103})
NOW = frozenset({100, 101})
NO_TEXT = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
TABLES = (VfTable(vfs="all", vlan=100, mac="stable"),)
ACTIONS: tuple[Action, ...] = (
    SetLinkUp(PF, "e"),
    SetAutoprobe(PF, enabled=True),
    LoadModule(PF, "vfio-pci"),
    WRITE,
    WriteFile(PF, "/x", "text"),
    RELOAD,
    SetPfLink(PF, "e", 9000, promisc=True),
    SetVfAttributes(PF, "e", TABLES, 4, {0: Before(7, is_given=True, refused=("msix",))}, keeps_drivers=True),
    BindVfs(PF, "kernel", ("0000:3b:02.0",), returns=True),
)
FULL = State(
    boot_id="b",
    passed_at=7.0,
    report=PassReport(
        pfs=(LINE,), results=tuple(Result(one, Outcome.CHANGED) for one in ACTIONS), jam=Jam(1, PF, "x", 2.0)
    ),
    pending=PendingRestart(None, (PF,)),
    known={PF: SEEN},
    incomplete=(PF,),
    short={PF: Short(4, NOW, is_proven=True)},
    autoprobe_off=(PF,),
    ours={PF: SEEN},
    contests={PF: Contest(4, 2, times=3, due_at=40.0)},
    attributes={
        PF: AttributeMemory(TABLES, NOW, {100: Seen(7, 3.0)}, AttributeRefusal({"trust": frozenset({101})}, "no", "do"))
    },
    counters=Counters(passes=3, vf_losses={PF: 2}, contested={PF: 3}),
)


@pytest.mark.parametrize("saved", [State(boot_id="b"), FULL], ids=["fresh", "full"])
def test_what_is_saved_is_loaded(saved: State) -> None:
    assert state.load(state.dump(saved), boot_id="b") == (saved, "")


def test_a_state_of_the_version_before_is_loaded_with_all_that_it_counted() -> None:
    """The fields that have been added since are the ones cut out here."""
    older = json.loads(state.dump(FULL))
    del older["ours"], older["report"]["leftovers"]
    del older["attributes"], older["contests"], older["counters"]["contested"], older["short"][PF]["is_proven"]
    loaded, note = state.load(json.dumps(older).encode(), boot_id="b")
    counters = replace(FULL.counters, contested={})
    assert (loaded, note) == (
        replace(FULL, ours={}, contests={}, attributes={}, short={PF: Short(4, NOW)}, counters=counters),
        "",
    )


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"", ""),
        (b'{"boot_id":"of yesterday"}', ""),
        (
            b'{"format":2,"boot_id":"b"}',
            "state.json has format 2 instead of 1 and has been reset",
        ),
        (
            b'{"boot_id":',
            "state.json was unreadable and has been reset: Input data was truncated",
        ),
        (
            b'{"boot_id":"\xff"}',
            f"state.json was unreadable and has been reset: {NO_TEXT}",
        ),
    ],
    ids=["empty", "another boot", "another format", "cut off", "not text"],
)
def test_what_cannot_be_used_is_started_anew(data: bytes, note: str) -> None:
    assert state.load(data, boot_id="b") == (State(boot_id="b"), note)


@pytest.mark.parametrize("data", [b"[]", b'{"boot_id":7}'])
def test_what_is_no_state_of_any_version_is_started_anew(data: bytes) -> None:
    assert state.load(data, boot_id="b")[0] == State(boot_id="b")


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        pytest.param({"of_a_newer_version": [1]}, {}, id="newer: one more field"),
        pytest.param({"report": {"pfs": [{"reason": "unheard_of"}]}}, {"report": PassReport()}, id="newer: a new word"),
        pytest.param({"passed_at": None}, {"passed_at": 0.0}, id="another type"),
        pytest.param({"passed_at": ...}, {"passed_at": 0.0}, id="older: a field less"),
        pytest.param(
            {"counters": {"passes": 3, "duration_buckets": [1], "duration_sum": 7.0}},
            {"counters": Counters(passes=3)},
            id="other buckets",
        ),
    ],
)
def test_another_version_of_us_loses_neither_counters_nor_a_restart(
    change: dict[str, object], lost: dict[str, object]
) -> None:
    fields = msgspec.json.decode(state.dump(FULL)) | change
    text = msgspec.json.encode({name: value for name, value in fields.items() if value is not ...})
    loaded, note = state.load(text, boot_id="b")
    assert loaded == msgspec.structs.replace(FULL, **lost)
    assert bool(note) is (bool(lost) and ... not in change.values())


def test_endless_nesting_is_started_anew() -> None:
    loaded, note = state.load(b'{"report":' * 100000, boot_id="b")
    assert (loaded, note[:46]) == (State(boot_id="b"), "state.json was unreadable and has been reset: ")


@given(st.binary(max_size=200) | st.integers(0, 2000).map(lambda size: state.dump(FULL)[:size]))
def test_any_bytes_are_a_state(data: bytes) -> None:
    assert state.load(data, boot_id="b")[0].boot_id == "b"


@pytest.mark.parametrize(
    ("pending", "addresses"),
    [(None, (PF2,)), (PendingRestart(7.0, (PF,)), (PF, PF2)), (PendingRestart(None, (PF2,)), (PF2,))],
)
def test_what_a_write_may_change_is_noted_before_it(pending: PendingRestart | None, addresses: tuple[str, ...]) -> None:
    assert state.begin_write(State(pending=pending), (PF2,)).pending == PendingRestart(None, addresses)


def test_a_unit_that_did_not_come_up_is_not_forgotten_for_a_newer_change() -> None:
    failed = {"nova-compute.service": FailedRestart(2, 60.0)}
    saved = state.begin_write(State(pending=PendingRestart(50.0, (PF,), failed)), (PF2,))
    assert saved.pending == PendingRestart(None, (PF, PF2), failed)
    report = PassReport()
    after = state.fold(saved, report, (), now_monotonic=70.0, changed=(PF2,), handover=Handover())
    assert after.pending == PendingRestart(70.0, (PF, PF2), failed)
    assert state.load(state.dump(after), boot_id="")[0] == after


SAVED = State(report=PassReport(pfs=(LINE,)), known={PF: SEEN, PF2: SEEN}, counters=Counters(passes=1))


@pytest.mark.parametrize(
    ("saved", "pf", "losses"),
    [
        (SAVED, FOUR, {}),
        (SAVED, TWO, {PF: 2}),
        (SAVED, None, {PF: 4}),
        (SAVED, make_pf(vfs=tuple(make_vf(index=index, incarnation=index) for index in range(4))), {PF: 4}),
        (State(), TWO, {}),
        (state.begin_write(SAVED, (PF,)), TWO, {}),
        (state.begin_write(SAVED, (PF2,)), TWO, {PF: 2}),
    ],
    ids=["all there", "two gone", "PF gone", "made anew", "first pass", "maybe our doing", "not our doing"],
)
def test_a_loss_is_what_went_away_without_us(saved: State, pf: object, losses: dict[str, int]) -> None:
    assert state.lost_vfs(saved, (pf,) if isinstance(pf, type(FOUR)) else ()) == losses


@pytest.mark.parametrize(
    ("action", "outcome", "losses"),
    [
        (SetNumVfs(PF, 4, 0), Outcome.STALE, {PF: 2}),
        (SetNumVfs(PF, 4, 0), Outcome.REFUSED, {PF: 2}),
        (SetNumVfs(PF, 4, 0), Outcome.CHANGED, {}),
        (SetNumVfs(PF, 4, 0), Outcome.STUCK, {}),
        (SetNumVfs(PF, 0, 4), Outcome.CHANGED, {PF: 2}),
        (SetNumVfs(PF2, 4, 0), Outcome.CHANGED, {PF: 2}),
        (ReloadDriver(PF2, "igb", (PF2, PF), 4), Outcome.FAILED, {}),
        (SetLinkUp(PF, "ens1f0"), Outcome.CHANGED, {PF: 2}),
    ],
)
def test_a_loss_may_go_on_while_a_pass_is_at_work(action: Action, outcome: Outcome, losses: dict[str, int]) -> None:
    assert state.lost_in_round((FOUR,), (TWO,), (Result(action, outcome),)) == losses


@pytest.mark.parametrize(
    ("saved", "before", "after", "changed"),
    [
        (SAVED, FOUR, FOUR, ()),
        (SAVED, FOUR, TWO, (PF,)),
        (SAVED, TWO, TWO, (PF,)),
        (State(), FOUR, FOUR, ()),
        (State(), EMPTY, FOUR, (PF,)),
        (State(counters=Counters(passes=1)), FOUR, FOUR, (PF,)),
    ],
    ids=["same", "by us", "by others", "boot, nothing done", "boot, made", "plugged in with VFs"],
)
def test_consumers_care_for_vfs_that_they_may_not_have_seen(
    saved: State, before: object, after: object, changed: tuple[str, ...]
) -> None:
    assert isinstance(before, type(FOUR))
    assert isinstance(after, type(FOUR))
    assert state.changed_pfs(saved, (before,), (after,)) == changed


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
    found = state.notice_contests(State(report=report), (TWO,), now=50.0, is_asked=is_asked)
    assert found == (State(report=report, contests=expected), new)


def test_who_asks_need_not_wait_for_the_end_of_the_pause() -> None:
    saved = State(contests={PF: Contest(4, 2, 3, 90.0)})
    assert state.notice_contests(saved, (TWO,), now=50.0, is_asked=False) == (saved, {})
    assert state.notice_contests(saved, (TWO,), now=50.0, is_asked=True) == (State(), {})


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
    after, new = state.note_contests(State(), (result,), targets, pfs, now=50.0, is_last=is_last)
    assert (after, new) == (State(contests=expected), dict.fromkeys(expected, 1))


def test_who_gets_in_between_a_second_time_is_given_a_pause() -> None:
    saved = State(contests={PF: Contest(4, 2, 1, 50.0)})
    after, new = state.note_contests(saved, (STALE,), {PF: 4}, (TWO,), now=50.0, is_last=False)
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
    assert state.remember(saved, results, (pf,)) == expected


@pytest.mark.parametrize(
    ("pending", "changed", "expected"),
    [
        (None, (), None),
        (None, (PF,), PendingRestart(50.0, (PF,))),
        (PendingRestart(7.0, (PF2,)), (), PendingRestart(7.0, (PF2,))),
        (PendingRestart(7.0, (PF2,)), (PF,), PendingRestart(50.0, (PF, PF2))),
        (PendingRestart(None, (PF2,)), (), PendingRestart(50.0, (PF2,))),
    ],
    ids=["nothing", "new", "waiting", "one more", "the pass died"],
)
def test_a_restart_is_pending_after_a_change(
    pending: PendingRestart | None, changed: tuple[str, ...], expected: PendingRestart | None
) -> None:
    saved = State(pending=pending)
    after = state.fold(saved, PassReport(), (FOUR,), now_monotonic=50.0, changed=changed, handover=Handover())
    assert (after.pending, after.known) == (expected, {PF: SEEN})


@pytest.mark.parametrize(
    ("saved", "changed", "expected"),
    [
        (State(changed_at=7.0), (), 7.0),
        (State(changed_at=7.0), (PF,), 50.0),
        (State(pending=PendingRestart(None, (PF,))), (), 50.0),
    ],
    ids=["nothing", "a change", "the pass died"],
)
def test_when_vfs_changed_is_known_also_after_the_restarts(
    saved: State, changed: tuple[str, ...], expected: float
) -> None:
    after = state.fold(saved, PassReport(), (FOUR,), now_monotonic=50.0, changed=changed, handover=Handover())
    assert replace(after, pending=None).changed_at == expected


def test_a_pass_is_counted() -> None:
    bad = PfReport("a", "4", PfState.DEGRADED)
    report = PassReport(
        started_at=1000.0, seconds=0.7, pfs=(bad,), results=(Result(WRITE, Outcome.FAILED),), losses={PF: 2, PF2: 1}
    )
    saved = State(last_success_at=9.0, counters=Counters(passes=1, duration_sum=1.0, vf_losses={PF: 5}))
    handover = Handover(udev_resyncs=3, failures=2)
    after = state.fold(saved, report, (), now_monotonic=0.0, changed=(), handover=handover)
    assert after.last_success_at == 9.0
    assert after.counters == Counters(
        passes=4,
        pass_failures=3,
        duration_sum=1.7,
        duration_buckets=(0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
        vf_losses={PF: 7, PF2: 1},
        udev_resyncs=3,
    )


def test_a_good_pass_is_a_success_when_it_ends() -> None:
    report = PassReport(started_at=1000.0, seconds=0.5)
    after = state.fold(State(), report, (), now_monotonic=0.0, changed=(), handover=Handover())
    assert after.last_success_at == 1000.5


def test_what_is_remembered_of_attributes_stays_small() -> None:
    """64 PFs of 256 VFs: 200 bytes for each VF while every single one differs, 10 bytes otherwise."""
    vfs = range(10_000, 10_256)
    given = AttributeMemory(TABLES, frozenset(vfs))
    differing = AttributeMemory(TABLES, frozenset(vfs), {vf: Seen(4_000_000_000, 123456.789) for vf in vfs})
    empty = len(state.dump(State()))
    for memory, limit in ((given, 10), (differing, 200)):
        saved = State(attributes={f"0000:{number:02x}:00.0": memory for number in range(64)})
        assert len(state.dump(saved)) - empty < limit * 64 * 256


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
    after = state.remember(State(attributes={PF: before} if before else {}), (result,), (FOUR,)).attributes.get(PF)
    assert (after and replace(after, seen={})) == expected


def test_a_pf_that_is_gone_takes_what_was_set_with_it() -> None:
    saved = State(attributes={PF: BEFORE, PF2: BEFORE})
    assert state.remember(saved, (Result(set_for(), Outcome.CHANGED),), ()).attributes == {}


def test_vfs_that_differ_are_noted_and_no_others() -> None:
    old, new = {100: Seen(1, 2.0)}, {101: Seen(3, 4.0)}
    saved = State(attributes={PF: AttributeMemory(seen=old), PF2: replace(BEFORE, seen=old)})
    noted = state.note_seen(saved, {PF2: new}).attributes
    assert noted == {PF2: replace(BEFORE, seen=new)}
    assert state.note_seen(State(), {PF: new}).attributes == {PF: AttributeMemory(seen=new)}


def test_who_asks_has_what_was_refused_tried_again() -> None:
    assert state.ask_again(State(attributes={PF: BEFORE})).attributes == {PF: AttributeMemory(TABLES, frozenset({100}))}


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
    after = state.remember(State(), results, (FOUR,), begun)
    assert after.placements.get(PF, Placement()).is_unfinished is is_unfinished
