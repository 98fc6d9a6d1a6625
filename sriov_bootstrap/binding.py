"""The metrics endpoint as the config wants it: opened, moved, tried again while a port is taken."""

from collections.abc import Callable

from sriov_bootstrap.core.config import Metrics
from sriov_bootstrap.errors import SriovBootstrapError
from sriov_bootstrap.ports import Endpoint

RETRY_SECONDS = 30.0
NEVER = float("inf")


class Binding:
    """`make` gives a closed endpoint for [metrics]; `due_at` (CLOCK_MONOTONIC) is when `bind` has work."""

    def __init__(self, make: Callable[[Metrics], Endpoint], *, now: float) -> None:
        self._make = make
        self._endpoint: Endpoint | None = None
        self._metrics: Metrics | None = None
        self._said = ""
        self.due_at = now

    def want(self, metrics: Metrics, *, now: float) -> None:
        """A config was read: another address is due at once, and so are other rules about who may see it."""
        if self._metrics is not None and _wanted(metrics) != _wanted(self._metrics):
            self.due_at = now

    async def bind(self, metrics: Metrics, *, now: float) -> SriovBootstrapError | None:
        """Opens it, or closes it where nothing is to listen.

        What goes wrong is due again later, as VFs do not depend on it, and is returned when it is new.
        """
        self.due_at = NEVER
        await self.close()
        self._metrics = metrics
        if not metrics.listen:
            return None
        endpoint = self._make(metrics)
        try:
            await endpoint.start()
        except SriovBootstrapError as error:
            self.due_at = now + RETRY_SECONDS
            is_new, self._said = error.message != self._said, error.message
            return error if is_new else None
        self._endpoint, self._said = endpoint, ""
        return None

    async def close(self) -> None:
        """Lets the port go."""
        if self._endpoint:
            await self._endpoint.stop()
            self._endpoint = None


def _wanted(metrics: Metrics) -> tuple[str, str]:
    return metrics.listen, metrics.web_config
