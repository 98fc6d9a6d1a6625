"""`make demo`: the main job in one guest, told step by step. Exits 1 when a step does not show what it should."""

import os
import re
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.answers import Completed  # noqa: E402
from lab.boot import BootError, said  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.consumers import install_consumers, install_package, newest_package  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.qemu import VIRTIO_MAC, Hardware  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

PF_A: Final = "0000:01:00.0"
PF_B: Final = "0000:02:00.0"
PF_C: Final = "0000:05:00.0"  # virtio-net
CONFIG: Final = f"""\
[[pf]]
name = "tenant-a"
match = {{ netdev = "enp1s0" }}
num_vfs = 7
vf_driver = "none"              # for passthrough: VFs without a driver, the fastest
physical_network = "physnet1"

[[pf]]
name = "tenant-b"
match = {{ pci_address = "{PF_B}" }}
num_vfs = "50%"                 # of the 7 that an 82576 offers
physical_network = "physnet2"

[[pf]]
name = "tenant-c"
match = {{ mac = "{VIRTIO_MAC}" }}   # of a NIC with another driver, virtio-net
num_vfs = 4
"""
ALL: Final = f"{PF_A}=7 {PF_B}=3 {PF_C}=4"
STARTS: Final = {"nova-compute.service": "/var/log/nova-starts", "neutron-sriov-agent.service": "/var/log/agent-starts"}
SERIES: Final = r"sriov_pf_vfs|sriov_pf_vf_losses_total|sriov_bootstrap_service_restarts_total.*(nova|agent)\S* [1-9]"
TICK_SECONDS: Final = 15
CLEAR: Final = "\r\x1b[K"  # what the clock has left in this line
QUIET_SECONDS: Final = 10  # after the restarts: a second one would come within this time


