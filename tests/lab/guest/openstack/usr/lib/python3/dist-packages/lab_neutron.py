"""The neutron server that the guest's agent talks to, within the agent's own process: oslo.messaging's fake transport.

It knows no port, and answers as neutron/plugins/ml2/rpc.py does then. Each call is a line in CALLS: method, devices.
"""

from collections.abc import Sequence

from neutron_lib import rpc
from neutron_lib.agent.l2_extension import L2AgentExtension
from oslo_messaging import Target

CALLS = "/var/log/neutron/lab-calls"


def note(method: str, devices: Sequence[object]) -> None:
    """Write a call down."""
    with open(CALLS, "a", encoding="utf-8") as file:
        file.write(f"{method} {len(devices)}\n")


class Plugin:
    """What the agent asks of the server; `_more` is who asks."""

    target = Target(version="1.9")

    def get_devices_details_list(self, _context: object, devices: list[object], **_more: object) -> list[object]:
        note("get_devices_details_list", devices)
        return [{"device": device} for device in devices]

    def update_device_list(
        self, _context: object, devices_up: list[object], devices_down: list[object], **_more: object
    ) -> dict[str, list[object]]:
        note("update_device_list", [*devices_up, *devices_down])
        return {"devices_up": [], "failed_devices_up": [], "devices_down": [], "failed_devices_down": []}

    def update_device_down(self, _context: object, device: object, **_more: object) -> dict[str, object]:
        note("update_device_down", [device])
        return {"device": device, "exists": False}


class LabServer(L2AgentExtension):  # type: ignore[misc] # its library is not in our venv
    """An extension: the agent starts those itself, before it asks anything."""

    def initialize(self, _connection: object, _driver_type: str) -> None:
        self._connection = rpc.Connection()
        self._connection.create_consumer("q-plugin", [Plugin()])
        self._connection.consume_in_threads()

    def handle_port(self, context: object, data: object) -> None:
        """There are no ports."""

    def delete_port(self, context: object, data: object) -> None:
        """There are no ports."""
