"""The checks of what the SR-IOV agent reads: its lists against this host's PFs, and its options by release."""

from collections.abc import Iterator

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.netdev_names import NetdevNames
from sriov_bootstrap.core.pci_address import normalize
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.similar_names import Guesses
from sriov_bootstrap.doctor.neutron.lists import Mappings, items, parse_bandwidths, parse_exclusions, parse_mappings
from sriov_bootstrap.doctor.neutron.networks import nova_networks
from sriov_bootstrap.doctor.neutron.shown_names import ShownNames, quote_entry
from sriov_bootstrap.doctor.openstack.checks import check_start
from sriov_bootstrap.doctor.openstack.remedies import render_remedy, restart_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import NAME, Entry, fold
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.places import OWN_NAME
from sriov_bootstrap.render.ports import resolve_ports

SECTION = "sriov_nic"
MAPPINGS, EXCLUDED, BANDWIDTHS = "physical_device_mappings", "exclude_devices", "resource_provider_bandwidths"
# Options of [sriov_nic] -> the nova whose neutron has them; what was given to older ones later counts from there on.
OPTIONS = {
    MAPPINGS: 0,
    EXCLUDED: 0,
    BANDWIDTHS: openstack_releases.BANDWIDTHS_SINCE,
    "resource_provider_inventory_defaults": openstack_releases.BANDWIDTHS_SINCE,
    "resource_provider_hypervisors": openstack_releases.HYPERVISORS_SINCE,
    "resource_provider_default_hypervisor": openstack_releases.HYPERVISORS_SINCE,
}
NO_FIREWALL = {"", "noop", "neutron.agent.firewall.NoopFirewallDriver"}
TARGET = "sriov-agent"
SHOWN = 8  # items of a list


