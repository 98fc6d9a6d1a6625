"""What a cloud makes of a host, judged: neutron's and nova's lists against what the host's /sys shows. Pure."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.verify.openstack.agents import (
    AGENT_FILES,
    SHOWN,
    absence,
    agent_problem,
    agent_remedy,
    binding_agent,
    label,
)
from sriov_bootstrap.verify.openstack.hosts import CloudHost, HostPf
from sriov_bootstrap.verify.openstack.survey import (
    BINDING_FAILED,
    HW_VEB,
    OVS,
    Agent,
    CloudPort,
    ComputeService,
    Network,
    Pool,
    Survey,
)

LEGACY = "legacy"
CAPABILITY_HINT = (
    "nova puts what it knows of the VF's netdev, perhaps from before the mode was changed, in place of what the port "
    "asked for; sriov-bootstrap doctor on the host looks at the netdevs"
)


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
        hint = f"the name, from --host or the file's, must be the host's in nova and neutron, their option host{meant}"
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
    """Who binds ports with VFs of this host, by the modes of its PFs, and the mapping."""
    pfs = host.pfs_on(physical_network)
    switched = tuple(pf for pf in pfs if pf.is_switchdev)
    others = tuple(pf for pf in pfs if not pf.is_switchdev)
    if switched:
        yield _check_bridges(host, physical_network, binding_agent(agents, with_switchdev=True))
        yield from _check_stray_mapping(host, switched, physical_network, binding_agent(agents, with_switchdev=False))
    if others or not switched:
        yield _check_sriov_agent(host, others, physical_network, agents)
    if switched and others:
        modes = f"{switched[0]} is in switchdev mode, {others[0]} is not"
        text = f"{physical_network}: {modes}; nova cannot tell their VFs apart"
        yield Check(CheckState.NOTE, "agent", text, "a physical_network of its own for each of the two modes")


def _check_bridges(host: CloudHost, physical_network: str, agent: Agent | None) -> Check:
    """The chassis or agent that binds ports with switchdev."""
    if agent is None:
        return Check(CheckState.FAILED, "agent", *absence(host.name, with_switchdev=True))
    if problem := agent_problem(agent, physical_network):
        return Check(CheckState.FAILED, "agent", problem, agent_remedy(agent, physical_network))
    bridges = shortlist(agent.mappings[physical_network], SHOWN)
    text = f"{label(agent)} is alive and maps {physical_network} to {bridges}, for ports with switchdev"
    return Check(CheckState.OK, "agent", text)


def _check_stray_mapping(
    host: CloudHost, pfs: tuple[HostPf, ...], physical_network: str, agent: Agent | None
) -> Iterator[Check]:
    """A PF in switchdev mode that the SR-IOV agent has as well."""
    devices = agent.mappings.get(physical_network, ()) if agent and agent.alive else ()
    if served := [pf.netdev for pf in pfs if pf.netdev in devices]:
        text = f"the SR-IOV agent maps {physical_network} to {shortlist(served, SHOWN)}, which is in switchdev mode"
        effect = "neutron binds ports that do not ask for switchdev there, and nothing forwards their frames"
        remedy = (
            f"on {host.name}: {AGENT_FILES} --write, then restart the agent; sriov-bootstrap doctor explain SB-W516"
        )
        yield Check(CheckState.NOTE, "agent", f"{text}: {effect}", remedy)


def _check_sriov_agent(
    host: CloudHost, pfs: tuple[HostPf, ...], physical_network: str, agents: tuple[Agent, ...]
) -> Check:
    agent = binding_agent(agents, with_switchdev=False)
    if agent is not None:
        if problem := agent_problem(agent, physical_network):
            return Check(CheckState.FAILED, "agent", problem, agent_remedy(agent, physical_network))
        return _check_devices(pfs, agent.mappings[physical_network], physical_network)
    other = binding_agent(agents, with_switchdev=True)
    if other and not agent_problem(other, physical_network) and not any(pf.eswitch_mode for pf in pfs):
        text = f"no SR-IOV agent; {label(other)} maps {physical_network}: only ports with switchdev are bound"
        return Check(
            CheckState.NOTE, "agent", text, 'if the PFs are in that mode, say so: mode = "switchdev" in [pf.eswitch]'
        )
    return Check(CheckState.FAILED, "agent", *absence(host.name, with_switchdev=False))


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
    have = (
        quantity(sound, "port has", "ports have") + " a VF that /sys shows"
        if claimed
        else "no port has a VF of this host"
    )
    yield Check(CheckState.OK, "ports", f"{have}{more}")


def port_problem(host: CloudHost, port: CloudPort, other: CloudPort | None) -> str:
    """What is wrong with the VF of this port; "" if nothing. `other`: a port with the same VF."""
    address = port.profile.pci_slot
    pf = host.pf_of_vf(address)
    is_pf = address in {pf.pci_address for pf in host.pfs}
    if other:
        return f"port {port.id}: VF {address} also belongs to port {other.id}"
    if pf is None and not is_pf:
        return f"port {port.id}: VF {address} does not exist on {host.name}, or belongs to a PF without a rule"
    wanted = port.profile.physical_network
    if pf and wanted and pf.physical_network and wanted != pf.physical_network:
        return f"port {port.id}: nova took VF {address} for {wanted}, and {pf} is on {pf.physical_network}"
    if pf and (problem := mode_problem(pf, port)):
        return f"port {port.id}: VF {address} belongs to {pf}, {problem}"
    return ""


def mode_problem(pf: HostPf, port: CloudPort) -> str:
    """Why a bound port's VF carries no frames in its PF's mode; "" if it does, or the mode is not known."""
    if pf.is_switchdev and port.vif_type == HW_VEB:
        return (
            f"which is in switchdev mode, and sriovnicswitch bound the port ({HW_VEB}): no bridge has its representor"
        )
    if pf.eswitch_mode == LEGACY and port.vif_type == OVS:
        return f"which is in legacy mode, and the port was bound to a bridge ({OVS}): there is no representor"
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
            text = f"{name}: /sys shows {quantity(free, 'free VF')}; how many of them nova knows is not in its API"
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
            CheckState.FAILED, "VF", f"{address} belongs to {pf}, which is on {pf.physical_network or 'no network'}"
        )
    if problem := mode_problem(pf, port):
        return Check(CheckState.FAILED, "VF", f"{address} belongs to {pf}, {problem}", CAPABILITY_HINT)
    return Check(
        CheckState.OK,
        "VF",
        f"{address} of {pf}, {port.vif_type}, {physical_network}{port.on_vlan}, MAC {port.mac_address}",
    )
