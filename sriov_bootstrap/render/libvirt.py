"""libvirt's part: a VF as a domain has it, for VMs without OpenStack, and to try one out."""

import re

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.pci_address import normalize
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering

MAC = r"(?i:[0-9a-f]{2}(:[0-9a-f]{2}){5})"
MAX_VLAN = 4094


def render_interface(host: Host, ask: Ask) -> Rendering:
    """`<interface type='hostdev'>`: libvirt sets MAC and VLAN through the PF."""
    return _render(host, ask, "libvirt-interface.xml.j2")


def render_hostdev(host: Host, ask: Ask) -> Rendering:
    """`<hostdev>`: the VF as a plain PCI device; MAC and VLAN are not set."""
    if ask.mac or ask.vlan:
        raise UsageError(("render: a <hostdev> has no MAC address and no VLAN",), hint="use: render libvirt")
    return _render(host, ask, "libvirt-hostdev.xml.j2")


def _render(host: Host, ask: Ask, template: str) -> Rendering:
    _refuse_invalid(ask)
    vfs = _vf_at(host, ask.vf) if ask.vf else _free_vfs(host)
    problems = [f"VF {vf.index} {vf.pci_address} is in use: {vf.use}" for _, vf in vfs if vf.use]
    drafts = tuple(
        Draft(
            template,
            {"address": _parts(vf.pci_address), "pf": pf, "vf": vf, "mac": ask.mac, "vlan": ask.vlan or ""},
        )
        for pf, vf in vfs
    )
    notes = () if drafts else ("no PF with a rule has a free VF",)
    return Rendering(drafts, tuple(problems), notes=notes)


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
    pfs = [wish.pf for wish in host.wishes if wish.pf]
    return [(pf, vf) for pf in pfs for vf in pf.vfs if not vf.use]


def _parts(address: str) -> dict[str, str]:
    return dict(zip(("domain", "bus", "slot", "function"), re.split("[:.]", address), strict=True))
