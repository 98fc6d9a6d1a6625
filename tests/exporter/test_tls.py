"""Our side of TLS without a socket, against Python's other side. Over sockets: commands/test_web_access.py."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from certificates import Authority
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.exporter.tls import Server, Session
from sriov_bootstrap.formats.web_config import Tls


@pytest.fixture
def pair(tmp_path: Path) -> Tls:
    cert, key = Authority(tmp_path, "site").issue("server")
    return Tls(str(cert), str(key))


def serve(pair: Tls, *, max_sessions: int = 100) -> Server:
    return Server(pair, {path: Path(path).read_bytes() for path in pair.files}, max_sessions=max_sessions)


class Peer:
    """A client, and the wire to the session that serves it."""

    def __init__(
        self, server: Server, context: ssl.SSLContext | None = None, *, resumes: ssl.SSLSession | None = None
    ) -> None:
        context = context or anybody()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, session=resumes)
        self.session: Session = server.open()

    def shake_hands(self, *, piece: int = 1 << 16) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.pass_on(piece=piece)
            else:
                self.pass_on(piece=piece)
                return

    def pass_on(self, *, piece: int = 1 << 16) -> bytes:
        text, data = b"", self._outgoing.read()
        for begin in range(0, len(data), piece):
            text += self.session.receive(data[begin : begin + piece])
        self._incoming.write(self.session.take())
        return text


def anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_the_wire_may_be_cut_anywhere(pair: Tls, piece: int) -> None:
    peer = Peer(serve(pair))
    peer.shake_hands(piece=piece)
    peer.tls.write(b"GET")
    assert peer.pass_on(piece=piece) == b"GET"
    peer.session.send(bytes(100_000))
    peer.pass_on()
    received = b""
    while len(received) < 100_000:
        received += peer.tls.read(1 << 16)
    assert received == bytes(100_000)


def test_what_came_with_the_goodbye_is_read(pair: Tls) -> None:
    peer = Peer(serve(pair))
    peer.shake_hands()
    peer.tls.write(b"GET")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    assert peer.pass_on() == b"GET"
    assert peer.session.is_over
    peer.session.close()
    peer.pass_on()
    peer.tls.unwrap()


def test_a_handshake_that_fails_leaves_an_alert_for_the_peer(pair: Tls) -> None:
    session = serve(pair).open()
    with pytest.raises(ConnectionAbortedError):
        session.receive(b"\x16\x03\x01\x00\x05hello")
    assert session.take()[:1] == b"\x15"  # alert
    session.close()


@pytest.mark.parametrize("setting", [{"ciphers": ("ECDHE-NOBODY",)}, {"curve": "nobody25519"}])
def test_what_this_openssl_lacks_is_an_error_of_the_config(pair: Tls, setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        serve(replace(pair, **setting))
    assert str(caught.value).startswith("tls_server_config: this host's OpenSSL lacks these ciphers or curves: ")


def test_http_1_1_is_what_is_agreed_on(pair: Tls) -> None:
    context = anybody()
    context.set_alpn_protocols(["h2", "http/1.1"])
    peer = Peer(serve(pair), context)
    peer.shake_hands()
    assert peer.tls.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize(("max_sessions", "is_resumed"), [(100, True), (5, False)])
def test_sessions_to_be_resumed_do_not_pile_up(pair: Tls, max_sessions: int, *, is_resumed: bool) -> None:
    context = anybody()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    server = serve(pair, max_sessions=max_sessions)
    sessions = []
    for _ in range(10):
        peer = Peer(server, context)
        peer.shake_hands()
        sessions.append(peer.tls.session)
        peer.session.close()
    again = Peer(server, context, resumes=sessions[0])
    again.shake_hands()
    assert again.tls.session_reused is is_resumed