class Narrator:
    """Says what happens, types commands in the guest, and keeps a list of what was not as it should be."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._began = self._said = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()
        threading.Thread(target=self._tick, daemon=True).start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        self._print(self._coloured("1;36", f"\n[{self.seconds:5.1f} s] {text}"))

    def type(self, vm: Vm, command: str, *, timeout_seconds: float = 120) -> Completed:
        """Run it in the guest and show both, as on a terminal."""
        self._print(self._coloured("1", f"    # {command}"))
        completed = vm.run(command, timeout_seconds=timeout_seconds)
        for line in (completed.stdout + completed.stderr).splitlines():
            self._print(f"    {line}")
        return completed

    def show(self, text: str) -> None:
        for line in text.splitlines():
            self._print(f"    | {line}")

    def expect(self, fact: object, text: str) -> None:
        """`text` says what was to be seen, whether it was or not."""
        if fact:
            self._print(self._coloured("32", f"    ok: {text}"))
        else:
            self.missing.append(text)
            self._print(self._coloured("31", f"    NOT SO: {text}"))

    def verdict(self) -> int:
        if self.missing:
            self._print(self._coloured("1;31", f"\n[{self.seconds:5.1f} s] DEMO FAILED: {'; '.join(self.missing)}"))
            return 1
        self._print(self._coloured("1;32", f"\n[{self.seconds:5.1f} s] DEMO PASSED: every step showed what it should"))
        return 0

    def _print(self, line: str) -> None:
        with self._lock:
            print(f"{CLEAR if self._is_terminal else ''}{line}", flush=True)
            self._said = time.monotonic()

    def _tick(self) -> None:
        """Show that it goes on: a clock on a terminal, else a line now and then."""
        while True:
            time.sleep(1)
            with self._lock:
                silent = round(time.monotonic() - self._said)
                if self._is_terminal and silent > 1:
                    print(f"{CLEAR}    ... {silent} s", end="", flush=True)
                elif silent and silent % TICK_SECONDS == 0:
                    print(f"    ... {silent} s", flush=True)

    def _coloured(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_coloured else text


def main() -> int:
    tell = Narrator()
    tell.step("the guest's disk: Debian 13 with its own kernel; built once (a minute), then taken from a cache")
    image = guest_image()
    tell.step(
        "booting it in QEMU, no KVM and no hardware needed: an Intel 82576 (igb), two PFs with 7 VFs each, and a PF"
    )
    tell.show(
        "of virtio-net with 15 VFs. The CPU is emulated, so a boot takes half a minute, and longer on a busy machine"
    )
    with said():
        try:
            with running_vm(image, hardware=Hardware(virtio_pf=True)) as vm:
                _tell_all(tell, vm)
        except BootError as error:
            tell.show(str(error))
            tell.missing.append("the guest has not booted")
    return tell.verdict()


def _tell_all(tell: Narrator, vm: Vm) -> None:
    try:
        for part in (_install, _boot, _look, _lose, _restarts, _nothing_to_do, _metrics):
            part(tell, vm)
    except (AssertionError, BootError, OSError, subprocess.TimeoutExpired) as error:
        tell.show(f"{error}\n{vm.last_words()}")
        tell.missing.append("it broke off")


def _install(tell: Narrator, vm: Vm) -> None:
    tell.step("a fresh host: three PFs of two drivers, and no VFs")
    tell.type(vm, "lspci -nn | grep Ethernet; cat /sys/bus/pci/devices/*/sriov_numvfs")
    offered = vm.run("ls /sys/bus/pci/devices/*/sriov_totalvfs").stdout.split()
    tell.expect(len(offered) == 3 and _counts(vm) == f"{PF_A}=0 {PF_B}=0 {PF_C}=0", "three PFs without VFs")
    package = newest_package()
    tell.step(f"installing {package.name}, a config, and stand-ins for nova-compute and the SR-IOV agent")
    install_package(vm, package)
    vm.write("/etc/sriov-bootstrap/config.toml", CONFIG)
    tell.show(CONFIG)
    install_consumers(vm)
    tell.expect(tell.type(vm, "sriov-bootstrap check-config").rc == 0, "the config is valid")
    vm.check("rm -f /var/log/*-starts")


def _boot(tell: Narrator, vm: Vm) -> None:
    tell.step("rebooting: the VFs have to be there before nova-compute starts")
    vm.reboot()
    tell.step("booted; what the stand-ins found when they started (uptime in seconds, PF=number of VFs)")
    for unit, log in STARTS.items():
        lines = tell.type(vm, f"cat {log}").stdout.splitlines()
        tell.expect(len(lines) == 1 and lines[0].endswith(ALL), f"{unit} was started once and found all VFs")
    tell.type(vm, "journalctl -b -o short-monotonic --no-hostname --no-pager -u sriov-bootstrap -u nova-compute")


def _look(tell: Narrator, vm: Vm) -> None:
    tell.step("what the operator sees")
    tell.expect(tell.type(vm, "sriov-bootstrap status").rc == 0, "every PF is as desired")


def _lose(tell: Narrator, vm: Vm) -> None:
    tell.step("somebody takes the VFs of two PFs away, one of each driver, behind its back")
    before = _inodes(vm)
    for pf in (PF_A, PF_C):
        tell.type(vm, f"echo 0 > /sys/bus/pci/devices/{pf}/sriov_numvfs")
    tell.expect(tell.type(vm, "sriov-bootstrap status --wait=60").rc == 0, "the VFs came back, and nobody asked for it")
    tell.expect(_counts(vm) == ALL, f"the kernel has them: {ALL}")
    tell.expect(before.isdisjoint(_inodes(vm)), "these are new VFs: whoever looked at the old ones has to look again")


def _lost(journal: str, pf: str) -> int:
    """Return how many VFs of it went away: a pass may see some go while the kernel still takes the others."""
    return sum(map(int, re.findall(rf"{pf}: (\d+) VFs? disappeared, and not by sriov-bootstrap", journal)))


def _restarts(tell: Narrator, vm: Vm) -> None:
    tell.step("so both agents are restarted: once, and 30 s after their last start at the earliest")
    count = f"cat {' '.join(STARTS.values())} | wc -l"
    vm.wait_until(lambda: int(vm.check(count)) >= 2 * len(STARTS), deadline_seconds=90, what="restarts")
    time.sleep(QUIET_SECONDS)
    for unit, log in STARTS.items():
        lines = tell.type(vm, f"cat {log}").stdout.splitlines()
        tell.expect(len(lines) == 2 and lines[1].endswith(ALL), f"{unit} was restarted exactly once, with all VFs")
    journal = "journalctl -b -o short-monotonic --no-hostname --no-pager -t sriov-bootstrap"
    said = tell.type(vm, f"{journal} --grep 'disappeared|changed|restarted'").stdout
    tell.expect(
        [_lost(said, pf) for pf in (PF_A, PF_C)] == [7, 4],
        "the journal has the loss, the repair and the restarts",
    )
    absent = vm.run("systemctl is-active neutron-sriov-nic-agent.service").stdout.strip()
    tell.expect(absent == "inactive", "a unit that was not running was not started")


def _nothing_to_do(tell: Narrator, vm: Vm) -> None:
    tell.step("asked to do it again it does nothing")
    before = _inodes(vm)
    once = tell.type(vm, "sriov-bootstrap --once")
    is_same = before == _inodes(vm)
    tell.expect(once.rc == 0 and "nothing changed" in once.stdout and is_same, "nothing was written")


def _metrics(tell: Narrator, vm: Vm) -> None:
    tell.step("what Prometheus sees")
    page = tell.type(vm, f"curl -s http://localhost:10049/metrics | grep -E {shlex.quote(f'^({SERIES})')}").stdout
    labels = f'netdev="enp1s0",pci_address="{PF_A}",rule="tenant-a"'
    tell.expect(f"sriov_pf_vfs{{{labels}}} 7.0" in page, "7 VFs")
    tell.expect(f"sriov_pf_vf_losses_total{{{labels}}} 7.0" in page, "7 VFs were lost")
    for unit in STARTS:
        series = f'sriov_bootstrap_service_restarts_total{{unit="{unit}"}} 1.0'
        tell.expect(series in page, f"one restart of {unit}")


def _counts(vm: Vm) -> str:
    """As the stand-ins count: by the links, because reading sriov_numvfs waits for a write that is under way."""
    counts = [(pf, vm.run(f"ls -d /sys/bus/pci/devices/{pf}/virtfn*").stdout.split()) for pf in (PF_A, PF_B, PF_C)]
    return " ".join(f"{pf}={len(links)}" for pf, links in counts)


def _inodes(vm: Vm) -> set[str]:
    """Each VF of these two PFs as the kernel numbers it: a VF that is made anew has another number."""
    return set(vm.run(f"cd /sys/bus/pci/devices; stat -L -c %i {PF_A}/virtfn* {PF_C}/virtfn*").stdout.split())


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
