"""Who may see the metrics, over real sockets, with real certificates and real bcrypt."""

import asyncio
import base64
import functools
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import bcrypt
import pytest

from certificates import Authority, openssl
from endpoints import LONG, WatchedEndpoint
from guards import children
from promtool import promtool
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.commands.serve_metrics import make_checks
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.exporter.endpoint import GRACE_SECONDS, MAX_CONNECTIONS
from sriov_bootstrap.exporter.password_checks import MAX_WAITING
from sriov_bootstrap.exporter.protocols import AccessRules
from sriov_bootstrap.exporter.public import PUBLIC
from sriov_bootstrap.exporter.refusals import LOOPBACK, Peer, Refusal
from sriov_bootstrap.exporter.serve import make_rules
from sriov_bootstrap.machine.web_access import WebAccess

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
PAGE = b"sriov_pf_present 1.0\n"
CREDENTIALS = ("prometheus", "correct horse")
PAIR = """\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
"""
MUTUAL = f"""\
{PAIR}  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: site.crt
"""

ACCEPTED: set[tuple[tuple[str, bytes], ...]] = set()  # folders like this have been shown to Prometheus' own tool

TWO_SUITES = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"


@functools.cache
def hashed(password: str) -> str:
    """$2y$, as htpasswd writes it, at the lowest cost."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")


def stamp(path: str) -> tuple[int, ...]:
    """Another one for each file that has this name, () for none."""
    with suppress(FileNotFoundError):
        status = os.stat(path)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return ()


class Access:
    """Who hands over and who serves, in one: what is good is in force, and what is not changes nothing."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._handed = b""
        self._checks = make_checks(lambda _: None, self._refused)
        self._rules: AccessRules = PUBLIC

    def rules(self) -> AccessRules:
        if not self._stamps or any(stamp(path) != before for path, before in self._stamps.items()):
            web = WebAccess(str(self._site.path))
            try:
                new = credential.dump(web.read())
            except ConfigError:
                if not self._handed:
                    raise
            else:
                if new != self._handed:
                    self._handed = new
                    self._rules = make_rules(credential.load(new), self._checks, self._refused)
            self._stamps = {path: stamp(path) for path in web.paths}
        return self._rules

    def _refused(self, refusal: Refusal, peer: Peer, user: str) -> None:
        self._site.refused.append((refusal, peer, user))


class Site:
    """A folder with a CA, the service's pair, and web.yml; another CA that nobody here trusts."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.path = folder / "web.yml"
        self.refused: list[tuple[Refusal, Peer, str]] = []
        for file in template.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        self.access = Access(self)

    def configure(self, text: str, *, is_checked: bool = True) -> None:
        """What the tests use is what Prometheus' own tool accepts."""
        self.path.write_text(text)
        files = tuple((file.name, file.read_bytes()) for file in sorted(self.folder.iterdir()) if file.is_file())
        if is_checked and files not in ACCEPTED:
            ended = promtool("check", "web-config", str(self.path))
            assert (ended.returncode, ended.stderr) == (0, f"{self.path} SUCCESS\n")
            ACCEPTED.add(files)

    def rotate(self, name: str) -> None:
        """As certbot does: another file takes the name."""
        for ending in ("key", "crt"):
            (self.folder / f"{name}.{ending}").replace(self.folder / f"server.{ending}")

    def client(self, name: str = "") -> ssl.SSLContext:
        """A peer that trusts the site's CA and shows the certificate of that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "site.crt")
        if name:
            context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        return context


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    site, stranger = Authority(folder, "site"), Authority(folder, "stranger")
    site.issue("server")
    site.issue("new", san="DNS:localhost,IP:127.0.0.1,DNS:new.example")
    site.issue("late", is_expired=True)
    site.issue("prometheus", san="DNS:prometheus.example,IP:2001:db8::1,URI:spiffe://site/prometheus,email:p@example")
    site.issue("late-client", is_expired=True)
    stranger.issue("thief", san="DNS:prometheus.example")
    return folder


@pytest.fixture
def site(tmp_path: Path, template: Path) -> Site:
    return Site(tmp_path, template)


@asynccontextmanager
async def serving(
    site: Site, *, request_seconds: float = LONG, grace_seconds: float = GRACE_SECONDS
) -> AsyncIterator[WatchedEndpoint]:
    endpoint = WatchedEndpoint(lambda: PAGE, rules=site.access.rules, request_seconds=request_seconds)
    endpoint.grace_seconds = grace_seconds
    await endpoint.start_on("127.0.0.1")
    try:
        yield endpoint
    finally:
        await endpoint.stop()


def request(*, credentials: tuple[str, str] | None = None, path: str = "/metrics", is_last: bool = True) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost"]
    if credentials:
        lines.append(f"Authorization: Basic {base64.b64encode(':'.join(credentials).encode()).decode()}")
    if is_last:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(endpoint: WatchedEndpoint, client: ssl.SSLContext | None = None, data: bytes = b"") -> bytes:
    """The whole answer, b"" for a peer that is not served."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=client)
        writer.write(data or request())
        return await reader.read()
    except (ssl.SSLError, ConnectionError):
        return b""
    finally:
        if writer:
            writer.transport.abort()


