"""`make bench`: what sriov-bootstrap costs, as ratios to what it replaces. A missed target is said, and fails nothing.

Seconds under an emulated CPU mean little; ratios of two things measured in turns in the same guest, by its own clock,
hold. docs/benchmarks.md has the figures of one run and what they stand for.

With --base COMMIT only two builds are measured, that commit's and this one, in turns.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from bench import host_files, many_vfs, verify_host  # noqa: E402
from lab import bench_switches  # noqa: E402
from lab.boot import said  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.consumers import install_package, newest_package  # noqa: E402
from lab.figures import Line, Seconds, collect, ratio, show  # noqa: E402
from lab.host import FINDINGS_FILE  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.old_package import package_of  # noqa: E402
from lab.qemu import Hardware  # noqa: E402
from lab.rootfs import NICS  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

FOLDER: Final = "/root/bench"
TESTS: Final = Path(__file__).parents[1]
PROGRAMS: Final = TESTS / "lab" / "guest" / "bench"
MEASURE: Final = f"cd {FOLDER} && python3 -m lab.guest.bench.measure"
CONFIG: Final = "/etc/sriov-bootstrap/config.toml"
PFS: Final = 8
VFS: Final = 7  # of each
BIG_BASE: Final = "796f9ed"  # what a pass over many VFs is compared with, unless --base names another one
# What serves the metrics starts with the daemon, and is looked after when the config changes: beside what is measured.
# In a boot it starts later, with the ordinary services. The pattern fits nothing where a build has no such units.
METRICS: Final = "sriov-bootstrap-metrics.service"
METRICS_CONFIG: Final = "sriov-bootstrap-metrics-config.service sriov-bootstrap-metrics-config.path"
STOP: Final = f"systemctl stop sriov-bootstrap 'sriov-bootstrap-metrics*' && systemctl mask --runtime {METRICS_CONFIG}"
IMPORTS: Final = "import argparse, tomllib, msgspec"
IDLE_SECONDS: Final = 60
INSPECTION_SECONDS: Final = 300  # what doctor finds is looked for a minute after a pass, or later on a busy host
ROUND_SECONDS: Final = 900  # an emulated CPU takes minutes for a round, and what takes longer counts as hung
ROUNDS_AT_ONCE: Final = 3
KIB: Final = 1024
RULE: Final = """\
[[pf]]
name = "{pf}"
match = {{ pci_address = "{pf}" }}
num_vfs = {num_vfs}
vf_driver = "{vf_driver}"
"""
ATTRIBUTES: Final = """\
[[pf.vf]]
vfs = "all"
mac = "stable"
vlan = 100
spoofchk = true
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="of first applies; each takes three to five minutes")
    parser.add_argument("--idle-rounds", type=int, default=15, help="of runs with nothing to do, and of starts")
    parser.add_argument("--base", metavar="COMMIT", help="measure this commit's build and ours, and nothing else")
    parser.add_argument("--base-rounds", type=int, default=15, help="of these two")
    parser.add_argument("--big-rounds", type=int, default=many_vfs.ROUNDS, help="of passes over many VFs")
    arguments = parser.parse_args()
    print("measuring: many VFs, without a VM", flush=True)
    big = many_vfs.measure(arguments.base or BIG_BASE, rounds=arguments.big_rounds)
    print("measuring: many files, without a VM", flush=True)
    files = host_files.measure(arguments.base or BIG_BASE)
    if arguments.base:
        base = package_of(arguments.base)
        with said():
            seconds = _measure_builds(base, arguments.base_rounds)
        figures = (*base_lines(seconds), *big_lines(big, many_vfs.NO_SLOWER), *host_files.lines(files))
        show(seconds | big | files, figures)
        return 0
    print("measuring: verify host, without a VM", flush=True)
    big |= verify_host.measure()
    with said():
        try:
            seconds = _measure_all(arguments.rounds, arguments.idle_rounds)
        except subprocess.TimeoutExpired as error:
            print(f"the guest no longer answers ({error}): an emulated CPU may lose its timer; again from the start")
            seconds = _measure_all(arguments.rounds, arguments.idle_rounds)
    of_vms = (*lines(seconds), *bench_switches.lines(seconds))
    big_figures = (*big_lines(big, many_vfs.HALF), *host_files.lines(files), *verify_host.lines(big))
    show(seconds | big | files, (*of_vms, *big_figures))
    return 0


