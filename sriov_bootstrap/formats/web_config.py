"""A web-config file, as Prometheus' own exporters take it -> who may see the metrics, or every mistake in it.

The format is exporter-toolkit's. What is not supported here is refused, never ignored: an endpoint that is less
protected than its file says is worse than one that is closed. So a file that promtool accepts may be refused:
- `RequireAnyClientCert`: Python's ssl cannot take a certificate without verifying it, and anyone can make a
  certificate that is not verified. `RequestClientCert` lets everyone in, and so means `NoClientCert` here.
- Verifying without `client_ca_file`: Go would then trust every public CA of the host.
- TLS 1.0 and 1.1: OpenSSL does not speak them at the security level of today's distributions (RFC 8996).
- More than one of `curve_preferences`: Python's ssl takes one.
- TLS settings without a certificate: exporter-toolkit would serve plain HTTP.
"""

import os.path
import re
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import CORRECT_FILE, ConfigError
from sriov_bootstrap.core.decode import rephrase, unknown_keys

BCRYPT = r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}"
MIN_COST, MAX_COST = 4, 15  # each step doubles the time: 10 is 70 ms of CPU, 15 is more than two seconds
HEADER_VALUE = r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?"
# As exporter-toolkit has it: no other header can be set, and of these two only certain values.
HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
# Go's names -> OpenSSL's. Both always offer those of TLS 1.3.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CURVES = {"X25519": "X25519", "CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1"}


class ClientAuth(StrEnum):
    """Go's words for what is asked of a client."""

    NONE = "NoClientCert"
    REQUEST = "RequestClientCert"
    REQUIRE_ANY = "RequireAnyClientCert"
    VERIFY_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE_AND_VERIFY = "RequireAndVerifyClientCert"

    @property
    def verifies(self) -> bool:
        """Whether a CA is needed."""
        return self in {ClientAuth.VERIFY_IF_GIVEN, ClientAuth.REQUIRE_AND_VERIFY}


