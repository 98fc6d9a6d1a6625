"""The guest's answers to what tests ask: guest/base/usr/local/lib/lab/answer.py has the protocol."""

import select
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import Final

PORT: Final = 1022
LOST: Final = 255  # ssh's exit status for a connection that is gone
ANSWER_SECONDS: Final = 60.0
GREETING_SECONDS: Final = 1.5
# The metrics: asked so often that a process in the guest for each question would cost more than the answer.
METRICS_PORT: Final = 10049


def greeting_seconds(waited_seconds: float) -> float:
    """Return how long to wait for a greeting in a boot that has taken so long.

    A connection given up costs the guest as much as one that is used: on a busy machine it would never greet in time,
    and once started pass for a guest that hangs.
    """
    return max(GREETING_SECONDS, waited_seconds / 8)


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended in the guest; rc 255 also stands for a lost connection."""

    rc: int
    stdout: str
    stderr: str


class Connection:
    """A process in the guest that answers one question after the other."""

    def __init__(self, port: int, secret: bytes, timeout_seconds: float) -> None:
        """Raise OSError, TimeoutError among them, or EOFError, when the guest does not greet."""
        deadline = time.monotonic() + timeout_seconds
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_seconds)
        try:
            self._socket.settimeout(0)
            self._write(secret, deadline)
            self._read(len(secret), deadline)  # the same, from who knows it; else the end
        except BaseException:
            self.close()
            raise

    def ask(self, kind: str, question: str, more: bytes, timeout_seconds: float) -> tuple[int, bytes, bytes]:
        """Raise EOFError or OSError when the connection is lost, subprocess.TimeoutExpired at the deadline."""
        deadline = time.monotonic() + timeout_seconds
        text = question.encode()
        try:
            self._write(struct.pack(">cII", kind.encode(), len(text), len(more)) + text + more, deadline)
            rc, out_length, err_length = struct.unpack(">BII", self._read(9, deadline))
            return rc, self._read(out_length, deadline), self._read(err_length, deadline)
        except TimeoutError:
            raise subprocess.TimeoutExpired(question, timeout_seconds) from None

    def close(self) -> None:
        """Let go of it; a command that is under way goes on."""
        self._socket.close()

    def _write(self, content: bytes, deadline: float) -> None:
        while content:
            if not select.select([], [self._socket], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError
            content = content[self._socket.send(content) :]

    def _read(self, length: int, deadline: float) -> bytes:
        parts = []
        while length:
            if not select.select([self._socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = self._socket.recv(length)
            if not part:
                raise EOFError("end of file")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class Answers:
    """Commands as root, and looks at files, over a connection that is made when it is needed."""

    def __init__(self, *, port: int, secret: str) -> None:
        self._port = port
        self._secret = secret.encode()
        self._connection: Connection | None = None
        self._waiting_since: float | None = None

    def connect(self) -> bool:
        """Return whether the guest has answered and the connection is there; waits for `greeting_seconds`."""
        now = time.monotonic()
        self._waiting_since = self._waiting_since or now
        self.disconnect()
        try:
            # QEMU accepts connections long before the guest does, so only the greeting proves anything.
            self._connection = Connection(self._port, self._secret, greeting_seconds(now - self._waiting_since))
        except (OSError, EOFError):
            time.sleep(0.1)
            return False
        self._waiting_since = None
        return True

    def disconnect(self) -> None:
        """Let go of the guest."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def run(self, command: str, *, timeout_seconds: float, stdin: bytes = b"") -> Completed:
        """Raise subprocess.TimeoutExpired when it takes too long; the command then goes on in the guest."""
        return _completed(*self._ask("c", command, stdin, timeout_seconds))

    def read(self, path: str, *, offset: int = 0) -> Completed:
        """Return a file's content from an offset on; rc 1 when it cannot be read."""
        return _completed(*self._ask("r", path, str(offset).encode(), ANSWER_SECONDS))

    def paths(self, *patterns: str) -> list[str]:
        """Return the paths that fit shell patterns, sorted for each."""
        return self._ask("p", "\n".join(patterns), b"", ANSWER_SECONDS)[1].decode().splitlines()

    def fetch(self, path: str) -> bytes:
        """Return the body of an HTTP answer from METRICS_PORT; nothing while nobody answers there with 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:{METRICS_PORT}\r\nConnection: close\r\n\r\n"
        try:
            _, said, _ = self._ask("f", request, str(METRICS_PORT).encode(), ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return b""
        head, _, body = said.partition(b"\r\n\r\n")
        return body if head.split(b" ", 2)[1:2] == [b"200"] else b""

    def _ask(self, kind: str, question: str, more: bytes, timeout_seconds: float) -> tuple[int, bytes, bytes]:
        try:
            self._connection = self._connection or Connection(self._port, self._secret, timeout_seconds)
            return self._connection.ask(kind, question, more, timeout_seconds)
        except subprocess.TimeoutExpired:
            self.disconnect()
            raise
        except (OSError, EOFError) as error:
            self.disconnect()
            return LOST, b"", f"the connection is lost: {error}".encode()


def _completed(rc: int, out: bytes, err: bytes) -> Completed:
    return Completed(rc, out.decode(errors="replace"), err.decode(errors="replace"))
