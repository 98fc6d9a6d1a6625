"""One QEMU process: its command line, its end, and where its parts are reached."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .answers import PORT as ANSWERS_PORT
from .boot import waited_seconds
from .building import MAKE_ROOM
from .emulator import Emulator, emulator
from .image import Image
from .qmp import Qmp, QmpError

START_SECONDS: Final = 20.0
SNAPSHOT_SECONDS: Final = 120.0  # a second on an idle machine
UNPLUG_SECONDS: Final = 60.0  # pciehp may take 5 s: the attention button's time to change one's mind
ROOT_PORTS: Final = 4  # rp1 to rp4: what an igb is in, or may be plugged into

# The plainest: what software has to imitate costs, and nothing under test asks for more (11.1: a boot 0.87, Python 0.92
# of what `-cpu max` takes).
CPU: Final = "qemu64"
# The same with AMD's virtualization, which QEMU imitates, too: the guest has /dev/kvm, and a VM in it runs on the CPU
# that the guest runs on. QEMU in QEMU, each a CPU in software, takes a VM seven times as long.
VIRTUALIZING_CPU: Final = f"{CPU},+svm,+npt,+nrip-save,+vgif"
# A CPU in software pays for mitigations and hardening: without the latter a boot takes 0.9 of the time, Python 0.96.
KERNEL_ARGUMENTS: Final = (
    "root=/dev/vda rw intel_iommu=on console=ttyS0 loglevel=4 systemd.show_status=yes systemd.log_color=0"
    " mitigations=off init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off"
    " apparmor=0 selinux=0 audit=0 raid=noautodetect random.trust_cpu=on"
    " rcupdate.rcu_cpu_stall_timeout=120"  # see boot.SILENT_SECONDS
    # QEMU's TSC never goes back (system/cpu-timers.c: cpu_ticks_prev), so to a guest that is put back it jumps ahead.
    " tsc=unstable clocksource=hpet"
)
# Else the kernel counts the timer's ticks in 160 million cycles of the TSC, which is this machine's: a QEMU that has to
# wait for its turn makes too few, and the kernel panics (arch/x86/kernel/apic/io_apic.c). On KVM it does not check.
NO_TIMER_CHECK: Final = "no_timer_check"
SSH_PORT: Final = 22
GUEST_PORTS: Final = (SSH_PORT, ANSWERS_PORT)
# 0: the kernel chooses a free one.
FORWARDED: Final = "".join(f",hostfwd=tcp:127.0.0.1:0-10.0.2.15:{port}" for port in GUEST_PORTS)
VIRTIO_PORT: Final = "rp-virtio"
VIRTIO_VFS: Final = 15
VIRTIO_MAC: Final = "52:54:00:1a:b0:21"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What differs between guests: `igb_pfs` are there from the start; `virtio_pf` is a virtio-net PF with 15 VFs.

    `machine` and `kernel_words` are added to the words that every guest has. A second CPU costs an emulated guest a
    sixth of its time: one is enough where nothing is asked that two could disturb. The last two make boots fail:
    `timer_check` has the kernel count ticks, `late_ticks` makes it wait for them.
    """

    igb_pfs: int = 2
    virtio_pf: bool = False
    cpus: int = 2
    cpu: str = CPU
    machine: str = ""
    kernel_words: str = ""
    timer_check: bool = False
    late_ticks: bool = False

    @property
    def root_ports(self) -> int:
        """How many there are for igb, taken or free."""
        return max(ROOT_PORTS, self.igb_pfs)


@dataclass(frozen=True, slots=True)
class Disks:
    """What a guest has: the image's disk, which forgets everything at the end, or `overlay`, in qcow2, which does not.

    `seed` is a second one, read-only. `snapshot` is one of the overlay's, from which the guest goes on.
    """

    seed: Path | None = None
    overlay: Path | None = None
    snapshot: str = ""

    def words(self, image: Image) -> list[str]:
        """Return what the command line says of them."""
        root = f"file={self.overlay},format=qcow2" if self.overlay else f"file={image.disk},format=raw,snapshot=on"
        words = ["-drive", f"{root},if=none,id=root,cache=unsafe", "-device", "virtio-blk-pci,drive=root"]
        words += ["-device", "virtio-rng-pci"]
        if self.seed:
            words += ["-drive", f"file={self.seed},format=raw,if=none,id=seed,readonly=on"]
            words += ["-device", "virtio-blk-pci,drive=seed"]
        return [*words, "-loadvm", self.snapshot] if self.snapshot else words


