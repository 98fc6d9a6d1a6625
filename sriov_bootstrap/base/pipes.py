"""What processes of ours write into their pipes, read until a deadline; for edges only."""

import os
import select
import time
from collections.abc import Callable

Waiting = Callable[[float], None]
SAY_SECONDS = 2.0
STDOUT_BYTES = 8 << 20  # of a command; `ip -d` for 64 PFs with 256 VFs each prints less
STDERR_BYTES = 64 << 10
LINE_BYTES = 64 << 20  # of one of our children: as much as state.json may have
CHUNK_BYTES = 1 << 16


class TooLongError(Exception):
    """More output than is ever read."""


def read_last_line(descriptor: int, began: float, timeout_seconds: float, waiting: Waiting) -> bytes | None:
    """The last line at end-of-file, None at the deadline. Raises TooLongError."""
    line = bytearray()
    while chunk := _await_chunk(descriptor, began, timeout_seconds, waiting):
        _go_on(line, chunk)
    return None if chunk is None else bytes(line.rstrip(b"\n"))


def _await_chunk(descriptor: int, began: float, timeout_seconds: float, waiting: Waiting) -> bytes | None:
    """What comes next, b"" at end-of-file, None at the deadline."""
    while (passed := time.monotonic() - began) < timeout_seconds:
        if chunk := _read_chunk([descriptor], time.monotonic() + min(SAY_SECONDS, timeout_seconds - passed)):
            return chunk[1]
        waiting(time.monotonic() - began)
    return None


class PipeLines:
    """What a process writes into a pipe, line by line, each with a deadline of its own."""

    def __init__(self, descriptor: int) -> None:
        """Reads nothing yet."""
        self._descriptor = descriptor
        self._read = bytearray()

    def next(self, timeout_seconds: float, waiting: Waiting) -> bytes | None:
        """Without its line break; b"" at end-of-file, None at the deadline. Raises TooLongError."""
        began = time.monotonic()
        while b"\n" not in self._read:
            chunk = _await_chunk(self._descriptor, began, timeout_seconds, waiting)
            if chunk is None:
                return None
            self._read += chunk
            if len(self._read) > LINE_BYTES:
                raise TooLongError(f"the answer is longer than {LINE_BYTES >> 20} MiB")
            if not chunk:
                self._read += b"\n"  # what was broken off is a line as well
        line, _, self._read = self._read.partition(b"\n")
        return bytes(line)


def _go_on(line: bytearray, chunk: bytes) -> None:
    """`line` becomes the last non-empty line, with its line break if it is complete."""
    text = chunk.rstrip(b"\n")
    _, is_next, last = text.rpartition(b"\n")
    if is_next or (text and line.endswith(b"\n")):
        line.clear()
    line += last
    if text != chunk and not line.endswith(b"\n"):
        line += b"\n"
    if len(line) > LINE_BYTES:
        raise TooLongError(f"the answer is longer than {LINE_BYTES >> 20} MiB")


def read_all(
    texts: dict[int, bytearray], began: float, timeout_seconds: float, waiting: Waiting, *, answer: int
) -> bool:
    """Reads several pipes until each is at its end; False at the deadline. Raises TooLongError for `answer`.

    Of the others only the beginning is kept: they are for people.
    """
    still_open = list(texts)
    while still_open and (passed := time.monotonic() - began) < timeout_seconds:
        found = _read_chunk(still_open, time.monotonic() + min(SAY_SECONDS, timeout_seconds - passed))
        if found is None:
            waiting(time.monotonic() - began)
            continue
        descriptor, chunk = found
        if not chunk:
            still_open.remove(descriptor)
        elif descriptor != answer:
            texts[descriptor] += chunk[: STDERR_BYTES - len(texts[descriptor])]
        else:
            texts[descriptor] += chunk
            if len(texts[descriptor]) > STDOUT_BYTES:
                raise TooLongError(f"it printed more than {STDOUT_BYTES >> 20} MiB and was killed")
    return not still_open


def _read_chunk(descriptors: list[int], deadline: float) -> tuple[int, bytes] | None:
    ready, _, _ = select.select(descriptors, [], [], max(0.0, deadline - time.monotonic()))
    return (ready[0], os.read(ready[0], CHUNK_BYTES)) if ready else None
