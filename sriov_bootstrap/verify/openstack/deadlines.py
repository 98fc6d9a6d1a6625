"""Waiting for a cloud: one loop for all of it."""

from collections.abc import Callable
from typing import TypeVar

from sriov_bootstrap.verify.openstack.protocols import Clock

T = TypeVar("T")
POLL_SECONDS = 1.0


def ask_until(is_enough: Callable[[T], bool], ask: Callable[[], T], clock: Clock, seconds: float) -> T:
    """The first answer that is enough, or the last one before the deadline. Asks at least once; raises as `ask`."""
    deadline = clock.monotonic() + seconds
    while not is_enough(answer := ask()) and clock.monotonic() < deadline:
        clock.sleep(POLL_SECONDS)
    return answer