async def status(endpoint: WatchedEndpoint, client: ssl.SSLContext | None = None, data: bytes = b"") -> int:
    answer = await ask(endpoint, client, data)
    return int(answer.split()[1]) if answer else 0


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


def statuses(site: Site, *clients: ssl.SSLContext | None, data: bytes = b"") -> list[int]:
    async def main() -> list[int]:
        async with serving(site) as endpoint:
            return [await status(endpoint, client, data) for client in clients]

    return asyncio.run(main())


# -- TLS --


def test_a_scrape_over_tls_gets_the_page(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            answer = await ask(endpoint, site.client())
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(PAGE)
            assert not endpoint.refused

    run(test)


def test_one_tls_connection_serves_many_scrapes(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            answer = await ask(endpoint, site.client(), request(is_last=False) * 5 + request())
            assert answer.count(PAGE) == 6

    run(test)


def test_pages_of_many_records_arrive_whole(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        endpoint = WatchedEndpoint(lambda: bytes(2**22), rules=site.access.rules)
        await endpoint.start_on("127.0.0.1")
        assert len(await ask(endpoint, site.client(), request(is_last=False) * 3 + request())) > 4 * 2**22
        await endpoint.stop()

    run(test)


@pytest.mark.parametrize(
    ("auth", "prometheus", "nobody", "thief", "late"),
    [
        pytest.param("", 200, 200, 200, 200, id="default"),
        pytest.param("client_auth_type: NoClientCert", 200, 200, 200, 200, id="NoClientCert"),
        pytest.param("client_auth_type: RequestClientCert", 200, 200, 200, 200, id="RequestClientCert"),
        pytest.param(
            "client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: site.crt",
            *(200, 200, 0, 0),
            id="VerifyClientCertIfGiven",
        ),
        pytest.param(
            "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: site.crt",
            *(200, 0, 0, 0),
            id="RequireAndVerifyClientCert",
        ),
    ],
)
def test_who_is_served_by_client_auth_type(
    site: Site, auth: str, prometheus: int, nobody: int, thief: int, late: int
) -> None:
    site.configure(f"{PAIR}  {auth}\n")
    names = ("prometheus", "", "thief", "late-client")
    assert statuses(site, *(site.client(name) for name in names)) == [prometheus, nobody, thief, late]


def test_require_any_client_cert_is_refused_and_opens_nothing(site: Site) -> None:
    site.configure(f"{PAIR}  client_auth_type: RequireAnyClientCert\n")
    with pytest.raises(ConfigError) as caught:
        statuses(site, site.client())
    assert "RequireAnyClientCert is not supported" in str(caught.value)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("prometheus.example", 200),
        ("2001:db8::1", 200),
        ("spiffe://site/prometheus", 200),
        ("p@example", 200),
        ("prometheus", 0),
        ("grafana.example", 0),
    ],
)
def test_a_client_needs_one_of_the_allowed_names(site: Site, allowed: str, expected: int) -> None:
    site.configure(f'{MUTUAL}  client_allowed_sans: ["{allowed}"]\n', is_checked=False)  # promtool 2.42 knows none
    assert statuses(site, site.client("prometheus")) == [expected]


@pytest.mark.parametrize(
    ("setting", "version", "is_served"),
    [
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_2, False),
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_3, True),
        ("max_version: TLS12", ssl.TLSVersion.TLSv1_2, True),
        ("max_version: TLS12", ssl.TLSVersion.TLSv1_3, False),
        ("min_version: TLS12", ssl.TLSVersion.TLSv1_2, True),
    ],
)
def test_versions_outside_the_range_are_not_spoken(
    site: Site, setting: str, version: ssl.TLSVersion, *, is_served: bool
) -> None:
    site.configure(f"{PAIR}  {setting}\n")
    client = site.client()
    client.minimum_version = client.maximum_version = version
    assert statuses(site, client) == [200 if is_served else 0]


