"""udev's part: names that stay, and VF netdevs that NetworkManager leaves alone.

By PCI address, which does not change. Only for our PFs and their VFs, and with the PF's MAC address: the netdevs that
switchdev adds beside a PF's have the same PCI device, and must not get its name.
"""

import re

from sriov_bootstrap.core.validate import MAC
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering
from sriov_bootstrap.render.ports import Port, resolve_ports

FILE = (
    "/etc/udev/rules.d/70-sriov-bootstrap.rules"  # before 80-net-setup-link.rules, which names everything still unnamed
)
IFNAMSIZ = 16


def render_udev(host: Host, _ask: Ask) -> Rendering:
    """One rule for each PF and each VF."""
    ports = resolve_ports(host)
    macs = {wish.pf.pci_address: wish.ports[0].mac for wish in host.wishes if wish.pf and wish.ports}
    problems = [f"{port.label}: {problem}" for port in ports if (problem := _missing_facts(port))]
    entries = [_entry(port, macs.get(port.pci_address, "")) for port in ports if not _missing_facts(port)]
    draft = Draft("udev.rules.j2", {"entries": entries, "problems": problems}, FILE)
    after = ("udevadm control --reload; names change at the next boot",)
    return Rendering((draft,), tuple(problems), after)


def _entry(port: Port, mac: str) -> dict[str, object]:
    return {
        "port": port,
        "mac": mac if re.fullmatch(MAC, mac) else "",
        "vfs": [{"pci_address": vf.pci_address, "name": _name(port, vf.index)} for vf in port.vfs or ()],
    }


def _name(port: Port, index: int) -> str:
    """As systemd would name it, where that fits into a netdev's name."""
    name = f"{port.netdev}v{index}"
    return name if port.netdev and len(name) < IFNAMSIZ else ""


def _missing_facts(port: Port) -> str:
    if not port.pci_address:
        return "the PCI address of its PF is unknown: render on a host with the NIC, or match by an exact pci_address"
    if port.vfs is None and port.rule.num_vfs != 0:
        return "the addresses of its VFs are unknown: render on a host with the NIC"
    return port.netdev_problem
