"""nova's part: which VFs nova-compute may give to VMs, and that the scheduler asks for them.

Rules for a device_spec, each learned from a broken cloud:
- It names exactly our VFs. A PF's address or netdev alone also matches the PF: the device id of the VFs excludes
  it. A key unknown to nova, or an empty spec, matches every PCI device on the host.
- One JSON object on one line: a continuation line without indentation is silently cut off.
- Every text is a string, also "true": anything else is a traceback in nova-compute. The one exception is a
  physical_network of null, for networks without one.
- A VF has one network. If a spec only names the chip, all its PFs must ask for the same one.
"""

import json
from collections.abc import Iterable, Mapping

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.config import PfRule, SpecStyle
from sriov_bootstrap.core.nova_options import ALIAS, ALIAS_KEYS, DEVICE_SPEC, ENABLED_FILTERS, places
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering
from sriov_bootstrap.render.places import OWN_NAME, drop_in, place_of, restart_command, unit_drafts
from sriov_bootstrap.render.ports import Port, resolve_ports

PCI_FILTER = "PciPassthroughFilter"
BY_ADDRESS = 'use spec_style = "pf_address"'


def render_compute(host: Host, _ask: Ask) -> Rendering:
    """The drop-in of nova-compute."""
    place, style = place_of("nova-compute", host), host.config.openstack.spec_style
    ports = resolve_ports(host)
    problems: list[str] = []
    groups = []
    for port in filter(is_for_nova, ports):
        by_chip = style is SpecStyle.VENDOR_PRODUCT and not _goes_by_vf(port, style)
        problem = _missing_facts(port, style) or (_why_ambiguous(port, host) if by_chip else "")
        problems += [f"{port.label}: {problem}"] if problem else []
        groups.append({"port": port, "problem": problem, "specs": [] if problem else _specs(port, style)})
    # All names of it still parse and are merged: ours is the current one, and must stay the only one.
    group, option = places(DEVICE_SPEC, host.release)[0]
    context = {
        "release": host.release,
        "group": group,
        "option": option,
        "groups": _without_duplicates(groups),
        "unused": [port for port in ports if not is_for_nova(port)],
        "aliases": _aliases(ports, host.release),
        "alias_option": places(ALIAS, host.release)[0][1],
        "report_in_placement": host.config.openstack.report_in_placement,
    }
    drafts = (Draft("nova-compute.conf.j2", context, drop_in(place)), *unit_drafts(place, host.release))
    return Rendering(drafts, tuple(problems), (restart_command(place, host.release),))


def render_scheduler(host: Host, _ask: Ask) -> Rendering:
    """The drop-in of nova-scheduler."""
    place = place_of("nova-scheduler", host)
    wanted = (*openstack_releases.default_filters(host.release), *host.config.openstack.scheduler_filters, PCI_FILTER)
    group, option = places(ENABLED_FILTERS, host.release)[0]
    context = {
        "release": host.release,
        "group": group,
        "option": option,
        "filters": list(dict.fromkeys(wanted)),
    }
    path = drop_in(place, f"{OWN_NAME}-scheduler")
    drafts = (Draft("nova-scheduler.conf.j2", context, path), *unit_drafts(place, host.release))
    return Rendering(drafts, after=(restart_command(place, host.release),))


def is_for_nova(port: Port) -> bool:
    """VFs without a network, tunnels and an alias are not nova's."""
    return port.rule.is_for_nova


def _specs(port: Port, style: SpecStyle) -> list[str]:
    ids = {"vendor_id": port.vendor, "product_id": port.device}
    if _goes_by_vf(port, style):
        wheres = [{"address": vf.pci_address} for vf in port.offered]
    elif style is SpecStyle.PF_ADDRESS:
        wheres = [{"address": port.pci_address} | ids]
    elif style is SpecStyle.DEVNAME:
        wheres = [{"devname": port.netdev} | ids]
    else:
        wheres = [ids]
    return [_line(where | tags(port.rule)) for where in wheres]


