"""`make bench-peers`, as far as that goes without a VM."""

import pytest

from lab import bench_peers


def test_a_program_that_was_not_measured_has_no_line() -> None:
    seconds = {"python again": [0.5], "loop first": [10.0], "loop again": [0.25]}
    seconds |= {"netplan first": [15.0, 30.0, 20.0], "netplan again": [1.0]}
    assert [(line.key, line.value, line.target) for line in bench_peers.lines(seconds)] == [
        *[("loop_first", 1.0, None), ("loop_again", 0.5, None)],
        *[("netplan_first", 2.0, None), ("netplan_again", 2.0, None)],
    ]


@pytest.mark.parametrize(
    ("stderr", "reason"), [("a\nwhy  \n\n", "why"), ("x" * 300, "x" * 200), (" \n", "it said nothing")]
)
def test_the_reason_is_the_last_thing_that_was_said(stderr: str, reason: str) -> None:
    assert bench_peers.reason(stderr) == reason
