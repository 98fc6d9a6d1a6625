"""Which names of neutron's lists may be shown: what ends up in a list by mistake may be a password with a colon in it.

Physical networks that our config or nova's device_spec has, netdevs that exist or that a rule names, and whatever
differs from one of them by a letter or two. Anything else is referred to by its number in the list.
"""

from collections.abc import Iterable

from sriov_bootstrap.core.pci_address import normalize
from sriov_bootstrap.core.similar_names import Guesses
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.ports import resolve_ports


class ShownNames:
    """On a host. `networks`: those of nova's files as well."""

    def __init__(self, host: Host, networks: Iterable[str] = ()) -> None:
        ports, table = resolve_ports(host), host.config.openstack
        ranges = (vlan_range.partition(":")[0] for vlan_range in table.network_vlan_ranges)
        of_rules = (port.rule.physical_network for port in ports)
        vfs = (name for pf in host.pfs for vf in pf.vfs for name in vf.netdevs)
        devices = [dev for pf in host.pfs for dev in pf.netdevs]
        netdevs = (*(port.netdev for port in ports), *(name for dev in devices for name in (dev.name, *dev.altnames)))
        self._networks = _Names((*of_rules, *ranges, *table.flat_networks, *networks))
        self._netdevs = _Names((*netdevs, *vfs))

    def network(self, name: str) -> str:
        """The name, or "" if it may not be shown."""
        return self._networks.if_known(name)

    def netdev(self, name: str) -> str:
        """Likewise."""
        return self._netdevs.if_known(name)

    def mapping(self, entry: Entry, number: int, network: str, netdev: str) -> str:
        """One item of physical_device_mappings, as evidence."""
        return quote_entry(entry, number, self.network(network), self.netdev(netdev))

    @staticmethod
    def address(text: str) -> str:
        """Text that looks like a PCI address cannot be a secret."""
        return text if normalize(text) else ""


class _Names:
    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(filter(None, names))
        self._guesses = Guesses()

    def if_known(self, name: str) -> str:
        return name if name in self._names or self._guesses.nearest(name, self._names) else ""


def quote_entry(entry: Entry, number: int, *parts: str) -> str:
    """`physical_device_mappings, entry 2: physnet2:...`: what is not shown is three dots."""
    said = ":".join(part or "..." for part in parts)
    return f"{entry.option}, entry {number}" + (f": {said}" if any(parts) else "")
