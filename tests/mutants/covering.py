"""Which tests run a line, and how long they take: from one run with coverage, kept in build/mutants.

Each row of a table is a test. The names of contexts are pytest-cov's, which are what pytest takes; coverage's own
(`dynamic_context = test_function`) know no rows. A run that ended early continues with the directories that are
missing; after a change of the package all run again, after that of a test its directory.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from coverage import CoverageData

from mutants.mutations import Mutant
from sources import ROOT

BUILD: Final = ROOT / "build/mutants"
PACKAGE: Final = "sriov_bootstrap"
# Those that judge what is pure; the others say nothing about it that these do not.
ROOMS: Final = (
    *("core", "conflicts", "doctor", "formats", "render", "passes", "commands", "daemon", "machine", "fuzz"),
    *("test_golden.py",),
)
# They read tables that other modules hold, and run no line of them.
OF_TABLES: Final = "tests/test_golden.py::"


def digest(paths: Iterable[Path]) -> str:
    """Of files, whatever their order and their directory."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(path.read_bytes()).digest() for path in paths))).hexdigest()


def environment_of_tests() -> dict[str, str]:
    """With the programs in .venv, as for `make test`."""
    return os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def tests_in(room: str) -> Iterator[Path]:
    path = ROOT / "tests" / room
    return path.rglob("test_*.py") if path.is_dir() else iter((path,))


@dataclass(frozen=True)
class Covering:
    """Tests by the lines that they run (by file), seconds by test, and who imports a module."""

    tests: Mapping[str, Mapping[int, frozenset[str]]]
    seconds: Mapping[str, float]
    importers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> list[str]:
        """Those that might see it, quickest first.

        A line that runs when its module is imported concerns every test of the module, and of those that import it.
        """
        lines = {} if mutant.is_table else self.tests.get(mutant.file, {})
        found = lines.get(mutant.line) or lines.get(mutant.fallback) or self._of_importers(mutant.file)
        return sorted(found, key=lambda test: (self.seconds[test], test))

    def cost(self, tests: Iterable[str]) -> float:
        """Seconds."""
        return sum(self.seconds[test] for test in tests)

    def limit(self, tests: Iterable[str]) -> int:
        """Seconds of CPU time until a mutant counts as one that hangs."""
        return max(20, round(10 * self.cost(tests)))

    def _of_importers(self, file: str) -> frozenset[str]:
        seen, next_files = {file}, self.importers.get(file, frozenset())
        found = self._of_file(file).union(*map(self._of_file, next_files))
        while not found and next_files - seen:
            seen |= next_files
            next_files = frozenset[str]().union(*(self.importers.get(other, frozenset()) for other in next_files))
            found = frozenset[str]().union(*map(self._of_file, next_files))
        return found.union(test for test in self.seconds if test.startswith(OF_TABLES))

    def _of_file(self, file: str) -> frozenset[str]:
        return frozenset[str]().union(*self.tests.get(file, {}).values())


def recorded(package: Path) -> Covering:
    """Runs what has not run since it changed."""
    BUILD.mkdir(parents=True, exist_ok=True)
    kept = _kept(digest(package.rglob("*.py")))
    for room in ROOMS:
        now = digest(tests_in(room))
        if kept["rooms"].get(room, {}).get("digest") != now:
            kept["rooms"][room] = {"digest": now, "seconds": _run(room)}
            (BUILD / "covering.json").write_text(json.dumps(kept))
    seconds: dict[str, float] = {}
    for room in kept["rooms"].values():
        seconds |= room["seconds"]
    data = CoverageData(str(BUILD / "coverage"))
    data.read()
    return Covering(_tests_by_line(data, package, seconds), seconds, importers(package))


def _kept(version: str) -> dict[str, Any]:
    """What earlier runs have recorded of this version of the package."""
    try:
        kept: dict[str, Any] = json.loads((BUILD / "covering.json").read_text())
    except FileNotFoundError:
        kept = {}
    if kept.get("package") == version:
        return kept
    (BUILD / "coverage").unlink(missing_ok=True)
    return {"package": version, "rooms": {}}


def _run(room: str) -> dict[str, float]:
    """Tests of a directory, with their seconds; AssertionError if one fails, because then no mutant could be judged."""
    print(f"coverage of tests/{room}", flush=True)
    xml = BUILD / "tests.xml"
    options = ["--cov", "--cov-append", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    command = [str(Path(sys.executable).with_name("pytest")), "-q", *options, f"--junitxml={xml}", f"tests/{room}"]
    environment = environment_of_tests() | {"COVERAGE_FILE": str(BUILD / "coverage")}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return seconds_of(xml.read_text())


def seconds_of(junit: str) -> dict[str, float]:
    """Seconds by test, of pytest's report in XML."""
    return {
        f"{case.attrib['classname'].replace('.', os.sep)}.py::{case.attrib['name']}": float(case.attrib["time"])
        for case in ET.fromstring(junit).iter("testcase")  # noqa: S314 - pytest has just written it
    }


def _tests_by_line(
    data: CoverageData, package: Path, known: Mapping[str, float]
) -> dict[str, dict[int, frozenset[str]]]:
    """`known`: tests that there still are. pytest-cov adds the phase to the name of a test: `|run`."""
    found: dict[str, dict[int, frozenset[str]]] = {}
    for path in data.measured_files():
        lines = data.contexts_by_lineno(path)
        found[str(Path(path).relative_to(package))] = {
            line: frozenset(context.rpartition("|")[0] for context in contexts) & known.keys()
            for line, contexts in lines.items()
        }
    return found


def importers(package: Path) -> dict[str, frozenset[str]]:
    """Who imports a file; all imports have the form `from sriov_bootstrap.core.plan import Plan`."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    files = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    for file in files:
        module = f"{PACKAGE}.{file.removesuffix('.py').replace(os.sep, '.')}"
        parent, _, name = module.rpartition(".")
        for other, text in files.items():
            words = text.split()
            if module in words or (f"from {parent} import" in text and name in text):
                found[file].add(other)
    return {file: frozenset(others) for file, others in found.items()}