class Qemu:
    """A VM with its igb from rp1 on, and perhaps free root ports; what it writes is in `folder`."""

    def __init__(self, image: Image, folder: Path, qmp_path: Path, hardware: Hardware, disks: Disks) -> None:
        self.console = folder / "console.log"
        self.second_serial = folder / "serial1.log"
        self._log = folder / "qemu.log"
        self._delay: subprocess.Popen[bytes] | None = None
        self._grows_in = disks.overlay.parent if disks.overlay else folder
        qemu = emulator()
        with self._log.open("wb") as log:
            # setpriv: were pytest killed without a chance to clean up, the kernel would end QEMU.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command(qemu, image, qmp_path, hardware, disks)],
                # TMPDIR: a disk without an overlay changes in a file there, which has no name any more.
                env={**os.environ, **qemu.environment, "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.qmp = self._connect(qmp_path)
            ports = self._forwarded_ports()
            self.ssh_port, self.answers_port = ports[SSH_PORT], ports[ANSWERS_PORT]
            if hardware.late_ticks:
                self._hold_up()
        except BaseException:
            self.kill()
            raise

    def usable_time(self) -> float:
        """Seconds of a clock that stands still while it waits for a processor of this machine."""
        return time.monotonic() - waited_seconds(self.process.pid)

    def plug_igb(self, root_port: str, device_id: str, mac: str) -> None:
        hub = 100 + int(root_port.removeprefix("rp"))
        self.qmp.command("netdev_add", {"type": "hubport", "id": f"net-{device_id}", "hubid": hub})
        device = {"driver": "igb", "id": device_id, "bus": root_port, "netdev": f"net-{device_id}", "mac": mac}
        self.qmp.command("device_add", device)

    def unplug(self, device_id: str) -> None:
        def is_gone(event: dict[str, Any]) -> bool:
            return (event["event"], event["data"].get("device")) == ("DEVICE_DELETED", device_id)

        self.qmp.forget_events()
        self.qmp.command("device_del", {"id": device_id})
        self.qmp.wait_for_event(is_gone, deadline_seconds=UNPLUG_SECONDS)
        self.qmp.command("netdev_del", {"id": f"net-{device_id}"})

    def save(self, name: str) -> None:
        """Keep memory, devices and disk as they are, for load()."""
        self._snapshot(f"savevm {name}")

    def load(self, name: str) -> None:
        """Go back to what save() has kept; QmpError where other devices are plugged."""
        self._snapshot(f"loadvm {name}")

    def _snapshot(self, line: str) -> None:
        said = self.qmp.command("human-monitor-command", {"command-line": line}, deadline_seconds=SNAPSHOT_SECONDS)
        if said:
            raise QmpError(f"{line}: {said.strip()}")

    def quit(self) -> None:
        """End QEMU with everything written that the disk is to keep."""
        self.qmp.command("quit")
        self.process.wait(SNAPSHOT_SECONDS)

    def kill(self) -> None:
        if hasattr(self, "qmp"):  # not when QEMU never answered
            self.qmp.close()
        self.process.kill()
        self.process.wait()
        if self._delay:
            self._delay.wait()  # ends with it

    def stopped(self) -> str:
        """Return why QEMU has stopped the guest, which then stays as it is; "" while it runs, or QEMU does not answer.

        Only for a full disk: of any other error the guest is told (`werror=enospc`). QEMU itself prints nothing.
        """
        try:
            status = self.qmp.command("query-status")["status"]
        except (QmpError, OSError):
            return ""
        return f"QEMU has stopped the guest: no room in {self._grows_in}: {MAKE_ROOM}" if status == "io-error" else ""

    def registers(self) -> str:
        """Return where each processor is, in a line: at a halt with interrupts on, a guest waits for a timer."""
        try:
            text = self.qmp.command("human-monitor-command", {"command-line": "info registers -a"})
        except (QmpError, OSError) as error:
            return f"QEMU does not answer: {error}"
        cpus = re.findall(r"RIP=(\w+) RFL=(\w+) .*HLT=(\d)", text)
        return ", ".join(f"CPU {n}: RIP {rip} RFL {flags} HLT {halted}" for n, (rip, flags, halted) in enumerate(cpus))

    def output(self) -> str:
        """Return what QEMU itself said: a wrong option, an assertion."""
        return self._log.read_text(errors="replace")

    def _command(self, qemu: Emulator, image: Image, qmp_path: Path, hardware: Hardware, disks: Disks) -> list[str]:
        command = [*qemu.command, "-nodefaults", "-no-user-config", "-display", "none", "-M", f"q35{hardware.machine}"]
        command += [
            "-accel",
            "tcg,thread=multi,tb-size=512",
            "-cpu",
            hardware.cpu,
            "-smp",
            str(hardware.cpus),
            "-m",
            "2048",
        ]
        words = f"{KERNEL_ARGUMENTS} {'' if hardware.timer_check else NO_TIMER_CHECK} {hardware.kernel_words}"
        command += ["-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", words]
        command += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        command += disks.words(image)
        # restrict: the guest reaches nothing outside.
        command += ["-netdev", f"user,id=management,restrict=on{FORWARDED}"]
        command += ["-device", "virtio-net-pci,netdev=management,romfile="]
        for number in range(1, hardware.root_ports + 1):
            command += ["-device", f"pcie-root-port,id=rp{number},chassis={number},slot={number}"]
        for number in range(1, hardware.igb_pfs + 1):
            command += ["-netdev", f"hubport,id=net-igb{number},hubid={number}"]
            command += [
                "-device",
                f"igb,id=igb{number},bus=rp{number},netdev=net-igb{number},mac=52:54:00:1a:b0:0{number}",
            ]
        command += _virtio_pf(hardware.root_ports + 1) if hardware.virtio_pf else []
        command += ["-serial", f"file:{self.console}", "-serial", f"file:{self.second_serial}"]
        return [*command, "-qmp", f"unix:{qmp_path},server=on,wait=off"]

    def _connect(self, path: Path) -> Qmp:
        """QEMU listens first, and greets when devices, kernel and snapshot are there: it may end in between."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                return Qmp(path)
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.05)
            except (ConnectionError, TimeoutError) as error:
                raise QmpError(f"QEMU did not start: {error}\n{self.output()}") from error
        raise QmpError(f"QEMU did not start:\n{self.output()}")

    def _hold_up(self) -> None:
        script = Path(__file__).with_name("late_ticks.py")
        self._delay = subprocess.Popen([sys.executable, str(script), str(self.process.pid), str(self.console)])

    def _forwarded_ports(self) -> dict[int, int]:
        """Return the host's port for each of the guest's."""
        table = self.qmp.command("human-monitor-command", {"command-line": "info usernet"})
        found = re.findall(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+10\.0\.2\.15\s+(\d+)", table)
        if len(found) != len(GUEST_PORTS):
            raise QmpError(f"no forwarded ports in:\n{table}")
        return {int(inside): int(outside) for outside, inside in found}


def _virtio_pf(slot: int) -> list[str]:
    """QEMU's documentation, system/sriov: the VFs come first, and name the PF, which is function 0."""
    words = ["-device", f"pcie-root-port,id={VIRTIO_PORT},chassis={slot},slot={slot}"]
    for number in range(VIRTIO_VFS, -1, -1):
        words += ["-netdev", f"hubport,id=net-virtio{number},hubid=10"]
        device = (
            f"virtio-net-pci,bus={VIRTIO_PORT},addr={number // 8:#x}.{number % 8:#x},netdev=net-virtio{number},romfile="
        )
        words += ["-device", f"{device},sriov-pf=virtio" if number else f"{device},id=virtio,mac={VIRTIO_MAC}"]
    return words