def _line(value: Mapping[str, str | None]) -> str:
    """oslo.config would replace what follows a single $."""
    return json.dumps(value).replace("$", "$$")


def tags(rule: PfRule) -> dict[str, str | None]:
    """What a spec says beside the place; the config has been checked, so the release knows them all."""
    said = {
        "physical_network": rule.physical_network,
        "trusted": "true" if rule.trusted else "",
        # With a network it does nothing, but asks for a newer libvirt all the same.
        "live_migratable": "yes" if rule.live_migratable and not rule.physical_network else "",
        "resource_class": rule.resource_class,
        "traits": ",".join(rule.traits),
    }
    found: dict[str, str | None] = {key: value for key, value in said.items() if value}
    return found | {"physical_network": None} if rule.tunnels else found


def _missing_facts(port: Port, style: SpecStyle) -> str:
    """What a spec of this style needs but is not known; "" if nothing."""
    if problem := port.network_problem or port.nova_problem:
        return problem
    if _goes_by_vf(port, style):
        return "" if port.vfs is not None else "the addresses of its VFs are unknown: render on a host with the NIC"
    if not port.device:
        return "the ids of its VFs are unknown: render on a host with the NIC, or set vf_id in the rule"
    if style is SpecStyle.PF_ADDRESS and not port.pci_address:
        return "the PCI address of its PF is unknown: render on a host with the NIC, or match by an exact pci_address"
    return _missing_netdev(port) if style is SpecStyle.DEVNAME else ""


def _goes_by_vf(port: Port, style: SpecStyle) -> bool:
    """Whether each VF is named: nothing else keeps those that are excluded away from nova, or a PF with their ids."""
    return style is SpecStyle.VF_ADDRESS or bool(port.rule.exclude_vfs) or port.is_like_its_vfs


def _missing_netdev(port: Port) -> str:
    if port.is_here and not port.netdev:
        return f"its PF has no netdev: {BY_ADDRESS}"
    if not port.netdev:
        return "the netdev of its PF is unknown: render on a host with the NIC, or match by an exact netdev"
    if port.netdev_device:
        return f"nova finds {port.netdev} in {port.netdev_device}, which is not a PCI device: {BY_ADDRESS}"
    return port.netdev_problem


def _why_ambiguous(port: Port, host: Host) -> str:
    """Why the chip alone would hand out VFs that are not of this rule's network, "" if it would not."""
    chip, mine = (port.vendor, port.device), tags(port.rule)
    rivals = [rival for rival in resolve_ports(host) if (rival.vendor, rival.device) == chip]
    known = {rival.pci_address for rival in rivals}
    others = [rival.label for rival in rivals if not is_for_nova(rival) or tags(rival.rule) != mine]
    others += [
        f"{pf.pci_address}, which has no rule"
        for pf in host.pfs
        if (layout := host.layouts.get(pf.pci_address))
        and (pf.vendor_id, layout.device) == chip
        and pf.pci_address not in known
    ]
    return f"{chip[0]}:{chip[1]} is also the chip of {others[0]}: {BY_ADDRESS}" if others else ""


def _without_duplicates(groups: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Two PFs of one chip give the same line: nova merges all lines, so one is enough."""
    seen: list[object] = []
    kept = []
    for group in groups:
        if not group["specs"] or group["specs"] not in seen:
            kept.append(group)
        seen.append(group["specs"])
    return kept


def _aliases(ports: Iterable[Port], release: OpenStackRelease) -> list[str]:
    """For flavors; one for each name and chip. Without pci_in_placement nova looks at the ids alone, and needs them."""
    found: list[str] = []
    for port in ports:
        if not port.rule.alias or not port.device or port.nova_problem:
            continue
        alias: dict[str, str | None] = {"name": port.rule.alias, "device_type": "type-VF"}
        alias |= {"vendor_id": port.vendor, "product_id": port.device} | tags(port.rule)
        known = {key for key, since in ALIAS_KEYS.items() if since <= release.nova}
        found.append(_line({key: value for key, value in alias.items() if key in known}))
    return list(dict.fromkeys(found))