def _measure_all(rounds: int, idle_rounds: int) -> Seconds:
    seconds: Seconds = {}
    with running_vm(guest_image(NICS), hardware=Hardware(igb_pfs=PFS)) as vm:
        pfs = " ".join(prepare(vm))
        for _ in range(rounds):
            for contest in ("bind", "down", "none"):
                collect(seconds, measure(vm, f"{contest} {FOLDER} {pfs}"), f"{contest} ")
        collect(seconds, measure(vm, f"start {idle_rounds} {FOLDER} {pfs}"), "start ")
        for name, rules in (("attributes", "attributes"), ("idle", "kernel")):
            _apply(vm, rules)
            collect(seconds, measure(vm, f"idle {idle_rounds}"), f"{name} ")
        collect(seconds, _daemon(vm), "daemon ")
        print("measuring: switches", flush=True)
        collect(seconds, bench_switches.measure(vm))
    return seconds


def _measure_builds(base: Path, rounds: int) -> Seconds:
    """Both from folders of their own, beside an installed package that gives them its dependencies."""
    seconds: Seconds = {}
    with running_vm(guest_image(NICS), hardware=Hardware(igb_pfs=PFS)) as vm:
        prepare(vm)
        _apply(vm, "none")
        for name, package in {"base": base, "ours": newest_package()}.items():
            vm.push(package, f"{FOLDER}/{name}.deb")
            vm.check(f"dpkg-deb --extract {FOLDER}/{name}.deb {FOLDER}/{name}")
        for _ in range(0, rounds, ROUNDS_AT_ONCE):
            collect(seconds, measure(vm, f"builds {ROUNDS_AT_ONCE} {FOLDER}"), "once ")
        collect(seconds, measure(vm, f"calls {FOLDER}"), "calls ")
    return seconds


def prepare(vm: Vm) -> list[str]:
    """The package, a config for each measurement, and neither a daemon nor who serves its metrics beside them."""
    install_package(vm, newest_package())
    vm.check(f"{STOP} && udevadm settle")
    pfs = vm.pfs()
    for vf_driver in ("none", "kernel"):
        vm.write(f"{FOLDER}/{vf_driver}.toml", config(dict.fromkeys(pfs, VFS), vf_driver))
    vm.write(f"{FOLDER}/attributes.toml", config(dict.fromkeys(pfs, VFS), "kernel", ATTRIBUTES))
    vm.write(f"{FOLDER}/start.toml", config(dict.fromkeys(pfs, 0) | {pfs[0]: 1}, "none"))
    for program in PROGRAMS.glob("*.py"):
        vm.push(program, f"{FOLDER}/{program.relative_to(TESTS)}")
    return pfs


def config(counts: dict[str, int], vf_driver: str, tables: str = "") -> str:
    rules = [RULE.format(pf=pf, num_vfs=number, vf_driver=vf_driver) for pf, number in counts.items()]
    return "\n".join(rule + tables for rule in rules)


def _apply(vm: Vm, vf_driver: str) -> None:
    """The VFs as this config wants them, by igbvf or without a driver."""
    for pf in vm.pfs():
        vm.write(f"/sys/bus/pci/devices/{pf}/sriov_numvfs", "0")
    vm.check("modprobe --remove slowvf; modprobe igbvf")
    vm.check(f"cp {FOLDER}/{vf_driver}.toml {CONFIG} && sriov-bootstrap --once", timeout_seconds=ROUND_SECONDS)
    vm.check("udevadm settle && sleep 3")


