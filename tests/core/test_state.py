"""What outlives a pass."""

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import PF, PF2, make_pf, make_vf
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


def words_of(error: type[Exception], work: Callable[[], object]) -> str:
    """What Python or a library says, which is not the same in each release."""
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


NO_TEXT = words_of(ValueError, lambda: msgspec.json.decode(b'"\xff"', type=str))
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
    saved_at=8.0,
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
    del older["ours"], older["report"]["leftovers"], older["saved_at"]
    del older["attributes"], older["contests"], older["counters"]["contested"], older["short"][PF]["is_proven"]
    loaded, note = state.load(json.dumps(older).encode(), boot_id="b")
    counters = replace(FULL.counters, contested={})
    assert (loaded, note) == (
        replace(FULL, saved_at=0.0, ours={}, contests={}, attributes={}, short={PF: Short(4, NOW)}, counters=counters),
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


DIED = PendingRestart(None, (PF,))


@pytest.mark.parametrize(
    ("kept", "on_disk", "is_on_disk"),
    [
        pytest.param(
            State(passed_at=50.0, saved_at=50.0),
            State(passed_at=50.0, saved_at=60.0, pending=DIED),
            True,
            id="a pass died",
        ),
        pytest.param(
            State(passed_at=90.0, saved_at=90.0),
            State(passed_at=50.0, saved_at=60.0, pending=DIED),
            False,
            id="it ended well",
        ),
        pytest.param(
            State(passed_at=50.0, saved_at=50.0), State(passed_at=90.0, saved_at=90.0), True, id="an operator's pass"
        ),
        pytest.param(
            State(passed_at=50.0, saved_at=50.0), State(passed_at=40.0, saved_at=60.0), True, id="an operator's release"
        ),
        pytest.param(
            State(passed_at=50.0, saved_at=95.0), State(passed_at=50.0, saved_at=50.0), False, id="a round of restarts"
        ),
        pytest.param(State(saved_at=50.0), State(saved_at=50.0), False, id="as new"),
        pytest.param(State(saved_at=50.0), State(), False, id="no file"),
        pytest.param(State(saved_at=50.0), State(passed_at=90.0), False, id="of a version that does not note it"),
    ],
)
def test_what_could_not_be_saved_counts_unless_the_file_is_newer(
    kept: State,
    on_disk: State,
    is_on_disk: bool,  # noqa: FBT001
) -> None:
    assert state.latest(kept, on_disk) is (on_disk if is_on_disk else kept)


def test_a_proof_that_only_the_file_has_joins_what_could_not_be_saved() -> None:
    """`verify` has noted it beside a state that is older than the pass that could not be saved."""
    kept = State(passed_at=50.0, saved_at=50.0, verified_at={"a": 1.0, "b": 2.0})
    on_disk = State(passed_at=40.0, saved_at=40.0, verified_at={"a": 3.0, "c": 4.0})
    assert state.latest(kept, on_disk) == replace(kept, verified_at={"a": 3.0, "b": 2.0, "c": 4.0})


PASSED = State(passed_at=60.0, saved_at=60.0, pending=PendingRestart(55.0, (PF,)))
FAILED, STOPPING = {"nova-compute.service": FailedRestart(1, 65.0)}, {"neutron-sriov-agent.service": 66.0}


@pytest.mark.parametrize(
    ("kept", "left", "is_older"),
    [
        pytest.param(None, State(passed_at=50.0, saved_at=50.0), False, id="nothing kept"),
        pytest.param(PASSED, State(passed_at=70.0, saved_at=70.0), False, id="the next pass"),
        pytest.param(PASSED, State(passed_at=60.0, saved_at=70.0), False, id="restarts after it"),
        pytest.param(PASSED, PASSED, False, id="restarts after it that changed nothing"),
        pytest.param(replace(PASSED, saved_at=65.0), PASSED, True, id="the pass, heard of after the restarts after it"),
    ],
)
@pytest.mark.parametrize("is_saved", [False, True])
def test_what_a_job_leaves_replaces_what_is_kept_unless_it_is_older(
    kept: State | None, left: State, *, is_older: bool, is_saved: bool
) -> None:
    expected = kept if is_older else None if is_saved else left
    assert state.keep(kept, left, is_saved=is_saved) is expected


@pytest.mark.parametrize(
    ("kept", "left", "expected"),
    [
        pytest.param(
            PASSED,
            State(passed_at=50.0, saved_at=70.0, pending=PendingRestart(45.0, (PF2,), FAILED, STOPPING)),
            replace(PASSED, saved_at=70.0, pending=PendingRestart(55.0, (PF,), FAILED, STOPPING)),
            id="units to look at again",
        ),
        pytest.param(
            replace(PASSED, pending=PendingRestart(55.0, (PF,), FAILED, STOPPING)),
            State(passed_at=50.0, saved_at=70.0),
            replace(PASSED, saved_at=70.0),
            id="all restarted",
        ),
        pytest.param(
            PASSED, State(passed_at=50.0, saved_at=55.0, pending=PendingRestart(45.0)), PASSED, id="saved before it"
        ),
        pytest.param(
            replace(PASSED, pending=None),
            State(passed_at=50.0, saved_at=70.0, pending=PendingRestart(45.0, (PF2,), FAILED)),
            replace(PASSED, pending=None, saved_at=70.0),
            id="no restart is owed",
        ),
    ],
)
@pytest.mark.parametrize("is_saved", [False, True])
def test_of_restarts_beside_a_pass_that_is_kept_only_what_becomes_of_units_counts(
    kept: State, left: State, expected: State, *, is_saved: bool
) -> None:
    after = state.keep(kept, left, is_saved=is_saved)
    assert after == expected
    assert state.latest(expected, left) is expected
