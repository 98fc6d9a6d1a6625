"""The list of netdevs, which a driver may keep the kernel from giving."""

import os
import re
import signal
from collections.abc import Callable
from typing import NoReturn

import pytest

from sriov_bootstrap.core.facts import Link, Links
from sriov_bootstrap.machine.links import read_in_child

LINKS = Links({r"\xff": Link(r"\xff", ("größe",), ("192.0.2.1/24",), ifindex=3, has_xdp=True, port_name="p0")})


def hang() -> NoReturn:
    while True:
        signal.pause()


def die() -> NoReturn:
    os._exit(0)


def crash() -> NoReturn:
    raise RuntimeError("broken")


@pytest.mark.parametrize("links", [LINKS, Links(problem="the kernel did not list the netdevs: Permission denied")])
def test_what_was_read_comes_back_as_it_was(links: Links) -> None:
    assert read_in_child(lambda: links, say=lambda _: None) == links


def test_a_read_that_hangs_is_a_problem() -> None:
    found = read_in_child(hang, say=lambda _: None, timeout_seconds=0.0)
    assert found == Links(problem="the kernel's list of netdevs: no answer after 0 s")


def test_who_waits_for_it_says_so() -> None:
    """A job of the daemon that says nothing for two minutes is given up, and a pass may wait for four such reads."""
    said: list[str] = []
    read_in_child(hang, say=said.append, timeout_seconds=0.1)
    assert re.fullmatch(r"the kernel's list of netdevs: \d+ s so far", said[0])


@pytest.mark.parametrize(
    ("read", "problem"), [(die, "the process that reads it ended without an answer"), (crash, "RuntimeError: broken")]
)
def test_a_read_that_breaks_is_a_problem(read: Callable[[], Links], problem: str) -> None:
    found = read_in_child(read, say=lambda _: None)
    assert found.by_name == {}
    assert problem in found.problem
