"""The edges wired into the host that the daemon runs on."""

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.events import Event
from sriov_bootstrap.core.finding import Inspected
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.core.state import Handover, State
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.notify import Notifier
from sriov_bootstrap.machine import jobs
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded

if TYPE_CHECKING:
    from sriov_bootstrap.edges.log import Log


class DaemonHost:
    """See daemon.protocols.DaemonMachine. The log is loaded when first used, which is after READY=1."""

    def __init__(self, machine: HostMachine, notifier: Notifier, *, log_format: str, look: jobs.Examine) -> None:
        """Starts nothing yet."""
        self._machine = machine
        self._look = look
        self._log_format = log_format
        self._log: Log | None = None
        self._notifier = notifier

    def load_config(self, last_good: Config | None) -> Loaded:
        """The config now."""
        return jobs.load(self._machine, last_good)

    def start_pass(self, loaded: Loaded, handover: Handover) -> child.Child:
        """A pass."""
        return jobs.start_pass(self._machine, loaded, handover)

    def start_restarts(self, loaded: Loaded) -> child.Child:
        """A round of restarts."""
        return jobs.start_restarts(self._machine, loaded)

    def start_inspection(self, loaded: Loaded) -> child.Child:
        """doctor's look."""
        return jobs.start_inspection(self._machine, loaded, self._look)

    def start_page(self, loaded: Loaded) -> child.Child:
        """The page of metrics."""
        return jobs.start_page(self._machine, loaded)

    def page_problems(self, line: bytes) -> tuple[str, ...]:
        """What is wrong with it."""
        return jobs.page_problems(line)

    def inspection_end(self, line: bytes) -> Inspected:
        """What it found."""
        return jobs.end_of_inspection(line)

    def job_end(self, line: bytes) -> tuple[State, FollowUpReport]:
        """What a job came to."""
        end = jobs.end_of(line)
        self._machine.carry_over(end.state, is_saved=end.is_saved)
        return end.state, end.follow_up

    def end(self, pid: int) -> None:
        """Kills a job."""
        child.end(pid)

    def ask_to_end(self, pid: int) -> None:
        """See jobs.py for who listens."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def reap(self, pid: int) -> None:
        """Takes note of a job's end."""
        child.reap(pid, timeout_seconds=1.0)

    def emit(self, lines: Iterable[Event]) -> None:
        """To the log. A line that cannot be written is lost."""
        from sriov_bootstrap.edges.log import Log

        self._log = self._log or Log(self._log_format)
        for line in lines:
            # journald's stream may be gone (EPIPE) or the disk full (ENOSPC): the page and `status` still tell it.
            with contextlib.suppress(OSError):
                self._log.emit((line,))

    def notify(self, *notices: tuple[Notice, str | int]) -> bool:
        """To systemd; whether it took it."""
        return self._notifier.notify(*notices)

    def watchdog_seconds(self) -> float | None:
        """Half of what systemd allows."""
        return self._notifier.watchdog_interval_seconds()
