"""What a cloud says of its hosts, as nouns. Nothing else is taken in: of a port's profile, no more than its VF."""

from typing import Any

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import CloudError

NIC_SWITCH_AGENT = "NIC Switch agent"
OVN_CONTROLLERS = ("OVN Controller agent", "OVN Controller Gateway agent")
BRIDGE_AGENTS = (*OVN_CONTROLLERS, "Open vSwitch agent")  # of ports with switchdev
DIRECT = "direct"
VNIC_TYPES = (DIRECT, "macvtap", "direct-physical")  # those of neutron's sriovnicswitch
NETWORK_TYPES = ("flat", "vlan")
UNBOUND = "unbound"
BINDING_FAILED = "binding_failed"
HW_VEB = "hw_veb"  # sriovnicswitch has bound it: a VF behind the NIC's own bridge
OVS = "ovs"  # ovn or openvswitch has: a VF whose representor is in a bridge
SWITCHDEV = "switchdev"


class Agent(Struct, frozen=True):
    """An agent or chassis of a host, as neutron lists it."""

    agent_type: str
    host: str
    alive: bool = False
    admin_state_up: bool = True
    configurations: dict[str, Any] = {}

    @property
    def mappings(self) -> dict[str, tuple[str, ...]]:
        """physical_network -> PFs, or bridges."""
        if self.agent_type == NIC_SWITCH_AGENT:
            found = self.configurations.get("device_mappings", {})
            return {name: tuple(devices) for name, devices in found.items()}
        bridges = self.configurations.get("bridge_mappings") or self.configurations.get("bridge-mappings") or {}
        if isinstance(bridges, str):  # OVN's form: physnet:bridge,physnet:bridge
            bridges = dict(pair.split(":", 1) for pair in bridges.split(",") if ":" in pair)
        return {name: (bridge,) for name, bridge in bridges.items()}


class Segment(Struct, frozen=True, rename=lambda name: f"provider:{name}"):
    """One segment of a network."""

    physical_network: str | None = None
    network_type: str | None = None
    segmentation_id: int | None = None

    def __str__(self) -> str:
        """`vlan 101`."""
        return f"{self.network_type}" + (f" {self.segmentation_id}" if self.segmentation_id else "")


class Network(Segment, frozen=True, kw_only=True, rename={"id": "id", "name": "name", "several": "segments"}):
    """A network; with several segments, its own provider attributes are empty."""

    id: str
    name: str = ""
    several: tuple[Segment, ...] = ()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All of them."""
        return self.several or (self,)

    def segment_on(self, physical_network: str) -> Segment | None:
        """That of this physical network on which a VF can be."""
        fitting = (segment for segment in self.segments if segment.physical_network == physical_network)
        return next((segment for segment in fitting if segment.network_type in NETWORK_TYPES), None)

    @property
    def label(self) -> str:
        """Its name, or its id if it has none."""
        return self.name or self.id


class PortProfile(Struct, frozen=True):
    """What a port's profile says of its VF, and of what it asks for; whatever else is in it stays there."""

    pci_slot: str = ""
    physical_network: str | None = None
    capabilities: tuple[str, ...] | None = None


PORT_NAMES = {
    "vnic_type": "binding:vnic_type",
    "vif_type": "binding:vif_type",
    "host": "binding:host_id",
    "profile": "binding:profile",
    "vif_details": "binding:vif_details",
}


class VifDetails(Struct, frozen=True):
    """Of these only the VLAN: the number as text."""

    vlan: str = ""


class CloudPort(Struct, frozen=True, rename=PORT_NAMES):
    """A port. What the credentials may not see is ""."""

    id: str
    name: str = ""
    description: str = ""
    network_id: str = ""
    device_id: str = ""
    device_owner: str = ""
    mac_address: str = ""
    status: str = ""
    created_at: str = ""
    vnic_type: str = ""
    vif_type: str = ""
    host: str = ""
    profile: PortProfile = PortProfile()
    vif_details: VifDetails = VifDetails()

    @property
    def is_bound(self) -> bool:
        """Whether a mechanism driver took it."""
        return self.vif_type not in {"", UNBOUND, BINDING_FAILED}

    @property
    def wants_switchdev(self) -> bool:
        """Whether sriovnicswitch leaves it to ovn or openvswitch."""
        return SWITCHDEV in (self.profile.capabilities or ())

    @property
    def kind(self) -> str:
        """`direct`, or `direct switchdev`."""
        return f"{self.vnic_type} {SWITCHDEV}" if self.wants_switchdev else self.vnic_type

    @property
    def on_vlan(self) -> str:
        """`, VLAN 101`; "" without one."""
        return f", VLAN {self.vif_details.vlan}" if self.vif_details.vlan not in {"", "0"} else ""


PORT_FIELDS = tuple(PORT_NAMES.get(name, name) for name in CloudPort.__struct_fields__)


class ComputeService(Struct, frozen=True):
    """A nova-compute. `state`: up or down; `status`: enabled or disabled."""

    host: str
    state: str = ""
    status: str = ""
    disabled_reason: str | None = None


class ServerFault(Struct, frozen=True):
    """Why a server is in ERROR."""

    message: str = ""
    details: str = ""


class CloudServer(Struct, frozen=True, rename={"host": "OS-EXT-SRV-ATTR:host", "task": "OS-EXT-STS:task_state"}):
    """A server. `host` is None for credentials that may not see it, and before it has one."""

    id: str
    name: str = ""
    status: str = ""
    created: str = ""
    host: str | None = None
    task: str | None = None
    metadata: dict[str, str] = {}
    fault: ServerFault | None = None


class Pool(Struct, frozen=True):
    """VFs of one kind on one host as nova counts them; `used` is -1 where only free ones are told."""

    total: int
    used: int = -1
    physical_network: str = ""


class Survey(Struct, frozen=True):
    """What was asked of a cloud. `pools`: host -> PCI address of a PF -> what placement has of its VFs.

    `has_all_ports`: False if the server gives lists in pages, and not all were asked for.
    """

    agents: tuple[Agent, ...] = ()
    networks: tuple[Network, ...] = ()
    services: tuple[ComputeService, ...] = ()
    ports: tuple[CloudPort, ...] = ()
    pools: dict[str, dict[str, Pool]] = {}
    has_all_ports: bool = True

    def agents_of(self, host: str) -> tuple[Agent, ...]:
        """Those that map physical networks."""
        kinds = (NIC_SWITCH_AGENT, *BRIDGE_AGENTS)
        return tuple(agent for agent in self.agents if agent.host == host and agent.agent_type in kinds)


Noun = type[Agent] | type[Network] | type[CloudPort] | type[ComputeService] | type[CloudServer]


def rows(answer: Any, key: str, noun: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The list at `key` of an answer, each as a `noun`. Raises CloudError for an answer that is none."""
    try:
        return tuple(msgspec.convert(row, noun) for row in answer[key])
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise CloudError(f"the cloud's list of {key} cannot be understood: {error}") from None


def row(answer: Any, key: str, noun: Any) -> Any:  # noqa: ANN401
    """The same of an answer about one thing."""
    found = answer.get(key) if isinstance(answer, dict) else None
    return rows({key: [found]}, key, noun)[0]
