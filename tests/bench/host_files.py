"""`make bench-files`, and lines of `make bench`: what `doctor` and `migrate` cost with many units and scripts; no VM.

Two builds run in turns on folders that look like hosts with 64 PFs of 256 VFs and all, half or none of the files. What
counts is CPU time. What the files cost is what a host with them costs more than one without.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from bench import big_tree, host_files_tree  # noqa: E402
from bench.many_vfs import timed  # noqa: E402
from bench.metrics import BASE, build, in_memory  # noqa: E402
from lab.figures import Line, Seconds, ratio, show  # noqa: E402

UNITS, SCRIPTS = 2000, 500
SHARES: Final = {"": 1.0, "half ": 0.5, "none ": 0.0}  # of the files
VERBS: Final = ("migrate", "doctor")
ROUNDS: Final = 5
DONE: Final = frozenset({0, 3})  # doctor has something to say


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base", metavar="COMMIT", default=BASE)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of both builds, in turns; each takes 15 s")
    options = parser.parse_args()
    seconds = measure(options.base, rounds=options.rounds)
    show(seconds, lines(seconds))
    return 0


def measure(
    base: str, *, pfs: int = big_tree.PFS, vfs: int = big_tree.VFS, units: int = UNITS, rounds: int = ROUNDS
) -> Seconds:
    """Seconds of both verbs: of base and ours with all files and with none, of ours with half of them."""
    builds = {"base ": build(base), "ours ": ""}
    turns = [(name, share) for name in builds for share in SHARES if (name, share) != ("base ", "half ")]
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory(prefix="sriov-bench-", dir=in_memory()) as folder:
        for share, part in SHARES.items():
            tree = f"{folder}/{share}"
            big_tree.make(tree, pfs, vfs, has_netdevs=True)
            number = round(units * part)
            host_files_tree.add(tree, units=number, scripts=number * SCRIPTS // UNITS, vfs=vfs)
        for number in range(rounds + 1):
            for name, share in turns if number % 2 else reversed(turns):
                for verb in VERBS:
                    took = timed(builds[name], Path(f"{folder}/{share}"), verb, codes=DONE)
                    if number:  # the first round fills the page cache
                        seconds.setdefault(f"{name}{share}{verb}", []).append(took)
    return seconds


def lines(seconds: Seconds) -> Iterator[Line]:
    """Ours against the base, as a whole and for the files alone; and whether twice the files cost twice the time."""
    for verb in VERBS:
        what = f"{verb} with {UNITS} units and {SCRIPTS} scripts / base"
        yield Line(f"files_{verb}", what, ratio(seconds, f"ours {verb}", f"base {verb}"), 1.0)
        ours, half, none = (median(seconds[f"ours {share}{verb}"]) for share in SHARES)
        base = median(seconds[f"base {verb}"]) - median(seconds[f"base none {verb}"])
        yield Line(f"each_file_{verb}", "  each file / base", (ours - none) / base, 0.5)
        yield Line(
            f"linear_files_{verb}", "  each further file / each of the first", (ours - half) / (half - none), 1.2
        )


if __name__ == "__main__":
    sys.exit(main())
