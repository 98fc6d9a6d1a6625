"""Who binds ports with VFs on a host: the SR-IOV agent, or for ports with switchdev an OVN chassis or Open vSwitch's.

neutron lists an OVN chassis among its agents, by the hostname that Open vSwitch on the host has in its external_ids.
A port with the capability `switchdev` in its profile is left by sriovnicswitch to the drivers ovn and openvswitch,
which in turn leave every other direct port to sriovnicswitch. Pure.
"""

from collections.abc import Iterable

from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.verify.openstack.survey import NIC_SWITCH_AGENT, OVN_CONTROLLERS, Agent

SHOWN = 3
AGENT_FILES = "sriov-bootstrap render sriov-agent"
SRIOV_AGENT = "the SR-IOV agent"
OVN_CHASSIS = "the OVN chassis"
OPEN_VSWITCH_AGENT = "the Open vSwitch agent"
OPEN_VSWITCH_UNIT = "neutron-openvswitch-agent"  # of Debian, Ubuntu and RDO alike
MAPPING_OF_OVN = "ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings={}:BRIDGE, with all others in one list"
MAPPING_OF_OPEN_VSWITCH = "bridge_mappings = {}:BRIDGE in the [ovs] of openvswitch_agent.ini, then restart the agent"


def label(agent: Agent) -> str:
    """What it is called in a sentence."""
    if agent.agent_type == NIC_SWITCH_AGENT:
        return SRIOV_AGENT
    return OVN_CHASSIS if agent.agent_type in OVN_CONTROLLERS else OPEN_VSWITCH_AGENT


def binding_agent(agents: Iterable[Agent], *, with_switchdev: bool) -> Agent | None:
    """The one of a host's agents that binds such ports, one that is alive before one that is not."""
    fitting = [agent for agent in agents if (agent.agent_type != NIC_SWITCH_AGENT) == with_switchdev]
    return min(fitting, key=lambda agent: not agent.alive, default=None)


def absence(host: str, *, with_switchdev: bool) -> tuple[str, str]:
    """What is missing if there is none, and what to do."""
    if with_switchdev:
        text = "neutron has no OVN chassis or Open vSwitch agent for this host, and only they bind ports with switchdev"
        of_ovn = f"with OVN, systemctl status ovn-controller, and external_ids:hostname must be {host} as well"
        without = f"without it, systemctl status {OPEN_VSWITCH_UNIT}, and its host must be {host} as well"
        return text, f"on {host}: {of_ovn}; {without}"
    return (
        "neutron has no SR-IOV agent for this host",
        f"on {host}: {AGENT_FILES}, and start the agent; its host must be {host} as well",
    )


def agent_problem(agent: Agent, physical_network: str) -> str:
    """Why this agent binds no port on that network; "" if it does."""
    if not agent.alive:
        return f"{label(agent)} is dead: neutron has not heard of it for longer than agent_down_time"
    if not agent.admin_state_up:
        return f"{label(agent)} is switched off (admin_state_up is false)"
    if physical_network not in agent.mappings:
        known = shortlist(sorted(agent.mappings), SHOWN) or "nothing"
        return f'{label(agent)} does not map physical_network "{physical_network}", only {known}'
    return ""


def agent_remedy(agent: Agent, physical_network: str) -> str:
    """What to do about it."""
    if not agent.alive:
        return f"on {agent.host}: systemctl status {_unit_of(agent)}, and its log"
    if not agent.admin_state_up:
        return "openstack network agent set --enable AGENT"
    guess = nearest(physical_network, agent.mappings)
    meant = f'"{guess}" is nearly the same; otherwise ' if guess else ""
    return f"{meant}on {agent.host}: {_mapping_of(agent).format(physical_network)}"


def _unit_of(agent: Agent) -> str:
    """That of the SR-IOV agent has another name with each packager."""
    if agent.agent_type == NIC_SWITCH_AGENT:
        return f"of {SRIOV_AGENT}"
    return "ovn-controller" if agent.agent_type in OVN_CONTROLLERS else OPEN_VSWITCH_UNIT


def _mapping_of(agent: Agent) -> str:
    if agent.agent_type == NIC_SWITCH_AGENT:
        return f"{AGENT_FILES} --write, then restart the agent"
    return MAPPING_OF_OVN if agent.agent_type in OVN_CONTROLLERS else MAPPING_OF_OPEN_VSWITCH
