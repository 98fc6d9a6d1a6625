"""What `verify openstack` and `openstack` need of a cloud."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

Parameters = Mapping[str, str | Sequence[str]]


class Api(StrEnum):
    """Which of a cloud's services."""

    NETWORK = "network"
    COMPUTE = "compute"
    PLACEMENT = "placement"
    IMAGE = "image"


class Cloud(Protocol):
    """A cloud, with an operator's credentials. Each method is one request, and raises CloudError.

    `microversion` is that of nova's or placement's API; "" is the oldest, which every release has.
    """

    def get(self, api: Api, path: str, parameters: Parameters = ..., *, microversion: str = ...) -> Any:  # noqa: ANN401
        """The body of the answer. A parameter with several values is sent several times: neutron's "or"."""
        ...

    def post(self, api: Api, path: str, body: object, *, microversion: str = ...) -> Any:  # noqa: ANN401
        """The body of the answer."""
        ...

    def delete(self, api: Api, path: str) -> None:
        """What is gone already is no error."""
        ...

    def newest_microversion(self) -> tuple[int, int]:
        """Of nova's API."""
        ...


class Clock(Protocol):
    """Time that passes while the cloud works."""

    def monotonic(self) -> float:
        """Seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let the cloud work."""
        ...
