"""Physical networks: one name, in our config, nova's device_spec, the agent's mappings and the server's lists.

Which of them lacks a name, and which spells it differently. A network that is only in others' files is no mistake as
long as nova and the agent agree: not every PF is ours.
"""

import json
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import DEVICE_SPEC, places
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.doctor.neutron.lists import items, parse_mappings
from sriov_bootstrap.doctor.neutron.shown_names import ShownNames, quote_entry
from sriov_bootstrap.doctor.openstack.remedies import render_remedy, restart_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.ports import resolve_ports

MAX_NAMES = 64  # that are compared; a host has a handful


class Occurrence(Struct, frozen=True):
    """One occurrence of a name. `entry` None: in our config. `number`: of the item, 0 if it is not in a list."""

    place: str
    text: str
    entry: Entry | None = None
    number: int = 0

    def name_or_place(self, name: str, shown: ShownNames) -> str:
        """The name, or its place: a list may contain anything."""
        if not self.entry or not self.number or shown.network(name):
            return f'physical network "{name}"'
        return f"the physical network in entry {self.number} of {self.entry.option}"

    def evidence(self, name: str, shown: ShownNames) -> str:
        """The text; for a list, only the item about this network."""
        return quote_entry(self.entry, self.number, shown.network(name)) if self.entry and self.number else self.text


class Knower(Struct, frozen=True):
    """A config or service that has network names.

    `is_open`: it accepts any name, or may get it through a reference. `spared`: names that it need not know.
    """

    label: str
    target: str
    uses: dict[str, Occurrence]
    is_open: bool = False
    entries: tuple[Entry, ...] = ()
    spared: frozenset[str] = frozenset()

    def lacks(self, name: str) -> bool:
        """Whether it does not know this one, and should."""
        return name not in self.uses and not self.is_open and name not in self.spared


