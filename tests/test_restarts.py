"""Rounds of restarts over a simulated systemd."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from builders import PF
from sriov_bootstrap.core.config import Services
from sriov_bootstrap.core.followup import FollowUpReport, Need, UnitOutcome, UnitPlan, UnitResult, UnitState
from sriov_bootstrap.core.plan import Jam
from sriov_bootstrap.core.state import PendingRestart, State
from sriov_bootstrap.errors import BusyError, UnitError
from sriov_bootstrap.restarts import preview, run_restarts

NOVA, AGENT = "nova-compute.service", "neutron-sriov-agent.service"
SERVICES = Services(restart=(NOVA, AGENT), min_interval_seconds=30)
CHANGE = PendingRestart(100.0, (PF,))


class FakeMachine:
    """Two units that started before the change, and a clock that stands still."""

    def __init__(self) -> None:
        self.state = State(pending=CHANGE)
        self.units = {name: UnitState(name, "loaded", "active", 50.0) for name in (NOVA, AGENT)}
        self.jam: Jam | None = None
        self.bus_problem = ""
        self.dies_after = 2
        self.is_busy = False
        self.outcome = UnitOutcome.DONE
        self.restarted: list[str] = []
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
            raise UnitError(self.bus_problem)
        return tuple(self.units[name] for name in names)

    def restart_units(
        self, names: Sequence[str], *, job_timeout_seconds: float, on_result: Callable[[UnitResult], None]
    ) -> None:
        assert job_timeout_seconds == SERVICES.job_timeout_seconds
        for name in names[: self.dies_after]:
            self.restarted.append(name)
            self.units[name] = replace(self.units[name], started_at=self.monotonic())
            on_result(UnitResult(name, self.outcome))
        if len(names) > self.dies_after:
            raise UnitError("the bus closed the connection")

    def monotonic(self) -> float:
        return 110.0

    def say(self, text: str) -> None:
        assert text
        self.meanwhile()


def test_units_that_started_before_the_change_restart_once() -> None:
    machine = FakeMachine()
    results = (UnitResult(NOVA, UnitOutcome.DONE), UnitResult(AGENT, UnitOutcome.DONE))
    assert run_restarts(machine, SERVICES) == FollowUpReport(results, pci_addresses=(PF,))
    assert machine.state.pending is None
    assert machine.state.counters.restarts == {NOVA: 1, AGENT: 1}
    assert run_restarts(machine, SERVICES) == FollowUpReport()
    assert machine.restarted == [NOVA, AGENT]


def test_a_unit_that_started_since_or_does_not_run_is_left_alone() -> None:
    machine = FakeMachine()
    machine.units = {NOVA: UnitState(NOVA, "loaded", "active", 101.0), AGENT: UnitState(AGENT)}
    assert run_restarts(machine, SERVICES) == FollowUpReport(pci_addresses=(PF,))
    assert (machine.restarted, machine.state.pending) == ([], None)


def test_a_unit_that_started_just_before_waits_for_its_interval() -> None:
    machine = FakeMachine()
    machine.units[NOVA] = replace(machine.units[NOVA], started_at=95.0)
    report = run_restarts(machine, SERVICES)
    assert (report.due_at, machine.restarted, machine.state.pending) == (125.0, [AGENT], CHANGE)


def test_a_unit_that_fails_to_start_is_counted_and_not_tried_for_ever() -> None:
    machine = FakeMachine()
    machine.outcome = UnitOutcome.FAILED
    run_restarts(machine, SERVICES)
    assert machine.state.counters.restart_failures == {NOVA: 1, AGENT: 1}
    assert machine.state.pending is None


def test_without_a_bus_the_change_stays_pending() -> None:
    machine = FakeMachine()
    machine.bus_problem = "no bus: the socket does not exist"
    assert run_restarts(machine, SERVICES) == FollowUpReport(problem=machine.bus_problem, pci_addresses=(PF,))
    assert machine.state == State(pending=CHANGE)


def test_a_bus_that_dies_in_the_middle_keeps_the_rest_pending() -> None:
    machine = FakeMachine()
    machine.dies_after = 1
    report = run_restarts(machine, SERVICES)
    assert [one.outcome for one in report.results] == [UnitOutcome.DONE, UnitOutcome.BUS_ERROR]
    assert (report.problem, machine.state.pending) == ("the bus closed the connection", CHANGE)
    machine.dies_after = 2
    run_restarts(machine, SERVICES)
    assert (machine.restarted, machine.state.pending) == ([NOVA, AGENT], None)


def test_nothing_restarts_into_a_write_that_has_not_come_back() -> None:
    machine = FakeMachine()
    machine.jam = Jam(4711, PF, "set sriov_numvfs from 7 to 0", since=0.0)
    report = run_restarts(machine, SERVICES)
    assert report.problem.startswith(f"they wait for a write: {PF}: set sriov_numvfs from 7 to 0 has not come back")
    assert (machine.restarted, machine.state.pending) == ([], CHANGE)


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
    assert preview(machine, Services(restart=(NOVA,))) == (UnitPlan(NOVA, need, due_at),)
