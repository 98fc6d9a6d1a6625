"""Any bytes as a web-config file, any header as credentials: nothing is raised that is not of the error family."""

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.edges import yaml_text
from sriov_bootstrap.exporter.access import parse_basic
from sriov_bootstrap.formats import web_config
from sriov_bootstrap.formats.web_config import WebConfig

GOOD = b"""\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: &ca site.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example]
  cipher_suites:
  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
http_server_config:
  headers: {X-Frame-Options: deny}
basic_auth_users:
  "prom\\u0065theus": $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG
"""
spoilt = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), st.binary(max_size=6)).map(
    lambda drawn: GOOD[: drawn[0]] + drawn[2] + GOOD[drawn[0] + drawn[1] :]
)
values = st.recursive(
    st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(
    st.sampled_from(["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit", ""]),
    st.dictionaries(st.sampled_from(["cert_file", "key", "headers", "cipher_suites", "max_version"]), values) | values,
)


@settings(deadline=None)  # PyYAML is slow, and so may the machine be
@given(st.binary(max_size=200) | spoilt)
@example(GOOD)
@example(b"? {a: b}\n: c\n")
@example(b"&a [*a]")
@example(b'tls_server_config: {"cert_file": "\\uD800", key_file: "\\0"}')
@example(b"[" * 2000)
def test_any_bytes_are_a_web_config_or_a_mistake_in_one(data: bytes) -> None:
    with contextlib.suppress(SriovBootstrapError):
        assert isinstance(web_config.decode(yaml_text.parse(data, "web.yml"), "/web.yml"), WebConfig)


@given(documents | values)
def test_any_document_is_a_web_config_or_a_mistake_in_one(document: object) -> None:
    with contextlib.suppress(SriovBootstrapError):
        assert isinstance(web_config.decode(document, "/web.yml"), WebConfig)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda token: b"Basic " + token))
def test_any_header_has_credentials_or_none(header: bytes) -> None:
    found = parse_basic(header)
    assert found is None or header.lower().startswith(b"basic ")