class Tls(Struct, frozen=True):
    """What TLS is to be: paths are absolute, ciphers and the curve have OpenSSL's names."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_auth: ClientAuth = ClientAuth.NONE
    client_allowed_sans: tuple[str, ...] = ()
    is_tls13_only: bool = False
    is_tls12_only: bool = False
    ciphers: tuple[str, ...] = ()
    prefers_server_ciphers: bool = True
    curve: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All that it is made of; none is named where there is none."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path)


class WebConfig(Struct, frozen=True):
    """Who may see the metrics. Without `tls` it is plain HTTP, without `users` no one is asked for a password."""

    tls: Tls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: dict[str, str] = {}


class _TlsSection(Struct, frozen=True):
    """tls_server_config, as it is written."""

    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


class _HttpSection(Struct, frozen=True):
    """http_server_config. `http2` allows it, and does not ask for it: what is spoken is HTTP/1.1."""

    http2: bool = True
    headers: dict[str, str] = {}


class _Document(Struct, frozen=True):
    tls_server_config: _TlsSection = _TlsSection()
    http_server_config: _HttpSection = _HttpSection()
    basic_auth_users: dict[str, str] = {}


SECTIONS: dict[str, type[Struct]] = {"tls_server_config": _TlsSection, "http_server_config": _HttpSection}
NOT_HERE = {
    "cert": "write the certificate into a file of its own, and name it in cert_file",
    "key": "write the key into a file of its own, and name it in key_file",
    "client_ca": "write the certificates into a file of their own, and name it in client_ca_file",
    "rate_limit": "a scrape costs next to nothing here, and passwords are checked one at a time",
}


def decode(document: Any, path: str) -> WebConfig:  # noqa: ANN401 - YAML gives anything
    """Understands a document of which every scalar is a text. Raises ConfigError with every problem in it."""
    document = {} if document in ("", None) else document
    if not isinstance(document, dict):
        raise ConfigError(
            (f"{path}: must be a mapping, with tls_server_config or basic_auth_users",), hint=CORRECT_FILE
        )
    document = {
        name: {} if section == "" and name in _Document.__struct_fields__ else section
        for name, section in document.items()
    }
    if problems := _key_problems(document, path):
        raise ConfigError(tuple(problems), hint=CORRECT_FILE)
    try:
        read = msgspec.convert(document, _Document, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError((f"{path}: {rephrase(error)}",), hint=CORRECT_FILE) from error
    if problems := _problems(read):
        raise ConfigError(tuple(f"{path}: {problem}" for problem in problems), hint=CORRECT_FILE)
    return _to_config(read, os.path.dirname(path))


def _key_problems(document: dict[str, Any], path: str) -> list[str]:
    problems = []
    tables: list[tuple[str, Any, type[Struct]]] = [(path, document, _Document)]
    tables += [(f"{path}: {name}", document.get(name), struct) for name, struct in SECTIONS.items()]
    for where, table, struct in tables:
        if not isinstance(table, dict):
            continue
        problems += [f"{where}: {key} is not supported: {NOT_HERE[key]}" for key in table if key in NOT_HERE]
        rest = {key: value for key, value in table.items() if key not in NOT_HERE}
        problems += unknown_keys(rest, struct, where=where)
    return problems


def _problems(read: _Document) -> list[str]:
    section = read.tls_server_config
    problems = [] if section == _TlsSection() else _file_problems(section) + _client_problems(section)
    problems += _version_problems(section) + _cipher_problems(section)
    problems = [f"tls_server_config: {problem}" for problem in problems]
    problems += [f"http_server_config: headers: {problem}" for problem in _header_problems(read.http_server_config)]
    problems += [
        f'basic_auth_users: "{user}": {problem}'
        for user, hashed in read.basic_auth_users.items()
        if (problem := _user_problem(user, hashed))
    ]
    return problems


def _file_problems(section: _TlsSection) -> list[str]:
    problems = [f"{key} is missing" for key in ("cert_file", "key_file") if not getattr(section, key)]
    given = {key: getattr(section, key) for key in ("cert_file", "key_file", "client_ca_file")}
    return problems + [
        f"{key}: not a path: it may only contain printable characters" for key in given if not given[key].isprintable()
    ]


def _client_problems(section: _TlsSection) -> list[str]:
    kind, sans = section.client_auth_type or ClientAuth.NONE, section.client_allowed_sans
    if kind in {ClientAuth.REQUIRE_ANY, "RequireClientCert"}:
        instead = f"use {ClientAuth.REQUIRE_AND_VERIFY} with client_ca_file"
        return [
            f"client_auth_type {kind} is not supported: anyone can make a certificate if it is not verified: {instead}"
        ]
    if kind not in list(ClientAuth):
        return [f'client_auth_type "{kind}": valid here: {", ".join(word for word in ClientAuth if "Any" not in word)}']
    problems = []
    if ClientAuth(kind).verifies and not section.client_ca_file:
        problems.append(f"client_auth_type {kind} needs client_ca_file: without it, no certificate can be trusted")
    if kind == ClientAuth.NONE and section.client_ca_file:
        problems.append(f"client_ca_file has no effect without client_auth_type: use {ClientAuth.REQUIRE_AND_VERIFY}")
    if sans is not None and kind != ClientAuth.REQUIRE_AND_VERIFY:
        problems.append(f"client_allowed_sans needs client_auth_type {ClientAuth.REQUIRE_AND_VERIFY}")
    if sans == ():
        problems.append("client_allowed_sans is empty: no one could connect")
    return problems


def _version_problems(section: _TlsSection) -> list[str]:
    given = {key: getattr(section, key) for key in ("min_version", "max_version")}
    problems = [
        f'{key} "{value}" is not supported: use TLS12 or TLS13'
        for key, value in given.items()
        if value not in {"TLS12", "TLS13"}
    ]
    if not problems and section.min_version > section.max_version:
        problems.append(f"min_version {section.min_version} is above max_version {section.max_version}")
    return problems


def _cipher_problems(section: _TlsSection) -> list[str]:
    problems = [
        f'cipher_suites: "{name}" is unknown or unsafe: valid here: {", ".join((*CIPHERS, *TLS13_CIPHERS))}'
        for name in section.cipher_suites
        if name not in CIPHERS and name not in TLS13_CIPHERS
    ]
    if not problems and section.cipher_suites and section.min_version == "TLS12" and not _ciphers(section):
        problems.append("cipher_suites leaves none for TLS 1.2: add one, or set min_version to TLS13")
    problems += [
        f'curve_preferences: "{name}" is unknown: valid here: {", ".join(CURVES)}'
        for name in section.curve_preferences
        if name not in CURVES
    ]
    if len(section.curve_preferences) > 1:
        problems.append("curve_preferences: only one curve can be set here; without it, all safe ones are used")
    return problems


def _header_problems(section: _HttpSection) -> list[str]:
    problems = []
    for name, value in section.headers.items():
        if name not in HEADERS:
            problems.append(f'"{name}" cannot be set: valid here: {", ".join(HEADERS)}')
        elif HEADERS[name] and value not in HEADERS[name]:
            problems.append(f'{name}: "{value}": valid here: {", ".join(HEADERS[name])}')
        elif value and not re.fullmatch(HEADER_VALUE, value):
            problems.append(f"{name}: may only contain printable ASCII, with no space at either end")
    return problems


def _user_problem(user: str, hashed: str) -> str:
    """Never says the hash: problems go to the log."""
    if not user or ":" in user or not user.isprintable():
        return "a name must be printable and without a colon, or HTTP cannot carry it"
    if not (found := re.fullmatch(BCRYPT, hashed)):
        return "is not a bcrypt hash: make one with: htpasswd -nBC 10 USER"
    if not MIN_COST <= int(found[1]) <= MAX_COST:
        return f"a cost of {found[1]} is not between {MIN_COST:02} and {MAX_COST}: use 10"
    return ""


def _ciphers(section: _TlsSection) -> tuple[str, ...]:
    return tuple(CIPHERS[name] for name in section.cipher_suites if name in CIPHERS)


def _to_config(read: _Document, folder: str) -> WebConfig:
    section = read.tls_server_config
    tls = None
    if section.cert_file:
        tls = Tls(
            cert_file=os.path.join(folder, section.cert_file),
            key_file=os.path.join(folder, section.key_file),
            client_ca_file=section.client_ca_file and os.path.join(folder, section.client_ca_file),
            client_auth=ClientAuth(section.client_auth_type or ClientAuth.NONE),
            client_allowed_sans=section.client_allowed_sans or (),
            is_tls13_only=section.min_version == "TLS13",
            is_tls12_only=section.max_version == "TLS12",
            ciphers=_ciphers(section),
            prefers_server_ciphers=section.prefer_server_cipher_suites,
            curve="".join(CURVES[name] for name in section.curve_preferences),
        )
    headers = tuple((name, value) for name, value in read.http_server_config.headers.items() if value)
    return WebConfig(tls, headers, read.basic_auth_users)
