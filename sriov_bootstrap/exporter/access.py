"""Who may see the metrics: TLS and passwords as the rules of the endpoint."""

import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from sriov_bootstrap.exporter.password_checks import Checks, OnAnswer
from sriov_bootstrap.exporter.protocols import Channel
from sriov_bootstrap.exporter.public import Plain
from sriov_bootstrap.exporter.refusals import Peer, Refusal

if TYPE_CHECKING:  # OpenSSL is loaded where there is TLS
    from sriov_bootstrap.exporter import tls

OnRefusal = Callable[[Refusal, Peer, str], None]


class WebConfigRules:
    """See protocols.py:AccessRules. What web_config and its files said at one moment."""

    def __init__(
        self,
        headers: Iterable[tuple[str, str]],
        users: Mapping[str, str],
        server: "tls.Server | None",
        checks: Checks,
        refused: OnRefusal,
    ) -> None:
        """`server` is None for plain HTTP."""
        self.headers = headers
        self._users = users
        self._server = server
        self._checks = checks
        self._refused = refused

    def open_channel(self) -> Channel:
        """TLS, or nothing."""
        return self._server.open() if self._server else Plain()

    def admits(self, authorization: bytes, peer: Peer, later: OnAnswer) -> bool | None:
        """Everyone, if there are no users."""
        if not self._users:
            return True
        credentials = parse_basic(authorization)
        if not credentials:
            self._refused(Refusal.ANONYMOUS, peer, "")
            return False
        return self._checks.ask(*credentials, self._users, later, peer=peer)

    def withdraw(self, later: OnAnswer) -> None:
        """That verdict is no longer needed."""
        self._checks.withdraw(later)


def parse_basic(authorization: bytes) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header (RFC 7617), None if it is not Basic."""
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = binascii.a2b_base64(token.strip(b" "), strict_mode=True).partition(b":")
    except binascii.Error:
        return None
    return (user.decode(errors="surrogateescape"), password) if colon else None