def check_agent(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """None where there is no agent or its files may not be read."""
    agent = survey.agent
    if agent.is_known:
        entry = agent.last_entry((SECTION, MAPPINGS))
        mapped = parse_mappings(entry)
        shown = ShownNames(host, nova_networks(host, survey))
        yield from _refused_lists(host, agent, mapped, shown)
        yield from _replaced_lists(host, agent, shown)
        if entry:
            yield from _strange_netdevs(host, entry, mapped, shown)
            yield from _unmapped_pfs(host, entry, mapped, shown)
            yield from _switch_pfs(host, entry, mapped, shown)
        yield from _exclusions(host, agent, shown)
        yield from _options(host, agent)
        yield from _firewall(host, agent)
    # The agent reads the VFs of a PF only once.
    yield from check_start(
        host, survey, agent, "SB-E519", "does not know the new ones", serves=lambda rule: rule.is_for_sriov_agent
    )


def _refused_lists(host: Host, agent: Service, mapped: Mappings, shown: ShownNames) -> Iterator[Finding]:
    """What makes the agent exit with code 1."""
    mappings, excluded, rates = (agent.last_entry((SECTION, option)) for option in (MAPPINGS, EXCLUDED, BANDWIDTHS))
    if mappings and mappings.has_reference:
        return
    netdevs = {mapping.netdev for mapping in mapped.mappings}
    exclusions, rated = parse_exclusions(excluded), parse_bandwidths(rates)
    found = [(mappings, text) for text in mapped.problems] + [(excluded, text) for text in exclusions.problems]
    named = [(excluded, exclusion.netdev, exclusion.number) for exclusion in exclusions.exclusions]
    if host.release.nova >= OPTIONS[BANDWIDTHS]:
        found += [(rates, text) for text in rated.problems]
        named += [(rates, netdev, number) for netdev, number in rated.netdevs.items()]
    for entry, netdev, number in named:
        if netdev not in netdevs:
            name = shown.netdev(netdev)
            which = f'"{name}"' if name else f"the netdev of entry {number}"
            found.append((entry, f"{which} is not in physical_device_mappings"))
    yield from (_exit_finding(host, entry, text) for entry, text in found if entry)


def _exit_finding(host: Host, entry: Entry, text: str) -> Finding:
    problem = f"the agent exits with code 1 because of {entry.option}: {text}"
    return Finding("SB-E511", entry.place, problem, evidence=entry.name, remedy=render_remedy(host, TARGET, entry))


def _replaced_lists(host: Host, agent: Service, shown: ShownNames) -> Iterator[Finding]:
    """A list that is set again replaces the earlier one."""
    for option in (MAPPINGS, EXCLUDED):
        last = agent.last_entry((SECTION, option))
        if last and last.has_reference:
            continue
        kept = set(filter(None, items(last)))
        for entry in agent.values((SECTION, option)):
            lost = set(filter(None, items(entry))) - kept
            if last and entry.place != last.place and lost:
                named = sorted(word for word in lost if _is_shown(word, shown))[:SHOWN]
                more = [quantity(len(lost) - len(named), "entry", "entries")] if len(lost) > len(named) else []
                said = ", ".join((*named, *more))
                yield Finding(
                    "SB-E512",
                    entry.place,
                    f"{option} is set again in {last.place}, which replaces this one: {said} is lost",
                    evidence=f"{entry.name}; {last.place}: {last.name}",
                    remedy=render_remedy(host, TARGET, entry, last),
                )


def _is_shown(word: str, shown: ShownNames) -> bool:
    """Whether every part of an item is."""
    first, _, rest = word.partition(":")
    if shown.network(first):
        return bool(shown.netdev(rest))
    return bool(shown.netdev(first)) and all(map(shown.address, rest.split(";")))


def _strange_netdevs(host: Host, entry: Entry, mapped: Mappings, shown: ShownNames) -> Iterator[Finding]:
    """Netdevs that no PF has. One that a rule names may still appear; other checks report it as missing."""
    here = {dev.name: dev.device for pf in host.pfs for dev in pf.netdevs}
    awaited = {port.netdev for port in resolve_ports(host)}
    names = NetdevNames(host.pfs)
    for mapping in mapped.mappings:
        device = here.get(mapping.netdev)
        if device == "" or (device is None and mapping.netdev in awaited):
            continue
        netdev, network = shown.netdev(mapping.netdev), shown.network(mapping.network)
        which = f'"{netdev}"' if netdev else f"the netdev of entry {mapping.number}"
        if device:
            why = f"finds no VFs: it looks for them in {device}, to which netdev {netdev} belongs"
            remedy = restart_remedy(host, TARGET, f"remove {netdev} from {entry.option} in {entry.place}")
        else:
            why = f"no PF has that netdev{names.why_unknown(mapping.netdev, 'the agent')}"
            remedy = render_remedy(host, TARGET, entry)
        problem = f"the agent is configured with {which} for {network or 'its network'}, but {why}"
        yield Finding(
            "SB-W513", entry.place, problem, evidence=quote_entry(entry, mapping.number, network, netdev), remedy=remedy
        )


def _unmapped_pfs(host: Host, entry: Entry, mapped: Mappings, shown: ShownNames) -> Iterator[Finding]:
    """Our PFs whose network the agent knows, but not with them on it."""
    networks = {mapping.network: mapping for mapping in reversed(mapped.mappings)}
    netdevs = {mapping.netdev: mapping for mapping in reversed(mapped.mappings)}
    pairs = {(mapping.network, mapping.netdev) for mapping in mapped.mappings}
    for port in resolve_ports(host):
        network = port.rule.physical_network
        names = port.netdevs or (port.netdev,)
        is_mapped = any((network, name) in pairs for name in names)
        if not port.rule.is_for_sriov_agent or not port.netdev or port.netdev_device:
            continue
        if network not in networks or is_mapped:
            continue
        other = netdevs.get(port.netdev)
        said, where = f"it lacks {network}:{' or '.join(names)}", networks[network]
        if other:
            said, where = f"it maps {port.netdev} to {shown.network(other.network) or 'another one'}", other
        problem = f"{port.label} is on {network}, but not for the agent: {said}"
        evidence = shown.mapping(entry, where.number, where.network, where.netdev)
        yield Finding("SB-E514", entry.place, problem, evidence=evidence, remedy=render_remedy(host, TARGET, entry))


def _switch_pfs(host: Host, entry: Entry, mapped: Mappings, shown: ShownNames) -> Iterator[Finding]:
    """PFs whose VFs are ports of a switch, and the agent's all the same."""
    labels = {name: port.label for port in resolve_ports(host) if port.rule.wants_switchdev for name in port.netdevs}
    for mapping in mapped.mappings:
        if label := labels.get(mapping.netdev):
            problem = f"{label} asks for switchdev mode, but the agent serves {mapping.netdev} as well"
            is_ours = entry.path.endswith(f"/{OWN_NAME}.conf")
            change = f"remove {mapping.netdev} from {entry.option} in {entry.place}"
            yield Finding(
                "SB-W516",
                entry.place,
                problem,
                evidence=shown.mapping(entry, mapping.number, mapping.network, mapping.netdev),
                remedy=render_remedy(host, TARGET) if is_ours else restart_remedy(host, TARGET, change),
            )


def _exclusions(host: Host, agent: Service, shown: ShownNames) -> Iterator[Finding]:
    """Exclusions of VFs that do not exist, or that nova gives out all the same."""
    entry = agent.last_entry((SECTION, EXCLUDED))
    if not entry:
        return
    known = _Vfs(host)
    for exclusion in parse_exclusions(entry).exclusions:
        netdev = shown.netdev(exclusion.netdev)
        for address in exclusion.addresses:
            if problem := known.why_not_excluded(exclusion.netdev, address, shown.address(address)):
                problem = f"exclude_devices: {netdev or f'entry {exclusion.number}'}: {problem}"
                evidence = quote_entry(entry, exclusion.number, netdev, shown.address(address))
                yield Finding(
                    "SB-W517", entry.place, problem, evidence=evidence, remedy=render_remedy(host, TARGET, entry)
                )


class _Vfs:
    """Each VF looked up in constant time: a list may be long."""

    def __init__(self, host: Host) -> None:
        self._pfs = {dev.name: pf for pf in host.pfs for dev in pf.netdevs}
        self._owners = {vf.pci_address: pf for pf in host.pfs for vf in pf.vfs}
        self._ports = {port.netdev: port for port in resolve_ports(host)}
        self._left_out = {name: {vf.pci_address for vf in port.excluded} for name, port in self._ports.items()}
        self._vfs = {name: {vf.pci_address for vf in port.vfs or ()} for name, port in self._ports.items()}

    def why_not_excluded(self, netdev: str, address: str, shown: str) -> str:
        """Why an address excludes nothing, or one that nova gives to VMs; "" if it is right."""
        if not shown or normalize(address) != address.lower():
            which = f'"{shown}"' if shown else "one of its addresses"
            return f"{which} is not a VF's address, such as 0000:3b:02.0"
        if address != address.lower():
            return f"the agent compares it with {address.lower()}, in lower case"
        owner, port = self._owners.get(address), self._ports.get(netdev)
        if owner and owner is not self._pfs.get(netdev):
            return f"{address} is a VF of {owner.netdev or owner.pci_address}"
        if port and port.vfs is not None and port.rule.physical_network:
            if address not in self._vfs[netdev]:
                return f"{address} is not one of its VFs"
            if address not in self._left_out[netdev]:
                return f"{address} is excluded here, but not by exclude_vfs of {port.label}: nova gives it to VMs"
        return ""


def _options(host: Host, agent: Service) -> Iterator[Finding]:
    """Options that [sriov_nic] does not have in this release; the agent silently ignores them."""
    known = [name for name, since in OPTIONS.items() if since <= host.release.nova]
    guesses = Guesses()
    for file in agent.files:
        for entry in file.entries:
            if fold(entry.section) != SECTION or entry.option in known:
                continue
            name = entry.option if NAME.fullmatch(entry.option) else "like this one"
            problem = f"the agent has no option {name} in [{entry.section}]"
            near = guesses.nearest(entry.option, known)
            if entry.option in OPTIONS:
                problem += f" before nova {OPTIONS[entry.option]}"
            fix = f"write {near}" if near else "remove the line"
            yield Finding(
                "SB-W515",
                entry.place,
                f"{problem}: it is ignored" + (f"; was {near} meant?" if near else ""),
                evidence=entry.text if entry.option in OPTIONS else entry.name,
                remedy=restart_remedy(host, TARGET, f"{fix} in {entry.place}"),
            )


def _firewall(host: Host, agent: Service) -> Iterator[Finding]:
    """The agent has one until neutron 26, and it must do nothing: VFs bypass the host."""
    entry = agent.last_entry(("securitygroup", "firewall_driver"))
    if not entry or entry.has_reference or host.release.nova > openstack_releases.AGENT_FIREWALL_UNTIL:
        return
    if entry.value not in NO_FIREWALL:
        driver = entry.value.partition("\n")[0]  # a line indented below it by mistake may be secret
        problem = f"the agent's firewall_driver is {driver}, which cannot filter the traffic of VFs"
        yield Finding("SB-W518", entry.place, problem, evidence=entry.text, remedy=render_remedy(host, TARGET, entry))
