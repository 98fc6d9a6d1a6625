"""What `make bench-metrics` reckons, on figures that are known."""

import os
import subprocess
from pathlib import Path

import pytest

from bench.metrics import Pings, table
from bench.peers import PIPELINED, besiege
from bench.processes import memory_of
from exporting import exporting, put_page, wait_until_serving
from sources import ROOT

BASE = {
    "pss": 20480.0,
    "anon": 1.0,
    "daemon": 1.0,
    "page": 1.0,
    "ticks": 9.0,
    "scrapes": 0.09,
    "held": 2.5,
    "gap": 7.6,
    "answers": 1.0,
}
QUIET = {"quiet held": 0.001, "quiet gap": 0.01}
OURS = BASE | {"pss": 30720.0, "exporter rss": 2048.0, "ticks": 0.0, "held": 0.004}


def test_the_longest_gap_is_the_longest_step() -> None:
    assert Pings([1.0, 1.5, 9.0, 9.25], [0.0, 0.25, 0.375, 0.5]).longest == {"gap": 7.5, "held": 0.25}
    assert Pings([1.0], [1.0]).longest == {"gap": 0.0, "held": 0.0}


@pytest.mark.parametrize(
    ("changed", "missed"), [({}, 0), ({"pss": 40960.0}, 1), ({"ticks": 1.0}, 1), ({"held": 0.051}, 1)]
)
def test_medians_are_judged_by_the_targets(changed: dict[str, float], missed: int) -> None:
    ours = OURS | QUIET
    worst = ours | {"pss": 1e6, "ticks": 99.0, "held": 9.0}
    lines = list(table({"base": [BASE | QUIET] * 3, "ours": [ours | changed, worst, ours | changed]}))
    assert sum("MISSED" in line for line in lines) == missed
    assert sum(": met" in line for line in lines) == 3 - missed


def test_the_table_has_the_spread() -> None:
    lines = list(table({"base": [BASE | QUIET], "ours": [OURS | QUIET, OURS | QUIET | {"pss": 20480.0}]}))
    assert "| 20 (20 to 20) MiB | 25 (20 to 30) MiB | 1.25 x base, at most 1.6 x: met |" in lines[2]


def test_every_request_of_a_peer_is_counted(tmp_path: Path) -> None:
    put_page(tmp_path, b"sriov_pf_present 1.0\n")
    with exporting(tmp_path) as exporter:
        wait_until_serving(exporter.port)
        assert besiege(exporter.port, peers=2, waves=2) == 4 * PIPELINED


def test_the_memory_is_that_of_all_together() -> None:
    one, two = memory_of([os.getpid()]), memory_of([os.getpid()] * 2)
    assert 0 < one["anon"] <= one["pss"] < two["pss"]


def test_make_hands_the_commit_on() -> None:
    command = ["make", "--dry-run", "-o", "setup", "-o", "wheel", "bench-metrics", "BASE=abc"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert said.rstrip().endswith("tests/bench/metrics.py --base abc")
