"""`make mutants`: how many small mistakes in what is pure the tests would see. docs/reliability.md has the result.

A mutant is the package with one such change (mutations.py). Each is installed in a venv of its own (overlay.py) and
tried with the tests that run its line (covering.py). Results are kept in build/mutants/results.jsonl, a line for each
mutant: a run continues where an earlier one ended. A change of the package makes all of them worthless; that of a test
only those of survivors, which are tried again.

equivalent.txt names the mutants that no test can see, with the reason; they do not count.
"""

import argparse
import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from mutants.covering import BUILD, PACKAGE, ROOMS, Covering, digest, recorded, tests_in  # noqa: E402
from mutants.mutations import Key, Mutant, mutants  # noqa: E402
from mutants.overlay import Outcome, Overlay, Trial  # noqa: E402

RESULTS: Final = BUILD / "results.jsonl"
EQUIVALENT: Final = Path(__file__).with_name("equivalent.txt")
GOAL: Final = 0.88


@dataclass(frozen=True)
class Version:
    """What a result holds for."""

    package: str
    tests: str


@dataclass(frozen=True)
class Equivalent:
    """An entry of equivalent.txt; all mutants that read like it."""

    file: str
    text: str
    what: str
    reason: str


def main() -> int:
    options = _options()
    os.nice(19 - os.nice(0))
    package = Path(sysconfig.get_path("purelib"), PACKAGE)
    version = Version(digest(package.rglob("*.py")), digest(path for room in ROOMS for path in tests_in(room)))
    chosen = sample(candidates(package), options.seed, options.count)
    covering = recorded(package)
    known = earlier(RESULTS.read_text().splitlines() if RESULTS.exists() else (), version)
    equivalent = {(entry.file, entry.text, entry.what) for entry in equivalents(EQUIVALENT.read_text())}
    known |= {mutant.key: Trial(Outcome.EQUIVALENT) for mutant in chosen if mutant.key[:3] in equivalent}
    left = [mutant for mutant in chosen if mutant.key not in known]
    trials = known | _tried(left, covering, version, options.jobs)
    results = [(mutant, trials[mutant.key]) for mutant in chosen]
    print("\n".join(summary(results)))
    return 0 if share(results) >= GOAL else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="processes")
    return parser.parse_args()


def candidates(package: Path) -> Iterator[Mutant]:
    """Of core, conflicts and doctor, except for what reads."""
    for room in ("core", "conflicts", "doctor"):
        for path in sorted((package / room).rglob("*.py")):
            if path.name not in {"read.py", "examination.py"}:
                yield from mutants(str(path.relative_to(package)), path.read_text())


def sample(found: Iterable[Mutant], seed: int, count: int) -> list[Mutant]:
    return sorted(found, key=lambda mutant: mutant.rank(seed))[:count]


def equivalents(text: str) -> Iterator[Equivalent]:
    """Entries of four lines: file, line, mutation, reason; between two of them an empty one. `#` begins a comment."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for entry in "\n".join(lines).strip().split("\n\n"):
        if entry:
            yield Equivalent(*(line.strip() for line in entry.split("\n")))


def earlier(lines: Iterable[str], version: Version) -> dict[Key, Trial]:
    """Results that still hold."""
    found: dict[Key, Trial] = {}
    for result in map(json.loads, lines):
        trial = Trial(Outcome(result["outcome"]), result["by"])
        if result["package"] == version.package and (trial.outcome.is_kill or result["tests"] == version.tests):
            found[result["file"], result["text"], result["what"], result["nth"]] = trial
    return found


def _tried(left: Sequence[Mutant], covering: Covering, version: Version, jobs: int) -> dict[Key, Trial]:
    overlays: SimpleQueue[Overlay] = SimpleQueue()
    for number in range(jobs if left else 0):
        overlay = Overlay(number)
        unchanged = overlay.run(["tests/conflicts"], 120)
        assert unchanged.outcome is Outcome.SURVIVED, f"fails on the package as it is: {unchanged.by}"
        overlays.put(overlay)

    tests_of = {mutant.key: covering.of(mutant) for mutant in left}
    left = sorted(left, key=lambda mutant: covering.cost(tests_of[mutant.key]))

    def trial(mutant: Mutant) -> Trial:
        tests = tests_of[mutant.key]
        if not tests:
            return Trial(Outcome.SURVIVED)
        overlay = overlays.get()
        try:
            return overlay.judge(mutant, tests, covering.limit(tests))
        finally:
            overlays.put(overlay)

    found = {}
    with ThreadPoolExecutor(jobs) as pool, RESULTS.open("a") as results:
        for number, (mutant, result) in enumerate(zip(left, pool.map(trial, left), strict=True), 1):
            found[mutant.key] = result
            print(f"{number}/{len(left)} {result.outcome:8} {mutant.file}:{mutant.line}  {mutant.what}", flush=True)
            results.write(_line(mutant, result, version))
            results.flush()
    return found


def _line(mutant: Mutant, trial: Trial, version: Version) -> str:
    of_mutant = {"file": mutant.file, "text": mutant.text, "what": mutant.what, "nth": mutant.nth}
    of_trial = {"outcome": trial.outcome, "by": trial.by, "package": version.package, "tests": version.tests}
    return json.dumps(of_mutant | of_trial) + "\n"


def share(results: Sequence[tuple[Mutant, Trial]]) -> float:
    """Of those that a test could see, how many one has seen."""
    counted = [trial for _, trial in results if trial.outcome is not Outcome.EQUIVALENT]
    return sum(trial.outcome.is_kill for trial in counted) / len(counted) if counted else 1.0


def summary(results: Sequence[tuple[Mutant, Trial]]) -> Iterator[str]:
    outcomes = [trial.outcome for _, trial in results]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in Outcome)
    yield f"{len(results)} mutants: {counts}; {share(results):.1%} seen, at least {GOAL:.0%} wanted"
    for mutant, trial in sorted(results, key=lambda result: (result[0].file, result[0].line)):
        if trial.outcome is Outcome.SURVIVED:
            yield f"{mutant.file}:{mutant.line}\n    {mutant.text}\n    {mutant.what}"


if __name__ == "__main__":
    sys.exit(main())
