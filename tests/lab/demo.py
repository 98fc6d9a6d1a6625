"""`make demo`: the main job in one guest, told step by step. Exits 1 when a step does not show what it should."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

sys.path[0] = str(Path(__file__).parents[1])  # a script has its own folder there, and no package

from lab.boot import BootError  # noqa: E402
from lab.consumers import install_consumers, install_package, newest_package  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.ssh import Completed  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

PF_A: Final = "0000:01:00.0"
PF_B: Final = "0000:02:00.0"
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
"""
BOTH: Final = f"{PF_A}=7 {PF_B}=3"
STARTS: Final = {"nova-compute.service": "/var/log/nova-starts", "neutron-sriov-agent.service": "/var/log/agent-starts"}
SERIES: Final = r"sriov_pf_vfs|sriov_pf_vf_losses_total|sriov_bootstrap_service_restarts_total.*(nova|agent)\S* [1-9]"
QUIET_SECONDS: Final = 10  # after the restarts: a second one would come within this time


class Narrator:
    """Says what happens, types commands in the guest, and keeps a list of what was not as it should be."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._began = time.monotonic()
        self._is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        print(self._coloured("1;36", f"\n[{self.seconds:5.1f} s] {text}"), flush=True)

    def type(self, vm: Vm, command: str, *, timeout_seconds: float = 120) -> Completed:
        """Run it in the guest and show both, as on a terminal."""
        print(self._coloured("1", f"    # {command}"), flush=True)
        completed = vm.run(command, timeout_seconds=timeout_seconds)
        for line in (completed.stdout + completed.stderr).splitlines():
            print(f"    {line}", flush=True)
        return completed

    def show(self, text: str) -> None:
        print("".join(f"    | {line}\n" for line in text.splitlines()), end="", flush=True)

    def expect(self, fact: object, text: str) -> None:
        """`text` says what was to be seen, whether it was or not."""
        if fact:
            print(self._coloured("32", f"    ok: {text}"), flush=True)
        else:
            self.missing.append(text)
            print(self._coloured("31", f"    NOT SO: {text}"), flush=True)

    def verdict(self) -> int:
        if self.missing:
            print(self._coloured("1;31", f"\n[{self.seconds:5.1f} s] DEMO FAILED: {'; '.join(self.missing)}"))
            return 1
        print(self._coloured("1;32", f"\n[{self.seconds:5.1f} s] DEMO PASSED: every step showed what it should"))
        return 0

    def _coloured(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_coloured else text


def main() -> int:
    tell = Narrator()
    tell.step("the guest's disk: Debian 13 with its own kernel; built once (a minute), then taken from a cache")
    image = guest_image()
    tell.step("booting it in QEMU with an emulated Intel 82576: two PFs, 7 VFs each, no KVM and no hardware needed")
    with running_vm(image) as vm:
        try:
            _tell(tell, vm)
        except (AssertionError, BootError, OSError, subprocess.TimeoutExpired) as error:
            print(f"{error}\n{vm.last_words()}")
            tell.missing.append("it broke off")
    return tell.verdict()


def _tell(tell: Narrator, vm: Vm) -> None:
    _install(tell, vm)
    _boot(tell, vm)
    _look(tell, vm)
    _lose(tell, vm)
    _restarts(tell, vm)
    _nothing_to_do(tell, vm)
    _metrics(tell, vm)


def _install(tell: Narrator, vm: Vm) -> None:
    tell.step("a fresh host: two PFs, and no VFs")
    tell.type(vm, "lspci -nn -d 8086:10c9; cat /sys/bus/pci/devices/*/sriov_numvfs")
    tell.expect(vm.pfs() == [PF_A, PF_B] and _counts(vm) == f"{PF_A}=0 {PF_B}=0", "two PFs without VFs")
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
        tell.expect(len(lines) == 1 and lines[0].endswith(BOTH), f"{unit} was started once and found all VFs")
    tell.type(vm, "journalctl -b -o short-monotonic --no-hostname --no-pager -u sriov-bootstrap -u nova-compute")


def _look(tell: Narrator, vm: Vm) -> None:
    tell.step("what the operator sees")
    tell.expect(tell.type(vm, "sriov-bootstrap status").rc == 0, "every PF is as desired")


def _lose(tell: Narrator, vm: Vm) -> None:
    tell.step("somebody takes the VFs of one PF away, behind its back")
    before = _inodes(vm)
    tell.type(vm, f"echo 0 > /sys/bus/pci/devices/{PF_A}/sriov_numvfs")
    tell.expect(tell.type(vm, "sriov-bootstrap status --wait=60").rc == 0, "the VFs came back, and nobody asked for it")
    tell.expect(_counts(vm) == BOTH, f"the kernel has them: {BOTH}")
    tell.expect(before.isdisjoint(_inodes(vm)), "these are new VFs: whoever looked at the old ones has to look again")


def _restarts(tell: Narrator, vm: Vm) -> None:
    tell.step("so both agents are restarted: once, and 30 s after their last start at the earliest")
    count = f"cat {' '.join(STARTS.values())} | wc -l"
    vm.wait_until(lambda: int(vm.check(count)) >= 2 * len(STARTS), deadline_seconds=90, what="restarts")
    time.sleep(QUIET_SECONDS)
    for unit, log in STARTS.items():
        lines = tell.type(vm, f"cat {log}").stdout.splitlines()
        tell.expect(len(lines) == 2 and lines[1].endswith(BOTH), f"{unit} was restarted exactly once, with all VFs")
    journal = "journalctl -b -o short-monotonic --no-hostname --no-pager -t sriov-bootstrap"
    said = tell.type(vm, f"{journal} --grep 'went away|changed|restarted'").stdout
    tell.expect("7 VFs went away without us" in said, "the journal has the loss, the repair and the restarts")
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
    counts = [(pf, vm.run(f"ls -d /sys/bus/pci/devices/{pf}/virtfn*").stdout.split()) for pf in (PF_A, PF_B)]
    return " ".join(f"{pf}={len(links)}" for pf, links in counts)


def _inodes(vm: Vm) -> set[str]:
    """Each VF of the first PF as the kernel numbers it: a VF that is made anew has another number."""
    return set(vm.run(f"stat -L -c %i /sys/bus/pci/devices/{PF_A}/virtfn*").stdout.split())


if __name__ == "__main__":
    sys.exit(main())
