"""An endpoint that has a port of its own, and keeps what it refused."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from sriov_bootstrap.exporter.addresses import listener
from sriov_bootstrap.exporter.connection import Connection
from sriov_bootstrap.exporter.endpoint import Endpoint
from sriov_bootstrap.exporter.protocols import AccessRules
from sriov_bootstrap.exporter.public import PUBLIC
from sriov_bootstrap.exporter.refusals import LOOPBACK, Peer, Refusal

LONG: Final = 1000.0  # a test is over before
STAND_IN: Final = "127.9.9.9"  # who comes from here counts as ELSEWHERE: a test only has loopback addresses
ELSEWHERE: Final = Peer("192.0.2.1", "192.0.2.1")


class WatchedEndpoint(Endpoint):
    """`port`: where it was started last; `admitted`: how many have come."""

    def __init__(
        self,
        page: Callable[[], bytes],
        *,
        rules: Callable[[], AccessRules] = lambda: PUBLIC,
        request_seconds: float = LONG,
        idle_seconds: float = LONG,
    ) -> None:
        self.port = 0
        self.admitted = 0
        self.refused: Counter[Refusal] = Counter()
        super().__init__(
            page,
            rules=rules,
            refused=self._keep,
            request_seconds=request_seconds,
            idle_seconds=idle_seconds,
        )

    async def start_on(self, *addresses: str) -> None:
        """On a port that is free on all of these."""
        listeners = [listener(addresses[0], 0)]
        self.port = int(listeners[0].getsockname()[1])
        listeners += [listener(address, self.port) for address in addresses[1:]]
        try:
            await self.start(listeners)
        except BaseException:
            for made in listeners:
                made.close()
            raise

    async def until_admitted(self, number: int) -> None:
        while self.admitted < number:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)

    def admit(self, connection: Connection) -> None:
        self.admitted += 1
        if connection.peer.address == STAND_IN:
            connection.peer = ELSEWHERE
        super().admit(connection)

    def _keep(self, refusal: Refusal, peer: Peer) -> None:
        assert peer.network in {LOOPBACK, ELSEWHERE.network}
        self.refused[refusal] += 1
