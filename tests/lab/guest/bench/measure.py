"""Runs in the guest, with its clock: one measurement, as one JSON object on stdout. See bench.py.

usage: idle ROUNDS | start ROUNDS FOLDER PF... | bind|down|none FOLDER PF... | daemon SECONDS PID...
       builds ROUNDS FOLDER | calls FOLDER
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab.guest.bench import kernel_trace

PCI = Path("/sys/bus/pci")
DEVICES = PCI / "devices"
STATES = [Path("/run/sriov-bootstrap") / name for name in ("state/state.json", "state.json")]  # the second: 0.1.0
CONFIG = Path("/etc/sriov-bootstrap/config.toml")
UNIT = "sriov-bootstrap.service"
DEGRADED = 3
ONCE = ["/usr/bin/sriov-bootstrap", "--once"]
PYTHON = ["/usr/bin/python3", "-c"]
IMPORTS = "import argparse, tomllib, msgspec"
VFS = 7
MICROSECONDS = 1e6

Seconds = dict[str, list[float]]


# -- what is compared: each makes all VFs of these PFs, from none --


def loop(pfs: list[str]) -> str:
    """rc.local."""
    return "".join(f"echo {VFS} > {DEVICES}/{pf}/sriov_numvfs; " for pf in pfs)


def probing(pfs: list[str], *, enabled: bool) -> str:
    return "".join(f"echo {enabled:d} > {DEVICES}/{pf}/sriov_drivers_autoprobe; " for pf in pfs)


def link_up(pfs: list[str]) -> str:
    return "".join(f"ip link set {netdev(pf)} up; " for pf in pfs)


def probe_at_once(pfs: list[str]) -> str:
    """A process for each VF, which waits for its probe, and starts no program."""
    links = " ".join(f"{DEVICES}/{pf}/virtfn*" for pf in pfs)
    return f"for link in {links}; do (cd -P $link && echo ${{PWD##*/}} > {PCI}/drivers_probe) & done; wait"


def bind(folder: str, pfs: list[str]) -> Seconds:
    """VFs whose driver takes its time, on PFs that are up, as they are when rc.local runs."""
    steps = probing(pfs, enabled=False) + loop(pfs) + probing(pfs, enabled=True) + probe_at_once(pfs)
    load_vf_drivers("slowvf", "igbvf")
    return contest(pfs, {"loop": shell(loop(pfs)), "shell": shell(steps), "once": ONCE}, f"{folder}/kernel.toml")


def down(folder: str, pfs: list[str]) -> Seconds:
    """PFs that are down at the start, and up at the end."""
    counts = probing(pfs, enabled=False) + loop(pfs)
    steps = counts + link_up(pfs) + probing(pfs, enabled=True) + probe_at_once(pfs)
    load_vf_drivers("igbvf")
    ways = {"loop": shell(link_up(pfs) + loop(pfs)), "shell": shell(steps), "once": ONCE}
    return contest(pfs, ways, f"{folder}/kernel.toml", up_before=False)


def none(folder: str, pfs: list[str]) -> Seconds:
    """VFs without driver, on PFs that are up: bare writes, and the start of the service, also until it is ready."""
    load_vf_drivers("igbvf")
    ways = {"bare": shell(probing(pfs, enabled=False) + loop(pfs)), "boot": ["systemctl", "start", UNIT]}
    return contest(pfs, ways, f"{folder}/none.toml", bound=False)


def contest(
    pfs: list[str], ways: dict[str, list[str]], config: str, *, up_before: bool = True, bound: bool = True
) -> Seconds:
    """One round of these, each from no VFs; to take them away is not timed."""
    seconds: Seconds = {}
    for name, argv in ways.items():
        take_away(pfs, up=up_before)
        shutil.copy(config, CONFIG)
        kernel_trace.start()
        run(argv, accepted=(0, DEGRADED))  # what matters is looked at next
        events = kernel_trace.recorded()
        check(name, pfs, events, bound=bound)
        seconds[name] = [events.last - events.first]
        if UNIT in argv:
            seconds["ready"] = [seconds_to_ready()]
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    return seconds


def check(name: str, pfs: list[str], events: kernel_trace.Events, *, bound: bool) -> None:
    """All VFs are there, each with its driver or none, the PFs are up, and all of it was recorded."""
    links = [link for pf in pfs for link in (DEVICES / pf).glob("virtfn*")]
    drivers = sum((link / "driver").exists() for link in links)
    up = sum(int((DEVICES / pf / "net" / netdev(pf) / "flags").read_text(), 16) & 1 for pf in pfs)
    found = [len(links), drivers, up, events.count(kernel_trace.COUNTED) >= len(pfs), events.count(kernel_trace.BOUND)]
    all_bound = bound * len(pfs) * VFS
    if found != [len(pfs) * VFS, all_bound, len(pfs), True, all_bound]:
        raise SystemExit(f"{name}: VFs, drivers, PFs up, counts recorded, drivers recorded: {found}")


# -- what an interpreter costs --


def start(rounds: int, folder: str, pfs: list[str]) -> Seconds:
    """From the process's start to its first write, beside an interpreter with what any such program imports.

    Only one VF is made, so that a round takes seconds, but all PFs have a rule, and no VFs, as at boot.
    """
    shutil.copy(f"{folder}/start.toml", CONFIG)
    take_away(pfs, up=True)
    seconds: Seconds = {"python": [], "once": []}
    for number in range(rounds + 1):
        (DEVICES / pfs[0] / "sriov_numvfs").write_text("0")
        forget()
        subprocess.run(["udevadm", "settle"], check=True)
        imports = timed([*PYTHON, IMPORTS])
        kernel_trace.start()
        began = time.monotonic()
        run(ONCE)
        if number:  # the first round fills the page cache
            seconds["python"].append(imports)
            seconds["once"].append(kernel_trace.recorded().first - began)
    return seconds


def idle(rounds: int) -> Seconds:
    """`--once` when all is as desired, beside an interpreter that does nothing, in turns; and what it spawns."""
    contestants = {"python": [*PYTHON, "pass"], "once": ONCE}
    seconds = in_turns(contestants, rounds)
    return seconds | {"spawned": [spawned(ONCE)]}


def spawned(argv: list[str]) -> int:
    """How many programs it starts, itself left out."""
    calls = ["-e", "trace=execve,execveat", "-e", "status=successful", "-e", "signal=none"]
    trace = ["strace", "-f", "-qq", *calls, "-o", "/run/bench.strace"]
    run([*trace, *argv])
    return len(Path("/run/bench.strace").read_text().splitlines()) - 1


def builds(rounds: int, folder: str) -> Seconds:
    """Two builds, `base` and `ours` in `folder`, in turns: `--once` with nothing to do.

    Each starts as its package starts it, but from its own folder.
    """
    return in_turns({name: [*started(folder, name), "--once"] for name in ("base", "ours")}, rounds)


def calls(folder: str) -> Seconds:
    """How many system calls that takes, of each build."""
    return {name: [system_calls([*started(folder, name), "--once"])] for name in ("base", "ours")}


def system_calls(argv: list[str]) -> int:
    run(["strace", "-f", "-c", "-o", "/run/bench.strace", *argv])
    return total_calls(Path("/run/bench.strace").read_text())


def total_calls(summary: str) -> int:
    """Return what `strace -c` says in its last line: % time, seconds, usecs/call, calls, perhaps errors, "total"."""
    [total] = [line for line in summary.splitlines() if line.endswith(" total")]
    return int(total.split()[3])


def started(folder: str, name: str) -> list[str]:
    """The command line of a build that lies in a folder."""
    code = f"""
