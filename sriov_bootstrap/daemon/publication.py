"""The page of metrics, made once for each state: in a job of its own, as it takes time and waits for the disk."""

from collections.abc import Callable

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.processes import SILENT_SECONDS
from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.daemon.job_slot import NEVER, JobSlot
from sriov_bootstrap.daemon.protocols import DaemonMachine
from sriov_bootstrap.passes.read import Loaded


class Publication:
    """`due_at` (CLOCK_MONOTONIC) is when `step` has work; `ended` is called when there may be more."""

    def __init__(self, host: DaemonMachine, ended: Callable[[], None], *, clock: Callable[[], float]) -> None:
        self._host = host
        self._ended = ended
        self._clock = clock
        self._job = JobSlot(host, self._on_end, clock=clock)
        self._wanted_at = NEVER
        self._news: list[Event] = []
        self._problems: tuple[str, ...] = ()

    @property
    def due_at(self) -> float:
        """When there is a page to give up, or one to start: at once, when none is under way."""
        return self._wanted_at if self._job.is_free else self._job.silent_at

    def want(self) -> None:
        """There is a new state; of several that come while a page is made, the last one gets the next page."""
        self._wanted_at = self._clock()

    def step(self, loaded: Loaded) -> None:
        """Starts a page that is due; abandons one that hangs, as its disk may."""
        if self._clock() >= self._job.silent_at:
            pid = self._job.give_up()
            self._complain((f"making the metrics hung for {SILENT_SECONDS:g} s and was abandoned (process {pid})",))
        if not self._job.is_free or self._wanted_at == NEVER:
            return
        self._wanted_at = NEVER
        try:
            self._job.take(self._host.start_page(loaded))
        except SriovBootstrapError as error:  # the next state asks for another
            self._complain((f"the metrics are not updated: {error.message}",))

    def let_go(self) -> None:
        """Leaves a page that is under way to itself."""
        self._job.let_go()

    def news(self) -> list[Event]:
        """What is to be said, once."""
        news, self._news = self._news, []
        return news

    def _on_end(self, line: bytes) -> None:
        try:
            self._complain(self._host.page_problems(line))
        except SriovBootstrapError as error:
            self._complain((f"the metrics are not updated: {error.message}",))
        self._ended()

    def _complain(self, problems: tuple[str, ...]) -> None:
        """What is not new is not logged again."""
        self._news += [Event(Level.WARNING, problem) for problem in problems if problem not in self._problems]
        self._problems = problems
        if self._news:
            self._ended()
