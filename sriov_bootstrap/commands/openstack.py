"""openstack attach-port, detach-port: a VF for a server that runs, and back."""

from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.commands.interruption import ended_by_signals
from sriov_bootstrap.commands.terminal import write_note
from sriov_bootstrap.edges.openstack_api import OpenStackApi, SystemClock
from sriov_bootstrap.verify.openstack.attachment import Attachments
from sriov_bootstrap.verify.openstack.attachment_rules import PortWish
from sriov_bootstrap.verify.openstack.survey import DIRECT


def openstack(asked: Arguments) -> int:
    """0 once it is done. Raises UsageError and CloudError."""
    wish = PortWish(
        asked.server_name,
        asked.network,
        asked.physical_network,
        asked.vnic_type or DIRECT,
        asked.port,
        asked.with_switchdev,
    )
    act = attach_port if asked.action == "attach-port" else detach_port
    with ended_by_signals():
        return act(asked.cloud, wish, as_json=asked.json)


def attach_port(cloud: str, wish: PortWish, *, as_json: bool) -> int:
    """0 once the port has its VF. Raises UsageError and CloudError."""
    server, port = _attachments(cloud).attach(wish)
    if as_json:
        answer = {"server": server.id, "host": server.host, "port": port.id, "mac_address": port.mac_address}
        print(to_json({**answer, "vif_type": port.vif_type, "pci_address": port.profile.pci_slot}).decode())
        return ExitCode.OK
    vf = port.profile.pci_slot or "a VF"
    what = f"port {port.id}, MAC {port.mac_address}, {vf} on {server.host}, {port.vif_type}"
    print(f"server {printable(server.name)}: {what}")
    print(f"to detach it: sriov-bootstrap openstack detach-port {server.id} --port {port.id}")
    return ExitCode.OK


def detach_port(cloud: str, wish: PortWish, *, as_json: bool) -> int:
    """0 once the server has let it go. Raises UsageError and CloudError."""
    server, port, is_deleted = _attachments(cloud).detach(wish)
    if as_json:
        print(to_json({"server": server.id, "port": port.id, "is_deleted": is_deleted}).decode())
        return ExitCode.OK
    what = "and is deleted" if is_deleted else "and still exists"
    print(f"server {printable(server.name)}: port {port.id} is detached {what}")
    return ExitCode.OK


def _attachments(cloud: str) -> Attachments:
    return Attachments(OpenStackApi(cloud), SystemClock(), write_note)
