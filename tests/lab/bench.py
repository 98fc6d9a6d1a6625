"""`make bench`: what sriov-bootstrap costs, as ratios to what it replaces. A missed target is said, and fails nothing.

Seconds under an emulated CPU mean little; ratios of two things measured in turns in the same guest, by its own clock,
hold. docs/benchmarks.md has the figures of one run and what they stand for.

With --base COMMIT only two builds are measured, that commit's and this one, in turns.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.building import failures_told  # noqa: E402
from lab.consumers import install_package, newest_package  # noqa: E402
from lab.old_package import package_of  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

PROGRAM: Final = Path(__file__).parent / "guest" / "bench" / "measure.py"
BIG_TREE: Final = PROGRAM.with_name("big_tree.py")
TREE: Final = "/run/big"  # in memory, as /sys is
REMOTE: Final = "/root/measure.py"
FOLDER: Final = "/root/bench"
CONFIG: Final = "/etc/sriov-bootstrap/config.toml"
# What serves the metrics starts with the daemon, and is looked after when the config changes: beside what is measured.
# In a boot it starts later, with the ordinary services. The pattern fits nothing where a build has no such units.
METRICS: Final = "sriov-bootstrap-metrics.service"
METRICS_CONFIG: Final = "sriov-bootstrap-metrics-config.service sriov-bootstrap-metrics-config.path"
STOP: Final = f"systemctl stop sriov-bootstrap 'sriov-bootstrap-metrics*' && systemctl mask --runtime {METRICS_CONFIG}"
IDLE_SECONDS: Final = 60
ROUNDS_AT_ONCE: Final = 3  # an emulated CPU takes minutes for them, and what takes longer counts as hung
KIB: Final = 1024
RULE: Final = """\
[[pf]]
name = "{pf}"
match = {{ pci_address = "{pf}" }}
num_vfs = 7
vf_driver = "{vf_driver}"
"""

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, and the target that it should not exceed, where there is one."""

    key: str
    what: str
    value: float
    target: float | None
    unit: str = "x"

    def __str__(self) -> str:
        line = f"{self.what:<58} {self.value:>7.3f} {self.unit:<3}"
        if self.target is None:
            return line.rstrip()
        return f"{line} {self.target:>7.3f}  {'met' if self.value <= self.target else 'MISSED'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="of first applies; each takes about two minutes")
    parser.add_argument("--idle-rounds", type=int, default=15, help="of runs with nothing to do")
    parser.add_argument("--base", metavar="COMMIT", help="measure this commit's build and ours, and nothing else")
    parser.add_argument("--base-rounds", type=int, default=12, help="of these two; three take about two minutes")
    arguments = parser.parse_args()
    if arguments.base:
        seconds = _measure_builds(package_of(arguments.base), arguments.base_rounds)
        _show_seconds({"two builds": seconds})
        _show(base_lines(seconds))
        return 0
    try:
        figures = _measure_all(arguments.rounds, arguments.idle_rounds)
    except subprocess.TimeoutExpired as error:
        print(f"the guest no longer answers ({error}): an emulated CPU may lose its timer; once more from the start")
        figures = _measure_all(arguments.rounds, arguments.idle_rounds)
    idle_none, idle_kernel, first, daemon = figures
    _show_seconds({"nothing to do, none": idle_none, "nothing to do, kernel": idle_kernel, "first apply": first})
    _show(_lines(idle_none, idle_kernel, first, daemon))
    return 0


def _measure_all(rounds: int, idle_rounds: int) -> tuple[Seconds, Seconds, Seconds, dict[str, float]]:
    with running_vm() as vm:
        pfs = _prepare(vm)
        idle_none = _idle(vm, "none", idle_rounds)
        idle_kernel = _idle(vm, "kernel", idle_rounds)
        daemon = _daemon(vm)
        first: Seconds = {}
        for _ in range(rounds):
            for name, seconds in _measure(vm, f"first 1 {FOLDER} {' '.join(pfs)}").items():
                first.setdefault(name, []).extend(seconds)
    return idle_none, idle_kernel, first, daemon


def _measure_builds(base: Path, rounds: int) -> Seconds:
    """Both from folders of their own, beside an installed package that gives them its dependencies."""
    with running_vm() as vm:
        _prepare(vm)
        _apply(vm, "none")
        for name, package in {"base": base, "ours": newest_package()}.items():
            vm.push(package, f"{FOLDER}/{name}.deb")
            vm.check(f"dpkg-deb --extract {FOLDER}/{name}.deb {FOLDER}/{name}")
        vm.push(BIG_TREE, "/root/big_tree.py")
        vm.check(f"python3 /root/big_tree.py {TREE}", timeout_seconds=600)
        seconds: Seconds = {}
        for _ in range(0, rounds, ROUNDS_AT_ONCE):
            for name, found in _measure(vm, f"builds {ROUNDS_AT_ONCE} {FOLDER} {TREE}").items():
                seconds.setdefault(name, []).extend(found)
    return seconds


def base_lines(seconds: Seconds) -> Iterator[Line]:
    """Ours against the base: no slower."""
    yield Line("base_once", "--once, nothing to do / base", _ratio(seconds, "ours once", "base once"), 1.0)
    yield Line("base_big", "a pass over 64 PFs with 256 VFs / base", _ratio(seconds, "ours big", "base big"), 1.0)


