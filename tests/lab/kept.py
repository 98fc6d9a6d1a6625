"""Guests that the cache keeps: with the package under test at work, as a snapshot that every run goes on from.

Boot and installation take a guest two minutes, and each process that runs tests has guests of its own. So this is done
once for each package; going on takes seconds.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from .building import DISK_FULL, BuildError, run
from .cache import HERE, cached_folder, digest, files_below, step
from .consumers import newest_package
from .emulator import PROGRAM, Emulator, emulator
from .host import READY, Guest
from .image import Image
from .qemu import Disks, Hardware
from .scratch import scratch_folder
from .vm import running_vm

G = TypeVar("G", bound=Guest)

# With guest/, what decides what such a guest is.
MAKERS: Final = (
    "boot.py",
    "bytecode.py",
    "conftest.py",
    "consumers.py",
    "host.py",
    "kept.py",
    "openstack_host.py",
    "qemu.py",
    "vm.py",
)
DISK: Final = "disk.qcow2"
CURSOR: Final = "cursor"
MEGABYTES: Final = 4000
NEWEST: Final = 2  # of each kind: a package is soon followed by the next
# The clock jumps by the age of the snapshot, and whatever the calendar says is due would run beside each test.
STOP_TIMERS: Final = "systemctl stop '*.timer'"


@dataclass(frozen=True, slots=True)
class Kept(Generic[G]):
    """A guest in the cache."""

    folder: Path
    image: Image
    hardware: Hardware
    kind: type[G]

    @contextmanager
    def running(self) -> Iterator[G]:
        """Yield a guest that goes on from there, saved as READY; BuildError where its disk has no room, BootError."""
        with scratch_folder(self.folder.parent) as folder:
            disk = folder / DISK
            _copy(self.folder / DISK, disk)
            with running_vm(self.image, hardware=self.hardware, disks=Disks(overlay=disk, snapshot=READY)) as vm:
                guest = self.kind(vm)
                guest.take_up(READY, (self.folder / CURSOR).read_text())
                yield guest


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise BuildError(f"lab: no guest can go on from the cache: {error}: {DISK_FULL}") from error


def emulator_words(qemu: Emulator) -> list[str]:
    """Return what tells a QEMU from another, which may not go on from its snapshots.

    This machine's own has the same command after an upgrade.
    """
    [word] = [word for word in qemu.command if Path(word).name == PROGRAM]
    stat = Path(shutil.which(word) or word).stat()
    return [*qemu.command, str(stat.st_size), str(stat.st_mtime_ns)]


def kept(image: Image, hardware: Hardware, kind: type[G], prepare: Callable[[G], None]) -> Kept[G]:
    """Return what `prepare` makes of a guest that has just booted, cached or made now; BuildError, BootError."""
    stat = image.disk.stat()  # one that was built anew under the same name is another
    words = (image.folder.name, str(stat.st_ino), str(stat.st_mtime_ns), repr(hardware), kind.__name__)
    package = hashlib.sha256(newest_package().read_bytes()).hexdigest()
    inputs = [*(HERE / name for name in MAKERS), *files_below(HERE / "guest")]
    name = image.folder.name.rpartition("-")[0]

    def build(scratch: Path) -> None:
        folder = scratch / "image"
        folder.mkdir()
        disk = folder / DISK
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.disk), "-F", "raw", str(disk)])
        with (
            step(f"{name} guest: boot it and install the package"),
            running_vm(image, hardware=hardware, disks=Disks(overlay=disk)) as vm,
        ):
            guest = kind(vm)
            prepare(guest)
            guest.check(STOP_TIMERS)
            guest.save()
            (folder / CURSOR).write_text(guest.journal_cursor)
            vm.quit()

    key = f"kept-{name}-{digest(inputs, *words, *emulator_words(emulator()), package)}"
    return Kept(cached_folder(key, build, megabytes=MEGABYTES, newest=NEWEST), image, hardware, kind)
