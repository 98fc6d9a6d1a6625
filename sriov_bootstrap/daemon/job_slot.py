"""A place for one job at a time: how it is heard, how it ends, and how it is left behind when it hangs."""

from collections.abc import Callable

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.base.processes import SILENT_SECONDS, Job, Running
from sriov_bootstrap.daemon.protocols import DaemonMachine

NEVER = float("inf")


class JobSlot:
    """`ended(last_line)` is called at the end of each job that was not given up: by then the slot is free again."""

    def __init__(self, host: DaemonMachine, ended: Callable[[bytes], None], *, clock: Callable[[], float]) -> None:
        self._host = host
        self._ended = ended
        self._clock = clock
        self._running: Running | None = None

    @property
    def is_free(self) -> bool:
        """Whether a job may start."""
        return self._running is None

    @property
    def silent_at(self) -> float:
        """When its job will have been silent for so long that it is to be given up; NEVER if there is none."""
        return self._running.heard_at + SILENT_SECONDS if self._running else NEVER

    @property
    def words(self) -> str:
        """What its job was doing when it was last heard; "" if it has not said."""
        return printable(self._running.last_line.decode(errors="replace")) if self._running else ""

    def take(self, job: Job) -> None:
        """A job that has just been started; within the event loop, into a slot that is free."""
        self._running = Running(job, self._on_end, clock=self._clock)

    def give_up(self) -> int:
        """Ends the job, and returns its process; 0 if there is none."""
        pid = self.let_go()
        if pid:
            self._host.end(pid)
        return pid

    def let_go(self) -> int:
        """Leaves the job to itself, and returns its process; 0 if there is none."""
        running, self._running = self._running, None
        if running is None:
            return 0
        running.let_go()
        return running.pid

    def _on_end(self, line: bytes) -> None:
        running, self._running = self._running, None
        if running:
            self._host.reap(running.pid)
        self._ended(line)
