"""Which keys of [openstack] and the rules go together, and with which release: what no single key shows.

Loaded only where a config says something about OpenStack: VFs do not depend on it, and the boot must be fast.
"""

import re

from msgspec import Struct

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.config import Config, OpenStack, PfRule, SpecStyle
from sriov_bootstrap.core.nova_options import REPORT_IN_PLACEMENT, SPEC_KEYS
from sriov_bootstrap.core.openstack_releases import NEWEST, OpenStackRelease
from sriov_bootstrap.core.vf_attributes import MAX_VLAN

NAME = r"[A-Za-z0-9_-]{1,200}"
VF_ID = r"[0-9a-f]{4}:[0-9a-f]{4}"
# Within neutron's lists colon, comma and semicolon are punctuation, and oslo.config replaces what follows a $.
NETWORK = r"[A-Za-z0-9_.-]{1,64}"
VLAN_RANGE = rf"{NETWORK}(?::(\d{{1,4}}):(\d{{1,4}}))?"
# Keys of the config -> the nova whose release (of both projects) supports them.
SINCE = {
    "trusted": SPEC_KEYS["trusted"],
    "bandwidth_kbps": openstack_releases.BANDWIDTHS_SINCE,
    "report_in_placement": REPORT_IN_PLACEMENT[0].since,
    "resource_class": SPEC_KEYS["resource_class"],
    "traits": SPEC_KEYS["traits"],
    "live_migratable": SPEC_KEYS["live_migratable"],
}
MAX_KBPS = (1 << 31) - 1  # an inventory in placement is a signed 32-bit number


class Conflict(Struct, frozen=True):
    """`rule` "" is [openstack]."""

    rule: str
    message: str


def conflicts(config: Config) -> list[Conflict]:
    """Every one."""
    release = openstack_releases.parse(config.openstack.release)
    found = [Conflict("", text) for text in _table_problems(config.openstack, release or NEWEST)]
    if release is None:
        text = f'release: "{config.openstack.release}" is not known: use {openstack_releases.valid_names()}'
        found.append(Conflict("", text))
    for rule in config.pf:
        problems = _rule_problems(rule, config.openstack, release or NEWEST)
        found += [Conflict(rule.name, text) for text in problems]
    return found


def _table_problems(table: OpenStack, release: OpenStackRelease) -> list[str]:
    problems = []
    if table.report_in_placement:
        problems += _too_early("report_in_placement", release)
        if table.spec_style is SpecStyle.DEVNAME:
            problems.append(
                'report_in_placement: nova does not start with it if spec_style = "devname": use "pf_address"'
            )
    for name in table.scheduler_filters:
        if not re.fullmatch(NAME, name):
            problems.append(f'scheduler_filters: "{name}" is not the name of a filter')
        elif release.nova >= (gone := openstack_releases.REMOVED_FILTERS.get(name, NEWEST.nova + 1)):
            since = f"it was removed in {OpenStackRelease(gone)}, but release is {release}"
            problems.append(f"scheduler_filters: {name} stops nova-scheduler: {since}")
    problems += [
        f'mechanism_drivers: "{name}" is not the name of a driver'
        for name in table.mechanism_drivers
        if not re.fullmatch(NAME, name)
    ]
    problems += [
        f'flat_networks: "{name}" must be a name of letters, digits, "_", "-", "."'
        for name in table.flat_networks
        if not re.fullmatch(NETWORK, name) and name != "*"
    ]
    return problems + [
        f'network_vlan_ranges: "{text}" must be NETWORK or NETWORK:FIRST:LAST, with VLANs from 1 to {MAX_VLAN}'
        for text in table.network_vlan_ranges
        if not _is_vlan_range(text)
    ]


def _is_vlan_range(text: str) -> bool:
    found = re.fullmatch(VLAN_RANGE, text)
    if not found or found[1] is None:
        return bool(found)
    return 1 <= int(found[1]) <= int(found[2]) <= MAX_VLAN


def _rule_problems(rule: PfRule, table: OpenStack, release: OpenStackRelease) -> list[str]:
    asked = [key for key in SINCE if getattr(rule, key, False)]
    problems = [text for key in asked for text in _too_early(key, release)]
    problems += _problems_with_network(rule) if rule.physical_network else _problems_without_network(rule)
    problems += _tunnel_problems(rule) if rule.tunnels else []
    if (rule.resource_class or rule.traits) and not table.report_in_placement:
        problems.append("resource_class and traits need report_in_placement = true in [openstack]")
    if rule.exclude_vfs and table.spec_style is SpecStyle.VENDOR_PRODUCT:
        problems.append(
            'exclude_vfs does not work with spec_style = "vendor_product", which matches every VF of the chip'
        )
    count = rule.num_vfs if isinstance(rule.num_vfs, int) else None
    problems += [
        f"exclude_vfs: there is no VF {index}" + (f" among {count}, which count from 0" if index >= 0 else "")
        for index in rule.exclude_vfs
        if index < 0 or (count is not None and index >= count)
    ]
    if not 0 <= rule.bandwidth_kbps <= MAX_KBPS:
        problems.append(f"bandwidth_kbps: {rule.bandwidth_kbps} is not between 0 and {MAX_KBPS} kbit/s")
    if rule.vf_id and not re.fullmatch(VF_ID, rule.vf_id):
        problems.append(f'vf_id: "{rule.vf_id}" must be vendor and device of the VFs, like 8086:10ca')
    names = {"alias": (rule.alias,), "resource_class": (rule.resource_class,), "traits": rule.traits}
    return problems + [
        f'{key}: "{value}" must be letters, digits, "_", "-"'
        for key, values in names.items()
        for value in values
        if not re.fullmatch(NAME, value) and (value or key == "traits")
    ]


def _tunnel_problems(rule: PfRule) -> list[str]:
    problems = []
    if not rule.wants_switchdev:
        problems.append(
            'tunnels needs [pf.eswitch] with mode = "switchdev": only the switch in a NIC encapsulates for VFs'
        )
    if rule.physical_network or rule.alias:
        problems.append("tunnels goes with neither physical_network nor alias: each VF is for one purpose")
    return problems


def _problems_with_network(rule: PfRule) -> list[str]:
    """nova offers VFs with a network only to neutron ports, and does not report them in placement."""
    problems = []
    if rule.alias:
        problems.append(
            "alias and physical_network are mutually exclusive: flavors would take VFs away from the network"
        )
    if rule.resource_class or rule.traits:
        problems.append("nova ignores resource_class and traits for VFs with a physical_network")
    return problems


def _problems_without_network(rule: PfRule) -> list[str]:
    """Without a network, neutron knows nothing about the VFs, and without an alias, neither does nova."""
    problems = [f"{key} needs a physical_network" for key in ("trusted", "bandwidth_kbps") if getattr(rule, key)]
    if not rule.alias:
        keys = ("live_migratable", "resource_class", "traits", *(() if rule.tunnels else ("exclude_vfs",)))
        problems += [f"{key} needs an alias, or a physical_network" for key in keys if getattr(rule, key)]
    return problems


def _too_early(key: str, release: OpenStackRelease) -> list[str]:
    since = OpenStackRelease(SINCE[key])
    return [f"{key} requires {since} or later, but release is {release}"] if release < since else []
