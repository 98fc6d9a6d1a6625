"""The checks of what the SR-IOV agent reads: its lists against the PFs that are here, and its options by release."""

import re
from collections.abc import Iterator

from sriov_bootstrap.core import releases
from sriov_bootstrap.core.doctor.finding import Finding
from sriov_bootstrap.core.doctor.ini import NAME, Entry, folded
from sriov_bootstrap.core.doctor.likeness import nearest
from sriov_bootstrap.core.doctor.neutron_lists import (
    Mappings,
    listed,
    parse_bandwidths,
    parse_exclusions,
    parse_mappings,
)
from sriov_bootstrap.core.doctor.openstack_survey import OpenStackSurvey, Service
from sriov_bootstrap.core.doctor.remedies import rendered, restarted
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.openstack.host import Host
from sriov_bootstrap.core.openstack.ports import Port, resolve_ports
from sriov_bootstrap.core.validate import PCI_ADDRESS

SECTION = "sriov_nic"
MAPPINGS, EXCLUDED, BANDWIDTHS = "physical_device_mappings", "exclude_devices", "resource_provider_bandwidths"
# Options of [sriov_nic] -> the nova whose neutron has them; what was given to older ones later counts from there on.
OPTIONS = {
    MAPPINGS: 0,
    EXCLUDED: 0,
    BANDWIDTHS: 19,  # bandwidth-config-sriov-bd8ff8b4d84c8792
    "resource_provider_inventory_defaults": 19,
    "resource_provider_hypervisors": 19,  # bug 1853840
    "resource_provider_default_hypervisor": 19,  # bug 1926693
}
NO_FIREWALL = {"", "noop", "neutron.agent.firewall.NoopFirewallDriver"}
# Seconds that VFs may have changed and the agent still be about to be restarted: more than a job may take.
PATIENCE = 300.0
TARGET = "sriov-agent"


