"""`make bench-metrics`: what the metrics cost the daemon, against the build of another commit. docs/benchmarks.md.

No VM: both builds run, in turns, on a folder that looks like a host with 64 PFs of 256 VFs, with the libraries of
.venv. Ours has its exporter beside it, which gets a socket that is open already, as from systemd. A missed target is
said, and fails nothing.

The loop is watched from outside, by the daemon's own watchdog pings, asked for every 10 ms. What passes between two of
them is told twice: by the clock, which on a busy machine is mostly waiting for a CPU, and by the CPU time that the
daemon used meanwhile (/proc/PID/schedstat), which is what its loop was held for whatever else runs.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from bench import big_tree  # noqa: E402
from bench.peers import PEERS, PIPELINED, WAVES  # noqa: E402
from bench.processes import children_of, cpu_of, memory_of, status_of, ticks_of  # noqa: E402
from exporting import exporting  # noqa: E402
from lab.old_package import commit_of, export  # noqa: E402

ROOT: Final = Path(__file__).parents[2]
SIEGE: Final = Path(__file__).with_name("peers.py")
BUILDS: Final = ROOT / "build" / "bench"
BASE: Final = "796f9ed"
RUN: Final = """\
import sys
sys.path[:0] = [one for one in [sys.argv[2]] if one]
from sriov_bootstrap.cli import main
sys.exit(main(["run"], root=sys.argv[1]))
"""
PING_MICROSECONDS: Final = 20_000  # systemd's WatchdogSec=; a ping comes at half of it
SETTLED_SECONDS: Final = 64.0  # doctor looks 60 s after a pass, and the page is made again
START_SECONDS: Final = 240.0
SCRAPES: Final = 100
VF_SERIES: Final = b"\nsriov_vf_info{"
KIB: Final = 1024
TICKS: Final = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Pings:
    """When each was heard, and the daemon's CPU time until then; both in seconds."""

    at: list[float]
    cpu: list[float]

    @property
    def longest(self) -> Figures:
        return {"gap": longest_step(self.at), "held": longest_step(self.cpu)}


def longest_step(values: list[float]) -> float:
    return max((after - before for before, after in pairwise(values)), default=0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base", metavar="COMMIT", default=BASE)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of both builds, in turns; each takes about three minutes"
    )
    parser.add_argument("--pfs", type=int, default=big_tree.PFS)
    parser.add_argument("--vfs", type=int, default=big_tree.VFS, help="of each PF")
    options = parser.parse_args()
    builds = {"base": build(options.base), "ours": ""}
    found: dict[str, list[Figures]] = {"base": [], "ours": []}
    with tempfile.TemporaryDirectory(prefix="sriov-bench-", dir=in_memory()) as folder:
        host = Host(Path(folder), options.pfs, options.vfs)
        for number in range(options.rounds):
            for name in list(builds) if number % 2 else reversed(list(builds)):
                figures = host.measure(builds[name], is_base=name == "base")
                print(
                    f"round {number + 1}, {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in figures.items()), flush=True
                )
                found[name].append(figures)
    print(*table(found), sep="\n")
    return 0


