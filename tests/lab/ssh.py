"""ssh into the guest: one lasting connection that every command shares."""

import contextlib
import http.client
import os
import select
import shlex
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

HOST: Final = "lab"
ANSWER: Final = Path(__file__).parent / "guest" / "answer.py"
ANSWER_SECONDS: Final = 60.0
LOST: Final = 255  # ssh's own exit status for a connection that is gone
GREETING_SECONDS: Final = 1.5
HANDSHAKE_SECONDS: Final = 30.0
FETCH_SECONDS: Final = 20.0
# The metrics: asked so often that a process in the guest for each question would cost more than the answer.
FETCHED_PORT: Final = 10049

CONFIG: Final = """\
Host {host}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile {folder}/known_hosts
    KexAlgorithms curve25519-sha256
    LogLevel ERROR
    ControlPath {folder}/ssh
    ConnectTimeout 30
"""


def greeting_seconds(waited_seconds: float) -> float:
    """Return how long to wait for sshd's greeting in a boot that has taken so long.

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


class Answerer:
    """A process in the guest that answers one question after the other: guest/answer.py has the protocol."""

    def __init__(self, client: list[str]) -> None:
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self._client = subprocess.Popen(client, stdin=pipe, stdout=pipe, stderr=null, bufsize=0)

    def ask(self, kind: str, question: str, more: bytes, timeout_seconds: float) -> Completed:
        """Raise EOFError or OSError when the connection is lost, subprocess.TimeoutExpired at the deadline."""
        deadline = time.monotonic() + timeout_seconds
        text = question.encode()
        try:
            self._write(struct.pack(">cII", kind.encode(), len(text), len(more)) + text + more, deadline)
            rc, out_length, err_length = struct.unpack(">BII", self._read(9, deadline))
            out, err = self._read(out_length, deadline), self._read(err_length, deadline)
        except TimeoutError:
            raise subprocess.TimeoutExpired(question, timeout_seconds) from None
        return Completed(rc, out.decode(errors="replace"), err.decode(errors="replace"))

    def close(self) -> None:
        """Let go of it; a command that is under way goes on."""
        self._client.kill()
        self._client.communicate()

    def _write(self, content: bytes, deadline: float) -> None:
        assert self._client.stdin
        descriptor = self._client.stdin.fileno()
        while content:
            if not select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError
            content = content[os.write(descriptor, content[: select.PIPE_BUF]) :]

    def _read(self, length: int, deadline: float) -> bytes:
        assert self._client.stdout
        descriptor, parts = self._client.stdout.fileno(), []
        while length:
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(descriptor, length)
            if not part:
                raise EOFError("end of file")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class Ssh:
    """Commands as root. `config` serves every other client of the same connection: `ssh -F CONFIG lab`."""

    def __init__(self, folder: Path, *, key: Path, port: int) -> None:
        self.config = folder / "ssh_config"
        self.config.write_text(CONFIG.format(host=HOST, port=port, key=key, folder=folder))
        self._port = port
        self._socket = folder / "ssh"
        self._fetched = folder / "fetched"
        self._master: subprocess.Popen[bytes] | None = None
        self._answerer: Answerer | None = None
        self._waiting_since: float | None = None

    def connect(self) -> bool:
        """Return whether the guest has answered and the connection is there; waits for `greeting_seconds`."""
        return self._answers() and self._start_master()

    def run(self, command: str, *, timeout_seconds: float, stdin: bytes = b"") -> Completed:
        """Raise subprocess.TimeoutExpired when it takes too long; the command then goes on in the guest."""
        return self._ask("c", command, stdin, timeout_seconds)

    def read(self, path: str, *, offset: int = 0) -> Completed:
        """Return a file's content from an offset on; rc 1 when it cannot be read."""
        return self._ask("r", path, str(offset).encode(), ANSWER_SECONDS)

    def paths(self, *patterns: str) -> list[str]:
        """Return the paths that fit shell patterns, sorted for each."""
        return self._ask("p", "\n".join(patterns), b"", ANSWER_SECONDS).stdout.splitlines()

    def _ask(self, kind: str, question: str, more: bytes, timeout_seconds: float) -> Completed:
        self._answerer = self._answerer or Answerer(self._client(f"exec python3 -c {shlex.quote(ANSWER.read_text())}"))
        try:
            return self._answerer.ask(kind, question, more, timeout_seconds)
        except (OSError, EOFError, subprocess.TimeoutExpired) as error:
            self._let_answerer_go()
            if isinstance(error, subprocess.TimeoutExpired):
                raise
            return Completed(LOST, "", f"the connection is lost: {error}")

    def _let_answerer_go(self) -> None:
        if self._answerer:
            self._answerer.close()
            self._answerer = None

    def _client(self, command: str) -> list[str]:
        return ["ssh", "-F", str(self.config), "-T", HOST, "--", command]

    def fetch(self, path: str) -> bytes:
        """Return the body of an HTTP answer from FETCHED_PORT; nothing while nobody answers there with 200."""
        connection = http.client.HTTPConnection("localhost", timeout=FETCH_SECONDS)
        with contextlib.closing(connection), socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(FETCH_SECONDS)
            connection.sock = channel
            try:
                channel.connect(str(self._fetched))
                connection.request("GET", path, headers={"Connection": "close"})
                answer = connection.getresponse()
                return answer.read() if answer.status == HTTPStatus.OK else b""
            except (OSError, http.client.HTTPException):
                return b""

    @contextmanager
    def forwarded(self, guest_port: int) -> Iterator[int]:
        """Yield a port of the host's loopback interface that leads to one of the guest's."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        rule = f"127.0.0.1:{port}:localhost:{guest_port}"
        self._control("forward", rule)
        try:
            yield port
        finally:
            self._control("cancel", rule)

    def _control(self, command: str, rule: str) -> None:
        subprocess.run(["ssh", "-F", str(self.config), "-O", command, "-L", rule, HOST], check=True, timeout=30)

    def disconnect(self) -> None:
        self._let_answerer_go()
        if self._master:
            self._master.kill()  # asked to end, it may wait for a guest that does not answer
            self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        """QEMU accepts connections long before the guest does, so only sshd's greeting proves anything."""
        now = time.monotonic()
        self._waiting_since = self._waiting_since or now
        seconds = greeting_seconds(now - self._waiting_since)
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=seconds) as probe:
                if probe.recv(4) == b"SSH-":
                    self._waiting_since = None
                    return True
        except OSError:
            pass
        time.sleep(0.1)
        return False

    def _start_master(self) -> bool:
        self.disconnect()
        command = ["ssh", "-F", str(self.config), "-o", "ControlMaster=yes", "-o", "StreamLocalBindUnlink=yes"]
        command += ["-L", f"{self._fetched}:localhost:{FETCHED_PORT}", "-N", "-T", HOST]
        self._master = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        while self._master.poll() is None and time.monotonic() < deadline:
            if self._socket.exists():
                return True
            time.sleep(0.05)
        return False
