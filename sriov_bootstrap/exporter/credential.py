"""What root has handed over: who may read the metrics, as one text with everything in it.

Certificates and keys are in it, so what belongs together changes together, and no name of a file has to be followed. It
comes as a credential (systemd.exec(5)), written by commands/metrics_config.py, which has checked all of it. JSON of the
standard library: it is read once.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sriov_bootstrap.base.errors import SriovBootstrapError

NAME = "access"  # its name; see the unit
VERSION = 1


class HandedTls(NamedTuple):
    """See tls.py:TlsOptions."""

    cert_file: str
    key_file: str
    client_ca_file: str
    client_auth: str
    client_allowed_sans: tuple[str, ...]
    is_tls13_only: bool
    is_tls12_only: bool
    ciphers: tuple[str, ...]
    prefers_server_ciphers: bool
    curve: str


class Access(NamedTuple):
    """`files`: the contents of those that `tls` names. Without `tls` it is plain HTTP, without `users` everyone may."""

    tls: HandedTls | None = None
    files: Mapping[str, bytes] = {}
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, str] = {}


def dump(value: Access, **extras: str) -> bytes:
    """For load(). `extras`: what makes it another one, and means nothing here."""
    texts = {path: data.decode("latin-1") for path, data in value.files.items()}
    tls = value.tls._asdict() if value.tls else None
    told = {"version": VERSION, "tls": tls, "files": texts, "headers": value.headers, "users": value.users}
    return json.dumps(told | {"more": extras}, sort_keys=True).encode()


def extras(data: bytes) -> dict[str, str]:
    """What was given to dump() beside the value; nothing of what dump() has not made."""
    try:
        return {key: str(value) for key, value in json.loads(data)["more"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def load(data: bytes) -> Access:
    """SriovBootstrapError for anything not made by dump(): then no one is let in."""
    try:
        return _decode(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SriovBootstrapError(
            f"the access rules for the metrics are not valid: {type(error).__name__}",
            hint="systemctl restart sriov-bootstrap-metrics-config.service",
        ) from None


def _decode(value: Any) -> Access:  # noqa: ANN401 - JSON gives anything
    if value["version"] != VERSION:
        raise ValueError
    return Access(
        HandedTls(**{key: _freeze(setting) for key, setting in value["tls"].items()}) if value["tls"] else None,
        {str(path): text.encode("latin-1") for path, text in value["files"].items()},
        tuple((str(name), str(text)) for name, text in value["headers"]),
        {str(name): str(hashed) for name, hashed in value["users"].items()},
    )


def _freeze(value: Any) -> Any:  # noqa: ANN401 - JSON gives anything
    return tuple(value) if isinstance(value, list) else value