@pytest.mark.parametrize(
    ("setting", "offered", "chosen"),
    [
        ("", "AES256", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", "AES256", None),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", "AES", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (
            TWO_SUITES,
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        (
            f"{TWO_SUITES}\n  prefer_server_cipher_suites: false",
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
    ],
)
def test_the_cipher_is_one_that_both_want(site: Site, setting: str, offered: str, chosen: str | None) -> None:
    site.configure(f"{PAIR}  {setting}\n")
    client = site.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(offered)

    async def test() -> None:
        async with serving(site) as endpoint:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=client)
            except (ssl.SSLError, ConnectionError):
                assert chosen is None
            else:
                assert writer.get_extra_info("cipher")[0] == chosen
                writer.transport.abort()

    run(test)


@pytest.mark.parametrize(("offered", "expected"), [("secp384r1", 200), ("prime256v1", 0)])
def test_a_curve_that_is_named_is_the_only_one(site: Site, offered: str, expected: int) -> None:
    site.configure(f"{PAIR}  curve_preferences: [CurveP384]\n")
    client = site.client()
    client.set_ecdh_curve(offered)
    assert statuses(site, client) == [expected]


def test_headers_are_on_every_answer(site: Site) -> None:
    site.configure(
        f"{PAIR}http_server_config:\n  http2: false\n  headers:\n    Strict-Transport-Security: max-age=600\n"
    )

    async def test() -> None:
        async with serving(site) as endpoint:
            for data in (request(), request(path="/nothing"), b"nonsense\r\n\r\n"):
                assert b"\r\nStrict-Transport-Security: max-age=600\r\n" in await ask(endpoint, site.client(), data)

    run(test)


def test_plain_http_at_a_tls_port_is_told_so_and_sees_nothing(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            answer = await ask(endpoint)
            assert answer.startswith(b"HTTP/1.0 400 ")
            assert answer.endswith(b"use https://\n")
            assert endpoint.refused.total() == 1

    run(test)


@pytest.mark.parametrize("garbage", [bytes(100), b"\x16\x03\x01\xff\xff" + bytes(300), b"\x16\x03\x01\x00\x05hello"])
def test_a_peer_that_speaks_neither_is_dropped(site: Site, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            assert b"HTTP" not in await ask(endpoint, None, garbage)
            assert await status(endpoint, site.client()) == 200
            assert endpoint.refused.total() == 1

    run(test)
    assert not caplog.records


def test_a_tls_peer_that_never_speaks_is_dropped_at_the_deadline_and_stops_no_scrape(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site, request_seconds=0.3) as endpoint:
            silent = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(20)]
            silent[0][1].write(b"\x16\x03\x01")
            await endpoint.until_admitted(len(silent))
            endpoint.request_seconds = LONG  # for who comes from now on: a scrape may take its time on a busy machine
            assert [await status(endpoint, site.client()) for _ in range(5)] == [200] * 5
            for reader, writer in silent:
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()
            assert endpoint.refused == {Refusal.SLOW: 20}

    run(test)


def test_500_silent_tls_peers_cost_500_sockets_at_most_and_no_tls(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            peers = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(500)]
            assert await status(endpoint, site.client()) == 200
            gone = [asyncio.create_task(reader.read()) for reader, _ in peers]
            done, _ = await asyncio.wait(gone[:-MAX_CONNECTIONS])
            assert len(done) == 500 - MAX_CONNECTIONS
            for _, writer in peers:
                writer.transport.abort()
            await asyncio.gather(*gone, return_exceptions=True)

    run(test)


def test_200_tls_scrapes_at_the_same_moment_are_all_answered(site: Site) -> None:
    site.configure(PAIR)
    client = site.client()

    async def test() -> None:
        async with serving(site, grace_seconds=LONG) as endpoint:  # a slow machine takes longer than the real one
            assert await asyncio.gather(*(status(endpoint, client) for _ in range(200))) == [200] * 200
            assert not endpoint.refused

    run(test)


def test_a_tls_peer_that_says_goodbye_is_let_go(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=site.client())
            writer.write(request(is_last=False))
            await reader.readuntil(PAGE)
            writer.close()
            await writer.wait_closed()
            assert not endpoint.refused

    run(test)


# -- users --


def users(site: Site, *, tls_part: str = "", **passwords: str) -> None:
    lines = [f"  {name}: {hashed(password)}\n" for name, password in passwords.items()]
    site.configure(tls_part + "basic_auth_users:\n" + "".join(lines))


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (CREDENTIALS, 200),
        (("grafana", "other"), 200),
        (("prometheus", "other"), 401),
        (("prometheus", ""), 401),
        (("prometheus", "correct horse\0"), 401),
        (("nobody", "correct horse"), 401),
        (("", ""), 401),
        (None, 401),
    ],
)
def test_who_knows_the_password_is_served(site: Site, credentials: tuple[str, str] | None, expected: int) -> None:
    users(site, prometheus="correct horse", grafana="other")
    assert statuses(site, None, data=request(credentials=credentials)) == [expected]


def test_a_password_of_more_than_72_bytes_is_what_bcrypt_makes_of_it(site: Site) -> None:
    users(site, prometheus="x" * 72)
    assert statuses(site, None, data=request(credentials=("prometheus", "x" * 100))) == [200]


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/metrics", "/nothing"])
def test_without_a_password_no_page_answers_and_the_peer_is_told_what_is_asked(site: Site, path: str) -> None:
    users(site, prometheus="correct horse")

    async def test() -> None:
        async with serving(site) as endpoint:
            answer = await ask(endpoint, None, request(path=path))
            assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
            assert b'\r\nWWW-Authenticate: Basic realm="sriov-bootstrap", charset="UTF-8"\r\n' in answer
            assert PAGE not in answer

    run(test)


def test_requests_in_a_row_are_each_asked(site: Site) -> None:
    users(site, prometheus="correct horse")
    good, bad = request(credentials=CREDENTIALS, is_last=False), request(is_last=False)

    async def test() -> None:
        async with serving(site) as endpoint:
            answer = await ask(endpoint, None, good + bad + good + request())
            assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"401", b"200", b"401"]

    run(test)


