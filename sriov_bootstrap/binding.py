"""The metrics endpoint as the config wants it: opened, moved to another address, tried again while a port is taken."""

from collections.abc import Callable

from sriov_bootstrap.errors import SriovBootstrapError
from sriov_bootstrap.ports import Endpoint

RETRY_SECONDS = 30.0
NEVER = float("inf")


class Binding:
    """`make` gives a closed endpoint for a `metrics.listen`; `due_at` (CLOCK_MONOTONIC) is when `bind` has work."""

    def __init__(self, make: Callable[[str], Endpoint], *, now: float) -> None:
        self._make = make
        self._endpoint: Endpoint | None = None
        self._listen: str | None = None
        self.due_at = now

    def want(self, listen: str, *, now: float) -> None:
        """A config was read: another address is due at once."""
        if self._listen is not None and listen != self._listen:
            self.due_at = now

    async def bind(self, listen: str, *, now: float) -> SriovBootstrapError | None:
        """Opens it, "" closes it. What went wrong is returned, and is due again later: VFs do not depend on it."""
        self.due_at = NEVER
        await self.close()
        self._listen = listen
        if not listen:
            return None
        endpoint = self._make(listen)
        try:
            await endpoint.start()
        except SriovBootstrapError as error:
            self.due_at = now + RETRY_SECONDS
            return error
        self._endpoint = endpoint
        return None

    async def close(self) -> None:
        """Lets the port go."""
        if self._endpoint:
            await self._endpoint.stop()
            self._endpoint = None
