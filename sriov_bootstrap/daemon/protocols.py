"""What the daemon needs of the machine: the protocols that machine/ fills with edges. Nothing here may block."""

from collections.abc import Iterable
from typing import Protocol

from sriov_bootstrap.base.processes import Job
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.events import Event
from sriov_bootstrap.core.finding import Inspected
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.core.state import Handover, State
from sriov_bootstrap.passes.read import Loaded


class WakeUp(Protocol):
    """What a look at the udev socket gave."""

    @property
    def is_relevant(self) -> bool: ...
    @property
    def was_overflow(self) -> bool: ...


class WakeUps(Protocol):
    """The udev listener."""

    def fileno(self) -> int: ...
    def drain(self) -> WakeUp: ...


class CarrierWatch(Protocol):
    """The listener for PFs whose VFs wait for a carrier, or for a bond. A `fileno` of -1: none is watched."""

    def watch(self, netdevs: frozenset[str]) -> None: ...
    def fileno(self) -> int: ...
    def drain(self) -> bool: ...


class DaemonMachine(Protocol):
    """The machine."""

    def load_config(self, last_good: Config | None) -> Loaded:
        """The config now; never raises."""

    def start_pass(self, loaded: Loaded, handover: Handover) -> Job:
        """Starts a pass."""

    def start_restarts(self, loaded: Loaded) -> Job:
        """Starts a round of restarts."""

    def start_inspection(self, loaded: Loaded) -> Job:
        """Starts doctor's look at the host."""

    def start_page(self, loaded: Loaded) -> Job:
        """Starts making the page of metrics for the current state."""

    def page_problems(self, line: bytes) -> tuple[str, ...]:
        """Parses the last line of that. SriovBootstrapError if it failed."""

    def job_end(self, line: bytes) -> tuple[State, FollowUpReport]:
        """Parses a job's last line. SriovBootstrapError if the job failed."""

    def inspection_end(self, line: bytes) -> Inspected:
        """Parses the last line of such a look. SriovBootstrapError if it failed."""

    def end(self, pid: int) -> None:
        """Kills a job if it can be killed."""

    def ask_to_end(self, pid: int) -> None:
        """Tells a job to end unless it has begun to write."""

    def reap(self, pid: int) -> None:
        """Takes note of a job's end."""

    def emit(self, lines: Iterable[Event]) -> None:
        """Writes to the log. What cannot be written is lost; never raises."""

    def notify(self, *notices: tuple[Notice, str | int]) -> bool:
        """sd_notify, all in one message; False if systemd did not take it."""

    def watchdog_seconds(self) -> float | None:
        """How often systemd wants a ping, None if never."""
