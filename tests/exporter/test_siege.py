"""The exporter as a process: besieged, and asked by curl and openssl."""

import contextlib
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bcrypt
import pytest

from certificates import Authority
from exporting import Exporter, exporting, put_page
from service import ENOUGH, scrape
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.exporter.endpoint import ACCEPT_BATCH, MAX_BURST, MAX_CONNECTIONS
from sriov_bootstrap.machine.web_access import WebAccess

SCRAPES = 2000
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
IN_TRANSIT = 4 * ACCEPT_BATCH  # accepted and not counted yet, or dropped and not closed yet: a few turns of the loop


@pytest.fixture
def many_files() -> Iterator[None]:
    """For the sockets of our side."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Usage:
    """What a process has, and the most that it ever had when we looked."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.files = self.threads = self.kilobytes = 0

    def look(self) -> None:
        status = dict(line.split(":\t", 1) for line in (self._proc / "status").read_text().splitlines())
        self.files = max(self.files, len(list((self._proc / "fd").iterdir())))
        self.threads = max(self.threads, int(status["Threads"]))
        self.kilobytes = max(self.kilobytes, int(status["VmRSS"].split()[0]))


def siege(port: int, usage: Usage) -> list[bytes]:
    """500 idle peers, 50 with a header of 1 MB, 50 that drip theirs, and beside them thousands of scrapes at once."""
    with contextlib.ExitStack() as peers:
        bad, good = [], []
        for number in range(600):
            bad.append(peers.enter_context(closing(socket.create_connection(("127.0.0.1", port)))))
            bad[-1].setblocking(False)  # noqa: FBT003 - the method's own signature
            if number < 100:
                say(bad[-1], b"GET / HTTP/1.1\r\nX: " + b"x" * (2**20 if number % 2 else 10))
        for number in range(SCRAPES):
            good.append(peers.enter_context(closing(socket.create_connection(("127.0.0.1", port), ENOUGH))))
            good[-1].sendall(REQUEST)
            say(bad[number % 50 * 2], b"x")
            if number % 20 == 0:
                usage.look()
        return [answer_to(one) for one in good]


def say(peer: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it was thrown out, or nobody reads what it says
        peer.send(data)


def answer_to(peer: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := peer.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.usefixtures("many_files")
def test_a_siege_costs_bounded_memory_and_sockets_and_no_thread(tmp_path: Path) -> None:
    put_page(tmp_path, b"sriov_pf_present 1.0\n" * 500)
    with exporting(tmp_path) as exporter:
        scrape(exporter.port)
        before, during = Usage(exporter.process.pid), Usage(exporter.process.pid)
        before.look()
        answers = siege(exporter.port, during)
        assert sum(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers) == SCRAPES
        assert b'sriov_bootstrap_http_refused_total{reason="malformed"} 0.0\n' not in scrape(exporter.port)
        assert during.threads == 1
        assert MAX_CONNECTIONS < during.files <= before.files + MAX_BURST + IN_TRANSIT
        assert during.kilobytes < before.kilobytes + 16 * 1024
        code, log = exporter.stop()
    assert code == 0
    assert "Traceback" not in log


class Site:
    """Certificates, and web.yml."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "site"
        self.port = 0
        self.authority = Authority(self.folder, "site")
        self.authority.issue("server")
        self.authority.issue("prometheus")
        self.web = self.folder / "web.yml"

    @contextlib.contextmanager
    def exporting(self) -> Iterator[Exporter]:
        """With what is in force now."""
        with exporting(self.folder.parent, credential.dump(WebAccess(str(self.web)).read())) as exporter:
            self.port = exporter.port
            yield exporter

    def configure(self, **passwords: str) -> None:
        hashes = {name: bcrypt.hashpw(one.encode(), bcrypt.gensalt(4)).decode() for name, one in passwords.items()}
        users = "".join(f"  {name}: {hashed}\n" for name, hashed in hashes.items())
        self.web.write_text(
            "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: site.crt\n"
            f"  client_auth_type: RequireAndVerifyClientCert\nbasic_auth_users:\n{users}"
        )

    def curl(self, *arguments: str, name: str = "prometheus") -> tuple[int, str]:
        """curl's exit code, and the HTTP status."""
        own = ["--cacert", "site.crt", *(["--cert", f"{name}.crt", "--key", f"{name}.key"] if name else [])]
        argv = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", *own, *arguments]
        argv += [f"https://127.0.0.1:{self.port}/metrics"]
        ended = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False, timeout=ENOUGH)
        return ended.returncode, ended.stdout

    def s_client(self, *arguments: str) -> str:
        connect = ["s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", "site.crt", "-verify_return_error"]
        argv = ["openssl", *connect, *arguments]
        ended = subprocess.run(argv, cwd=self.folder, input=b"", capture_output=True, check=False, timeout=ENOUGH)
        return ended.stdout.decode(errors="replace")


def test_curl_and_openssl_see_what_web_config_lets_them_see(tmp_path: Path) -> None:
    put_page(tmp_path, b"sriov_pf_present 1.0\n")
    site = Site(tmp_path)
    site.configure(prometheus="old")
    with site.exporting() as exporter:
        assert site.curl("-u", "prometheus:old") == (0, "200")
        assert site.curl("-u", "prometheus:wrong") == (0, "401")
        assert site.curl() == (0, "401")
        assert site.curl("-u", "prometheus:old", name="")[1] == "000"
        assert site.curl("-u", "prometheus:old", "--http2", "--tlsv1.3") == (0, "200")
        shown = site.s_client("-cert", "prometheus.crt", "-key", "prometheus.key")
        assert "Verify return code: 0 (ok)" in shown
        assert "subject=CN = server" in shown.replace("CN=server", "CN = server")
        said = site.s_client("-tls1_1")
        assert "no protocols available" in said or "Cipher is (NONE)" in said
        usage = Usage(exporter.process.pid)
        usage.look()
        assert usage.threads == 1
        code, log = exporter.stop()
    assert code == 0
    (guess,) = [line for line in log.splitlines() if line.startswith("<4>metrics: a wrong user or password")]
    assert guess.endswith(" | address=127.0.0.1 user=prometheus")
    assert not {"msgspec", "yaml", "bcrypt"} & exporter.modules  # a password is checked in a child

    site.configure(prometheus="new")
    site.authority.issue("next")
    for ending in ("key", "crt"):
        (site.folder / f"next.{ending}").replace(site.folder / f"server.{ending}")
    with site.exporting():
        assert site.curl("-u", "prometheus:old") == (0, "401")
        assert site.curl("-u", "prometheus:new") == (0, "200")
        assert "CN = next" in site.s_client().replace("CN=next", "CN = next")