import sys
sys.path.insert(0, "{folder}/{name}/usr/lib/python3/dist-packages")
from sriov_bootstrap.cli import main
sys.exit(main())
"""
    return ["/usr/bin/python3", "-I", "-c", code]


def in_turns(contestants: dict[str, list[str]], rounds: int) -> Seconds:
    """Who goes first changes from round to round."""
    seconds: Seconds = {name: [] for name in contestants}
    for number in range(rounds + 1):
        turns = list(contestants.items())
        for name, argv in turns if number % 2 else reversed(turns):
            took = timed(argv)
            if number:  # the first round compiles, and fills the page cache
                seconds[name].append(took)
    return seconds


# -- the daemon --


def daemon(seconds: float, pids: list[int]) -> Seconds:
    """How often each of these processes woke up, and its memory (KiB) afterwards."""
    before = [wake_ups(pid) for pid in pids]
    time.sleep(seconds)
    woken: list[float] = [wake_ups(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    return {"wake_ups": woken, "pss": [memory(pid) for pid in pids]}


def memory(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def wake_ups(pid: int) -> int:
    """A process that sleeps until something happens gives up the CPU once for each time that something did."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt_switches:"))


# -- the guest --


def load_vf_drivers(*names: str) -> None:
    """The first takes the VFs: a bus asks its drivers in the order in which they came."""
    for pf in DEVICES.glob("*/sriov_numvfs"):
        pf.write_text("0")
    for name in ("igbvf", "slowvf"):
        subprocess.run(["modprobe", "--remove", name], check=False, capture_output=True)
    for name in names:
        subprocess.run(["modprobe", name], check=True)


def take_away(pfs: list[str], *, up: bool) -> None:
    """As after a boot: no VFs, probing switched on, the PFs up or down, nothing remembered."""
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    for pf in pfs:
        (DEVICES / pf / "sriov_numvfs").write_text("0")
        (DEVICES / pf / "sriov_drivers_autoprobe").write_text("1")
        subprocess.run(["ip", "link", "set", netdev(pf), "up" if up else "down"], check=True)
    forget()
    subprocess.run(["udevadm", "settle"], check=True)
    time.sleep(2)


def forget() -> None:
    for state in STATES:
        state.unlink(missing_ok=True)


def netdev(pf: str) -> str:
    [name] = (DEVICES / pf / "net").iterdir()
    return name.name


def seconds_to_ready() -> float:
    """From the start of the service's process until it said that it is ready."""
    stamps = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    shown = ["systemctl", "show", *(f"--property={name}" for name in stamps), UNIT]
    said = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    values = dict(line.split("=") for line in said.splitlines())
    began, ready = (int(values[name]) for name in stamps)
    return (ready - began) / MICROSECONDS


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-ec", script]


def timed(argv: list[str]) -> float:
    began = time.perf_counter()
    run(argv)
    return time.perf_counter() - began


def run(argv: list[str], accepted: tuple[int, ...] = (0,)) -> None:
    """End with what it said, if it fails."""
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    if ended.returncode not in accepted:
        raise SystemExit(f"{argv} ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def main(verb: str, *arguments: str) -> None:
    match verb, arguments:
        case "idle", (rounds,):
            answer = idle(int(rounds))
        case "start", (rounds, folder, *pfs):
            answer = start(int(rounds), folder, pfs)
        case (("bind" | "down" | "none"), (folder, *pfs)):
            answer = {"bind": bind, "down": down, "none": none}[verb](folder, pfs)
        case "builds", (rounds, folder):
            answer = builds(int(rounds), folder)
        case "calls", (folder,):
            answer = calls(folder)
        case "daemon", (seconds, *pids):
            answer = daemon(float(seconds), [int(pid) for pid in pids])
        case _:
            raise SystemExit(__doc__)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
