"""What a cloud makes of a host, judged: neutron's and nova's lists against what the host's /sys shows. Pure."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.verify.openstack.hosts import CloudHost, HostPf
from sriov_bootstrap.verify.openstack.survey import (
    BINDING_FAILED,
    NIC_SWITCH_AGENT,
    Agent,
    CloudPort,
    ComputeService,
    Network,
    Pool,
    Survey,
)

SHOWN = 3  # names of many
AGENT_FILES = "sriov-bootstrap render sriov-agent"


class CheckState(StrEnum):
    """NOTE: worth knowing, and in no VM's way."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"


class Check(Struct, frozen=True):
    """One thing that was looked at: `subject` in a word or two, what was found, and what to do."""

    verdict: CheckState
    subject: str
    text: str
    hint: str = ""


def check_host(host: CloudHost, survey: Survey, logged: tuple[Pool, ...] | None) -> tuple[Check, ...]:
    """All checks of one host. `logged`: free VFs by nova-compute's own log, None if that is not at hand."""
    found = [check_service(host.name, survey.services)]
    if not host.physical_networks:
        text = "no rule has a physical_network: neutron can give no port a VF of this host"
        found.append(Check(CheckState.NOTE, "networks", text))
    for name in host.physical_networks:
        found += check_agents(host, name, survey.agents_of(host.name))
        found.append(check_network(name, survey))
    found += check_ports(host, survey)
    found += check_known_vfs(host, survey, logged)
    return tuple(found)


def check_service(host: str, services: tuple[ComputeService, ...]) -> Check:
    """nova-compute on this host."""
    service = next((service for service in services if service.host == host), None)
    if service is None:
        names = [service.host for service in services]
        same = [name for name in names if name.partition(".")[0] == host.partition(".")[0]]  # with a domain, or without
        guess = same[0] if len(same) == 1 else nearest(host, names)
        meant = f'; did you mean "{guess}"?' if guess else ""
        hint = f"--host takes the host's name in nova and neutron, their option host{meant}"
        return Check(CheckState.FAILED, "nova-compute", f'nova has no nova-compute on "{host}"', hint)
    if service.state != "up":
        text = "nova-compute is down: nova has not heard of it for longer than service_down_time"
        return Check(CheckState.FAILED, "nova-compute", text, f"on {host}: systemctl status nova-compute, and its log")
    if service.status != "enabled":
        reason = f": {service.disabled_reason}" if service.disabled_reason else ""
        text = f"nova-compute is up, and disabled{reason}: no new VM comes to this host"
        return Check(
            CheckState.NOTE, "nova-compute", text, f"openstack compute service set --enable {host} nova-compute"
        )
    return Check(CheckState.OK, "nova-compute", "up and enabled")


def check_agents(host: CloudHost, physical_network: str, agents: tuple[Agent, ...]) -> Iterator[Check]:
    """The SR-IOV agent of this host, or the chassis that binds ports with switchdev, and its mapping."""
    agent = next((agent for agent in agents if agent.agent_type == NIC_SWITCH_AGENT), None)
    bridges = [other for other in agents if other.agent_type != NIC_SWITCH_AGENT and physical_network in other.mappings]
    if agent is None and bridges:
        text = f"no SR-IOV agent; {bridges[0].agent_type} maps {physical_network}: only ports with switchdev are bound"
        yield Check(CheckState.NOTE if bridges[0].alive else CheckState.FAILED, "agent", text)
    elif agent is None:
        hint = f"on {host.name}: {AGENT_FILES}, and start the agent; its host must be {host.name} as well"
        yield Check(CheckState.FAILED, "agent", "neutron has no SR-IOV agent of this host", hint)
    elif problem := agent_problem(agent, physical_network):
        yield Check(CheckState.FAILED, "agent", problem, agent_remedy(agent, physical_network))
    else:
        yield _check_devices(host.pfs_on(physical_network), agent.mappings[physical_network], physical_network)


def agent_problem(agent: Agent, physical_network: str) -> str:
    """Why this SR-IOV agent binds no port on that network; "" if it does."""
    if not agent.alive:
        return "the SR-IOV agent is dead: neutron has not heard of it for longer than agent_down_time"
    if not agent.admin_state_up:
        return "the SR-IOV agent is switched off (admin_state_up is false)"
    if physical_network not in agent.mappings:
        known = shortlist(sorted(agent.mappings), SHOWN) or "nothing"
        return f'the SR-IOV agent does not map physical_network "{physical_network}", only {known}'
    return ""


def agent_remedy(agent: Agent, physical_network: str) -> str:
    """What to do about it."""
    if not agent.alive:
        return f"on {agent.host}: systemctl status of the SR-IOV agent, and its log"
    if not agent.admin_state_up:
        return "openstack network agent set --enable AGENT"
    guess = nearest(physical_network, agent.mappings)
    meant = f'"{guess}" is nearly the same; otherwise ' if guess else ""
    return f"{meant}on {agent.host}: {AGENT_FILES} --write, then restart the agent"


def _check_devices(pfs: tuple[HostPf, ...], devices: tuple[str, ...], physical_network: str) -> Check:
    missing = [pf for pf in pfs if pf.netdev and pf.netdev not in devices]
    mapped = f"maps {physical_network} to {shortlist(devices, SHOWN)}"
    if missing:
        text = f"the SR-IOV agent {mapped}, and not to {shortlist([pf.netdev for pf in missing], SHOWN)}"
        return Check(CheckState.FAILED, "agent", text, f"{AGENT_FILES} --write, then restart the agent")
    return Check(CheckState.OK, "agent", f"the SR-IOV agent is alive and {mapped}")


