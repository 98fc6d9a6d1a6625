"""libvirt's part: a VF as a domain has it, for VMs without OpenStack, and to try one out."""

import re
from collections.abc import Iterator

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.pci_address import normalize, parts
from sriov_bootstrap.core.vf_attributes import MAX_VLAN, STABLE, VfAttributes, VlanProtocol, combine_tables
from sriov_bootstrap.core.vf_settings import MACHINE_ID_REMEDY, NO_MACHINE_ID, lacks_machine_id, wishes
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering

MAC = r"(?i:[0-9a-f]{2}(:[0-9a-f]{2}){5})"


def render_interface(host: Host, ask: Ask) -> Rendering:
    """`<interface type='hostdev'>`: libvirt sets MAC and VLAN through the PF, at each start.

    Where the element has none, that is an address that libvirt makes up, and no VLAN: so it has what the rule says.
    """
    return _render(host, ask, "libvirt-interface.xml.j2", has_attributes=True)


def render_hostdev(host: Host, ask: Ask) -> Rendering:
    """`<hostdev>`: the VF as a plain PCI device, whose MAC and VLAN libvirt leaves alone."""
    if ask.mac or ask.vlan:
        raise UsageError(("render: a <hostdev> has no MAC address and no VLAN",), hint="use: render libvirt")
    return _render(host, ask, "libvirt-hostdev.xml.j2", has_attributes=False)


def _render(host: Host, ask: Ask, template: str, *, has_attributes: bool) -> Rendering:
    _refuse_invalid(ask)
    vfs = _vf_at(host, ask.vf) if ask.vf else _free_vfs(host)
    problems = [f"VF {vf.index} {vf.pci_address} is in use: {vf.use}" for _, vf in vfs if vf.use]
    wished, without_mac = (_wishes(host), _without_mac(host)) if has_attributes else ({}, set())
    drafts = []
    for pf, vf in vfs:
        wish = wished.get(vf.pci_address, VfAttributes())
        problems += _unsayable(vf, wish, ask)
        if vf.pci_address in without_mac and not ask.mac:
            problems.append(f"{pf.pci_address}: {NO_MACHINE_ID}: {MACHINE_ID_REMEDY}")
        mac, vlan = ask.mac or wish.mac or "", ask.vlan or wish.vlan or ""
        context = {"address": parts(vf.pci_address), "pf": pf, "vf": vf, "mac": mac, "vlan": vlan}
        drafts.append(Draft(template, context))
    notes = () if drafts else ("no PF with a rule has a free VF",)
    return Rendering(tuple(drafts), tuple(problems), notes=notes)


def _wishes(host: Host) -> dict[str, VfAttributes]:
    """PCI address of a VF -> what its rule says of it."""
    return {
        vf.pci_address: wished[vf.index]
        for pf, rule in _pfs_with_rule(host)
        if (wished := wishes(rule.vf, pf.pci_address, pf.num_vfs, host.machine_id))
        for vf in pf.vfs
        if vf.index in wished
    }


def _without_mac(host: Host) -> set[str]:
    """VFs whose own MAC cannot be told."""
    bare = ((pf, rule) for pf, rule in _pfs_with_rule(host) if lacks_machine_id(rule, host.machine_id))
    said = ((pf, combine_tables(rule.vf, pf.num_vfs)) for pf, rule in bare)
    return {vf.pci_address for pf, wish in said for vf in pf.vfs if vf.index in wish and wish[vf.index].mac == STABLE}


def _pfs_with_rule(host: Host) -> Iterator[tuple[PfFacts, PfRule]]:
    return ((wish.pf, wish.rule) for wish in host.wishes if wish.pf)


def _unsayable(vf: VfFacts, wish: VfAttributes, ask: Ask) -> Iterator[str]:
    """libvirt sets the priority to 0 and the tag to 802.1Q (virnetdev.c), and its schema has neither."""
    if ask.vlan or not wish.vlan:
        return
    keys = ["vlan_qos"] if wish.vlan_qos else []
    keys += ["vlan_protocol"] if wish.vlan_protocol is VlanProtocol.DOT1AD else []
    if keys:
        lost = " and ".join(keys)
        yield (
            f"VF {vf.index} {vf.pci_address}: an <interface> cannot have the {lost} of the rule, and libvirt takes it"
            " off: use render libvirt-hostdev"
        )


def _refuse_invalid(ask: Ask) -> None:
    problems = []
    if ask.mac and not re.fullmatch(MAC, ask.mac):
        problems.append(f'render: --mac "{ask.mac}" is not a MAC address: write it like 52:54:00:12:34:56')
    elif ask.mac and int(ask.mac[:2], 16) & 1:
        problems.append(f"render: --mac {ask.mac} is a multicast address, which no VF can have")
    if not 0 <= ask.vlan <= MAX_VLAN:
        problems.append(f"render: --vlan {ask.vlan} is not between 1 and {MAX_VLAN}")
    if ask.mac and not ask.vf:
        problems.append("render: --mac is for one VF: name it")
    if ask.vf and not normalize(ask.vf):
        problems.append(f'render: "{ask.vf}" is not a PCI address: write it like 0000:3b:02.0')
    if problems:
        raise UsageError(tuple(problems))


def _vf_at(host: Host, address: str) -> list[tuple[PfFacts, VfFacts]]:
    full = normalize(address)
    found = [(pf, vf) for pf in host.pfs for vf in pf.vfs if vf.pci_address == full]
    if not found:
        raise UsageError(
            (f"render: {full} is not a VF on this host",), hint="list them: ls -l /sys/bus/pci/devices/*/virtfn*"
        )
    return found


def _free_vfs(host: Host) -> list[tuple[PfFacts, VfFacts]]:
    return [(pf, vf) for pf, _ in _pfs_with_rule(host) for vf in pf.vfs if not vf.use]
