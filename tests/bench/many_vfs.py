"""What a pass and `status` cost on a host with many VFs, each with a netdev; no VM. See tests/lab/bench.py.

Two builds run in turns on a folder that looks like such a host, with the libraries of .venv: the base, and ours. What
counts is CPU time, as neither waits for anything there: other work on the machine does not change it much.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from bench import big_tree
from bench.metrics import build, in_memory

PFS: Final = big_tree.PFS
FEWEST, MIDDLE, MOST = 16, 64, 256  # VFs of each PF
VERBS: Final = {"pass": "--once", "status": "status"}
ROUNDS: Final = 9
HALF: Final = 0.5
NO_SLOWER: Final = 1.05
RUN: Final = """\
import sys
sys.path[:0] = [one for one in [sys.argv[2]] if one]
from sriov_bootstrap.cli import main
sys.exit(main([sys.argv[3]], root=sys.argv[1]))
"""

Seconds = dict[str, list[float]]


def measure(
    base: str, *, pfs: int = PFS, counts: tuple[int, ...] = (MOST, MIDDLE, FEWEST), rounds: int = ROUNDS
) -> Seconds:
    """Seconds of a pass with nothing to do, and of status: of base and ours with the most VFs, of ours with fewer."""
    folder, most = build(base), counts[0]
    seconds: Seconds = {}
    with _trees(pfs, counts) as trees:
        turns = [("base ", folder, trees[most]), ("ours ", "", trees[most])]
        turns += [(f"ours {count} ", "", trees[count]) for count in counts[1:]]
        for number in range(rounds + 1):
            for name, package, tree in turns if number % 2 else reversed(turns):
                for verb, word in VERBS.items():
                    took = timed(package, tree, word)
                    if number:  # the first round fills the page cache
                        seconds.setdefault(f"{name}{verb}", []).append(took)
    return seconds


def growth(seconds: Seconds, verb: str) -> float:
    """What a VF costs beyond `MIDDLE` of each PF, against one below it: 1 where time is linear in their number."""
    few, some, many = (median(seconds[f"ours {name}{verb}"]) for name in (f"{FEWEST} ", f"{MIDDLE} ", ""))
    return (many - some) / (MOST - MIDDLE) / ((some - few) / (MIDDLE - FEWEST))


@contextmanager
def _trees(pfs: int, counts: tuple[int, ...]) -> Iterator[dict[int, Path]]:
    """Hosts with that many VFs of each PF, in memory, as /sys is."""
    with tempfile.TemporaryDirectory(prefix="sriov-bench-", dir=in_memory()) as folder:
        trees = {count: Path(folder) / str(count) for count in counts}
        for count, tree in trees.items():
            big_tree.make(str(tree), pfs, count, has_netdevs=True)
        yield trees


def timed(package: str, tree: Path, word: str, *, codes: Container[int] = (0,)) -> float:
    """CPU seconds of a verb that a build (ours: "") carries out on a tree, and ends with one of these codes."""
    before = _children_seconds()
    argv = [sys.executable, "-P", "-c", RUN, str(tree), package, word]
    done = subprocess.run(argv, check=False, capture_output=True, cwd=tree, env={"PATH": os.defpath})
    if done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