def in_memory() -> str | None:
    """Where files cost no disk, as those of /sys."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (a folder of our own in it)


def build(name: str) -> str:
    """Return the folder with the package of a commit, without the libraries: both builds have the same ones."""
    commit = commit_of(name)
    target = BUILDS / commit[:16]
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            export(commit, Path(scratch) / "tree")
            pip = [sys.executable, "-m", "pip", "--quiet"]
            options = ["--no-deps", "--no-build-isolation", "--no-index"]
            wheels = f"{scratch}/wheels"
            subprocess.run([*pip, "wheel", *options, "--wheel-dir", wheels, f"{scratch}/tree"], check=True)
            [wheel] = Path(wheels).iterdir()
            part = target.with_suffix(".part")
            subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", part, wheel], check=True)
            part.rename(target)
    return str(target)


class Host:
    """A folder that looks like one, and the daemons that run on it one after the other."""

    def __init__(self, root: Path, pfs: int, vfs: int) -> None:
        self.root = root / "tree"
        self.vfs = pfs * vfs
        big_tree.make(str(self.root), pfs, vfs)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        path = self.root / "etc/sriov-bootstrap/config.toml"
        path.write_text(f'{path.read_text()}[metrics]\nlisten = "127.0.0.1:{self.port}"\n')

    def measure(self, folder: str, *, is_base: bool) -> Figures:
        """One start that nobody disturbs, and another one under siege."""
        with self.serving(folder, is_base=is_base, pings=False) as served:
            figures = memory_of(served.pids)
            figures["daemon"] = memory_of([served.daemon])["pss"]
            figures["page"] = len(served.scrape()) / KIB
            if served.exporter:
                figures["exporter rss"] = status_of(served.exporter, "VmRSS")
            before, cpu = ticks_of(served.daemon), cpu_of(served.daemon)
            for _ in range(SCRAPES):
                served.scrape()
            figures["ticks"] = ticks_of(served.daemon) - before
            figures["scrapes"] = cpu_of(served.daemon) - cpu
        with self.serving(folder, is_base=is_base, pings=True) as served:
            quiet, _ = served.listen(["sleep", "5"])
            siege, answers = served.listen([sys.executable, str(SIEGE), str(served.port)])
        figures |= {f"quiet {key}": value for key, value in quiet.longest.items()}
        return figures | siege.longest | {"answers": float(answers)}

    @contextmanager
    def serving(self, folder: str, *, is_base: bool, pings: bool) -> "Iterator[Served]":
        """A daemon that is ready, and whoever serves its page: both have done what they do after a start."""
        shutil.rmtree(self.root / "run" / "sriov-bootstrap", ignore_errors=True)
        with ExitStack() as stack:
            manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            path = self.root / "notify"
            path.unlink(missing_ok=True)
            manager.bind(str(path))
            environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(path)}
            environment |= {"WATCHDOG_USEC": str(PING_MICROSECONDS)} if pings else {}
            argv = [sys.executable, "-I", "-c", RUN, str(self.root), folder]
            daemon = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(end, daemon)
            hear(manager, b"READY=1")
            ready_at = time.monotonic()
            exporter = None if is_base else stack.enter_context(exporting(self.root))
            port = exporter.port if exporter else self.port
            served = Served(daemon.pid, exporter.process.pid if exporter else None, port, manager)
            served.wait_for_page(self.vfs)
            served.wait_until_idle(ready_at + SETTLED_SECONDS)
            yield served


@dataclass(frozen=True, slots=True)
class Served:
    """A daemon, and who serves its page."""

    daemon: int
    exporter: int | None
    port: int
    manager: socket.socket

    @property
    def pids(self) -> list[int]:
        ours = [self.daemon, *([self.exporter] if self.exporter else [])]
        return [*ours, *(child for pid in ours for child in children_of(pid))]

    def scrape(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), START_SECONDS) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: peer.recv(1 << 20), b""))

    def wait_for_page(self, vfs: int) -> None:
        def has_all() -> bool:
            with suppress(OSError):  # it does not listen yet
                return self.scrape().count(VF_SERIES) == vfs
            return False

        wait(has_all, f"a page with {vfs} VFs")

    def wait_until_idle(self, after: float) -> None:
        """No child for five looks in a row."""
        quiet = 0

        def is_idle() -> bool:
            nonlocal quiet
            forget(self.manager)
            quiet = 0 if children_of(self.daemon) or time.monotonic() < after else quiet + 1
            return quiet == 5

        wait(is_idle, "a daemon at rest")

    def listen(self, argv: list[str]) -> tuple[Pings, bytes]:
        """Pings while this runs, and the first one after it: a gap ends with a ping. And what it printed."""
        forget(self.manager)
        pings = Pings([], [])
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            is_over = False
            while not is_over:
                is_over = process.poll() is not None
                hear(self.manager, b"WATCHDOG=1")
                pings.at.append(time.monotonic())
                pings.cpu.append(cpu_of(self.daemon))
            return pings, process.communicate()[0] or b"0"
        finally:
            end(process)


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench-metrics: waited {START_SECONDS:g} s for {what}")
        time.sleep(0.5)  # between two looks


def hear(manager: socket.socket, text: bytes) -> None:
    manager.settimeout(START_SECONDS)
    while text not in manager.recv(4096):
        pass


def forget(manager: socket.socket) -> None:
    """What has been heard so far: a queue that is full would lose pings."""
    manager.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            manager.recv(4096)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# Name of the figure, what it is, its unit, and how many of that one is.
ROWS: Final = (
    ("pss", "memory of all processes, idle (PSS)", "MiB", 1 / KIB),
    ("anon", "of that, what is in no file", "MiB", 1 / KIB),
    ("daemon", "of that, the daemon", "MiB", 1 / KIB),
    ("exporter rss", "the exporter's RSS, with the page", "MiB", 1 / KIB),
    ("page", "the page", "MiB", 1 / KIB),
    ("ticks", f"CPU of the daemon for {SCRAPES} scrapes", f"ticks of 1/{TICKS} s", 1),
    ("scrapes", "the same, exactly", "ms", 1000),
    ("held", f"{PEERS} peers: longest that its loop was held, CPU time", "ms", 1000),
    ("gap", "the same by the clock", "ms", 1000),
    ("quiet held", "without peers, CPU time", "ms", 1000),
    ("quiet gap", "the same by the clock", "ms", 1000),
    ("answers", f"requests of those peers that were answered, of {WAVES * PEERS * PIPELINED:,}", "", 1),
)


def table(found: dict[str, list[Figures]]) -> Iterator[str]:
    """Medians, the spread, and what was to be reached."""
    ratio = median_of(found["ours"], "pss") / median_of(found["base"], "pss")
    targets = {
        "pss": f"{ratio:.2f} x base, at most 1.6 x: {verdict(ratio, 1.6)}",
        "ticks": f"0: {verdict(median_of(found['ours'], 'ticks'), 0)}",
        "held": f"at most 50 ms: {verdict(median_of(found['ours'], 'held'), 0.05)}",
    }
    yield "| median (least to most) | base | ours | target |"
    yield "|---|---|---|---|"
    for key, what, unit, scale in ROWS:
        cells = [spread([one[key] * scale for one in found[name] if key in one], unit) for name in ("base", "ours")]
        yield f"| {what} | {cells[0]} | {cells[1]} | {targets.get(key, '')} |"
    loads = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    yield f"\nThis machine: {os.cpu_count()} CPUs; load of all that runs on it {loads} (1, 5, 15 min)."


def median_of(rounds: list[Figures], key: str) -> float:
    return median(one[key] for one in rounds)


def spread(values: list[float], unit: str) -> str:
    if not values:
        return ""
    middle, least, most = (
        f"{one:,.0f}" if one >= 100 else f"{one:.3g}" for one in (median(values), min(values), max(values))
    )
    return f"{middle} ({least} to {most}) {unit}".rstrip()


def verdict(value: float, limit: float) -> str:
    return "met" if value <= limit else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
