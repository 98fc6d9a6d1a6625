"""Whether a guest still boots, and what is done when it does not.

An emulated CPU can lose a timer while the kernel starts: the guest then waits for ever, without a word. So its console
is watched. A healthy boot is never silent for long: the kernel and systemd print what they start, and while systemd
waits for something it prints that, too. A guest that has been silent for SILENT_SECONDS is reset, once in a boot, and
counted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Between kernel and systemd a guest among four on two processors was silent for 22 s. The kernel's own word about a CPU
# that stalls comes after 120 s (qemu.KERNEL_ARGUMENTS), so that it does not pass for progress.
SILENT_SECONDS: Final = 75.0
BOOT_SECONDS: Final = 360.0


class BootError(Exception):
    """The guest is not there; the text ends with its last words."""


class SilentError(BootError):
    """The guest has printed nothing for SILENT_SECONDS, and has not started."""


@dataclass(slots=True)
class Boots:
    """What this process has seen of guests that start; `silent` has a line for each boot that was tried again."""

    count: int = 0
    silent: list[str] = field(default_factory=list)

    def add(self, count: int, silent: list[str]) -> None:
        """Take over what another process has seen."""
        self.count += count
        self.silent += silent

    def __str__(self) -> str:
        again = f", {len(self.silent)} of them tried again because the guest fell silent" if self.silent else ""
        return "\n".join([f"lab: {self.count} boots of guests{again}", *(f"lab:   {line}" for line in self.silent)])


SEEN: Final = Boots()


class Watch:
    """A boot under way: `check` raises SilentError once the console has not grown for too long."""

    def __init__(self, console: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._began = self._grew = now()
        self._size = self._length()

    def check(self, *, has_ended: bool = False) -> None:
        """Raise SilentError; BootError at the end of BOOT_SECONDS, or when QEMU has ended."""
        if has_ended:
            raise BootError("QEMU has ended")
        size, now = self._length(), self._now()
        if size != self._size:
            self._size, self._grew = size, now
        if now - self._grew > SILENT_SECONDS:
            raise SilentError(f"nothing on the console for {now - self._grew:.0f} s, {now - self._began:.0f} s after")
        if now - self._began > BOOT_SECONDS:
            raise BootError(f"no end of the boot after {BOOT_SECONDS:.0f} s, though the console has grown")

    def _length(self) -> int:
        try:
            return self._console.stat().st_size
        except FileNotFoundError:
            return 0


def boot(wait: Callable[[], object], again: Callable[[], str]) -> None:
    """Wait for a boot to end; when the guest falls silent let `again` begin another one, and wait for that.

    `again` returns what is known of the guest that hangs.
    """
    SEEN.count += 1
    try:
        wait()
    except SilentError as error:
        SEEN.silent.append(f"{str(error).splitlines()[0]}; {again()}")
        wait()


@contextmanager
def said() -> Iterator[None]:
    """Print at the end what boots were seen, if there was anything to see."""
    try:
        yield
    finally:
        if SEEN.silent:
            print(SEEN, flush=True)
