"""What is decided before a port is attached or detached: whether nova can, which network and which port are meant.

nova attaches ports with VFs since 22.0.0 (Victoria). Earlier releases either refuse with HTTP 400, 19 to 21, or attach
a port without claiming a VF for it. Their API says which they are by its newest microversion; 21 and 22 share 2.87.
"""

from msgspec import Struct

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.verify.openstack.checks import networks_on
from sriov_bootstrap.verify.openstack.survey import DIRECT, CloudPort, CloudServer, Network

NO_CLAIM_UP_TO = (2, 65)  # Rocky, 18.0.0
REFUSED_UP_TO = (2, 79)  # Train, 20.0.0
UNCERTAIN_UP_TO = (2, 87)  # Ussuri and Victoria, 21.0.0 and 22.0.0
SHOWN = 3


class PortWish(Struct, frozen=True):
    """What was asked for; "" where nothing was."""

    server: str
    network: str = ""
    physical_network: str = ""
    vnic_type: str = DIRECT
    port: str = ""
    with_switchdev: bool = False


def doubts(newest: tuple[int, int]) -> str:
    """What is to be said before trying on a nova with this newest microversion; "" if nothing. Raises UsageError."""
    refuse_old(newest)
    if newest <= UNCERTAIN_UP_TO:
        return "nova is 21 or 22, which its API does not tell: 21 (Ussuri) answers HTTP 400, 22 (Victoria) attaches it"
    return ""


def refuse_old(newest: tuple[int, int]) -> None:
    """Raises UsageError for a nova that cannot attach and detach VFs."""
    hint = "give the server a port with a VF when it is made: openstack server create --port PORT"
    version = f"nova's API ends at {newest[0]}.{newest[1]}"
    if newest <= NO_CLAIM_UP_TO:
        text = f"{version}, as up to 18 (Rocky): it would attach the port, and claim no VF for it"
        raise UsageError((text,), hint=hint)
    if newest <= REFUSED_UP_TO:
        raise UsageError((f"{version}, as 19 (Stein) and 20 (Train): they answer HTTP 400 to this",), hint=hint)


def choose_network(found: tuple[Network, ...], wish: PortWish) -> tuple[Network, str]:
    """The network that was meant, and its physical network. Raises UsageError."""
    on = f" on physical_network {wish.physical_network}" if wish.physical_network else ""
    if wish.network and not found:
        raise UsageError((f'no network is called "{wish.network}"{on}, or these credentials do not see it',))
    physical = {
        segment.physical_network for network in found for segment in network.segments if segment.physical_network
    }
    names = {wish.physical_network} if wish.physical_network else physical
    fitting = [(network, name) for name in sorted(names) for network in networks_on(name, found)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        called = f"network {wish.network} has no" if wish.network else "no network has a"
        raise UsageError((f"{called} flat or vlan segment{on or ' on a physical network'}, as VFs need",))
    shown = shortlist([f"{network.label} ({name})" for network, name in fitting], SHOWN)
    raise UsageError((f"several networks have a segment{on} for VFs: {shown}",), hint="say which: --network NAME")


def choose_port(ports: tuple[CloudPort, ...], wanted: str, server: CloudServer) -> CloudPort:
    """The port that was meant, of those with VFs that the server has. Raises UsageError."""
    fitting = [port for port in ports if wanted in {"", port.id, port.name}]
    if len(fitting) == 1:
        return fitting[0]
    named = f' called "{wanted}"' if wanted else ""
    if not fitting:
        raise UsageError((f"server {server.id} has no port{named} with a VF",))
    shown = shortlist([f"{port.id} ({port.profile.pci_slot or port.mac_address})" for port in fitting], SHOWN)
    raise UsageError((f"server {server.id} has several ports{named} with VFs: {shown}",), hint="say which: --port ID")