def check_agent(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """All of them; none where there is no agent, or its files may not be read."""
    agent = survey.agent
    if agent.is_known:
        entry = agent.last(SECTION, MAPPINGS)
        mapped = parse_mappings(entry)
        yield from _refused(host, agent, mapped)
        yield from _replaced(host, agent)
        if entry:
            yield from _strange_netdevs(host, entry, mapped)
        yield from _unmapped_pfs(host, agent, mapped)
        yield from _exclusions(host, agent)
        yield from _options(host, agent)
        yield from _firewall(host, agent)
    yield from _started_before(host, survey)


def _refused(host: Host, agent: Service, mapped: Mappings) -> Iterator[Finding]:
    """What ends the agent with exit code 1."""
    mappings, excluded, rates = (agent.last(SECTION, one) for one in (MAPPINGS, EXCLUDED, BANDWIDTHS))
    netdevs = {one.netdev for one in mapped.mappings}
    exclusions, (rated, bad_rates) = parse_exclusions(excluded), parse_bandwidths(rates)
    unmapped = "is not in physical_device_mappings"
    found = [(mappings, text) for text in mapped.problems] + [(excluded, text) for text in exclusions.problems]
    found += [(excluded, f'"{name}" {unmapped}') for name, _ in exclusions.exclusions if name not in netdevs]
    if host.release.nova >= OPTIONS[BANDWIDTHS]:
        found += [(rates, text) for text in bad_rates]
        found += [(rates, f'"{name}" {unmapped}') for name in rated if name not in netdevs]
    for entry, text in found:
        if entry and not (mappings and "$" in mappings.value):
            problem = f"the agent ends with exit code 1 at {entry.option}: {text}"
            yield Finding("SB-E511", entry.place, problem, entry.text, rendered(host, TARGET, entry))


def _replaced(host: Host, agent: Service) -> Iterator[Finding]:
    """A list that comes again replaces the one before."""
    for option in (MAPPINGS, EXCLUDED):
        last = agent.last(SECTION, option)
        kept = set(_words(last))
        for entry in agent.values(SECTION, option):
            lost = set(_words(entry)) - kept
            if last and entry.place != last.place and lost:
                yield Finding(
                    "SB-E512",
                    entry.place,
                    f"{option} comes again in {last.place}, which replaces this one: {', '.join(sorted(lost))} is lost",
                    f"{entry.text}; {last.place}: {last.text}",
                    rendered(host, TARGET, entry, last),
                )


def _words(entry: Entry | None) -> list[str]:
    return list(filter(None, listed(entry.value))) if entry else []


def _strange_netdevs(host: Host, entry: Entry, mapped: Mappings) -> Iterator[Finding]:
    """Netdevs that no PF has. One that a rule names is missed by other checks, and may come."""
    here = {dev.name: dev.device for pf in host.pfs for dev in pf.netdevs}
    awaited = {port.netdev for port in resolve_ports(host)}
    for mapping in mapped.mappings:
        name, device = mapping.netdev, here.get(mapping.netdev)
        if device == "" or (device is None and name in awaited):
            continue
        why, remedy = f"no PF has that netdev{_meant(name, host)}", rendered(host, TARGET, entry)
        if device:
            why = f"finds no VFs: it looks for them in {device}, whose netdev {name} is"
            remedy = restarted(host, TARGET, f"take {name} out of {entry.option} in {entry.place}")
        problem = f'the agent is to use "{name}" for {mapping.network}, and {why}'
        yield Finding("SB-W513", entry.place, problem, entry.text, remedy)


def _meant(name: str, host: Host) -> str:
    """Why it may be written there."""
    for pf in host.pfs:
        for dev in pf.netdevs:
            if name in dev.altnames:
                return f": it is an altname of {dev.name}, and the agent takes none"
            if dev.name.startswith(f"{name}np") or name.startswith(f"{dev.name}np"):
                return f": {pf.pci_address} is {dev.name} now, as names changed with an upgrade"
    near = nearest(name, [dev.name for pf in host.pfs for dev in pf.netdevs])
    return f": was {near} meant?" if near else ""


def _unmapped_pfs(host: Host, agent: Service, mapped: Mappings) -> Iterator[Finding]:
    """PFs of ours whose network the agent knows, but not with them in it."""
    entry = agent.last(SECTION, MAPPINGS)
    networks = {one.network for one in mapped.mappings}
    pairs = {(one.network, one.netdev) for one in mapped.mappings}
    for port in resolve_ports(host):
        network = port.rule.physical_network
        if (
            not entry
            or not port.netdev
            or port.netdev_device
            or network not in networks
            or (network, port.netdev) in pairs
        ):
            continue
        others = [one.network for one in mapped.mappings if one.netdev == port.netdev]
        said = f"it has {port.netdev} in {others[0]}" if others else f"it lacks {network}:{port.netdev}"
        problem = f"{port.label} is in {network}, and the agent does not know it: {said}"
        yield Finding("SB-E514", entry.place, problem, entry.text, rendered(host, TARGET, entry))


def _exclusions(host: Host, agent: Service) -> Iterator[Finding]:
    """VFs that are left out and are not there to be left out, or that nova is given all the same."""
    entry = agent.last(SECTION, EXCLUDED)
    if not entry:
        return
    ports = {port.netdev: port for port in resolve_ports(host)}
    pfs = {dev.name: pf for pf in host.pfs for dev in pf.netdevs}
    owners = {vf.pci_address: pf for pf in host.pfs for vf in pf.vfs}
    for netdev, addresses in parse_exclusions(entry).exclusions:
        for address in addresses:
            problem = _not_excluded(address, pfs.get(netdev), ports.get(netdev), owners.get(address))
            if problem:
                problem = f"exclude_devices: {netdev}: {problem}"
                yield Finding("SB-W517", entry.place, problem, entry.text, rendered(host, TARGET, entry))


def _not_excluded(address: str, pf: PfFacts | None, port: Port | None, owner: PfFacts | None) -> str:
    """`owner`: the PF whose VF it is."""
    if not re.fullmatch(PCI_ADDRESS, address) or address.count(":") != 2:  # noqa: PLR2004 - domain, bus, device
        return f'"{address}" is no address of a VF, such as 0000:3b:02.0'
    if address != address.lower():
        return f"the agent compares with {address.lower()}, in small letters"
    if owner and owner is not pf:
        return f"{address} is a VF of {owner.netdev or owner.pci_address}"
    if port and port.vfs is not None and port.rule.physical_network:
        if address not in {vf.pci_address for vf in port.vfs}:
            return f"{address} is none of its VFs"
        if address in {vf.pci_address for vf in port.offered}:
            return f"{address} is left out here, but not by exclude_vfs of {port.label}: nova gives it to VMs"
    return ""


def _options(host: Host, agent: Service) -> Iterator[Finding]:
    """What [sriov_nic] does not have in this release; the agent ignores it in silence."""
    known = [name for name, since in OPTIONS.items() if since <= host.release.nova]
    for file in agent.files:
        for entry in file.entries:
            if folded(entry.section) != SECTION or entry.option in known:
                continue
            name = entry.option if NAME.fullmatch(entry.option) else "like this one"
            problem = f"the agent has no option {name} in [{entry.section}]"
            near = nearest(entry.option, known)
            if entry.option in OPTIONS:
                problem += f" before nova {OPTIONS[entry.option]}"
            fix = f"write {near}" if near else "take the line out"
            yield Finding(
                "SB-W515",
                entry.place,
                f"{problem}: it is ignored" + (f"; {near} is one" if near else ""),
                entry.text if entry.option in OPTIONS else entry.name,
                restarted(host, TARGET, f"{fix} in {entry.place}"),
            )


def _firewall(host: Host, agent: Service) -> Iterator[Finding]:
    """The agent has one until neutron 26, and it must do nothing: VFs bypass the host."""
    entry = agent.last("securitygroup", "firewall_driver")
    if entry and host.release.nova <= releases.AGENT_FIREWALL_UNTIL and entry.value not in NO_FIREWALL:
        driver = entry.value.partition("\n")[0]  # what stands below it by mistake may be secret
        problem = f"the agent's firewall_driver is {driver}, which cannot filter what VFs send"
        yield Finding("SB-W518", entry.place, problem, entry.text, rendered(host, TARGET, entry))


def _started_before(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """It reads the VFs of a PF once."""
    agent, changed = survey.agent, survey.changed_at
    if changed is None or survey.waited is None or survey.waited < PATIENCE:
        return
    if agent.is_active and agent.started_at is not None and agent.started_at < changed:
        problem = f"it started {changed - agent.started_at:.0f} s before VFs changed, and does not know the new ones"
        restart = restarted(host, TARGET, f"see why its restart fails: journalctl -u {agent.unit}")
        yield Finding("SB-E519", agent.unit, problem, remedy=restart)
