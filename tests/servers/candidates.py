"""The three who serve the page, each started as systemd starts ours: with a socket that is open already."""

import json
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from certificates import Authority
from exporting import RUN, put_page
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.machine.web_access import WebAccess

FOLDER: Final = Path(__file__).parent
VENV: Final = Path(__file__).parents[2] / "build/servers/venv"
FILES: Final = 1024  # that a process may have open: systemd's default
QUEUE: Final = 1024  # of the socket unit
PATIENCE_SECONDS: Final = 30.0
HEALTHY: Final = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SCRAPE: Final = HEALTHY.replace(b"/-/healthy", b"/metrics")


@dataclass(frozen=True, slots=True)
class Site:
    """What is to be served. `root` is ours, with the page in it; `hashes` as in web_config."""

    root: Path
    authority: Authority | None = None
    cert: Path | None = None
    key: Path | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)

    def put(self, page: bytes) -> None:
        put_page(self.root, page)
        self.page.write_bytes(page)

    @property
    def page(self) -> Path:
        """For those who know nothing of ours."""
        return self.root / "page.prom"

    @property
    def modules(self) -> Path:
        return self.root / "modules.json"


def _ours(site: Site, listener: int) -> tuple[list[str], dict[str, str]]:
    web = site.root / "web.yml"
    tls = f"tls_server_config:\n  cert_file: {site.cert}\n  key_file: {site.key}\n" if site.cert else ""
    users = "".join(f"  {name}: {hashed}\n" for name, hashed in site.hashes.items())
    web.write_text(tls + (f"basic_auth_users:\n{users}" if users else ""))
    access = WebAccess(str(web)).read() if tls or users else credential.Access()
    (site.root / credential.NAME).write_bytes(credential.dump(access))
    argv = [sys.executable, "-I", "-c", RUN, str(site.root), str(site.modules), str(listener)]
    return argv, {"LISTEN_FDS": "1", "CREDENTIALS_DIRECTORY": str(site.root)}


def _adapter(script: str) -> Callable[[Site, int], tuple[list[str], dict[str, str]]]:
    def command(site: Site, listener: int) -> tuple[list[str], dict[str, str]]:
        told = site.root / "job.json"
        cert, key = (str(path) if path else "" for path in (site.cert, site.key))
        told.write_text(json.dumps({"cert": cert, "key": key, "page": str(site.page), "users": dict(site.hashes)}))
        script_path = str(FOLDER / script)
        return [str(VENV / "bin/python"), script_path, str(told), str(site.modules), str(listener)], {}

    return command


CANDIDATES: Final = {
    "ours": _ours,
    "aiohttp": _adapter("with_aiohttp.py"),
    "hypercorn": _adapter("with_hypercorn.py"),
}


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=QUEUE)


class Server:
    """One of them at work."""

    def __init__(self, name: str, site: Site, listener: socket.socket) -> None:
        self.name = name
        self.site = site
        self.port = int(listener.getsockname()[1])
        site.modules.unlink(missing_ok=True)
        argv, environment = CANDIDATES[name](site, listener.fileno())
        environment["PATH"] = "/usr/bin:/bin"
        self._log = site.root / "log"
        began = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stderr=log, pass_fds=(listener.fileno(),)
            )
        resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        self._proc = Path(f"/proc/{self._process.pid}")
        if not site.cert:
            ask(self.port, HEALTHY)
        self.start_seconds = time.monotonic() - began

    @property
    def pid(self) -> int:
        return self._process.pid

    def sockets(self) -> int:
        """How many it holds, its listener and what its loop wakes itself with included."""
        return sum(_is_socket(one) for one in (self._proc / "fd").iterdir())

    def kilobytes(self) -> int:
        """PSS, that of its children included."""
        return sum(_pss(one) for one in self._family())

    def stop(self) -> list[str]:
        """Its log."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._log.read_text().splitlines()

    def _family(self) -> Iterator[Path]:
        yield self._proc
        for pid in (self._proc / f"task/{self._process.pid}/children").read_text().split():
            yield Path(f"/proc/{pid}")


@contextmanager
def serving(name: str, site: Site) -> Iterator[Server]:
    with listening() as listener, behind(listener, name, site) as server:
        yield server


@contextmanager
def behind(listener: socket.socket, name: str, site: Site) -> Iterator[Server]:
    server = Server(name, site, listener)
    try:
        yield server
    finally:
        server.stop()


def ask(port: int, request: bytes) -> bytes:
    """What is said until the other side closes, or says nothing more for a while."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as peer:
        parts = []
        try:
            peer.sendall(request)
            while part := peer.recv(1 << 20):
                parts.append(part)
                peer.settimeout(3.0)
        except (TimeoutError, ConnectionError):
            pass
        return b"".join(parts)


def _is_socket(descriptor: Path) -> bool:
    try:
        return str(descriptor.readlink()).startswith("socket:")
    except OSError:
        return False


def _pss(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
