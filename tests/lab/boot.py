"""Whether a guest still boots, and what is done when it does not.

A guest may hang, or its kernel panic, because an emulated CPU has to wait for this machine. So its console is watched.
A healthy boot is never silent for long: the kernel and systemd print what they start, and while systemd waits for
something it prints that, too. A guest that has been silent for SILENT_SECONDS, or panicked, is started again, once in a
boot, and counted. The time that its emulator waited for a processor does not count: a busy machine is no fault of the
guest's. Nor is a disk without room, for which QEMU stops it: that is said, and not tried again.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Between kernel and systemd a guest among four on two processors was silent for 22 s. The kernel's own word about a CPU
# that stalls comes after 120 s (qemu.KERNEL_ARGUMENTS), so that it does not pass for progress.
SILENT_SECONDS: Final = 75.0
BOOT_SECONDS: Final = 360.0
PANIC: Final = re.compile(rb"Kernel panic - not syncing: [^\r\n]*(?=[\r\n])")


class BootError(Exception):
    """The guest is not there; the text ends with its last words."""


class HungError(BootError):
    """The guest has printed nothing for SILENT_SECONDS, and has not started; or its kernel has panicked."""


@dataclass(slots=True)
class Boots:
    """What this process has seen of guests that start; `hung` has a line for each boot that was tried again."""

    count: int = 0
    hung: list[str] = field(default_factory=list)

    def add(self, count: int, hung: list[str]) -> None:
        """Take over what another process has seen."""
        self.count += count
        self.hung += hung

    def __str__(self) -> str:
        again = f", {len(self.hung)} of them tried again because the guest hung" if self.hung else ""
        return "\n".join([f"lab: {self.count} boots of guests{again}", *(f"lab:   {line}" for line in self.hung)])


SEEN: Final = Boots()


class Watch:
    """A boot under way: `check` raises HungError when the guest will not start any more."""

    def __init__(self, console: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._began = self._grew = now()
        self._offset = self._size = self._length()

    def check(self, *, has_ended: bool = False) -> None:
        """Raise HungError for a guest that hangs; BootError at the end of BOOT_SECONDS, or when QEMU has ended."""
        if has_ended:
            raise BootError("QEMU has ended")
        size, now = self._length(), self._now()
        if panic := self._panic():
            raise HungError(f"{panic}, {now - self._began:.0f} s after")
        if size != self._size:
            self._size, self._grew = size, now
        if now - self._grew > SILENT_SECONDS:
            raise HungError(f"nothing on the console for {now - self._grew:.0f} s, {now - self._began:.0f} s after")
        if now - self._began > BOOT_SECONDS:
            raise BootError(f"no end of the boot after {BOOT_SECONDS:.0f} s, though the console has grown")

    def _panic(self) -> str:
        """Return what the kernel says of its end, "" while it goes on."""
        try:
            found = PANIC.search(self._console.read_bytes(), self._offset)
        except FileNotFoundError:
            return ""
        return found[0].decode(errors="replace") if found else ""

    def _length(self) -> int:
        try:
            return self._console.stat().st_size
        except FileNotFoundError:
            return 0


def boot(wait: Callable[[], object], again: Callable[[], str]) -> None:
    """Wait for a boot to end; when the guest hangs let `again` begin another one, and wait for that.

    `again` returns what is known of the guest that hangs.
    """
    SEEN.count += 1
    try:
        wait()
    except HungError as error:
        SEEN.hung.append(f"{str(error).splitlines()[0]}; {again()}")
        wait()


def waited_seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """How long a process could not run for want of a processor: that thread of it which waited longest.

    The second number of schedstat, in nanoseconds (Documentation/scheduler/sched-stats.rst); 0 where there is none.
    """
    texts = []
    for task in (proc / f"{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread may end
            texts.append(task.read_text())
    return max((int(text.split()[1]) for text in texts), default=0) / 1e9


@contextmanager
def said() -> Iterator[None]:
    """Print at the end what boots were seen, if there was anything to see."""
    try:
        yield
    finally:
        if SEEN.hung:
            print(SEEN, flush=True)
