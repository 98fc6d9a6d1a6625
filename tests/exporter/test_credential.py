"""What root hands over, and what is none of it."""

import json

import pytest

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.formats.web_config import Tls

TLS = Tls("/a.crt", "/a.key", ciphers=("X",), is_tls13_only=True)
VALUE = credential.Access(
    credential.HandedTls(**{name: getattr(TLS, name) for name in TLS.__struct_fields__}),
    {"/a.crt": b"\x00\xff", "/a.key": b"key"},
    (("X-Frame-Options", "deny"),),
    {"prometheus": "$2b$"},
)
GOOD = credential.dump(VALUE, program="1")


@pytest.mark.parametrize("value", [VALUE, credential.Access()])
def test_what_is_handed_over_arrives_whole(value: credential.Access) -> None:
    assert credential.load(credential.dump(value)) == value


def test_tls_is_told_as_it_was_understood() -> None:
    assert credential.HandedTls._fields == TLS.__struct_fields__


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"[" * 5000,
        GOOD[:-9],
        json.dumps({**json.loads(GOOD), "version": 2}).encode(),
        json.dumps({**json.loads(GOOD), "tls": {"cert_file": "/a"}}).encode(),
        json.dumps({**json.loads(GOOD), "users": None}).encode(),
    ],
)
def test_what_nobody_has_handed_over_lets_nobody_in(data: bytes) -> None:
    with pytest.raises(SriovBootstrapError, match="the access rules for the metrics are not valid"):
        credential.load(data)
