"""The guest as the tests see it: commands, files, hot-plug, reboots."""

import functools
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import testinfra
from testinfra.host import Host

from waiting import POLL_SECONDS, until

from .answers import Answers, Completed
from .boot import BootError, Watch, boot
from .image import Image, guest_image
from .qemu import Disks, Hardware, Qemu
from .scratch import scratch_folder
from .ssh import HOST, Ssh

T = TypeVar("T")

IGB_ALONE: Final = Hardware()
FORGETFUL: Final = Disks()
STATE_SECONDS: Final = 15  # how long the guest waits for the end of its boot before it is looked at
ANSWER_SECONDS: Final = STATE_SECONDS + 15.0
SHUTDOWN_SECONDS: Final = 120.0
CONNECT_SECONDS: Final = 60.0
TAIL_LINES: Final = 60
PF_MODALIAS: Final = "v00008086d000010C9"


@contextmanager
def running_vm(
    image: Image | None = None,
    *,
    hardware: Hardware = IGB_ALONE,
    disks: Disks = FORGETFUL,
) -> Iterator["Vm"]:
    """Boot a guest, or have it go on from its snapshot; hand it out, end it.

    Changes to its disk last over reboots, and are gone at the end where `disks` has no overlay. What it writes is
    beside its image meanwhile.
    """
    image = image or guest_image()
    with (
        scratch_folder(image.folder.parent) as folder,
        tempfile.TemporaryDirectory(prefix="sriov-lab-") as sockets,  # whose paths have 107 bytes at most
    ):
        vm = Vm(image, folder, Path(sockets), hardware, disks)
        try:
            vm.begin()
            yield vm
        finally:
            vm.close()