def test_scrapes_go_on_while_passwords_are_guessed(site: Site) -> None:
    users(site, prometheus="correct horse")

    async def test() -> None:
        async with serving(site) as endpoint:
            assert await status(endpoint, None, request(credentials=CREDENTIALS)) == 200
            guesses = [
                asyncio.create_task(ask(endpoint, None, request(credentials=("prometheus", f"guess {number}"))))
                for number in range(30)
            ]
            await asyncio.sleep(0)
            for _ in range(20):
                assert await status(endpoint, None, request(credentials=CREDENTIALS)) == 200
            assert not any(task.done() and b" 200 " in task.result() for task in guesses)
            for task in guesses:
                task.cancel()
            await asyncio.gather(*guesses, return_exceptions=True)

    run(test)


def test_who_guesses_is_told_of_by_address_and_name(site: Site) -> None:
    users(site, prometheus="correct horse")
    home = Peer("127.0.0.1", LOOPBACK)
    assert statuses(site, None, data=request()) == [401]
    assert statuses(site, None, data=request(credentials=("prometheus", "guess"))) == [401]
    assert site.refused == [(Refusal.ANONYMOUS, home, ""), (Refusal.WRONG, home, "prometheus")]


def test_who_asks_for_too_much_is_told_to_come_again(site: Site) -> None:
    users(site, prometheus="correct horse")

    async def test() -> None:
        async with serving(site) as endpoint:
            guesses = [
                asyncio.create_task(status(endpoint, None, request(credentials=("prometheus", f"guess {number}"))))
                for number in range(MAX_WAITING + 2)
            ]
            while 429 not in {task.result() for task in guesses if task.done()}:
                await asyncio.wait([task for task in guesses if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            assert await status(endpoint, None, request(credentials=CREDENTIALS)) == 200
            for task in guesses:
                task.cancel()
            await asyncio.gather(*guesses, return_exceptions=True)

    run(test)


def test_a_check_under_way_does_not_outlive_the_endpoint(site: Site) -> None:
    users(site, prometheus="correct horse")

    async def test() -> None:
        async with serving(site) as endpoint:
            _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
            writer.write(request(credentials=("prometheus", "guess")))
            while not children():  # noqa: ASYNC110 - until it is forked
                await asyncio.sleep(0)
            await endpoint.stop()
            writer.transport.abort()

    run(test)


def test_users_and_certificates_are_both_asked_for(site: Site) -> None:
    users(site, tls_part=MUTUAL, prometheus="correct horse")
    good, bad = request(credentials=CREDENTIALS), request(credentials=("prometheus", "guess"))
    assert statuses(site, site.client("prometheus"), site.client(), data=good) == [200, 0]
    assert statuses(site, site.client("prometheus"), data=bad) == [401]


# -- change --


def names_of(site: Site, endpoint: WatchedEndpoint) -> Coroutine[None, None, list[str]]:
    """The names of the certificate that is shown."""

    async def main() -> list[str]:
        _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=site.client())
        try:
            names = writer.get_extra_info("peercert")["subjectAltName"]
            return [name for kind, name in names if kind == "DNS"]
        finally:
            writer.transport.abort()

    return main()


def test_a_certificate_that_was_replaced_is_shown_to_the_next_peer(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            assert await names_of(site, endpoint) == ["localhost"]
            site.rotate("new")
            assert await names_of(site, endpoint) == ["localhost", "new.example"]

    run(test)


def test_a_connection_from_before_a_change_ends_with_its_next_answer(site: Site) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=site.client())
            writer.write(request(is_last=False))
            assert b"close" not in await reader.readuntil(PAGE)
            site.rotate("new")
            writer.write(request(is_last=False))
            assert b"\r\nConnection: close\r\n" in await reader.read()
            writer.transport.abort()

    run(test)


def test_an_expired_certificate_of_our_own_is_for_the_peer_to_refuse(site: Site) -> None:
    site.configure(PAIR)
    site.rotate("late")
    assert statuses(site, site.client()) == [0]


def test_users_that_were_changed_are_asked_for_from_the_next_request_on(site: Site) -> None:
    users(site, prometheus="correct horse")

    async def test() -> None:
        async with serving(site) as endpoint:
            assert await status(endpoint, None, request(credentials=CREDENTIALS)) == 200
            users(site, prometheus="battery staple")
            assert await status(endpoint, None, request(credentials=CREDENTIALS)) == 401
            assert await status(endpoint, None, request(credentials=("prometheus", "battery staple"))) == 200

    run(test)


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        pytest.param(
            lambda site: site.path.write_text("tls_server_config: ["), "web.yml: not YAML: line 1: ", id="yaml"
        ),
        pytest.param(lambda site: site.path.write_text("a: 1\n"), 'web.yml: unknown key "a"', id="unknown key"),
        pytest.param(lambda site: site.path.unlink(), "web.yml: cannot be read: No such file", id="gone"),
        pytest.param(
            lambda site: site.path.chmod(0o666),
            "web.yml: is writable by users other than root (mode 0666): chmod go-w ",
            id="open to all",
        ),
        pytest.param(
            lambda site: (site.folder / "server.key").chmod(0o646),
            "server.key: is writable by users other than root (mode 0646): chmod go-w ",
            id="key open to all",
        ),
        pytest.param(
            lambda site: (site.folder / "new.key").replace(site.folder / "server.key"),
            "server.key: not a usable pair of PEM files: the key does not belong to the certificate",
            id="half a rotation",
        ),
        pytest.param(
            lambda site: (site.folder / "server.crt").write_text("rubbish"),
            "not a usable pair of PEM files",
            id="no PEM",
        ),
        pytest.param(
            lambda site: site.path.write_text(f"{MUTUAL}".replace("site.crt", "new.key")),
            "new.key: contains no certificate",
            id="no CA",
        ),
    ],
)
def test_a_broken_change_leaves_the_last_good_one_in_force_and_is_said(
    site: Site, break_it: Callable[[Site], object], problem: str
) -> None:
    site.configure(PAIR)

    async def test() -> None:
        async with serving(site) as endpoint:
            break_it(site)
            for _ in range(3):
                assert await status(endpoint, site.client()) == 200
            with pytest.raises(ConfigError) as caught:
                WebAccess(str(site.path)).read()
            assert problem in str(caught.value)
            site.path.unlink(missing_ok=True)
            site.configure("")
            assert await status(endpoint) == 200

    run(test)


