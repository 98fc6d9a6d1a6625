"""Waiting for a cloud."""

import itertools

from sriov_bootstrap.verify.openstack.deadlines import ask_until


class Time:
    """A clock that stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_first_answer_that_is_enough_ends_it() -> None:
    clock, numbers = Time(), itertools.count()
    assert ask_until(lambda number: number == 3, lambda: next(numbers), clock, seconds=60) == 3
    assert clock.now == 3


def test_at_the_deadline_the_last_answer_counts() -> None:
    numbers = itertools.count()
    assert ask_until(lambda number: number == 99, lambda: next(numbers), Time(), seconds=5) == 5


def test_it_is_asked_at_least_once() -> None:
    assert ask_until(lambda _: False, lambda: "seen", Time(), seconds=0) == "seen"
