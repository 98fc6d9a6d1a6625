"""When the next pass is due: when a burst of events is over, or at a time that the last pass has set."""

from sriov_bootstrap.daemon.job_slot import NEVER

QUIET_SECONDS = 0.15  # events come in bursts: a driver reload is dozens
PATIENCE_SECONDS = 2.0  # and an endless burst must not put off the pass for ever
SAFETY_NET_SECONDS = 600.0


class PassTimes:
    """All times are CLOCK_MONOTONIC. `look_at`: a pass without an event, as a retry or as the safety net."""

    def __init__(self) -> None:
        self.look_at = NEVER
        self._first_event = NEVER  # that no pass has seen yet
        self._last_event = 0.0

    @property
    def has_events(self) -> bool:
        """Whether something has happened that no pass has seen."""
        return self._first_event != NEVER

    @property
    def due_at(self) -> float:
        """When the next pass is to start; NEVER if nothing asks for one."""
        quiet_at = max(self._last_event + QUIET_SECONDS, self._first_event)
        return min(self.look_at, quiet_at, self._first_event + PATIENCE_SECONDS)

    def note_event(self, now: float) -> None:
        """Something has happened: a pass follows."""
        self._last_event = now
        self._first_event = min(self._first_event, now)

    def begin(self, now: float) -> None:
        """A pass starts, which sees everything up to now."""
        self._first_event, self.look_at = NEVER, now + SAFETY_NET_SECONDS
