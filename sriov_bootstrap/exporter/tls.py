"""TLS: the only module that knows ssl. Bytes in, bytes out: sockets, deadlines and limits stay those of exporter.

Why not the TLS that asyncio puts below a protocol. There a peer belongs to no one until its handshake is done, so it
counts against no limit; each has a buffer of 256 KiB, 64 MiB for a full burst; and what waits to be sent is hidden from
the protocol that wants to know when the kernel has all of it.
"""

import contextlib
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from sriov_bootstrap.base.errors import CORRECT_FILE, ConfigError

RECORD_BYTES = 1 << 14  # of TLS: the most that one read can give
# OpenSSL keeps what a TLS 1.2 peer without tickets may resume: 20480 sessions, 20 MB. Python cannot tell it to keep
# fewer, but a new context keeps none.
MAX_SESSIONS = 1000
VERIFY = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
PLAIN_HTTP = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis is an HTTPS port: use https://\n"


class TlsOptions(Protocol):
    """What TLS is to be; see formats/web_config.py:Tls. The files are named, and handed over beside it."""

    @property
    def cert_file(self) -> str: ...
    @property
    def key_file(self) -> str: ...
    @property
    def client_ca_file(self) -> str: ...
    @property
    def client_auth(self) -> str: ...
    @property
    def client_allowed_sans(self) -> tuple[str, ...]: ...
    @property
    def is_tls13_only(self) -> bool: ...
    @property
    def is_tls12_only(self) -> bool: ...
    @property
    def ciphers(self) -> tuple[str, ...]: ...
    @property
    def prefers_server_ciphers(self) -> bool: ...
    @property
    def curve(self) -> str: ...


class Server:
    """Our side of TLS: makes a session for each peer."""

    def __init__(self, tls: TlsOptions, files: Mapping[str, bytes], *, max_sessions: int = MAX_SESSIONS) -> None:
        """`files`: what is in each that is named. Raises ConfigError when nothing can be made of them."""
        self._tls = tls
        self._files = files
        self._max_sessions = max_sessions
        self._context = self._make()

    def open(self) -> "Session":
        """For a peer that has begun to speak."""
        if self._context.session_stats()["number"] > self._max_sessions:
            self._context = self._make()
        return Session(self._context, self._tls.client_allowed_sans)

    def _make(self) -> ssl.SSLContext:
        tls = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.is_tls13_only else ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2 if tls.is_tls12_only else ssl.TLSVersion.TLSv1_3
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        if not tls.prefers_server_ciphers:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        try:
            if tls.ciphers:
                context.set_ciphers(":".join(tls.ciphers))
            if tls.curve:
                context.set_ecdh_curve(tls.curve)
        except (ssl.SSLError, ValueError) as error:
            problem = f"tls_server_config: this host's OpenSSL lacks these ciphers or curves: {_reason(error)}"
            raise ConfigError((problem,), hint=CORRECT_FILE) from error
        context.set_alpn_protocols(["http/1.1"])
        self._load_own(context)
        self._load_client_ca(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        tls, was_asked = self._tls, False

        def nobody() -> bytes:  # or OpenSSL would ask on the terminal
            nonlocal was_asked
            was_asked = True
            return b""

        try:
            with _as_path(self._files[tls.cert_file]) as cert, _as_path(self._files[tls.key_file]) as key:
                context.load_cert_chain(cert, key, password=nobody)
        except (OSError, ValueError) as error:  # ssl's own are OSErrors, too
            why = _reason(error)
            if was_asked:
                raise ConfigError(
                    (f"{tls.key_file}: is encrypted, and there is no one to ask for a password",),
                    hint="remove the password: openssl pkey -in OLD -out NEW",
                ) from error
            if why == "KEY_VALUES_MISMATCH":
                why = "the key does not belong to the certificate"
            raise ConfigError(
                (f"{tls.cert_file} with {tls.key_file}: not a usable pair of PEM files: {why}",), hint=CORRECT_FILE
            ) from error

    def _load_client_ca(self, context: ssl.SSLContext) -> None:
        tls = self._tls
        if tls.client_auth not in VERIFY:
            return
        context.verify_mode = VERIFY[tls.client_auth]
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Go: whatever is in the file is trusted
        try:
            with _as_path(self._files[tls.client_ca_file]) as path:
                context.load_verify_locations(path)
        except OSError as error:
            raise ConfigError(
                (f"{tls.client_ca_file}: contains no certificate: {_reason(error)}",), hint=CORRECT_FILE
            ) from error


class Session:
    """One peer; see exporter/protocols.py:Channel."""

    def __init__(self, context: ssl.SSLContext, allowed_sans: tuple[str, ...]) -> None:
        """Waits for the peer's first bytes."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._allowed_sans = allowed_sans
        self._is_open = False
        self.is_over = False

    def receive(self, data: bytes) -> bytes:
        """From the wire to plain text. ConnectionError when the peer is not to be served; take() has the last word."""
        self._incoming.write(data)
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._check_names()
                self._is_open = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            if _reason(error) == "HTTP_REQUEST":
                self._outgoing.read()
                self._outgoing.write(PLAIN_HTTP)
            raise ConnectionAbortedError(_reason(error)) from error

    def send(self, data: bytes) -> None:
        """From plain text to what take() gives."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def take(self) -> bytes:
        """What is to go out over the wire."""
        return self._outgoing.read()

    def close(self) -> None:
        """Says goodbye; the peer's own is not waited for."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()

    def _read(self) -> bytes:
        text = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while chunk := self._tls.read(RECORD_BYTES):
                text += chunk
            self.is_over = True  # the peer says that nothing more will come
        return bytes(text)

    def _check_names(self) -> None:
        certificate: Mapping[str, Any] = self._tls.getpeercert() or {}
        names = certificate.get("subjectAltName", ())
        if self._allowed_sans and not has_allowed_san(names, self._allowed_sans):
            raise ConnectionAbortedError("none of the names in the client's certificate is in client_allowed_sans")


def has_allowed_san(names: Iterable[tuple[str, str]], allowed: tuple[str, ...]) -> bool:
    """Whether one of a certificate's (kind, name), as Python's ssl gives them, is allowed: exactly, but for IPv6."""
    return any(
        _go_spelling(kind, name) in allowed for kind, name in names if kind in {"DNS", "email", "IP Address", "URI"}
    )


def _go_spelling(kind: str, name: str) -> str:
    """OpenSSL writes 2001:DB8:0:0:0:0:0:1, Go 2001:db8::1."""
    if kind != "IP Address" or ":" not in name:
        return name
    from ipaddress import ip_address

    return str(ip_address(name.strip()))


@contextlib.contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    """Python's ssl reads keys from paths only: this one is memory, and holds what was checked, whatever came since."""
    descriptor = os.memfd_create("sriov-bootstrap")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
