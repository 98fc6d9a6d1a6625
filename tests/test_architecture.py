"""docs/architecture.md against the tree: a map that lacks a room is no map."""

import re
from pathlib import Path

import sriov_bootstrap

MAP = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
TREE = MAP.partition("## The map\n\n```\n")[2].partition("```")[0]


def test_only_one_place_reads_the_clock_that_jumps() -> None:
    """What is decided by time is decided on CLOCK_MONOTONIC; Unix time is only shown."""
    package = Path(sriov_bootstrap.__file__).parent
    words = re.compile(r"\btime\.time\(|\bdatetime\b|CLOCK_REALTIME|st_mtime\b")  # st_mtime_ns tells files apart
    found = [f"{path.relative_to(package)}" for path in package.rglob("*.py") if words.search(path.read_text())]
    assert found == ["machine/host_machine.py"]


def test_the_map_has_every_module_in_its_room_and_no_other() -> None:
    """Whole paths: many modules have a namesake in another room."""
    package = Path(sriov_bootstrap.__file__).parent
    modules = [path.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py"]
    assert sorted(drawn(TREE)) == sorted(map(str, modules))


def drawn(tree: str) -> list[str]:
    """The modules of a map. A room stands deeper than its own, and what it has deeper still."""
    found: list[str] = []
    rooms: list[tuple[int, str]] = []
    for line in tree.splitlines()[1:]:
        depth = len(line) - len(line.lstrip())
        rooms = [room for room in rooms if room[0] < depth]
        if room := re.match(r" +(\w+/) ", line):
            rooms.append((depth, room[1]))
        found += ["".join(name for _, name in rooms) + module for module in re.findall(r"\b\w+\.py\b", line)]
    return found


def test_a_module_in_the_wrong_room_is_seen() -> None:
    tree = "house/\n  a.py      first\n  attic/    below the roof: b.py\n    c.py  d.py\n    box/  e.py\n  a/  a.py\n"
    assert drawn(tree) == ["a.py", "attic/b.py", "attic/c.py", "attic/d.py", "attic/box/e.py", "a/a.py"]


def test_every_test_that_the_docs_name_exists() -> None:
    root = Path(__file__).parents[1]
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (root / "docs" / "reliability.md").read_text()))
    written = {
        name for path in (root / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named
    assert not named - written