def _prepare(vm: Vm) -> list[str]:
    """Four PFs, the VFs' driver loaded, and neither a daemon nor who serves its metrics beside what is measured."""
    vm.plug_igb("rp3", "hot1", mac="52:54:00:1a:b0:11")
    vm.plug_igb("rp4", "hot2", mac="52:54:00:1a:b0:12")
    netdevs = "ls -d /sys/bus/pci/drivers/igb/*/net/*"
    vm.wait_until(lambda: len(vm.run(netdevs).stdout.split()) == 4, deadline_seconds=60, what="four PFs")
    install_package(vm, newest_package())
    vm.check(f"{STOP} && modprobe igbvf && udevadm settle")
    pfs = vm.pfs()
    for vf_driver in ("none", "kernel"):
        vm.write(f"{FOLDER}/{vf_driver}.toml", "\n".join(RULE.format(pf=pf, vf_driver=vf_driver) for pf in pfs))
    vm.push(PROGRAM, REMOTE)
    return pfs


def _idle(vm: Vm, vf_driver: str, rounds: int) -> Seconds:
    """The VFs as this config wants them, then nothing left to do."""
    _apply(vm, vf_driver)
    return _measure(vm, f"idle {rounds}")


def _apply(vm: Vm, vf_driver: str) -> None:
    for pf in vm.pfs():
        vm.write(f"/sys/bus/pci/devices/{pf}/sriov_numvfs", "0")
    vm.check(f"cp {FOLDER}/{vf_driver}.toml {CONFIG} && sriov-bootstrap --once", timeout_seconds=600)
    vm.check("udevadm settle && sleep 3")


def _daemon(vm: Vm) -> dict[str, float]:
    """The daemon and who serves its metrics: all VFs there, the first pass and round of restarts over, scraped once."""
    vm.check(f"systemctl unmask --runtime {METRICS_CONFIG}")
    vm.check("systemctl start sriov-bootstrap && sleep 20 && curl -sS localhost:10049/metrics >/dev/null && sleep 10")
    show = "systemctl show --value -p {} {}"
    pids = [vm.check(show.format("MainPID", unit)).strip() for unit in ("sriov-bootstrap.service", METRICS)]
    pings = show.format("WatchdogTimestampMonotonic", "sriov-bootstrap.service")
    before = vm.check(pings)
    found = _measure(vm, f"daemon {IDLE_SECONDS} {' '.join(pids)}")
    pinged = before != vm.check(pings)
    vm.check(STOP)
    wake_ups, metrics_wake_ups = found["wake_ups"]
    pss, metrics_pss = (value / KIB for value in found["pss"])
    own = {"wake_ups": wake_ups - pinged, "pss": pss}
    return own | {"metrics_wake_ups": metrics_wake_ups, "metrics_pss": metrics_pss}


def _measure(vm: Vm, arguments: str) -> Seconds:
    print(f"measuring: {arguments}", flush=True)
    answer: Seconds = json.loads(vm.check(f"python3 {REMOTE} {arguments}", timeout_seconds=400))
    print(f"  {answer}", flush=True)
    return answer


def _lines(idle_none: Seconds, idle_kernel: Seconds, first: Seconds, daemon: dict[str, float]) -> Iterator[Line]:
    yield Line("idle_none", "--once, nothing to do / python3 -c pass", _ratio(idle_none, "once", "python"), 5.5)
    yield Line("idle_kernel", "the same, where VFs have netdevs", _ratio(idle_kernel, "once", "python"), 5.5)
    yield Line("bare", "the loop without probing / rc.local loop", _ratio(first, "bare", "loop"), None)
    for way, what in (("boot", "start of the service to ready"), ("once", "--once")):
        floor, loop = (_ratio(first, f"none {way}", one) for one in ("bare", "loop"))
        yield Line(f"none_{way}", f'first apply, "none": {what} / rc.local loop', loop, 1 / 15)
        yield Line(f"none_{way}_bare", "the same / the loop without probing", floor, None)
        kernel = _ratio(first, f"kernel {way}", "loop")
        yield Line(f"kernel_{way}", f'first apply, "kernel": {what} / rc.local loop', kernel, 1.05)
    yield Line("wake_ups", f"idle daemon: wake-ups in {IDLE_SECONDS} s, without pings", daemon["wake_ups"], 0, "")
    yield Line("pss", "idle daemon: memory (PSS)", daemon["pss"], 30, "MiB")
    yield Line("metrics_wake_ups", "idle exporter: wake-ups in that time", daemon["metrics_wake_ups"], 0, "")
    yield Line("metrics_pss", "idle exporter: memory (PSS)", daemon["metrics_pss"], None, "MiB")


def _ratio(seconds: Seconds, one: str, other: str) -> float:
    return median(seconds[one]) / median(seconds[other])


def _show_seconds(groups: dict[str, Seconds]) -> None:
    print("\nseconds in the guest: median (least to most)")
    for group, seconds in groups.items():
        for name, runs in seconds.items():
            spread = f"({min(runs):.3f} to {max(runs):.3f}, {len(runs)} runs)"
            print(f"  {group:<22} {name:<12} {median(runs):7.3f}   {spread}")


def _show(lines: Iterable[Line]) -> None:
    lines = tuple(lines)
    print(f"\n{'':<58} {'figure':>7} {'':<3} {'target':>7}")
    for line in lines:
        print(line)
    print("\nbench " + json.dumps({line.key: round(line.value, 4) for line in lines}))


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