class Vm:
    """A guest with two igb PFs; see `running_vm`. Paths are the guest's, commands run as root in a shell."""

    def __init__(self, image: Image, folder: Path, sockets: Path, hardware: Hardware, disks: Disks) -> None:
        self.image, self._folder, self._sockets, self._hardware, self._disks = image, folder, sockets, hardware, disks
        self._plugged: set[str] = set()
        self._start()

    def _start(self) -> None:
        self._qemu = Qemu(self.image, self._folder, self._sockets / "qmp", self._hardware, self._disks)
        self._answers = Answers(port=self._qemu.answers_port, secret=self.image.secret)
        self._ssh = Ssh(self._sockets, key=self.image.ssh_key, port=self._qemu.ssh_port)

    def run(self, command: str, *, timeout_seconds: float = 120) -> Completed:
        """Raise subprocess.TimeoutExpired when it takes too long; the command then goes on in the guest."""
        return self._answers.run(command, timeout_seconds=timeout_seconds)

    def check(self, command: str, *, timeout_seconds: float = 120) -> str:
        """Return stdout, or raise AssertionError with everything the command said."""
        return _succeeded(self.run(command, timeout_seconds=timeout_seconds), command).stdout

    def forwarded(self, guest_port: int) -> AbstractContextManager[int]:
        """Yield a port of the host that leads to one of the guest's, also while nobody listens there."""
        return self._ssh.forwarded(guest_port)

    def fetch(self, path: str) -> str:
        """Return what the guest's service answers to a GET of its metrics port, "" while it does not."""
        return self._answers.fetch(path).decode()

    def write(self, path: str, text: str) -> None:
        """Write a file, making its folder; a new file gets mode 0644. Works for sysfs, too."""
        self._write(path, text.encode())

    def read(self, path: str) -> str:
        """Return a file's content, or raise AssertionError."""
        return _succeeded(self._answers.read(path), f"read {path}").stdout

    def peek(self, path: str, *, offset: int = 0) -> str:
        """Return a file's content from an offset on, "" while there is no such file."""
        return self._answers.read(path, offset=offset).stdout

    def paths(self, *patterns: str) -> list[str]:
        """Return the paths that fit these shell patterns."""
        return self._answers.paths(*patterns)

    def push(self, local_path: Path | str, remote_path: str) -> None:
        self._write(remote_path, Path(local_path).read_bytes())

    def wait_until(self, condition: Callable[[], T], *, deadline_seconds: float, what: str) -> T:
        """Return the first truthy answer of `condition`; at the deadline AssertionError with the last one."""
        return until(condition, deadline_seconds=deadline_seconds, what=what)

    def qmp(self, command: str, **arguments: Any) -> Any:  # noqa: ANN401 (QEMU's words, different for each command)
        return self._qemu.qmp.command(command, arguments)

    def plug_igb(self, root_port: str = "rp3", device_id: str = "hot1", *, mac: str = "52:54:00:1a:b0:11") -> None:
        """Plug an igb; returns before the guest has seen it."""
        self._qemu.plug_igb(root_port, device_id, mac)
        self._plugged.add(device_id)

    def unplug(self, device_id: str = "hot1") -> None:
        """Ask the guest to let the device go and wait until it has (about 5 s); TimeoutError when it does not.

        `igb1` and `igb2` are the two that were there at boot.
        """
        self._qemu.unplug(device_id)
        self._plugged.discard(device_id)

    def save(self, name: str) -> None:
        """Keep the guest as it is now, its memory and its disk, for restore(), until it ends."""
        self._disconnect()
        self._qemu.save(name)
        self._connect_again()

    def restore(self, name: str) -> None:
        """Go back to what save() has kept, in a second; only the clock on the wall goes on."""
        for device_id in sorted(self._plugged):
            self.unplug(device_id)
        self._disconnect()
        self._qemu.load(name)
        self._go_on()

    def _go_on(self) -> None:
        self._connect_again()
        self.check(f"date --set=@{time.time():.3f}")

    def _connect_again(self) -> None:
        def has_answered() -> bool:
            if self._answers.connect():
                return True
            self._check_runs()
            return False

        self.wait_until(has_answered, deadline_seconds=CONNECT_SECONDS, what="the guest's answer")

    def pfs(self) -> list[str]:
        """Return the PCI addresses of all igb PFs in slot order, whatever driver they have."""
        found = self.run(f"grep -l {PF_MODALIAS} /sys/bus/pci/devices/*/modalias").stdout
        return sorted(path.split("/")[-2] for path in found.splitlines())

    def boot_id(self) -> str:
        return self.read("/proc/sys/kernel/random/boot_id").strip()

    def begin(self) -> None:
        """Wait until it can be used: it boots, or goes on from its snapshot."""
        if self._disks.snapshot:
            self._go_on()
        else:
            self.boot()

    def boot(self) -> None:
        """Wait until the guest has started; one that hangs meanwhile is ended, and another one started, once."""
        boot(self._wait_until_started, self._start_again)

    def reboot(self, *, hard: bool = False, wait_for_boot: bool = True) -> None:
        """Reboot; `hard` is the reset button. `wait_for_boot=False` returns at the first answer: units still start."""
        before = self.boot_id()
        self._qemu.qmp.forget_events()
        if hard:
            self.qmp("system_reset")
        else:
            self.run("systemctl reboot")
            self._qemu.qmp.wait_for_event(lambda event: event["event"] == "RESET", deadline_seconds=SHUTDOWN_SECONDS)
        self._disconnect()
        boot(self._wait_until_started if wait_for_boot else self._wait_for_answer, self._reset)
        if self.boot_id() == before:
            raise BootError("the guest has not rebooted")

    def _wait_until_started(self) -> None:
        """Wait until systemd has no start-up jobs left; failed units do not matter."""
        watch = self._wait_for_answer()
        while self._state() not in {"running", "degraded"}:
            self._check(watch)
            time.sleep(POLL_SECONDS)

    def _wait_for_answer(self) -> Watch:
        """Wait for the first answer, early in the boot: it depends on nothing under test."""
        watch = Watch(self._qemu.console, now=self._qemu.usable_time)
        while not self._answers.connect():
            self._check(watch)
        return watch

    def _check(self, watch: Watch) -> None:
        """Raise BootError, with the guest's last words, when it will not start; HungError may still be helped."""
        try:
            self._check_runs()  # first: it is as silent as one that hangs, and would stop again
            watch.check(has_ended=self._qemu.process.poll() is not None)
        except BootError as error:
            raise type(error)(f"{error}\n{self._qemu.output()}\n{self.console_tail()}") from error

    def _check_runs(self) -> None:
        """Raise BootError when QEMU has stopped the guest."""
        if why := self._qemu.stopped():
            raise BootError(why)

    def _state(self) -> str:
        try:
            command = f"timeout {STATE_SECONDS} systemctl is-system-running --wait"
            return self.run(command, timeout_seconds=ANSWER_SECONDS).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def _start_again(self) -> str:
        """End it and start another one; what is known of the one that hangs."""
        known = self._qemu.registers()
        self.close()
        self._start()
        return known

    def _reset(self) -> str:
        """Begin anew, with the disk and the NICs as they are; what is known of the boot that hangs."""
        known = self._qemu.registers()
        self._disconnect()
        self.qmp("system_reset")
        return known

    def shutdown(self) -> None:
        """Power off the clean way; subprocess.TimeoutExpired when the guest hangs on its way out."""
        self.run("systemctl poweroff")
        self._qemu.process.wait(SHUTDOWN_SECONDS)

    def quit(self) -> None:
        """End it as it is, with the disk written."""
        self._disconnect()
        self._qemu.quit()

    def close(self) -> None:
        """End the VM at once, in whatever state; may be called twice."""
        self._disconnect()
        self._qemu.kill()

    def _disconnect(self) -> None:
        self._answers.disconnect()
        self._ssh.disconnect()

    @functools.cached_property
    def host(self) -> Host:
        """The guest for pytest-testinfra, by ssh."""
        return testinfra.get_host(f"ssh://{HOST}", ssh_config=str(self.ssh_config), controlpersist=0)

    @property
    def ssh_config(self) -> Path:
        """For clients of ssh: `ssh -F CONFIG lab`."""
        return self._ssh.config

    def last_words(self) -> str:
        """Return what helps to understand a failure: the console's end and the journal of the service under test."""
        if why := self._qemu.stopped():
            return f"{why}\n{self.console_tail()}"
        try:
            journal = self.run("journalctl -b --no-pager -u sriov-bootstrap -n 60", timeout_seconds=30).stdout
        except subprocess.TimeoutExpired:
            journal = "no answer"
        return f"{self.console_tail()}\n--- journal of sriov-bootstrap:\n{journal}"

    def console_tail(self) -> str:
        text = self._qemu.console.read_text(errors="replace") if self._qemu.console.exists() else ""
        return "\n".join(["--- console:", *[line for line in text.splitlines() if line.strip()][-TAIL_LINES:]])

    def serial_tail(self) -> str:
        """Return what the guest wrote to /dev/ttyS1, a channel of the tests' own."""
        return self._qemu.second_serial.read_text(errors="replace")

    def _write(self, path: str, content: bytes) -> None:
        command = f"mkdir -p {shlex.quote(str(Path(path).parent))} && cat > {shlex.quote(path)}"
        _succeeded(self._answers.run(command, timeout_seconds=120, stdin=content), command)


def _succeeded(completed: Completed, command: str) -> Completed:
    if completed.rc != 0:
        raise AssertionError(f"{command}\nrc {completed.rc}\nstdout: {completed.stdout}\nstderr: {completed.stderr}")
    return completed
