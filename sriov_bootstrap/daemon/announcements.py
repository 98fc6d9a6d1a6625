"""What systemd waits for: told to it, and told again soon where it did not take it.

It takes no message while its queue is full (net.unix.max_dgram_qlen), as may be during a boot, and nothing that it did
not take comes back by itself.
"""

from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.daemon.job_slot import NEVER
from sriov_bootstrap.daemon.protocols import DaemonMachine

RETRY_SECONDS = 0.1
SPARE_SECONDS = 30.0  # for the start, beyond the wait for required PFs: TimeoutStartSec= has as much for the default


class Announcements:
    """Times are CLOCK_MONOTONIC; `began`: when the daemon did. `is_ready`: the READY=1 of the start has been taken.

    `..._at`: when that is to be told next, NEVER if it is not.
    """

    def __init__(self, host: DaemonMachine, *, began: float) -> None:
        """Tells nothing yet."""
        self.is_ready = False
        self.ready_again_at = began
        self.reload_at = NEVER
        self.status_at = NEVER
        self.ping_at = NEVER
        self._host = host
        self._began = began
        self._start_ends_at = began  # if it is not ready by then, as systemd knows it
        self._extend_again_at = began
        self._owes_reloading = False
        self._ping_seconds = NEVER

    @property
    def is_awaited(self) -> bool:
        """Whether a start or a reload waits for its READY=1: a job for a unit that is ordered after ours waits, too."""
        return not self.is_ready or self.reload_at != NEVER

    def begin(self, now: float, wait_seconds: float) -> None:
        """The first message; pings follow. `wait_seconds`: for required PFs."""
        self._ping_seconds = self._host.watchdog_seconds() or NEVER
        self.ping_at = self._began + self._ping_seconds
        self.extend_start(now, wait_seconds, (Notice.STATUS, "first pass"))

    def extend_at(self, wait_seconds: float) -> float:
        """When systemd is to be told that the start may take longer than it knows; NEVER if it does not."""
        return self._extend_again_at if self._end_of_start(wait_seconds) > self._start_ends_at else NEVER

    def extend_start(self, now: float, wait_seconds: float, *others: tuple[Notice, str | int]) -> None:
        """How long from now the start may take, with whatever else is in this message."""
        ends_at = self._end_of_start(wait_seconds)
        microseconds = int(max(0.0, ends_at - now) * 1e6)
        if self._host.notify(*others, (Notice.EXTEND_TIMEOUT_USEC, microseconds)):
            self._start_ends_at = ends_at
        self._extend_again_at = now + RETRY_SECONDS

    def be_ready(self, now: float, status: str) -> None:
        """READY=1, alone, as the boot waits for it; then how the host is."""
        self.is_ready = self._host.notify((Notice.READY, 1))
        self.ready_again_at = now + RETRY_SECONDS
        self.tell_status(now, status)

    def tell_status(self, now: float, status: str) -> None:
        """How the host is, for people."""
        is_taken = self._host.notify((Notice.STATUS, status))
        self.status_at = NEVER if is_taken else now + RETRY_SECONDS

    def note_reload(self, now: float) -> None:
        """A reload begins; not during the start, where its READY=1 would pass for the one that the boot waits for."""
        if self.is_ready:
            self._owes_reloading, self.reload_at = True, now

    def tell_reload(self, now: float) -> None:
        """RELOADING=1, then READY=1.

        Without the first, the second ends no reload, and `systemctl reload` of a unit with Type=notify-reload waits
        until it times out.
        """
        if self._owes_reloading:
            reloading = ((Notice.RELOADING, 1), (Notice.MONOTONIC_USEC, int(now * 1e6)))
            self._owes_reloading = not self._host.notify(*reloading)
        is_over = not self._owes_reloading and self._host.notify((Notice.READY, 1))
        self.reload_at = NEVER if is_over else now + RETRY_SECONDS

    def ping_watchdog(self, now: float) -> None:
        """WATCHDOG=1. There are two in WatchdogSec=: one that was not taken cannot wait for the next."""
        is_taken = self._host.notify((Notice.WATCHDOG, 1))
        self.ping_at = now + (self._ping_seconds if is_taken else RETRY_SECONDS)

    def _end_of_start(self, wait_seconds: float) -> float:
        return self._began + wait_seconds + SPARE_SECONDS
