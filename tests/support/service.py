"""The daemon whole, as a process, and the service manager that listens to it."""

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fakes_host import HostTree

RUN = "import sys; from sriov_bootstrap.cli import main; sys.exit(main(sys.argv[2:], root=sys.argv[1]))"
HURRIED = f"from sriov_bootstrap.daemon import inspection; inspection.QUIET_SECONDS = 1.0; {RUN}"
QUIET = '[metrics]\nlisten = ""\n'
ENOUGH = 60.0
MASKS = ("SigIgn", "SigCgt")  # proc_pid_status(5)


class Service:
    """A daemon and the service manager that listens to it."""

    def __init__(self, tree: HostTree, words: tuple[str, ...], program: str = RUN) -> None:
        path = tree.root / "notify"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path.unlink(missing_ok=True)  # of the one before
        self._manager.bind(str(path))
        self._manager.settimeout(ENOUGH)
        environment = {**os.environ, "NOTIFY_SOCKET": str(path)}
        argv = [sys.executable, "-I", "-c", program, str(tree.root), *words]  # -I: the installed package
        self.process = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self._log = b""

    def wait_for(self, text: str) -> str:
        """The first message from now on that has it."""
        while text not in (message := self._manager.recv(4096).decode()):
            pass
        return message

    def wait_for_log(self, text: str) -> None:
        """Until its log has this, whenever that was written."""
        assert self.process.stderr
        deadline = time.monotonic() + ENOUGH
        while text.encode() not in self._log:
            readable, _, _ = select.select([self.process.stderr], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, (text, self._log)
            part = os.read(self.process.stderr.fileno(), 65536)
            assert part, (text, self._log)
            self._log += part

    def pass_by(self, seconds: float) -> None:
        """Lets it work for so long, or until it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def wait_until_it_minds(self, number: signal.Signals) -> None:
        """Until the signal no longer does what it does to any process."""
        status = Path(f"/proc/{self.process.pid}/status")
        while True:
            masks = [int(line.split()[1], 16) for line in status.read_text().splitlines() if line[:6] in MASKS]
            if any(mask >> (number - 1) & 1 for mask in masks):
                return

    def stop(self) -> tuple[int, str, float]:
        """Exit code, log, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=ENOUGH)
        return self.process.returncode, (self._log + err).decode(), time.monotonic() - began

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._manager.close()


@contextlib.contextmanager
def running(tree: HostTree, *words: str, program: str = RUN) -> Iterator[Service]:
    """With these words on its command line; `run` in most tests, where `words` are none.

    `program` HURRIED: doctor looks a second after a pass rather than half a minute.
    """
    service = Service(tree, words or ("run",), program)
    try:
        yield service
    finally:
        service.close()


def scrape(port: int) -> bytes:
    """The endpoint opens right after READY=1."""
    deadline = time.monotonic() + ENOUGH
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ENOUGH)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
        finally:
            connection.close()
