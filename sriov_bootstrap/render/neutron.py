"""neutron's part: which netdev is in which network on this host, and what the server must know of the networks.

The agent's lists are one option each: a line repeated in another file replaces the list and adds nothing to it.
So is the server's mechanism_drivers: the config names the others, or ours would be the only one.

Ports of a switch (eswitch mode switchdev) are bound by Open vSwitch's or OVN's mechanism driver. Where all VFs are such
ports, the SR-IOV one is not needed. Its agent must not have such a PF in its lists: the server would bind ports there
that ask for no switch, which nothing forwards, and the agent would report others' ports as wired.
"""

import re
from collections.abc import Iterable

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.openstack_rules import NETWORK
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering
from sriov_bootstrap.render.places import drop_in, place_of, restart_command, unit_drafts
from sriov_bootstrap.render.ports import Port, resolve_ports

MECHANISM_DRIVER = "sriovnicswitch"
SWITCH_DRIVERS = frozenset({"openvswitch", "ovn"})  # what binds ports with the capability switchdev
HARDWARE_OFFLOAD_TYPE = "port_hardware_offload_type"  # an extension driver: neutron/plugins/ml2/extensions
OFFLOAD_TYPE_SINCE = 28  # nova's number of 2023.2
PORT_TRUSTED = "port_trusted"  # the same of the port attribute `trusted`
PORT_TRUSTED_SINCE = 30  # nova's number of 2024.2


def render_agent(host: Host, _ask: Ask) -> Rendering:
    """The drop-in of the SR-IOV agent."""
    place, ports = place_of("sriov-agent", host), resolve_ports(host)
    problems = {port: problem for port in ports if (problem := _missing_facts(port))}
    good = [port for port in ports if port.rule.is_for_sriov_agent and port not in problems]
    of_switches = [port for port in ports if is_of_switch(port.rule)]
    context = {
        "release": host.release,
        "mappings": [f"{port.rule.physical_network}:{port.netdev}" for port in good],
        "excluded": [
            f"{port.netdev}:" + ";".join(vf.pci_address for vf in port.excluded) for port in good if port.excluded
        ],
        "bandwidths": [
            f"{port.netdev}:{port.rule.bandwidth_kbps}:{port.rule.bandwidth_kbps}"
            for port in good
            if port.rule.bandwidth_kbps
        ],
        "has_firewall": host.release.nova <= openstack_releases.AGENT_FIREWALL_UNTIL,
        "of_switches": of_switches,
        "is_needed": len(of_switches) < len(ports) or not ports,
        "unused": [port for port in ports if not port.rule.physical_network and port not in of_switches],
        "problems": _lines(problems),
    }
    drafts = (Draft("sriov-agent.conf.j2", context, drop_in(place)), *unit_drafts(place, host.release))
    return Rendering(drafts, tuple(_lines(problems)), (restart_command(place, host.release),))


def render_server(host: Host, _ask: Ask) -> Rendering:
    """The drop-in of neutron's server: it belongs to the controllers, not to this host."""
    place, table = place_of("neutron-server", host), host.config.openstack
    ports = [port for port in resolve_ports(host) if port.rule.physical_network]
    problems = {port: problem for port in ports if (problem := _bad_name(port))}
    networks = {port.rule.physical_network: None for port in ports if port not in problems}
    named = {text.partition(":")[0] for text in table.network_vlan_ranges}
    flat = [*table.flat_networks]
    open_networks = [name for name in networks if name not in named and name not in flat and "*" not in flat]
    drivers_problem = "" if table.mechanism_drivers else NO_DRIVERS
    tunnels = any(wish.rule.tunnels for wish in host.wishes)
    of_switches = [port for port in ports if port.rule.wants_switchdev]
    needs_agent = len(of_switches) < len(ports) or not (ports or tunnels)
    context = {
        "release": host.release,
        "drivers": list(dict.fromkeys((*table.mechanism_drivers, *((MECHANISM_DRIVER,) if needs_agent else ())))),
        "has_switches": bool(of_switches) or tunnels,
        "lacks_switch_driver": not SWITCH_DRIVERS.intersection(table.mechanism_drivers),
        "offload_extension": HARDWARE_OFFLOAD_TYPE if host.release.nova >= OFFLOAD_TYPE_SINCE else "",
        "has_trusted": any(port.rule.trusted for port in ports),
        "trusted_extension": PORT_TRUSTED if host.release.nova >= PORT_TRUSTED_SINCE else "",
        "drivers_problem": drivers_problem,
        "vlan_ranges": [*table.network_vlan_ranges, *open_networks],
        "without_range": open_networks,
        "flat_networks": flat,
        "vendor_devs": _vendor_devs(ports) if host.release.nova <= openstack_releases.ML2_SRIOV_UNTIL else [],
        "problems": _lines(problems),
    }
    drafts = (Draft("neutron-server.conf.j2", context, drop_in(place)), *unit_drafts(place, host.release))
    told = (*_lines(problems), *filter(None, (drivers_problem,)))
    return Rendering(drafts, told, (f"on the controllers: {restart_command(place, host.release)}",))


NO_DRIVERS = (
    "[openstack]: mechanism_drivers is not set: list the other drivers that the cloud uses, such as "
    'mechanism_drivers = ["openvswitch"]: the list replaces the one in ml2_conf.ini'
)


def is_of_switch(rule: PfRule) -> bool:
    """Whether VMs get its VFs as ports of a switch, in a physical network or in none."""
    return rule.wants_switchdev and bool(rule.physical_network or rule.tunnels)


def _missing_facts(port: Port) -> str:
    """What the agent needs but is not known; "" if nothing, or if the agent is not concerned."""
    if not port.rule.is_for_sriov_agent:
        return ""
    if problem := port.network_problem or _bad_name(port) or port.netdev_problem:
        return problem
    if problem := _unclear_netdev(port):
        return problem
    if port.rule.exclude_vfs and port.vfs is None:
        return "the addresses of the excluded VFs are unknown: render on a host with the NIC"
    return ""


def _unclear_netdev(port: Port) -> str:
    """Why it cannot be told by which netdev the agent finds the VFs; "" if it can."""
    if port.is_here and not port.netdev:
        without = "its PF has no netdev, by which the agent finds VFs: load its driver"
        return f"{without}; if that makes none, use alias instead of physical_network, for flavors"
    if not port.netdev:
        return "the netdev of its PF is unknown: render on a host with the NIC, or match by an exact netdev"
    if len(port.netdevs) > 1:
        several = " and ".join(port.netdevs)
        return f"which port of its PF is in {port.rule.physical_network}, {several}? match by the netdev of that port"
    if port.netdev_device:
        where = f"the agent looks for the VFs of {port.netdev} in {port.netdev_device}, which has none"
        return f"{where}: use alias instead of physical_network, for flavors"
    return ""


def _bad_name(port: Port) -> str:
    """In a list of neutron's some characters are punctuation."""
    if re.fullmatch(NETWORK, port.rule.physical_network):
        return ""
    return f'physical_network "{port.rule.physical_network}" must be letters, digits, "_", "-", "." for neutron'


def _vendor_devs(ports: Iterable[Port]) -> list[str]:
    return sorted({f"{port.vendor}:{port.device}" for port in ports if port.device})


def _lines(problems: dict[Port, str]) -> list[str]:
    return [f"{port.label}: {problem}" for port, problem in problems.items()]
