"""Processes under the eyes of the event loop: what a job says, and when some process ends."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

SILENT_SECONDS = 120.0  # a job says something with each step, so this long a silence is a hung read


class Job(Protocol):
    """A process at work; its lines come on `fd`, end-of-file is its end."""

    @property
    def pid(self) -> int: ...
    @property
    def fd(self) -> int: ...


class _Watched:
    """A descriptor that the event loop watches, -1 once it is closed."""

    _fd = -1

    def let_go(self) -> None:
        """Stops watching, whatever the process does; may be called twice."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class Running(_Watched):
    """A job under the eyes of the event loop: calls `ended(last_line)` once, at its end."""

    def __init__(
        self, job: Job, ended: Callable[[bytes], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pid = job.pid
        self.heard_at = clock()
        self._clock = clock
        self._fd = job.fd
        self._ended = ended
        self._text = bytearray()
        os.set_blocking(job.fd, False)
        asyncio.get_running_loop().add_reader(job.fd, self._read)

    @property
    def last_line(self) -> bytes:
        """The last whole line that it has said so far, b"" for none."""
        return bytes(self._text.rpartition(b"\n")[0].rpartition(b"\n")[2])

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fd, 1 << 16):
                self.heard_at = self._clock()
                self._text += chunk
            self.let_go()
            self._ended(bytes(self._text.rstrip(b"\n").rpartition(b"\n")[2]))


class ProcessEnd(_Watched):
    """Calls `ended()` once when the process ends, whatever its parent; never if it is already gone."""

    def __init__(self, pid: int, ended: Callable[[], None]) -> None:
        self._ended = ended
        with contextlib.suppress(OSError):
            self._fd = os.pidfd_open(pid)
            asyncio.get_running_loop().add_reader(self._fd, self._end)

    def _end(self) -> None:
        self.let_go()
        self._ended()
