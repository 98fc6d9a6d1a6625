"""A rule and its PF as nova and neutron need them: addresses, names and ids, from the NIC or from the config alone.

What a missing NIC cannot tell, the rule may: an exact `pci_address` or `netdev` in its match, and `vf_id`. So an image
can be rendered for hosts that it does not run on.
"""

import re

from msgspec import Struct

from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.nova_options import NOVA_LAST_DOMAIN
from sriov_bootstrap.core.parse import vf_places
from sriov_bootstrap.core.validate import GLOB
from sriov_bootstrap.render.host import Host, VfLayout

# What udev's rules, neutron's lists and nova's JSON all take as a part of a name, and Linux as a netdev's.
NETDEV = r"[A-Za-z0-9_.-]{1,15}"


class Vf(Struct, frozen=True):
    """A VF that is there, or will be at this address."""

    index: int
    pci_address: str


class Port(Struct, frozen=True):
    """One PF; "" and None where something is unknown. `netdev_device`: see `Netdev.device`.

    `netdevs`: the ports of the PF that the rule means, as far as they are known; `netdev` is the first. `is_here`:
    whether the PF is on this host. `is_like_its_vfs`: it has their ids, as with virtio, so that no id excludes it.
    """

    rule: PfRule
    pci_address: str = ""
    netdev: str = ""
    vendor: str = ""
    device: str = ""
    vfs: tuple[Vf, ...] | None = None
    netdev_device: str = ""
    is_nic: bool = True
    netdevs: tuple[str, ...] = ()
    is_here: bool = False
    is_like_its_vfs: bool = False

    @property
    def label(self) -> str:
        """For people: `rule "tenant-a" (0000:3b:00.0)`."""
        place = self.pci_address or self.netdev
        return f'rule "{self.rule.name}"' + (f" ({place})" if place else "")

    @property
    def network_problem(self) -> str:
        """Why its VFs can be in no physical network, "" if they can, or are to be in none."""
        if self.is_nic or not self.rule.physical_network:
            return ""
        return "its PF is no NIC, and so in no physical network: use alias instead of physical_network, for flavors"

    @property
    def nova_problem(self) -> str:
        """Why nova never gives its VFs to a VM, whatever its files say; "" if nothing stands against it."""
        if pci_address.domain(self.pci_address) <= NOVA_LAST_DOMAIN:
            return ""
        return f"nova skips devices in PCI domains above {NOVA_LAST_DOMAIN:x}, as those behind a VMD controller"

    @property
    def netdev_problem(self) -> str:
        """Why the netdev can stand in no file of others: in each some characters are punctuation; "" if it can."""
        if not self.netdev or re.fullmatch(NETDEV, self.netdev):
            return ""
        return f'the netdev "{self.netdev}" must be letters, digits, "_", "-", "." to be rendered: rename it'

    @property
    def offered(self) -> tuple[Vf, ...]:
        """The VFs that are known, without those that the rule excludes."""
        return tuple(vf for vf in self.vfs or () if vf.index not in self.rule.exclude_vfs)

    @property
    def excluded(self) -> tuple[Vf, ...]:
        """The VFs that the rule excludes."""
        return tuple(vf for vf in self.vfs or () if vf.index in self.rule.exclude_vfs)


def resolve_ports(host: Host) -> tuple[Port, ...]:
    """In the order of the rules."""
    return tuple(_port(wish, host) for wish in host.wishes)


def _port(wish: DesiredPf, host: Host) -> Port:
    rule, pf = wish.rule, wish.pf
    vendor, _, device = rule.vf_id.partition(":")
    if pf is None:
        return Port(rule, exact_name(rule.match.pci_address), exact_name(rule.match.netdev), vendor, device)
    layout = host.layouts.get(pf.pci_address, VfLayout())
    if layout.device and pf.vendor_id:
        vendor, device = pf.vendor_id, layout.device  # the vendor id of a VF is that of its PF (SR-IOV 3.4.1.1)
    names = tuple(dev.name for dev in wish.ports)
    return Port(
        rule,
        pf.pci_address,
        names[0] if names else exact_name(rule.match.netdev),
        vendor,
        device,
        _vfs(pf, wish.target, layout),
        wish.ports[0].device if wish.ports else "",
        pf.is_nic,
        names,
        is_here=True,
        is_like_its_vfs=(vendor, device) == (pf.vendor_id, pf.device_id),
    )


def _vfs(pf: PfFacts, target: int | None, layout: VfLayout) -> tuple[Vf, ...] | None:
    """Those that are there, when they are as many as there should be; else where the target number will be."""
    there = tuple(Vf(vf.index, vf.pci_address) for vf in pf.vfs)
    if target is None:
        return there or None
    if pf.num_vfs == target:
        return there
    texts = {"sriov_totalvfs": target, "sriov_offset": layout.offset, "sriov_stride": layout.stride}
    places = vf_places(pf.pci_address, {name: str(number) for name, number in texts.items()})
    return tuple(Vf(index, place) for index, place in enumerate(places)) if len(places) == target else None


def exact_name(text: str) -> str:
    """A selector that names one thing; "" for a pattern."""
    return "" if re.search(GLOB, text) else text
