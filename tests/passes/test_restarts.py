"""Rounds of restarts over a simulated systemd."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
from msgspec.structs import replace

from builders import PF
from sriov_bootstrap.base.errors import BusyError, KernelError, SriovBootstrapError, StuckError, UnitError
from sriov_bootstrap.core.config import NovaRestart, Services
from sriov_bootstrap.core.followup import FollowUpReport, Need, UnitOutcome, UnitPlan, UnitResult, UnitState
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.restart_reasons import AGENT_HABIT
from sriov_bootstrap.core.state import FailedRestart, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.passes.restarts import HALF_OF_A_CHANGE, preview, run_restarts

NOVA, AGENT = "nova-compute.service", "neutron-sriov-agent.service"
SERVICES = Services(restart=(NOVA, AGENT), min_interval_seconds=30)
CHANGE = PendingRestart(100.0, (PF,))
LOST = "the bus closed the connection"
GAVE_UP = "gave up after 4 attempts: manual action needed"
ONCE = "nova 34.0.0 (dpkg) reads PCI devices only when it starts"


class FakeMachine:
    """Two units that started before the change, and a clock that stands still."""

    def __init__(self) -> None:
        self.state = State(pending=CHANGE)
        self.units = {name: UnitState(name, "loaded", "active", 50.0) for name in (NOVA, AGENT)}
        self.jam: Jam | None = None
        self.bus_problem = ""
        self.error: Callable[[str], SriovBootstrapError] = UnitError
        self.dies_after = 2
        self.is_busy = False
        self.outcome = UnitOutcome.DONE
        self.nova = NovaVersion("34.0.0", "dpkg")
        self.restarted: list[str] = []
        self.now = 110.0
        self.meanwhile: Callable[[], object] = lambda: None

    @contextmanager
    def restart_lock(self) -> Iterator[None]:
        yield

    @contextmanager
    def pass_lock(self) -> Iterator[None]:
        if self.is_busy:
            raise BusyError("held")
        yield

    def load_state(self) -> tuple[State, str]:
        return self.state, ""

    def save_state(self, value: State) -> str:
        self.state = value
        return ""

    def read_jam(self) -> Jam | None:
        return self.jam

    def unit_states(self, names: Iterable[str]) -> tuple[UnitState, ...]:
        if self.bus_problem:
            raise self.error(self.bus_problem)
        return tuple(self.units[name] for name in names)

    def nova_version(self, unit: str) -> NovaVersion:
        assert unit == NOVA
        return self.nova

    def restart_units(
        self,
        names: Sequence[str],
        *,
        failed: frozenset[str],
        job_timeout_seconds: float,
        on_result: Callable[[UnitResult], None],
    ) -> None:
        assert job_timeout_seconds == SERVICES.job_timeout_seconds
        assert failed == {name for name in names if self.units[name].active_state == "failed"}
        for name in names[: self.dies_after]:
            self.restarted.append(name)
            self.units[name] = replace(self.units[name], active_state=self.becomes, started_at=self.started_at)
            on_result(UnitResult(name, self.outcome, may_have_begun=self.outcome is UnitOutcome.BUS_ERROR))
        if len(names) > self.dies_after or self.outcome is UnitOutcome.BUS_ERROR:
            raise self.error(LOST)

    @property
    def becomes(self) -> str:
        states = {UnitOutcome.FAILED: "failed", UnitOutcome.STOPPING: "deactivating"}
        return states.get(self.outcome, "active")

    @property
    def started_at(self) -> float:
        """systemd says it only of units that run."""
        return self.now if self.becomes == "active" else 0.0

    def monotonic(self) -> float:
        return self.now

    def say(self, text: str) -> None:
        assert text
        self.meanwhile()


def test_units_that_started_before_the_change_restart_once() -> None:
    machine = FakeMachine()
    results = (UnitResult(NOVA, UnitOutcome.DONE, why=ONCE), UnitResult(AGENT, UnitOutcome.DONE, why=AGENT_HABIT))
    assert run_restarts(machine, SERVICES) == FollowUpReport(results, pci_addresses=(PF,))
    assert machine.state.pending is None
    assert machine.state.counters.restarts == {NOVA: 1, AGENT: 1}
    assert run_restarts(machine, SERVICES) == FollowUpReport()
    assert machine.restarted == [NOVA, AGENT]


def test_a_unit_that_started_since_or_does_not_run_is_left_alone() -> None:
    machine = FakeMachine()
    machine.units = {NOVA: UnitState(NOVA, "loaded", "active", 101.0), AGENT: UnitState(AGENT, "not-found", "inactive")}
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,))
    assert (machine.restarted, machine.state.pending) == ([], None)


def test_a_unit_that_started_just_before_waits_for_its_interval() -> None:
    machine = FakeMachine()
    machine.units[NOVA] = replace(machine.units[NOVA], started_at=95.0)
    report = run_restarts(machine, SERVICES)
    assert (report.due_at, machine.restarted, machine.state.pending) == (125.0, [AGENT], CHANGE)


def test_a_unit_that_fails_to_start_is_tried_ever_less_often_and_then_given_up() -> None:
    machine = FakeMachine()
    machine.outcome = UnitOutcome.FAILED
    for tries, wait in enumerate((30.0, 60.0, 120.0), 1):
        report = run_restarts(machine, SERVICES)
        assert (report.due_at, report.retry_at) == (None, machine.now + wait)
        assert {one.fate for one in report.results} == {f"tried again in {wait:.0f} s"}
        assert machine.state.counters.restart_failures == {NOVA: tries, AGENT: tries}
        machine.now += wait - 0.1
        assert run_restarts(machine, SERVICES).results == ()
        machine.now += 0.1
    assert {one.fate for one in run_restarts(machine, SERVICES).results} == {GAVE_UP}
    assert machine.state.pending is None
    machine.now += 1000.0
    assert run_restarts(machine, SERVICES) == FollowUpReport()
    assert machine.restarted == [NOVA, AGENT] * 4
    assert machine.state.counters.restart_failures == {NOVA: 4, AGENT: 4}


def failed_once() -> FakeMachine:
    """nova-compute did not come up, the agent did; half a minute later all would be well."""
    machine = FakeMachine()
    machine.outcome, machine.dies_after = UnitOutcome.FAILED, 1
    machine.units[AGENT] = UnitState(AGENT, "loaded", "active", 101.0)
    assert run_restarts(machine, SERVICES).retry_at == 140.0
    machine.outcome, machine.now = UnitOutcome.DONE, 140.0
    return machine


def test_a_retry_that_succeeds_is_the_last() -> None:
    machine = failed_once()
    report = run_restarts(machine, SERVICES)
    assert report == FollowUpReport((UnitResult(NOVA, UnitOutcome.DONE, why=ONCE),), pci_addresses=(PF,))
    assert (machine.state.pending, machine.restarted) == (None, [NOVA, NOVA])
    assert (machine.state.counters.restarts, machine.state.counters.restart_failures) == ({NOVA: 1}, {NOVA: 1})
    machine.units[NOVA] = UnitState(NOVA, "loaded", "failed")
    assert run_restarts(machine, SERVICES) == FollowUpReport()


@pytest.mark.parametrize(
    "unit",
    [
        UnitState(NOVA, "loaded", "active", 120.0),
        UnitState(NOVA, "loaded", "inactive"),
        UnitState(NOVA, "masked", "failed"),
    ],
    ids=lambda one: f"{one.load_state}-{one.active_state}",
)
def test_a_failed_unit_that_somebody_else_saw_to_is_left_alone(unit: UnitState) -> None:
    machine = failed_once()
    machine.units[NOVA] = unit
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,))
    assert (machine.state.pending, machine.restarted) == (None, [NOVA])


@pytest.mark.parametrize("state", ["activating", "deactivating"])
def test_a_failed_unit_that_systemd_is_at_is_waited_for(state: str) -> None:
    machine = failed_once()
    machine.units[NOVA] = UnitState(NOVA, "loaded", state, 50.0 if state == "activating" else 0.0)
    assert run_restarts(machine, SERVICES).retry_at == 170.0
    assert machine.state.pending == PendingRestart(100.0, (PF,), {NOVA: FailedRestart(1, 110.0)})
    assert machine.restarted == [NOVA]


def test_a_unit_that_somebody_saw_to_is_forgotten_while_another_waits() -> None:
    machine = failed_once()
    machine.state = replace(
        machine.state, pending=PendingRestart(100.0, (PF,), dict.fromkeys((NOVA, AGENT), FailedRestart(2, 110.0)))
    )
    assert run_restarts(machine, SERVICES).retry_at == 170.0
    assert machine.state.pending == PendingRestart(100.0, (PF,), {NOVA: FailedRestart(2, 110.0)})


def test_a_bus_that_dies_during_a_retry_costs_no_try() -> None:
    machine = failed_once()
    machine.dies_after = 0
    assert [one.outcome for one in run_restarts(machine, SERVICES).results] == [UnitOutcome.BUS_ERROR]
    assert machine.state.pending == PendingRestart(100.0, (PF,), {NOVA: FailedRestart(1, 110.0)}, problem=LOST)
    machine.dies_after = 1
    assert run_restarts(machine, SERVICES).results == (UnitResult(NOVA, UnitOutcome.DONE, why=ONCE),)


def test_a_job_that_has_not_ended_is_left_to_systemd() -> None:
    machine = FakeMachine()
    machine.outcome = UnitOutcome.TIMEOUT
    assert {one.fate for one in run_restarts(machine, SERVICES).results} == {""}
    assert (machine.state.pending, machine.state.counters.restart_failures) == (None, {NOVA: 1, AGENT: 1})


def test_a_state_that_was_lost_meanwhile_stays_lost() -> None:
    machine = FakeMachine()
    machine.outcome = UnitOutcome.FAILED
    machine.meanwhile = lambda: machine.save_state(State())
    run_restarts(machine, SERVICES)
    assert machine.state.pending is None


BUS_ERRORS = pytest.mark.parametrize("error", [UnitError, partial(StuckError, pid=4711), KernelError])


@BUS_ERRORS
def test_without_a_bus_the_change_stays_pending(error: Callable[[str], SriovBootstrapError]) -> None:
    machine = FakeMachine()
    machine.error = error
    machine.bus_problem = problem = "no bus: the socket does not exist"
    assert run_restarts(machine, SERVICES) == FollowUpReport(problem=problem, pci_addresses=(PF,))
    assert machine.state == State(pending=replace(CHANGE, problem=problem))
    machine.bus_problem = ""
    assert len(run_restarts(machine, SERVICES).results) == 2
    assert machine.state.pending is None


def test_what_to_do_about_the_bus_is_told_and_its_problem_is_forgotten_with_the_next_round() -> None:
    machine = FakeMachine()
    machine.bus_problem, machine.error = "no library", partial(UnitError, hint="install it")
    assert run_restarts(machine, SERVICES).hint == "install it"
    machine.bus_problem, machine.outcome = "", UnitOutcome.FAILED
    run_restarts(machine, SERVICES)
    assert machine.state.pending == replace(
        CHANGE, failed={name: FailedRestart(1, 110.0) for name in (NOVA, AGENT)}, problem=""
    )


@BUS_ERRORS
def test_a_bus_that_dies_in_the_middle_keeps_the_rest_pending(error: Callable[[str], SriovBootstrapError]) -> None:
    machine = FakeMachine()
    machine.error = error
    machine.dies_after = 1
    report = run_restarts(machine, SERVICES)
    assert [one.outcome for one in report.results] == [UnitOutcome.DONE, UnitOutcome.BUS_ERROR]
    is_known = error is UnitError  # otherwise it is the process that asks which is gone, or hangs
    failed: dict[str, FailedRestart] = {} if is_known else {AGENT: FailedRestart(0, 110.0)}
    assert (report.problem, machine.state.pending) == (LOST, replace(CHANGE, failed=failed, problem=LOST))
    machine.dies_after = 2
    run_restarts(machine, SERVICES)
    assert (machine.restarted, machine.state.pending) == ([NOVA, AGENT], None)


def lost_answer() -> FakeMachine:
    """nova-compute was to be restarted at 110, and then the bus went away; the agent needs nothing."""
    machine = FakeMachine()
    machine.units[AGENT] = UnitState(AGENT, "loaded", "active", 101.0)
    machine.outcome = UnitOutcome.BUS_ERROR
    assert run_restarts(machine, SERVICES).problem == LOST
    assert machine.state.pending == replace(CHANGE, failed={NOVA: FailedRestart(0, 110.0)}, problem=LOST)
    machine.outcome, machine.now = UnitOutcome.DONE, 125.0
    return machine


@pytest.mark.parametrize(
    ("unit", "restarts"),
    [
        pytest.param(UnitState(NOVA, "loaded", "failed"), 2, id="it stopped and did not start again"),
        pytest.param(UnitState(NOVA, "loaded", "active", 50.0), 2, id="systemd has not heard of it"),
        pytest.param(UnitState(NOVA, "loaded", "active", 112.0), 1, id="all went well"),
        pytest.param(UnitState(NOVA, "loaded", "inactive"), 1, id="somebody has stopped it"),
        pytest.param(UnitState(NOVA, "masked", "failed"), 1, id="somebody has masked it"),
    ],
)
def test_a_unit_whose_restart_ended_unheard_gets_what_it_needs(unit: UnitState, restarts: int) -> None:
    machine = lost_answer()
    machine.units[NOVA] = unit
    assert len(run_restarts(machine, SERVICES).results) == restarts - 1
    assert (machine.restarted, machine.state.pending) == ([NOVA] * restarts, None)


def test_a_unit_whose_restart_is_still_under_way_unheard_is_waited_for() -> None:
    machine = lost_answer()
    machine.units[NOVA] = UnitState(NOVA, "loaded", "deactivating")
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,), retry_at=155.0)
    assert machine.state.pending == replace(CHANGE, failed={NOVA: FailedRestart(0, 110.0)})
    machine.units[NOVA] = UnitState(NOVA, "loaded", "failed")
    assert [one.outcome for one in run_restarts(machine, SERVICES).results] == [UnitOutcome.DONE]


def test_a_unit_whose_restart_ended_unheard_has_all_its_tries() -> None:
    machine = lost_answer()
    machine.units[NOVA] = UnitState(NOVA, "loaded", "failed")
    machine.outcome = UnitOutcome.FAILED
    fates: list[str] = []
    for wait in (30.0, 60.0, 120.0, 0.0):
        fates += [one.fate for one in run_restarts(machine, SERVICES).results]
        machine.now += wait
    assert fates == [*(f"tried again in {wait} s" for wait in (30, 60, 120)), GAVE_UP]
    assert machine.state.pending is None


def test_a_retry_whose_answer_is_lost_costs_no_try_and_is_waited_for_like_the_last() -> None:
    machine = failed_once()
    machine.outcome = UnitOutcome.BUS_ERROR
    run_restarts(machine, SERVICES)
    assert machine.state.pending == replace(CHANGE, failed={NOVA: FailedRestart(1, 140.0)}, problem=LOST)


def test_a_unit_that_nobody_asked_to_restart_and_that_has_failed_since_is_left_alone() -> None:
    machine = FakeMachine()
    machine.dies_after = 0
    run_restarts(machine, SERVICES)
    machine.units = {name: UnitState(name, "loaded", "failed") for name in (NOVA, AGENT)}
    machine.dies_after = 2
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,))
    assert (machine.restarted, machine.state.pending) == ([], None)


def test_nothing_restarts_into_a_write_that_has_not_come_back() -> None:
    machine = FakeMachine()
    machine.jam = Jam(4711, PF, "set sriov_numvfs from 7 to 0", since=0.0)
    report = run_restarts(machine, SERVICES)
    assert report.problem.startswith(f"they wait for a write: {PF}: set sriov_numvfs from 7 to 0 has not returned")
    assert (machine.restarted, machine.state.pending) == ([], CHANGE)


def test_nothing_restarts_amid_a_change_and_who_began_it_is_not_forgotten() -> None:
    """A pass that died between two writes left half of it: those VFs are not lost by another hand."""
    machine = FakeMachine()
    machine.state = State(pending=replace(CHANGE, changed_at=None))
    report = run_restarts(machine, SERVICES)
    assert machine.restarted == []
    assert report.problem == HALF_OF_A_CHANGE
    assert machine.state.pending == replace(CHANGE, changed_at=None)


def test_a_change_that_came_meanwhile_stays_pending() -> None:
    machine = FakeMachine()
    newer = PendingRestart(109.0, (PF,))
    machine.meanwhile = lambda: machine.save_state(replace(machine.state, pending=newer))
    run_restarts(machine, SERVICES)
    assert machine.state.pending == newer


def test_a_state_that_cannot_be_locked_loses_no_restart() -> None:
    machine = FakeMachine()
    machine.is_busy = True
    assert len(run_restarts(machine, SERVICES).results) == 2
    assert machine.state.pending == CHANGE


@pytest.mark.parametrize(("started_at", "need"), [(50.0, Need.RESTART), (109.0, Need.WAIT)])
def test_a_preview_says_what_a_change_now_would_restart(started_at: float, need: Need) -> None:
    machine = FakeMachine()
    machine.units = {NOVA: UnitState(NOVA, "loaded", "active", started_at)}
    due_at = started_at + 30 if need is Need.WAIT else 0.0
    assert preview(machine, Services(restart=(NOVA,))) == (UnitPlan(NOVA, need, due_at, ONCE),)


def still_stopping() -> FakeMachine:
    """nova-compute has not stopped at the deadline of its restart, which began at 110; the agent is restarted."""
    machine = FakeMachine()
    machine.units[AGENT] = UnitState(AGENT, "loaded", "active", 101.0)
    machine.outcome = UnitOutcome.STOPPING
    report = run_restarts(machine, SERVICES)
    assert (report.results, report.due_at) == ((UnitResult(NOVA, UnitOutcome.STOPPING, why=ONCE),), None)
    assert report.retry_at == machine.now + 30.0
    assert machine.state.pending == PendingRestart(100.0, (PF,), stopping={NOVA: 110.0})
    return machine


def test_a_unit_that_is_still_stopping_has_not_failed_and_gets_no_second_job() -> None:
    machine = still_stopping()
    for _ in range(3):
        machine.now += 30.0
        report = run_restarts(machine, SERVICES)
        assert report == FollowUpReport(pci_addresses=(PF,), retry_at=machine.now + 30.0)
    assert (machine.restarted, machine.state.counters.restart_failures) == ([NOVA], {})
    assert machine.state.pending == PendingRestart(100.0, (PF,), stopping={NOVA: 110.0})


def test_a_unit_that_comes_up_late_has_been_restarted() -> None:
    machine = still_stopping()
    machine.now = 140.0
    machine.units[NOVA] = UnitState(NOVA, "loaded", "activating", 130.0)
    report = run_restarts(machine, SERVICES)
    assert report == FollowUpReport((UnitResult(NOVA, UnitOutcome.DONE, 30.0),), pci_addresses=(PF,))
    assert (machine.state.pending, machine.state.counters.restarts, machine.restarted) == (None, {NOVA: 1}, [NOVA])


def test_a_unit_that_stops_late_and_does_not_come_up_is_tried_again() -> None:
    machine = still_stopping()
    machine.now = 140.0
    machine.units[NOVA] = UnitState(NOVA, "loaded", "failed")
    report = run_restarts(machine, SERVICES)
    message = f"{NOVA}: it stopped, and did not start again"
    assert report.results == (UnitResult(NOVA, UnitOutcome.FAILED, 30.0, message, "tried again in 30 s"),)
    assert machine.state.pending == PendingRestart(100.0, (PF,), {NOVA: FailedRestart(1, 140.0)})
    machine.now, machine.outcome = 170.0, UnitOutcome.DONE
    assert [one.outcome for one in run_restarts(machine, SERVICES).results] == [UnitOutcome.DONE]


def test_a_unit_that_never_stops_is_left_to_systemd_in_the_end() -> None:
    machine = still_stopping()
    machine.now = 110.0 + SERVICES.job_timeout_seconds + 300.0
    (result,) = run_restarts(machine, SERVICES).results
    assert (result.outcome, result.message) == (
        UnitOutcome.TIMEOUT,
        f"{NOVA}: still stopping after 600 s, left to systemd",
    )
    assert (machine.state.pending, machine.state.counters.restart_failures) == (None, {NOVA: 1})


def test_a_unit_that_came_up_late_but_before_a_newer_change_restarts() -> None:
    machine = still_stopping()
    machine.now, machine.outcome = 200.0, UnitOutcome.DONE
    machine.units = {name: UnitState(name, "loaded", "active", at) for name, at in ((NOVA, 130.0), (AGENT, 160.0))}
    machine.state = replace(machine.state, pending=PendingRestart(150.0, (PF,), stopping={NOVA: 110.0}))
    assert run_restarts(machine, SERVICES).results == (UnitResult(NOVA, UnitOutcome.DONE, why=ONCE),)
    assert machine.restarted == [NOVA, NOVA]


def test_a_unit_that_was_stopped_for_good_meanwhile_is_forgotten() -> None:
    machine = still_stopping()
    machine.units[NOVA] = UnitState(NOVA, "not-found", "inactive")
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,))
    assert machine.state.pending is None


def test_nova_that_finds_new_vfs_is_spared_if_that_is_asked_for() -> None:
    machine = FakeMachine()
    machine.nova = NovaVersion("33.0.2", "dpkg")
    machine.state = replace(machine.state, present_since={PF: 10.0})
    report = run_restarts(machine, replace(SERVICES, nova_restart=NovaRestart.WHEN_NEEDED))
    text = f'{NOVA}: not restarted (nova_restart = "when_needed"): nova 33.0.2 (dpkg) finds new VFs itself'
    assert (report.spared, [one.unit for one in report.results], machine.state.pending) == ((text,), [AGENT], None)
