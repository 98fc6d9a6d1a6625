"""What `doctor` finds, kept up to date after passes: in a job of its own that holds no lock and blocks nothing."""

from collections.abc import Callable

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.processes import SILENT_SECONDS
from sriov_bootstrap.core.events import Event, Level, findings_event
from sriov_bootstrap.core.finding import Inspected
from sriov_bootstrap.daemon.job_slot import NEVER, JobSlot
from sriov_bootstrap.daemon.protocols import DaemonMachine
from sriov_bootstrap.passes.read import Loaded

# Restarts follow a pass, and an earlier look would find what they are about to fix; at boot it would compete with nova.
QUIET_SECONDS = 60.0
PATIENCE_SECONDS = 120.0  # passes that do not end must not put it off for ever


class Inspection:
    """`due_at` (CLOCK_MONOTONIC) is when `step` has work; `ended` is called when there may be something new."""

    def __init__(self, host: DaemonMachine, ended: Callable[[], None], *, clock: Callable[[], float]) -> None:
        self.latest = Inspected()
        self._host = host
        self._ended = ended
        self._clock = clock
        self._job = JobSlot(host, self._on_end, clock=clock)
        self._quiet_at = self._patient_until = NEVER
        self._news: list[Event] = []
        self._trouble = ""

    @property
    def due_at(self) -> float:
        """When there is something to start, or to give up."""
        return min(self._quiet_at, self._patient_until) if self._job.is_free else self._job.silent_at

    def want(self) -> None:
        """A pass has ended, or units were restarted."""
        now = self._clock()
        self._quiet_at = now + QUIET_SECONDS
        self._patient_until = min(self._patient_until, now + PATIENCE_SECONDS)

    def step(self, loaded: Loaded) -> None:
        """Starts a look that is due; abandons one that hangs: the next pass asks for another."""
        if self._clock() < self.due_at:
            return
        words = self._job.words
        if pid := self._job.give_up():
            at = f" at {words}" if words else ""
            self._complain(f"doctor's look hung for {SILENT_SECONDS:g} s{at} and was abandoned (process {pid})", "")
        else:
            self._quiet_at = self._patient_until = NEVER
            try:
                self._job.take(self._host.start_inspection(loaded))
            except SriovBootstrapError as error:  # the next pass asks for another
                self._complain(f"doctor's look could not start: {error.message}", error.hint)

    def stop(self) -> None:
        """Ends a look that is under way."""
        self._job.give_up()

    def news(self) -> list[Event]:
        """What is to be said, once."""
        news, self._news = self._news, []
        return news

    def _on_end(self, line: bytes) -> None:
        try:
            latest = self._host.inspection_end(line)
        except SriovBootstrapError as error:
            self._complain(f"doctor's look failed: {error.message}", error.hint)
        else:
            if event := findings_event(latest.findings, self.latest.findings):
                self._news.append(event)
            self.latest, self._trouble = latest, ""
        self._ended()

    def _complain(self, text: str, hint: str) -> None:
        """Logged once: earlier findings stay."""
        if not self._trouble:
            self._news.append(Event(Level.WARNING, text, {"hint": hint} if hint else {}))
        self._trouble = text