def check_network(physical_network: str, survey: Survey) -> Check:
    """Whether there is a network whose ports can have such VFs."""
    found = networks_on(physical_network, survey.networks)
    if found:
        names = [f"{network.label} ({network.segment_on(physical_network)})" for network in found]
        return Check(CheckState.OK, "network", f"{physical_network}: {shortlist(names, SHOWN)}")
    text = f'physical_network "{physical_network}": these credentials see no flat or vlan network on it'
    return Check(CheckState.FAILED, "network", text, unknown_network_hint(physical_network, survey))


def networks_on(physical_network: str, networks: Iterable[Network]) -> list[Network]:
    """Those with a segment for VFs there."""
    return [network for network in networks if network.segment_on(physical_network)]


def unknown_network_hint(physical_network: str, survey: Survey) -> str:
    """What may be meant by a network that is not there."""
    known = {name for agent in survey.agents for name in agent.mappings}
    known |= {segment.physical_network or "" for network in survey.networks for segment in network.segments}
    guess = nearest(physical_network, sorted(known))
    if guess:
        return f'"{guess}" is nearly the same; the name has to be the one in neutron-server\'s ml2 configuration'
    create = f"--provider-physical-network {physical_network} --provider-network-type vlan"
    return f"openstack network create {create} NAME; if neutron calls it unknown, its ml2 configuration lacks it"


def check_ports(host: CloudHost, survey: Survey) -> Iterator[Check]:
    """Ports that are bound to this host: their VFs must be there, and on the network that the port means."""
    ports = [port for port in survey.ports if port.host == host.name]
    failed = [port for port in ports if port.vif_type == BINDING_FAILED]
    if failed:
        names = shortlist([port.id for port in failed], SHOWN)
        text = f"{quantity(len(failed), 'port')} of this host could not be bound: {names}"
        yield Check(CheckState.NOTE, "ports", text, "openstack port show has their server")
    claimed: dict[str, CloudPort] = {}
    sound = 0
    for port in ports:
        address = port.profile.pci_slot
        if not address:
            continue
        if problem := port_problem(host, port, claimed.get(address)):
            yield Check(
                CheckState.FAILED, "ports", problem, "restart the server that has it, or detach and attach the port"
            )
        else:
            sound += 1
        claimed[address] = port
    more = "" if survey.has_all_ports else "; the server gave only the first page"
    yield Check(CheckState.OK, "ports", f"{quantity(sound, 'port has', 'ports have')} a VF that /sys shows{more}")


def port_problem(host: CloudHost, port: CloudPort, other: CloudPort | None) -> str:
    """What is wrong with the VF of this port; "" if nothing. `other`: a port with the same VF."""
    address = port.profile.pci_slot
    pf = host.pf_of_vf(address)
    is_pf = address in {pf.pci_address for pf in host.pfs}
    if other:
        return f"port {port.id}: VF {address} is that of port {other.id} as well"
    if pf is None and not is_pf:
        return f"port {port.id}: VF {address} does not exist on {host.name}, or is of a PF without a rule"
    wanted = port.profile.physical_network
    if pf and wanted and pf.physical_network and wanted != pf.physical_network:
        return f"port {port.id}: nova took VF {address} for {wanted}, and {pf} is on {pf.physical_network}"
    return ""


def check_known_vfs(host: CloudHost, survey: Survey, logged: tuple[Pool, ...] | None) -> Iterator[Check]:
    """How many VFs nova knows, as far as it can be found out, against those that exist.

    A VF that a port has is free neither to nova nor to us, whether a process uses it or not.
    """
    pools = survey.pools.get(host.name, {})
    taken = {port.profile.pci_slot for port in survey.ports if port.host == host.name}
    for pf in host.pfs:
        if pool := pools.get(pf.pci_address):
            yield _compare(f"{pf}: placement", pool.total, len(pf.vfs))
    for name in host.physical_networks:
        pfs = host.pfs_on(name)
        free = sum(not vf.user and vf.pci_address not in taken for pf in pfs for vf in pf.vfs)
        if logged is None:
            text = f"{name}: /sys shows {quantity(free, 'free VF')}; what nova knows of them, its API does not tell"
            hint = "on the host, with debug = true in nova.conf, --nova-log reads it from nova-compute's log"
            yield Check(CheckState.NOTE, "known VFs", text, hint)
        else:
            known = sum(pool.total for pool in logged if pool.physical_network == name)
            yield _compare(f"{name}: nova-compute's log", known, free, "free VF")


def _compare(source: str, known: int, there: int, what: str = "VF") -> Check:
    text = f"{source} has {quantity(known, what)}, /sys shows {there}"
    if known == there:
        return Check(CheckState.OK, "known VFs", text)
    hint = "sriov-bootstrap doctor checks device_spec; nova 34 and later have to be restarted to see new VFs"
    return Check(CheckState.FAILED, "known VFs", text, hint)


def check_vf(host: CloudHost, port: CloudPort, physical_network: str) -> Check:
    """The VF that nova gave this port against what /sys shows."""
    address = port.profile.pci_slot
    pf = host.pf_of_vf(address)
    if not port.is_bound:
        return Check(CheckState.FAILED, "VF", f"the server is ACTIVE, but its port is {port.vif_type or 'not bound'}")
    if pf is None:
        shown = f"VF {address}, which /sys of {host.name} does not show" if address else "no VF"
        return Check(CheckState.FAILED, "VF", f"nova gave the port {shown}")
    if pf.physical_network != physical_network:
        return Check(
            CheckState.FAILED, "VF", f"{address} is of {pf}, which is on {pf.physical_network or 'no network'}"
        )
    return Check(
        CheckState.OK,
        "VF",
        f"{address} of {pf}, {port.vif_type}, {physical_network}{port.on_vlan}, MAC {port.mac_address}",
    )