def check_networks(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """First names spelt in two ways, then missing ones; each name once."""
    knowers, shown = _knowers(host, survey), ShownNames(host, nova_networks(host, survey))
    names = list(dict.fromkeys(name for knower in knowers for name in knower.uses))
    pairs = _spellings(names, knowers)
    for wrong, right in pairs.items():
        yield _misspelt_finding(host, wrong, right, knowers, shown)
    paired = {*pairs, *pairs.values()}
    for name in names:
        if name not in paired:
            yield from _missing_findings(host, name, knowers, shown)


def nova_networks(host: Host, survey: OpenStackSurvey) -> tuple[str, ...]:
    """Those that nova has where only a network can be."""
    entries = _device_specs(host, survey.compute) if survey.compute.is_known else ()
    return tuple(name for entry in entries for name in spec_networks(entry))


def _device_specs(host: Host, compute: Service) -> tuple[Entry, ...]:
    return compute.values(*places(DEVICE_SPEC, host.release))


def misspellings(host: Host, survey: OpenStackSurvey) -> dict[str, str]:
    """Wrong -> right, as SB-E501 reports it."""
    knowers = _knowers(host, survey)
    return _spellings(list(dict.fromkeys(name for knower in knowers for name in knower.uses)), knowers)


def spec_networks(entry: Entry) -> tuple[str, ...]:
    """The physical networks of a device_spec; whatever else is wrong with it is found elsewhere."""
    try:
        value = None if entry.has_reference else json.loads(entry.resolved)
    except (ValueError, RecursionError):
        return ()
    specs = value if isinstance(value, list) else [value]
    named = (spec.get("physical_network") for spec in specs if isinstance(spec, dict))
    return tuple(name for name in named if isinstance(name, str) and name)


def _knowers(host: Host, survey: OpenStackSurvey) -> tuple[Knower, ...]:
    """The config first, then the services on this host whose files could be read."""
    asked = {
        port.rule.physical_network: Occurrence(port.label, f'physical_network = "{port.rule.physical_network}"')
        for port in resolve_ports(host)
        if port.rule.physical_network
    }
    found = [Knower("the config", "", asked)] if asked else []
    if survey.compute.is_known and (of_nova := _nova_knower(host, survey.compute)).uses:
        found.append(of_nova)
    if survey.agent.is_known:
        found.append(_agent_knower(host, survey))
    if survey.server.is_known:
        found.append(_server_knower(survey.server))
    return tuple(found)


def _nova_knower(host: Host, compute: Service) -> Knower:
    entries, uses = _device_specs(host, compute), dict[str, Occurrence]()
    for entry in reversed(entries):
        uses |= dict.fromkeys(spec_networks(entry), Occurrence(entry.place, entry.text, entry))
    return Knower("nova-compute", "nova-compute", uses, any(entry.has_reference for entry in entries))


def _agent_knower(host: Host, survey: OpenStackSurvey) -> Knower:
    """If it reads no list, one that it was meant to read; that it does not is reported elsewhere."""
    option = ("sriov_nic", "physical_device_mappings")
    unread = (entry for file in survey.strays for entry in file.values(*option))
    entry = survey.agent.last_entry(option) or next(unread, None)
    found = reversed(parse_mappings(entry).mappings)
    uses = {mapping.network: Occurrence(entry.place, "", entry, mapping.number) for mapping in found if entry}
    is_open = entry is not None and entry.has_reference
    return Knower("the SR-IOV agent", "sriov-agent", uses, is_open, (entry,) if entry else (), _of_switches(host))


def _of_switches(host: Host) -> frozenset[str]:
    """The networks in which a rule has ports of a switch, and none has VFs for the agent."""
    rules = [wish.rule for wish in host.wishes]
    served = {rule.physical_network for rule in rules if rule.is_for_sriov_agent}
    return frozenset({rule.physical_network for rule in rules if rule.wants_switchdev} - served)


def _server_knower(server: Service) -> Knower:
    vlan, flat = (
        server.last_entry(("ml2_type_vlan", "network_vlan_ranges")),
        server.last_entry(("ml2_type_flat", "flat_networks")),
    )
    found = [(name, flat, number) for number, name in enumerate(items(flat), 1)]
    found += [(item.partition(":")[0], vlan, number) for number, item in enumerate(items(vlan), 1)]
    uses = {name: Occurrence(entry.place, "", entry, number) for name, entry, number in found if entry and name}
    # Without flat_networks, a flat network may have any name.
    is_open = flat is None or "*" in uses or any(entry.has_reference for entry in (vlan, flat) if entry)
    uses.pop("*", None)
    return Knower("the neutron server", "neutron-server", uses, is_open)


def _spellings(names: list[str], knowers: tuple[Knower, ...]) -> dict[str, str]:
    """Wrong -> right: pairs of nearly identical names that occur in no knower together. All pairs are compared."""
    pairs: dict[str, str] = {}
    names = names[:MAX_NAMES]
    for name in names:
        if name in {*pairs, *pairs.values()}:
            continue
        rivals = [
            candidate for candidate in names if not any(name in who.uses and candidate in who.uses for who in knowers)
        ]
        if other := nearest(name, rivals):
            wrong = other if _weight(name, knowers) >= _weight(other, knowers) else name
            pairs[wrong] = name if wrong == other else other
    return pairs


def _weight(name: str, knowers: tuple[Knower, ...]) -> tuple[bool, int]:
    """The config is right, since the other files are made from it; otherwise the majority is."""
    using = [knower for knower in knowers if name in knower.uses]
    return any(not knower.target for knower in using), len(using)


def _misspelt_finding(host: Host, wrong: str, right: str, knowers: tuple[Knower, ...], shown: ShownNames) -> Finding:
    wrong_knowers = [knower for knower in knowers if wrong in knower.uses]
    right_knowers = [knower for knower in knowers if right in knower.uses]
    uses = [knower.uses[wrong] for knower in wrong_knowers]
    evidence = "; ".join(f"{use.place}: {use.evidence(wrong, shown)}" for use in uses)
    targets = [
        render_remedy(host, knower.target, *filter(None, (knower.uses[wrong].entry,))) for knower in wrong_knowers
    ]
    is_shown = not right_knowers[0].uses[right].number or bool(shown.network(right))
    meant = f'"{right}"' if is_shown else f"nearly the one in {right_knowers[0].uses[right].place}"
    return Finding(
        "SB-E501",
        uses[0].place,
        f"{uses[0].name_or_place(wrong, shown)} is {meant} in {_labels(right_knowers)}: one of them is misspelt",
        evidence=evidence,
        remedy=f"write {meant if is_shown else 'the same name'} everywhere: " + "; ".join(targets),
    )


def _missing_findings(host: Host, name: str, knowers: tuple[Knower, ...], shown: ShownNames) -> Iterator[Finding]:
    using = [knower for knower in knowers if name in knower.uses]
    first = using[0].uses[name]
    named, evidence = first.name_or_place(name, shown), first.evidence(name, shown)
    word = name if not first.number or shown.network(name) else "NETWORK"
    of_rule = not using[0].target
    by_target = {knower.target: knower for knower in knowers}
    known_to = {knower.target for knower in using}
    agent, nova, server = (by_target.get(target) for target in ("sriov-agent", "nova-compute", "neutron-server"))
    if agent and agent.lacks(name) and known_to & {"", "nova-compute"}:
        problem = f"{named} is missing from the agent's physical_device_mappings"
        remedy = render_remedy(host, agent.target, *agent.entries) if of_rule else _remedy_by_hand(host, agent, word)
        yield Finding(
            "SB-E502", first.place, f"{problem}, but known to {_labels(using)}", evidence=evidence, remedy=remedy
        )
    if nova and nova.lacks(name) and known_to & {"", "sriov-agent"}:
        problem = f"{named} is in no device_spec of nova-compute"
        remedy = render_remedy(host, nova.target) if of_rule else _remedy_by_hand(host, nova, word)
        yield Finding(
            "SB-W503", first.place, f"{problem}, but known to {_labels(using)}", evidence=evidence, remedy=remedy
        )
    if server and server.lacks(name) and known_to & {"", "sriov-agent"}:
        problem = f"{named} is in neither the server's network_vlan_ranges nor its flat_networks"
        yield Finding("SB-E504", first.place, problem, evidence=evidence, remedy=_remedy_by_hand(host, server, word))


def _remedy_by_hand(host: Host, knower: Knower, name: str) -> str:
    option = {
        "sriov-agent": f"{name}:NETDEV to physical_device_mappings in [sriov_nic]",
        "nova-compute": f'"physical_network": "{name}" to the device_spec of its VFs in [pci]',
        "neutron-server": f"{name}:FIRST:LAST to network_vlan_ranges in [ml2_type_vlan]",
    }[knower.target]
    return restart_remedy(host, knower.target, f"add {option}, or remove the name where it is used")


def _labels(knowers: list[Knower]) -> str:
    return " and ".join(knower.label for knower in knowers)
