"""`make boots`: which boots count, and how; without a guest."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.boots import boot_all, summary, whole_lines

GUEST = "main-1 2"


def boot(number: int, *, guest: str = GUEST, hung: int = 0, error: str = "") -> dict[str, Any]:
    return {"boot": number, "seconds": 30.0, "hung": ["silent"] * hung, "error": error, "guest": guest}


def text(*boots: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in boots)


@pytest.mark.parametrize(
    ("found", "numbers"),
    [
        ("", []),
        (text(boot(1), boot(2)), [1, 2]),
        (text(boot(1), boot(2))[:-1], [1, 2]),
        (text(boot(1), boot(2))[:-2], [1]),
        (text(boot(1)) + "{", [1]),
        (text(boot(1)) + "\0" * 100, [1]),
        ("\0\n" + text(boot(2)), [2]),
    ],
    ids=["empty", "whole", "without its newline", "cut", "begun", "zeros", "zeros before"],
)
def test_a_line_that_is_cut_is_no_boot(found: str, numbers: list[int]) -> None:
    assert [one["boot"] for one in whole_lines(found)] == numbers


@pytest.mark.parametrize(
    ("before", "booted"),
    [
        (None, [1, 2, 3]),
        (text(boot(1), boot(2)), [3]),
        (text(boot(1), boot(2))[:-1], [3]),
        (text(boot(1), boot(2))[:-9], [2, 3]),
        (text(boot(1), boot(2), boot(3), boot(4)), []),
        (text(boot(1, guest="main-0 2"), boot(2, guest="main-1 1"), boot(1)), [2, 3]),
        ('{"boot": 1, "seconds": 30.0, "hung": [], "error": ""}\n', [1, 2, 3]),
    ],
    ids=["new", "resumed", "without its newline", "cut", "enough", "other guests", "no guest"],
)
def test_a_run_goes_on_from_the_boots_of_the_same_guest(tmp_path: Path, before: str | None, booted: list[int]) -> None:
    path = tmp_path / "none.jsonl"
    asked: list[int] = []
    if before is not None:
        path.write_text(before)

    def one(number: int) -> dict[str, Any]:
        asked.append(number)
        return boot(number)

    lines = boot_all(path, GUEST, 3, one)
    assert asked == booted
    assert {line["guest"] for line in lines} == {GUEST}
    assert [line["boot"] for line in lines[:3]] == [1, 2, 3]
    kept = [json.loads(line) for line in path.read_text().splitlines()]  # whole, each in a line of its own
    assert [line for line in kept if line.get("guest") == GUEST] == lines
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("boots", "told"),
    [
        ([], "none: 0 boots, 0 hung, 0 of these started at the second try"),
        (
            [boot(1)],
            "none: 1 boots, 0 hung, 0 of these started at the second try; 0 failed; median 30 s",
        ),
        (
            [boot(1, error="QEMU has ended")],
            "none: 1 boots, 0 hung, 0 of these started at the second try; 1 failed; median 30 s",
        ),
        (
            [boot(1), boot(2, hung=1), boot(3, hung=1), boot(4, hung=1, error="silent"), boot(5, error="no end")],
            "none: 5 boots, 3 hung, 2 of these started at the second try; 2 failed; median 30 s",
        ),
    ],
    ids=["none", "good", "an error alone", "each kind"],
)
def test_only_a_boot_that_hung_has_a_second_try(boots: list[dict[str, Any]], told: str) -> None:
    assert summary("none", boots) == told
