"""What is said of a QEMU that does not start, or does not go on: with a fake that only speaks QMP."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lab import boot, qmp
from lab.boot import BootError, Boots
from lab.building import BuildError
from lab.emulator import PROGRAM
from lab.host import Guest
from lab.image import Image
from lab.kept import DISK, Kept
from lab.qemu import Disks, Hardware, Qemu
from lab.qmp import QmpError
from lab.vm import FORGETFUL, IGB_ALONE, Vm, running_vm

# BEHAVIOUR is what it does instead of a greeting. The file STATUS has what it says of its guest; CALLS gets its TMPDIR.
# The answer to `slow` waits for a file GO, and is followed by an event. Nobody listens on the guest's ports.
FAKE: Final = """\
import json
import os
import select
import socket
import sys
import time

if "--version" in sys.argv:
    print("QEMU emulator version 11.1.0")
    sys.exit()
with open(os.environ["CALLS"], "a") as calls:
    print(os.environ["TMPDIR"], file=calls)
path = sys.argv[sys.argv.index("-qmp") + 1].removeprefix("unix:").partition(",")[0]
behaviour = os.environ.get("BEHAVIOUR", "")
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
select.select([listener], [], [])
if behaviour == "refuse":
    print("qemu-system-x86_64: cannot load kernel", file=sys.stderr, flush=True)
    sys.exit(1)
connection = listener.accept()[0]
if behaviour == "end":
    print("qemu-system-x86_64: Snapshot 'ready' does not exist", file=sys.stderr, flush=True)
    sys.exit(1)
if behaviour == "wait":
    time.sleep(600)


def say(message):
    connection.sendall(json.dumps(message).encode() + b"\\r\\n")


def answer(request):
    if request["execute"] == "query-status":
        status = open(os.environ["STATUS"]).read()
        return {"running": status == "running", "status": status}
    if request["arguments"].get("command-line") == "info usernet":
        line = "  TCP[HOST_FORWARD] 9 127.0.0.1 {} 10.0.2.15 {} 0 0\\r\\n"
        return line.format(1, 22) + line.format(2, 1022)
    return ""


say({"QMP": {}})
for line in connection.makefile():
    request = json.loads(line)
    if request["execute"] == "slow":
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.01)
        os.unlink(os.environ["GO"])
    say({"return": answer(request), "id": request["id"]})
    if request["execute"] == "slow":
        say({"event": "RESET", "data": {}})
"""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """In a cache of its own, for the fake; boots of its guests are none of the run's."""
    program = tmp_path / "bin" / PROGRAM
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{FAKE}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (tmp_path / "status").write_text("running")
    for name in ("STATUS", "GO", "CALLS"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr(boot, "SEEN", Boots())
    folder = tmp_path / "cache" / "main-1"
    folder.mkdir(parents=True)
    (folder / "ssh_key").write_text("key")
    return Image(folder)


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="sriov-lab-") as folder:
        yield Path(folder)


def open_sockets() -> set[Path]:
    return {path for path in Path("/proc/self/fd").iterdir() if path.is_socket()}


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("refuse", ".*Connection reset by peer\nqemu-system-x86_64: cannot load kernel\n"),
        ("end", "QEMU has closed its control socket\nqemu-system-x86_64: Snapshot 'ready' does not exist\n"),
        ("wait", "timed out\n"),
    ],
)
def test_a_qemu_that_does_not_greet_is_told_with_its_own_words(
    image: Image, sockets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, said: str
) -> None:
    monkeypatch.setenv("BEHAVIOUR", behaviour)
    if behaviour == "wait":
        monkeypatch.setattr(qmp, "COMMAND_SECONDS", 0.2)
    before = open_sockets()
    with pytest.raises(QmpError, match=f"^QEMU did not start: {said}$"):
        Qemu(image, tmp_path, sockets / "qmp", Hardware(), Disks())
    assert open_sockets() <= before


@pytest.fixture
def qemu(image: Image, sockets: Path, tmp_path: Path) -> Iterator[Qemu]:
    qemu = Qemu(image, tmp_path, sockets / "qmp", Hardware(), Disks())
    yield qemu
    qemu.kill()


def test_an_answer_that_comes_too_late_is_neither_an_event_nor_the_answer_to_the_next_command(
    qemu: Qemu, tmp_path: Path
) -> None:
    with pytest.raises(TimeoutError):
        qemu.qmp.command("slow", deadline_seconds=0)
    (tmp_path / "go").touch()
    assert qemu.qmp.wait_for_event(lambda _: True, deadline_seconds=30)["event"] == "RESET"
    with pytest.raises(TimeoutError):
        qemu.qmp.command("slow", deadline_seconds=0)
    (tmp_path / "go").touch()
    assert qemu.qmp.command("query-status")["status"] == "running"


def no_room(folder: str) -> str:
    """Return the pattern of what is said of a guest whose disk grows in a folder of this pattern."""
    return f"^QEMU has stopped the guest: no room in {folder}: make room, or set XDG_CACHE_HOME to "


def test_a_guest_without_room_is_told_at_once_and_is_none_that_hangs(image: Image, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("io-error")
    folder = rf"{re.escape(str(image.folder.parent))}/running-\w+"
    with pytest.raises(BootError, match=no_room(folder)) as caught, running_vm(image):
        pytest.fail("it has booted")
    assert type(caught.value) is BootError
    assert (boot.SEEN.count, boot.SEEN.hung) == (1, [])


def test_a_guest_with_an_overlay_lacks_room_where_that_is(image: Image, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("io-error")
    disks = Disks(overlay=tmp_path / DISK)
    with pytest.raises(BootError, match=no_room(re.escape(str(tmp_path)))), running_vm(image, disks=disks):
        pytest.fail("it has booted")


@pytest.fixture
def vm(image: Image, sockets: Path, tmp_path: Path) -> Iterator[Vm]:
    """A guest that does not answer."""
    vm = Vm(image, tmp_path, sockets, IGB_ALONE, FORGETFUL)
    yield vm
    vm.close()


def test_the_last_words_of_a_guest_without_room_are_why(vm: Vm, tmp_path: Path) -> None:
    assert "no room" not in vm.last_words()
    (tmp_path / "status").write_text("io-error")
    assert re.search(no_room(re.escape(str(tmp_path))), vm.last_words())


def test_a_guest_without_room_is_not_waited_for_when_it_goes_back_to_a_snapshot(vm: Vm, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("io-error")
    with pytest.raises(BootError, match="no room"):
        vm.restore("ready")


def test_a_qemu_that_has_ended_has_stopped_no_guest(vm: Vm, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("io-error")
    vm.close()
    assert "no room" not in vm.last_words()


def test_changes_to_a_disk_without_overlay_are_in_the_cache(image: Image, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("io-error")
    with pytest.raises(BootError), running_vm(image):
        pytest.fail("it has booted")
    [folder] = [Path(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert folder.parent == image.folder.parent
    assert list(image.folder.parent.glob("running-*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk without room")
def test_a_kept_guest_without_room_for_its_disk_is_told(image: Image) -> None:
    cache = image.folder.parent
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "lab-test", cache], check=True)
    try:
        folder = cache / "kept-main-1"
        folder.mkdir()
        (folder / DISK).write_bytes(b"x" * 600_000)
        kept = Kept(folder, image, IGB_ALONE, Guest)
        with pytest.raises(BuildError, match=r"No space left on device.*: the disk is full: make room"), kept.running():
            pytest.fail("it goes on")
        assert list(cache.glob("running-*")) == []
    finally:
        subprocess.run(["umount", cache], check=True)
