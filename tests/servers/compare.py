"""`make servers`: who holds out against which peers, and what he costs. docs/reliability.md has the table of one run.

Each scene has a fresh process of each candidate, with the same page, files and limits, all three at once; a
well-behaved peer scrapes alone at first, and then beside the scene. What it waits for is told in CPU time of who
serves: that is what it would wait for on an idle machine, and depends little on what else this one does. Ratios are to
the usual scrape alone (median), and to our own start; deadlines are seconds.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import Distribution, distributions
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

import bcrypt  # noqa: E402
from packaging.requirements import Requirement  # noqa: E402
from packaging.utils import canonicalize_name  # noqa: E402

from certificates import Authority  # noqa: E402
from servers import scenes  # noqa: E402
from servers.candidates import CANDIDATES, VENV, Server, Site, behind, listening, serving  # noqa: E402

SMALL: Final = b"sriov_bootstrap_vf_info 1.0\n" * 730  # 20 KiB: a host as most are
LARGE: Final = b"sriov_bootstrap_vf_info 1.0\n" * 75_000  # 2 MiB: 16,000 VFs
ALONE: Final = 10  # scrapes
KIB: Final = 1024
STARTS: Final = 5
OURS: Final = "ours"
LOCK: Final = Path(__file__).parents[2] / "packaging/locks/runtime.txt"
SCRAPER: Final = Path(__file__).parent / "scraper.py"
ELSEWHERE: Final = scenes.own_address()


@dataclass(frozen=True, slots=True)
class Scene:
    """`wishes`: see scraper.py; None: nobody scrapes beside it."""

    name: str
    act: scenes.Act
    page: bytes = SMALL
    is_tls: bool = False
    passwords: Mapping[str, str] = field(default_factory=dict)
    wishes: Mapping[str, str] | None = field(default_factory=dict)


LOGINS: Final[dict[str, Any]] = {
    "passwords": {"prometheus": "first", "grafana": "second"},
    "wishes": {"login": "prometheus:first"},
}
SCENES: Final = [
    Scene("500 idle peers", scenes.idle(500)),
    Scene("1500 idle peers", scenes.idle(1500)),
    Scene("a header, a byte at a time", scenes.drips(scenes.KEPT_SCRAPE[:-2] + b"X: "), wishes=None),
    Scene(
        "a body, a byte at a time",
        scenes.drips(scenes.KEPT_SCRAPE[:-2] + b"Content-Length: 1000\r\n\r\n"),
        wishes=None,
    ),
    Scene("50 peers that never read pages of 2 MiB", scenes.never_reads, page=LARGE),
    Scene("200 peers, 100 pipelined requests each", scenes.pipelined),
    Scene("50 headers of 1 MiB", scenes.huge_headers),
    Scene("malformed requests", scenes.malformed, wishes=None),
    Scene("HTTP/2 without TLS", scenes.upgrade, wishes=None),
    Scene("500 TLS peers that never speak", scenes.idle(500), is_tls=True),
    Scene("plain HTTP on the TLS port", scenes.plain_at_tls, is_tls=True, wishes=None),
    Scene("33 peers that guess passwords, different address", scenes.guessers(ELSEWHERE), **LOGINS),
    Scene("33 peers that guess passwords, same address", scenes.guessers("127.0.0.1"), **LOGINS),
    Scene(
        "600 peers from one address next to another",
        scenes.crowd_of_one_address(ELSEWHERE),
        wishes={"source": ELSEWHERE},
    ),
]


class Scraper:
    """Has scraped once when it is there."""

    def __init__(self, port: int, wishes: Mapping[str, Any]) -> None:
        argv = [sys.executable, "-I", str(SCRAPER), str(port), json.dumps(wishes)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self._process.stdout.readline()

    def stop(self) -> dict[str, Any]:
        """What it says, when its last scrape has ended."""
        said, _ = self._process.communicate()
        answer: dict[str, Any] = json.loads(said)
        return answer


@contextmanager
def site(*, is_tls: bool = False, passwords: Mapping[str, str] | None = None, page: bytes = SMALL) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        authority = Authority(root, "site") if is_tls else None
        cert, key = authority.issue("server") if authority else (None, None)
        hashes = {
            name: bcrypt.hashpw(one.encode(), bcrypt.gensalt(10)).decode() for name, one in (passwords or {}).items()
        }
        made = Site(root, authority, cert, key, hashes)
        made.put(page)
        yield made


def seen(scene: Scene, name: str) -> str:
    """What became of a scene with this candidate, in words."""
    with site(is_tls=scene.is_tls, passwords=scene.passwords, page=scene.page) as where, serving(name, where) as server:
        wishes = {
            "pid": server.pid,
            **(scene.wishes or {}),
            **({"ca": str(where.root / "site.crt")} if scene.is_tls else {}),
        }
        alone = Scraper(server.port, {**wishes, "count": ALONE}).stop()
        idle_kilobytes = server.kilobytes()
        scraper = Scraper(server.port, wishes) if scene.wishes is not None else None
        try:
            said, kilobytes = asyncio.run(_watched(scene, server))
        finally:
            beside = scraper.stop() if scraper else None
        lines = len(server.stop())
    parts = [said]
    if beside:
        parts.append(_scrapes(alone, beside))
    if (more := (kilobytes - idle_kilobytes) / KIB) >= 1:
        parts.append(f"+{more:.0f} MiB")
    if lines > 1:
        parts.append(f"{lines} lines in the log")
    return "; ".join(parts)


async def _watched(scene: Scene, server: Server) -> tuple[str, int]:
    """What was said, and the most memory that it took."""
    most = 0

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, await asyncio.to_thread(server.kilobytes))
            await asyncio.sleep(scenes.LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        return await scene.act(server), most
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _scrapes(alone: dict[str, Any], beside: dict[str, Any]) -> str:
    ratio = max(beside["cpu_seconds"]) / median(alone["cpu_seconds"])
    failures = ", ".join(f"{count} {why}" for why, count in beside["failures"].items())
    return f"a scrape waits {ratio:.0f}-fold" + (
        f", failed: {failures} of {len(beside['seconds'])}" if failures else ""
    )


def restarted(name: str) -> str:
    """The certificate is replaced as in the unit: files, then a restart behind the same socket."""
    with site(is_tls=True) as where, listening() as listener:
        assert where.authority
        assert where.cert
        assert where.key
        with behind(listener, name, where) as server:
            scraper = Scraper(server.port, {"pid": server.pid, "ca": str(where.root / "site.crt")})
            before = shown(server)
            for new, old in zip(where.authority.issue("next"), (where.cert, where.key), strict=True):
                new.replace(old)
        with behind(listener, name, where) as server:
            after = shown(server)
            said = scraper.stop()
    assert before != after
    return f"shown to the next peer; {sum(said['failures'].values())} of {len(said['seconds'])} scrapes failed"


def shown(server: Server) -> str:
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}"]
    said = subprocess.run(argv, input=b"", capture_output=True, check=False, timeout=60).stdout.decode(errors="replace")
    return next(line for line in said.splitlines() if line.startswith("subject="))


def costs() -> dict[str, list[str]]:
    """Of each row what each candidate costs when nobody troubles it."""
    starts: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    memory, modules = {}, {}
    for _ in range(STARTS):
        for name in CANDIDATES:  # in turns: whatever else the machine does, it does to all
            with site() as where, serving(name, where) as server:
                starts[name].append(server.start_seconds)
                Scraper(server.port, {"pid": server.pid, "count": ALONE}).stop()
                memory[name] = server.kilobytes() / KIB
                server.stop()
                modules[name] = len(json.loads(where.modules.read_text()))
    ours = median(starts[OURS])
    added = {name: packages(name) for name in CANDIDATES}
    return {
        "start until the first answer": [f"{median(one) / ours:.1f}-fold" for one in starts.values()],
        "memory (PSS) without peers": [f"{one:.0f} MiB" for one in memory.values()],
        "modules imported": [str(one) for one in modules.values()],
        "packages beside those that we have": [
            f"{len(one)}: {', '.join(one)}" if one else "0" for one in added.values()
        ],
    }


def packages(name: str) -> list[str]:
    """What this one would bring along; * has code in C."""
    ours = {line.partition("==")[0] for line in LOCK.read_text().splitlines() if "==" in line}
    (folder,) = VENV.glob("lib/python*/site-packages")
    installed: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions(path=[str(folder)])}
    found: set[str] = set()
    wanted = [] if name == OURS else [name]
    while wanted:
        one = wanted.pop()
        if one in found or one not in installed:
            continue
        found.add(one)
        asked = map(Requirement, installed[one].requires or ())
        wanted += [
            canonicalize_name(each.name) for each in asked if not each.marker or each.marker.evaluate({"extra": ""})
        ]
    return [one + ("*" if _has_c(installed[one]) else "") for one in sorted(found - ours)]


def _has_c(package: Distribution) -> bool:
    return any(str(file).endswith(".so") for file in package.files or ())


def show(name: str, look: Callable[[str], str]) -> None:
    """A row of the table."""
    with ThreadPoolExecutor() as at_once:
        print(f"| {name} | {' | '.join(at_once.map(look, CANDIDATES))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="scenes with this in their name")
    only = parser.parse_args().only
    print(f"| | {' | '.join(CANDIDATES)} |\n|---|{'---|' * len(CANDIDATES)}")
    for scene in SCENES:
        if only in scene.name:
            show(scene.name, partial(seen, scene))
    if only in "a certificate replaced":
        show("a certificate replaced, restart behind the socket", restarted)
    if only in "costs":
        for row, cells in costs().items():
            print(f"| {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
