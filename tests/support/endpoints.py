"""An endpoint that keeps what it refused."""

from collections import Counter
from collections.abc import Callable

from sriov_bootstrap.exporter.connection import PUBLIC, Rules
from sriov_bootstrap.exporter.endpoint import Endpoint
from sriov_bootstrap.exporter.refusals import Peer, Refusal


class WatchedEndpoint(Endpoint):
    """On some port of these addresses."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        page: Callable[[], bytes],
        *,
        rules: Callable[[], Rules] = lambda: PUBLIC,
        request_seconds: float,
        idle_seconds: float,
    ) -> None:
        self.refused: Counter[Refusal] = Counter()
        super().__init__(
            addresses,
            0,
            page,
            rules=rules,
            refused=self._keep,
            request_seconds=request_seconds,
            idle_seconds=idle_seconds,
        )

    def _keep(self, refusal: Refusal, peer: Peer) -> None:
        assert peer.network in {"127.0.0.1", "127.0.0.2", "::/64"}
        self.refused[refusal] += 1
