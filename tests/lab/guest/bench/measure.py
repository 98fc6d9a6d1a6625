"""Runs in the guest, with its clock: each measurement as seconds, one JSON object on stdout. See bench.py.

usage: measure.py idle ROUNDS | first ROUNDS FOLDER PF... | daemon SECONDS PID... | builds ROUNDS FOLDER TREE
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

DEVICES = Path("/sys/bus/pci/devices")
STATES = [Path("/run/sriov-bootstrap") / name for name in ("state/state.json", "state.json")]  # the second: 0.1.0
CONFIG = Path("/etc/sriov-bootstrap/config.toml")
UNIT = "sriov-bootstrap.service"
VFS = 7


def idle(rounds: int) -> dict[str, list[float]]:
    """`--once` when all is as desired, beside an interpreter that does nothing, in turns."""
    contestants = {"python": ["/usr/bin/python3", "-c", "pass"], "once": ["/usr/bin/sriov-bootstrap", "--once"]}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, argv in contestants.items():
            took = timed(argv)
            if number:  # the first round fills the page cache
                seconds[name].append(took)
    return seconds


def first(rounds: int, folder: str, pfs: list[str]) -> dict[str, list[float]]:
    """From no VFs to all of them, in turns; to take them away between two turns is not timed.

    `loop` is rc.local; `bare` the same without probing, which is what the kernel alone takes. `boot` is the start of
    the service until it is ready, `once` the command, which also asks systemd who needs a restart. The PFs are up for
    all of them, as they are when rc.local runs: the loop would not bring them up, and probing a VF of a PF that is
    down takes half the time.
    """
    write = "echo {} > {}/{}/{}; "
    make = [write.format(VFS, DEVICES, pf, "sriov_numvfs") for pf in pfs]
    skip = [write.format(0, DEVICES, pf, "sriov_drivers_autoprobe") for pf in pfs]
    contestants = {"loop": ["/bin/sh", "-c", "".join(make)], "bare": ["/bin/sh", "-c", "".join(skip + make)]}
    for vf_driver in ("none", "kernel"):
        contestants[f"{vf_driver} boot"] = ["systemctl", "start", UNIT]
        contestants[f"{vf_driver} once"] = ["/usr/bin/sriov-bootstrap", "--once"]
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, argv in contestants.items():
            take_away(pfs)
            if not argv[0].endswith("sh"):
                shutil.copy(f"{folder}/{name.split()[0]}.toml", CONFIG)
            seconds[name].append(timed(argv))
            there = {pf: len(list((DEVICES / pf).glob("virtfn*"))) for pf in pfs}
            if set(there.values()) != {VFS}:
                raise SystemExit(f"{name}: not {VFS} VFs on every PF: {there}")
    return seconds


def builds(rounds: int, folder: str, tree: str) -> dict[str, list[float]]:
    """Two builds, `base` and `ours` in `folder`, in turns: `--once` with nothing to do here, and a pass over a tree.

    Each starts as its package starts it, but from its own folder. Who goes first changes from round to round.
    """
    names = ("base", "ours")
    contestants = {f"{name} once": [*started(folder, name), "--once"] for name in names}
    contestants |= {f"{name} big": [*started(folder, name, root=tree), "--once"] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        turns = list(contestants.items())
        for name, argv in turns if number % 2 else reversed(turns):
            took = timed(argv)
            if number:  # the first round compiles, and fills the page cache
                seconds[name].append(took)
    return seconds


def started(folder: str, name: str, root: str = "") -> list[str]:
    """The command line of a build that lies in a folder."""
    code = f"""
import sys
sys.path.insert(0, "{folder}/{name}/usr/lib/python3/dist-packages")
from sriov_bootstrap.cli import main
sys.exit(main(root={root!r}))
"""
    return ["/usr/bin/python3", "-I", "-c", code]


def daemon(seconds: float, pids: list[int]) -> dict[str, list[float]]:
    """How often each of these processes woke up, and its memory (KiB) afterwards."""
    before = [wake_ups(pid) for pid in pids]
    time.sleep(seconds)
    woken: list[float] = [wake_ups(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    return {"wake_ups": woken, "pss": [memory(pid) for pid in pids]}


def memory(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def take_away(pfs: list[str]) -> None:
    """As after a boot: no VFs, probing switched on, the PFs up, nothing remembered."""
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    for pf in pfs:
        (DEVICES / pf / "sriov_numvfs").write_text("0")
        (DEVICES / pf / "sriov_drivers_autoprobe").write_text("1")
        [netdev] = (DEVICES / pf / "net").iterdir()
        subprocess.run(["ip", "link", "set", netdev.name, "up"], check=True)
    for state in STATES:
        state.unlink(missing_ok=True)
    subprocess.run(["udevadm", "settle"], check=True)
    time.sleep(2)


def timed(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - began


def wake_ups(pid: int) -> int:
    """A process that sleeps until something happens gives up the CPU once for each time that something did."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt_switches:"))


def main(verb: str, *arguments: str) -> None:
    match verb, arguments:
        case "idle", (rounds,):
            answer = idle(int(rounds))
        case "first", (rounds, folder, *pfs):
            answer = first(int(rounds), folder, pfs)
        case "builds", (rounds, folder, tree):
            answer = builds(int(rounds), folder, tree)
        case "daemon", (seconds, *pids):
            answer = daemon(float(seconds), [int(pid) for pid in pids])
        case _:
            raise SystemExit(__doc__)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
