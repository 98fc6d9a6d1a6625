"""What may be done, and when: a table of duties in the order in which they are done.

A duty is done when it is due and may start; whoever sleeps does so until the next one that may start is due. So the two
questions cannot be answered differently, and a duty that waits for another needs no wake-up of its own: the end of a
job is an event, and each event leads through the whole table once.
"""

from collections.abc import Callable
from typing import NamedTuple

from sriov_bootstrap.daemon.job_slot import NEVER


class Duty(NamedTuple):
    """`due_at()`: CLOCK_MONOTONIC, NEVER if not by time; `start(now)` is called when that is past and `may_start()`."""

    due_at: Callable[[], float]
    may_start: Callable[[], bool]
    start: Callable[[float], None]


class Schedule:
    """The table."""

    def __init__(self, *duties: Duty) -> None:
        self._duties = duties

    def step(self, now: float) -> None:
        """Does what is due."""
        for duty in self._duties:
            if duty.may_start() and now >= duty.due_at():
                duty.start(now)

    def next_at(self) -> float:
        """When the next duty is due; NEVER: only an event can change that."""
        return min((duty.due_at() for duty in self._duties if duty.may_start()), default=NEVER)
