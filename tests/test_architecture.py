"""docs/architecture.md against the tree: a map that lacks a room is no map."""

import re
from collections.abc import Iterator
from pathlib import Path

import sriov_bootstrap

MAP = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
TREE = MAP.partition("## The map\n\n```\n")[2].partition("```")[0]
EXPLANATION = 16  # columns, from which on a line goes on with the words of the one above


def test_only_one_place_reads_the_clock_that_jumps() -> None:
    """What is decided by time is decided on CLOCK_MONOTONIC; Unix time is only shown."""
    package = Path(sriov_bootstrap.__file__).parent
    words = re.compile(r"\btime\.time\(|\bdatetime\b|CLOCK_REALTIME|st_mtime\b")  # st_mtime_ns tells files apart
    found = [f"{path.relative_to(package)}" for path in package.rglob("*.py") if words.search(path.read_text())]
    assert found == ["machine/host_machine.py"]


def test_the_map_has_every_module_and_no_other() -> None:
    package = Path(sriov_bootstrap.__file__).parent
    modules = sorted(str(path.relative_to(package)) for path in package.rglob("*.py") if path.name != "__init__.py")
    assert sorted(mapped()) == modules


def mapped() -> Iterator[str]:
    """The paths on the map: a folder has what is indented below it."""
    folders: list[tuple[int, str]] = []
    for line in TREE.splitlines()[1:]:
        indent = len(line) - len(line.lstrip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        if folder := re.match(r"\s*(\w+)/", line):
            folders.append((indent, f"{folders[-1][1] if folders else ''}{folder[1]}/"))
        elif indent < EXPLANATION:
            yield from (f"{folders[-1][1] if folders else ''}{name}" for name in re.findall(r"\b\w+\.py\b", line))


def test_every_test_that_the_docs_name_exists() -> None:
    root = Path(__file__).parents[1]
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (root / "docs" / "reliability.md").read_text()))
    written = {
        name for path in (root / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named
    assert not named - written