def _daemon(vm: Vm) -> Seconds:
    """The daemon and who serves its metrics: all VFs there, first pass, restarts and inspection over, scraped once."""
    vm.check(f"systemctl unmask --runtime {METRICS_CONFIG} && rm -f {FINDINGS_FILE} && systemctl start sriov-bootstrap")
    vm.check(f"until [ -e {FINDINGS_FILE} ]; do sleep 1; done", timeout_seconds=INSPECTION_SECONDS)
    vm.check("curl -sS localhost:10049/metrics >/dev/null && sleep 10")  # who watches the files has seen their changes
    show_value = "systemctl show --value -p {} {}"
    pids = [vm.check(show_value.format("MainPID", unit)).strip() for unit in ("sriov-bootstrap.service", METRICS)]
    pings = show_value.format("WatchdogTimestampMonotonic", "sriov-bootstrap.service")
    before = vm.check(pings)
    found = measure(vm, f"daemon {IDLE_SECONDS} {' '.join(pids)}")
    pinged = before != vm.check(pings)
    vm.check(STOP)
    wake_ups, exporter_wake_ups = found["wake_ups"]
    pss, exporter_pss = (value / KIB for value in found["pss"])
    own = {"wake-ups": [wake_ups - pinged], "MiB": [pss]}
    return own | {"exporter wake-ups": [exporter_wake_ups], "exporter MiB": [exporter_pss]}


def measure(vm: Vm, arguments: str) -> Seconds:
    """Run measure.py in the guest, and print what it found."""
    print(f"measuring: {arguments}", flush=True)
    answer: Seconds = json.loads(vm.check(f"{MEASURE} {arguments}", timeout_seconds=ROUND_SECONDS))
    print(f"  {answer}", flush=True)
    return answer


def lines(seconds: Seconds) -> Iterator[Line]:
    """The table of docs/benchmarks.md."""

    def of(key: str, what: str, one: str, other: str, target: float | None = None) -> Line:
        return Line(key, what, ratio(seconds, one, other), target)

    yield of("bind_loop", "VFs bound, 300 ms per probe / rc.local loop", "bind once", "bind loop", 0.40)
    yield of("bind_shell_loop", "  the same steps typed in shell / rc.local loop", "bind shell", "bind loop")
    yield of("bind_shell", "  VFs bound / the same steps typed in shell", "bind once", "bind shell", 1.10)
    yield of("down_loop", "igbvf, PFs down, then up / `ip link set up` and loop", "down once", "down loop", 0.68)
    yield of("down_shell_loop", "  our steps typed in shell / that", "down shell", "down loop")
    yield of("none_bare", 'first apply, "none": first write to last VF / bare writes', "none boot", "none bare", 1.10)
    yield of("none_ready", "  process start to ready / bare writes", "none ready", "none bare", 1.30)
    yield of("start", f"process start to first write / python3 -c '{IMPORTS}'", "start once", "start python", 1.3)
    yield of("idle", "--once, nothing to do, VFs with netdevs / python3 -c pass", "idle once", "idle python", 4.0)
    what = "--once, nothing to do, with [[pf.vf]] / python3 -c pass"
    yield of("attributes", what, "attributes once", "attributes python", 6.0)
    yield Line("spawned", "  programs that it starts", median(seconds["idle spawned"]), 0, "")
    wake_ups, exporter_wake_ups = (median(seconds[f"daemon {name}wake-ups"]) for name in ("", "exporter "))
    yield Line("wake_ups", f"idle daemon: wake-ups in {IDLE_SECONDS} s, without pings", wake_ups, 0, "")
    yield Line("pss", "  memory (PSS)", median(seconds["daemon MiB"]), 30, "MiB")
    yield Line("metrics_wake_ups", "idle exporter: wake-ups in that time", exporter_wake_ups, 0, "")
    yield Line("metrics_pss", "  memory (PSS)", median(seconds["daemon exporter MiB"]), None, "MiB")


def big_lines(seconds: Seconds, target: float) -> Iterator[Line]:
    """A host with many VFs: ours against the base, and whether twice the VFs cost twice the time."""
    for verb in many_vfs.VERBS:
        what = f"{verb} over {many_vfs.PFS} PFs with {many_vfs.MOST} VFs"
        yield Line(f"big_{verb}", f"{what} / base", ratio(seconds, f"ours {verb}", f"base {verb}"), target)
        yield Line(f"linear_{verb}", "  each further VF / each of the first", many_vfs.growth(seconds, verb), 1.2)


def base_lines(seconds: Seconds) -> Iterator[Line]:
    """Ours against the base: no slower, and no more system calls."""
    once = ratio(seconds, "once ours", "once base")
    yield Line("base_once", "--once, nothing to do / base", once, many_vfs.NO_SLOWER)
    yield Line("base_calls", "  system calls / base", ratio(seconds, "calls ours", "calls base"), 1.0)


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
