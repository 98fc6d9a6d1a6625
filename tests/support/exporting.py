"""The exporter whole, as a process, and the service manager that gives it its sockets."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from service import ENOUGH
from sriov_bootstrap.edges.metrics import page_file
from sriov_bootstrap.exporter import credential

PAGE = "run/sriov-bootstrap/state/metrics.prom"
OPEN_TO_ALL = credential.dump(credential.Access())
RUN = """\
import atexit, json, os, sys
os.dup2(int(sys.argv[3]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
atexit.register(lambda: open(sys.argv[2], "w").write(json.dumps(sorted(sys.modules))))
from sriov_bootstrap.cli import main
sys.exit(main(["helper", "metrics"], root=sys.argv[1]))
"""


class Exporter:
    """On a port that is open before it runs."""

    def __init__(self, root: Path, access: bytes | None = OPEN_TO_ALL, *, sockets: int = 1) -> None:
        credentials = root / "credentials"
        credentials.mkdir(parents=True, exist_ok=True)
        (credentials / credential.NAME).unlink(missing_ok=True)
        if access is not None:
            (credentials / credential.NAME).write_bytes(access)
        self._modules = root / "modules.json"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        environment = {"LISTEN_FDS": str(sockets), "CREDENTIALS_DIRECTORY": str(credentials), "PATH": "/usr/bin:/bin"}
        argv = [sys.executable, "-I", "-c", RUN, str(root), str(self._modules), str(self.listener.fileno())]
        self.process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(self.listener.fileno(),),
        )

    @property
    def modules(self) -> set[str]:
        """What it had loaded when it ended."""
        return set(json.loads(self._modules.read_text()))

    def stop(self) -> tuple[int, str]:
        """Exit code and log."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=ENOUGH)
        return self.process.returncode, err.decode()


@contextlib.contextmanager
def exporting(root: Path, access: bytes | None = OPEN_TO_ALL, *, sockets: int = 1) -> Iterator[Exporter]:
    exporter = Exporter(root, access, sockets=sockets)
    try:
        yield exporter
    finally:
        exporter.process.kill()
        exporter.process.communicate()
        exporter.listener.close()


def put_page(root: Path, text: bytes) -> None:
    """As the daemon does."""
    path = root / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(page_file(text))
    new.chmod(0o644)
    new.replace(path)


def wait_until_serving(port: int) -> None:
    """A healthy answer: the socket is open before anybody serves."""
    deadline = time.monotonic() + ENOUGH
    with socket.create_connection(("127.0.0.1", port), ENOUGH) as peer:
        peer.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while peer.recv(4096):
            assert time.monotonic() < deadline
