"""Conditions with deadlines: nobody sleeps for something to happen."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
POLL_SECONDS: Final = 0.2


def until(condition: Callable[[], T], *, deadline_seconds: float, what: str) -> T:
    """Return the first truthy answer of `condition`; at the deadline AssertionError with the last one.

    A question that takes long is asked less often: who works towards the answer shares the processor with it.
    """
    deadline = time.monotonic() + deadline_seconds
    asked = time.monotonic()
    while not (last := condition()):
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"{what}: not within {deadline_seconds:g} s; last seen: {last!r}")
        time.sleep(max(POLL_SECONDS, now - asked))
        asked = time.monotonic()
    return last
