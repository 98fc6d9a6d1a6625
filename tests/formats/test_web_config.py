"""A web-config document -> who may see the metrics. Every scalar is a text, as edges/yaml_text.py gives it."""

import base64
from typing import Any

import pytest

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.exporter.access import parse_basic
from sriov_bootstrap.exporter.tls import has_allowed_san
from sriov_bootstrap.formats.web_config import ClientAuth, Tls, WebConfig, decode

PATH = "/etc/x/web.yml"
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = {"cert_file": "s.crt", "key_file": "/k/s.key"}
MUTUAL = {**PAIR, "client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}
TLS = Tls("/etc/x/s.crt", "/k/s.key")


def tls(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML gives anything
    return {"tls_server_config": {**PAIR, **more}}


def problems(document: Any) -> tuple[str, ...]:  # noqa: ANN401 - YAML gives anything
    with pytest.raises(ConfigError) as caught:
        decode(document, PATH)
    assert caught.value.hint.endswith("check-config")
    return caught.value.problems


@pytest.mark.parametrize(
    ("document", "config"),
    [
        pytest.param("", WebConfig(), id="empty"),
        pytest.param(None, WebConfig(), id="nothing at all"),
        pytest.param({"tls_server_config": "", "basic_auth_users": ""}, WebConfig(), id="empty sections"),
        pytest.param(tls(), WebConfig(TLS), id="relative to the file, or absolute"),
        pytest.param({"basic_auth_users": {"a": HASH}}, WebConfig(users={"a": HASH}), id="users without TLS"),
        pytest.param(tls(client_auth_type="NoClientCert"), WebConfig(TLS), id="NoClientCert"),
        pytest.param(
            tls(client_auth_type="RequestClientCert"),
            WebConfig(Tls("/etc/x/s.crt", "/k/s.key", client_auth=ClientAuth.REQUEST)),
            id="RequestClientCert",
        ),
        pytest.param(
            tls(client_auth_type="VerifyClientCertIfGiven", client_ca_file="ca.crt"),
            WebConfig(Tls("/etc/x/s.crt", "/k/s.key", "/etc/x/ca.crt", ClientAuth.VERIFY_IF_GIVEN)),
            id="VerifyClientCertIfGiven",
        ),
        pytest.param(
            {"tls_server_config": {**MUTUAL, "client_allowed_sans": ["prometheus"]}},
            WebConfig(Tls("/etc/x/s.crt", "/k/s.key", "/etc/x/ca.crt", ClientAuth.REQUIRE_AND_VERIFY, ("prometheus",))),
            id="RequireAndVerifyClientCert",
        ),
        pytest.param(
            tls(min_version="TLS13"), WebConfig(Tls("/etc/x/s.crt", "/k/s.key", is_tls13_only=True)), id="TLS 1.3"
        ),
        pytest.param(
            tls(max_version="TLS12"), WebConfig(Tls("/etc/x/s.crt", "/k/s.key", is_tls12_only=True)), id="TLS 1.2"
        ),
        pytest.param(
            tls(
                cipher_suites=["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
                prefer_server_cipher_suites="false",
                curve_preferences=["CurveP256"],
            ),
            WebConfig(
                Tls(
                    "/etc/x/s.crt",
                    "/k/s.key",
                    ciphers=("ECDHE-RSA-AES128-GCM-SHA256",),
                    prefers_server_ciphers=False,
                    curve="prime256v1",
                )
            ),
            id="ciphers and a curve",
        ),
        pytest.param(
            tls(min_version="TLS13", cipher_suites=["TLS_AES_128_GCM_SHA256"]),
            WebConfig(Tls("/etc/x/s.crt", "/k/s.key", is_tls13_only=True)),
            id="those of TLS 1.3 are always there",
        ),
        pytest.param(
            {
                "http_server_config": {
                    "http2": "false",
                    "headers": {
                        "X-Frame-Options": "deny",
                        "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
                        "X-XSS-Protection": "",
                    },
                }
            },
            WebConfig(
                headers=(
                    ("X-Frame-Options", "deny"),
                    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
                )
            ),
            id="headers",
        ),
    ],
)
def test_a_document_says_who_may_see_the_metrics(document: object, config: WebConfig) -> None:
    assert decode(document, PATH) == config


def test_its_files_are_those_that_it_names() -> None:
    assert TLS.files == ("/etc/x/s.crt", "/k/s.key")
    config = decode({"tls_server_config": MUTUAL}, PATH)
    assert config.tls
    assert config.tls.files == ("/etc/x/s.crt", "/k/s.key", "/etc/x/ca.crt")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param([], "must be a mapping, with", id="a list"),
        pytest.param("text", "must be a mapping, with", id="a text"),
        pytest.param({"tls": {}}, 'unknown key "tls": ', id="unknown section"),
        pytest.param({"rate_limit": {}}, "rate_limit is not supported: a scrape costs", id="rate_limit"),
        pytest.param(
            tls(cert_fil="x"), 'tls_server_config: unknown key "cert_fil": did you mean "cert_file"?', id="unknown key"
        ),
        pytest.param(tls(key="-----"), "tls_server_config: key is not supported: write the key into", id="inline"),
        pytest.param({"tls_server_config": []}, "tls_server_config: expected object, got array", id="wrong type"),
        pytest.param(tls(cert_file=["a"]), "tls_server_config.cert_file: expected str, got array", id="wrong value"),
        pytest.param({"http_server_config": {"http2": "x"}}, "http_server_config.http2: expected bool", id="no bool"),
        pytest.param({"tls_server_config": {"key_file": "k"}}, "tls_server_config: cert_file is missing", id="no cert"),
        pytest.param(tls(key_file="k\0"), "tls_server_config: key_file: not a path", id="no path"),
        pytest.param({"tls_server_config": {"cert_file": "c"}}, "tls_server_config: key_file is missing", id="no key"),
        pytest.param(
            tls(client_auth_type="RequireAnyClientCert"),
            "tls_server_config: client_auth_type RequireAnyClientCert is not supported: anyone can make",
            id="RequireAnyClientCert",
        ),
        pytest.param(
            tls(client_auth_type="RequireClientCert"),
            "tls_server_config: client_auth_type RequireClientCert is not supported: anyone can make",
            id="RequireClientCert",
        ),
        pytest.param(
            tls(client_auth_type="verify"),
            'tls_server_config: client_auth_type "verify": valid here: NoClientCert, RequestClientCert, Verify',
            id="another client_auth_type",
        ),
        pytest.param(
            tls(client_auth_type="VerifyClientCertIfGiven"),
            "tls_server_config: client_auth_type VerifyClientCertIfGiven needs client_ca_file",
            id="no CA",
        ),
        pytest.param(
            tls(client_ca_file="ca.crt"), "tls_server_config: client_ca_file has no effect without", id="only a CA"
        ),
        pytest.param(
            tls(client_allowed_sans=["a"]),
            "tls_server_config: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert",
            id="names of nobody",
        ),
        pytest.param(
            {"tls_server_config": {**MUTUAL, "client_allowed_sans": []}},
            "tls_server_config: client_allowed_sans is empty: no one",
            id="no names",
        ),
        pytest.param(
            tls(min_version="TLS10"), 'tls_server_config: min_version "TLS10" is not supported: use TLS12', id="TLS 1.0"
        ),
        pytest.param(
            tls(min_version="TLS13", max_version="TLS12"),
            "tls_server_config: min_version TLS13 is above max_version TLS12",
            id="no version left",
        ),
        pytest.param(
            tls(cipher_suites=["TLS_RSA_WITH_RC4_128_SHA"]),
            'tls_server_config: cipher_suites: "TLS_RSA_WITH_RC4_128_SHA" is unknown or unsafe',
            id="unknown cipher",
        ),
        pytest.param(
            tls(cipher_suites=["TLS_AES_128_GCM_SHA256"]),
            "tls_server_config: cipher_suites leaves none for TLS 1.2",
            id="no cipher left",
        ),
        pytest.param(
            tls(curve_preferences=["P256"]), 'tls_server_config: curve_preferences: "P256" is unknown', id="curve"
        ),
        pytest.param(
            tls(curve_preferences=["X25519", "CurveP256"]),
            "tls_server_config: curve_preferences: only one curve can be set here",
            id="two curves",
        ),
        pytest.param(
            {"http_server_config": {"headers": {"Server": "x"}}},
            'http_server_config: headers: "Server" cannot be set: valid here: Content',
            id="another header",
        ),
        pytest.param(
            {"http_server_config": {"headers": {"X-Content-Type-Options": "sniff"}}},
            'http_server_config: headers: X-Content-Type-Options: "sniff": valid here: nosniff',
            id="another value",
        ),
        pytest.param(
            {"http_server_config": {"headers": {"Content-Security-Policy": "a\r\nSet-Cookie: b"}}},
            "http_server_config: headers: Content-Security-Policy: may only contain printable ASCII",
            id="a header in a header",
        ),
        pytest.param(
            {"basic_auth_users": {"a:b": HASH}}, 'basic_auth_users: "a:b": a name must be printable', id="colon"
        ),
        pytest.param({"basic_auth_users": {"": HASH}}, 'basic_auth_users: "": a name must be printable', id="no name"),
        pytest.param({"basic_auth_users": {"a": "secret"}}, 'basic_auth_users: "a": is not a bcrypt hash', id="plain"),
        pytest.param(
            {"basic_auth_users": {"a": HASH.replace("10", "31")}},
            'basic_auth_users: "a": a cost of 31 is not between 04 and 15: use 10',
            id="a check of days",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_and_named(document: object, problem: str) -> None:
    (found,) = problems(document)
    assert found.startswith(f"{PATH}: {problem}")


def test_tls_settings_without_a_certificate_do_not_mean_plain_http() -> None:
    assert problems({"tls_server_config": {"min_version": "TLS13"}}) == (
        f"{PATH}: tls_server_config: cert_file is missing",
        f"{PATH}: tls_server_config: key_file is missing",
    )


def test_every_problem_is_said() -> None:
    assert len(problems({"tls_server_config": {"min_version": "SSL3"}, "basic_auth_users": {"a": "b", "c": "d"}})) == 5


def test_no_problem_shows_what_stands_in_place_of_a_hash() -> None:
    assert "hunter2" not in " ".join(problems({"basic_auth_users": {"a": "hunter2"}}))


def basic(text: bytes) -> bytes:
    return base64.b64encode(text)


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (b"Basic " + basic(b"a:b"), ("a", b"b")),
        (b"bAsIc   " + basic(b"a:b") + b" ", ("a", b"b")),
        (b"Basic " + basic(b"a:b:c"), ("a", b"b:c")),
        (b"Basic " + basic(b":"), ("", b"")),
        (b"Basic " + basic("jürgen:ß".encode()), ("jürgen", "ß".encode())),
        (b"Basic " + basic(b"\xff:b"), ("\udcff", b"b")),
        (b"Basic " + basic(b"a"), None),
        (b"Basic a:b", None),
        (b"Basic YTpi!", None),
        (b"Basic", None),
        (b"Bearer " + basic(b"a:b"), None),
        (b"", None),
    ],
)
def test_a_header_has_a_name_and_a_password_or_nothing(header: bytes, credentials: tuple[str, bytes] | None) -> None:
    assert parse_basic(header) == credentials


@pytest.mark.parametrize(
    ("names", "allowed", "is_allowed"),
    [
        ([("DNS", "prometheus.example"), ("DNS", "other")], ("prometheus.example",), True),
        ([("DNS", "prometheus.example")], ("prometheus",), False),
        ([("DNS", "*.example")], ("prometheus.example",), False),
        ([("IP Address", "2001:DB8:0:0:0:0:0:1")], ("2001:db8::1",), True),
        ([("IP Address", "192.0.2.1")], ("192.0.2.1",), True),
        ([("URI", "spiffe://a/b")], ("spiffe://a/b",), True),
        ([("email", "a@b")], ("a@b",), True),
        ([("DirName", "a@b")], ("a@b",), False),
        ([], ("a",), False),
    ],
)
def test_a_certificate_needs_one_of_the_allowed_names(
    names: list[tuple[str, str]], allowed: tuple[str, ...], *, is_allowed: bool
) -> None:
    assert has_allowed_san(names, allowed) is is_allowed
