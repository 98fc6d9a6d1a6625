"""Rounds of restarts, each a job of its own: when the next one is due, and what the last one came to."""

from collections.abc import Callable

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.processes import SILENT_SECONDS
from sriov_bootstrap.core import events, repetition
from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.state import State
from sriov_bootstrap.daemon.job_slot import NEVER, JobSlot
from sriov_bootstrap.daemon.protocols import DaemonMachine
from sriov_bootstrap.passes.read import Loaded


class Restarts:
    """`due_at` (CLOCK_MONOTONIC) is when a round is to start. `say` gets what is to be logged.

    `ended` is called at the end of each round with the state that it has left, None if it left none.
    """

    def __init__(
        self,
        host: DaemonMachine,
        ended: Callable[[State | None], None],
        say: Callable[[Event], None],
        *,
        clock: Callable[[], float],
    ) -> None:
        self.due_at = NEVER
        self._host = host
        self._ended = ended
        self._say = say
        self._clock = clock
        self._job = JobSlot(host, self._on_end, clock=clock)
        self._last = FollowUpReport()
        self._bus_failures = 0

    @property
    def is_free(self) -> bool:
        """Whether no round is under way."""
        return self._job.is_free

    @property
    def silent_at(self) -> float:
        """When the round under way is to be given up; NEVER if there is none."""
        return self._job.silent_at

    def start(self, loaded: Loaded, now: float) -> None:
        """A round, now."""
        self.due_at = NEVER
        try:
            self._job.take(self._host.start_restarts(loaded))
        except SriovBootstrapError as error:
            self.due_at = now + SILENT_SECONDS
            self._complain(error.message, error.hint)

    def give_up(self, now: float) -> None:
        """A round that says nothing any more."""
        pid = self._job.give_up()
        self.due_at = now + SILENT_SECONDS
        self._complain(f"restarts hung for {SILENT_SECONDS:g} s and were abandoned (process {pid})", "")

    def let_go(self) -> int:
        """Leaves a round to itself, and returns its process; 0 if there is none."""
        return self._job.let_go()

    def _on_end(self, line: bytes) -> None:
        now, state = self._clock(), None
        try:
            state, report = self._host.job_end(line)
        except SriovBootstrapError as error:
            report = FollowUpReport(problem=error.message, hint=error.hint)
        for event in events.follow_up_events(report, self._last):
            self._say(event)
        self._last = report
        self._bus_failures = self._bus_failures + 1 if report.problem else 0
        if report.problem:
            self.due_at = now + (repetition.retry_delay_seconds(self._bus_failures) or 0.0)
        else:
            dues = [due for due in (report.due_at, report.retry_at) if due is not None]
            self.due_at = min((self.due_at, *dues))
        self._ended(state)

    def _complain(self, text: str, hint: str) -> None:
        self._say(Event(Level.ERROR, text, {"hint": hint} if hint else {}))