def test_what_is_broken_at_the_start_opens_nothing_until_it_is_mended(site: Site) -> None:
    async def test() -> None:
        endpoint = WatchedEndpoint(lambda: PAGE, rules=site.access.rules)
        site.path.write_text("tls_server_config: {cert_file: server.crt}\n")
        with pytest.raises(ConfigError) as caught:
            await endpoint.start_on("127.0.0.1")
        assert caught.value.problems == (f"{site.path}: tls_server_config: key_file is missing",)
        site.configure(PAIR)
        await endpoint.start_on("127.0.0.1")
        assert await status(endpoint, site.client()) == 200
        await endpoint.stop()

    run(test)


def test_an_encrypted_key_is_refused_and_nobody_is_asked(site: Site) -> None:
    key = site.folder / "server.key"
    openssl("pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(site.folder / "locked.key"))
    (site.folder / "locked.key").replace(key)
    site.configure(PAIR, is_checked=False)
    with pytest.raises(ConfigError) as caught:
        site.access.rules()
    assert caught.value.problems == (f"{key}: is encrypted, and there is no one to ask for a password",)
    assert caught.value.hint == "remove the password: openssl pkey -in OLD -out NEW"


def test_a_file_that_another_user_owns_is_refused_by_name(site: Site) -> None:
    site.configure(PAIR)
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(site.folder / "server.key", 65534, -1)
    with pytest.raises(ConfigError) as caught:
        site.access.rules()
    assert caught.value.problems == (
        f"{site.folder}/server.key: is owned by user 65534, who could change it: chown root {site.folder}/server.key",
    )


def documented(language: str, word: str) -> str:
    blocks = DOCS.read_text().split(f"```{language}\n")[1:]
    return next(block.partition("```")[0] for block in blocks if word in block)


def test_the_documented_example_works(site: Site) -> None:
    (command,) = re.findall(r"openssl req .*\\\n.*metrics\.crt", DOCS.read_text())
    script = command.replace("$(hostname -f)", "localhost")
    subprocess.run(["sh", "-ec", script], cwd=site.folder, check=True, capture_output=True)
    site.configure(documented("yaml", "tls_server_config"))
    (site.folder / "metrics.crt").replace(site.folder / "site.crt")  # what Prometheus trusts is the certificate itself
    (site.folder / "metrics.crt").write_bytes((site.folder / "site.crt").read_bytes())
    client = site.client()
    client.check_hostname = False  # the tests connect to 127.0.0.1
    assert statuses(site, client) == [401]
    assert statuses(site, client, data=request(credentials=("prometheus", "example"))) == [200]


def test_the_documented_scrape_config_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(documented("yaml", "scrape_configs"))
    ended = promtool("check", "config", "--syntax-only", str(config))
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)
