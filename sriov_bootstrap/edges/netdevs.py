"""/sys/class/net: which netdevs there are, and what is built on them.

A link `upper_X` in a netdev's folder has its like in that of X, `lower_Y`: net/core/dev.c,
netdev_adjacent_sysfs_add. What is above many VFs is therefore read from the side that has fewer netdevs.
"""

import os
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from sriov_bootstrap.base.printable import raw_of
from sriov_bootstrap.base.vanishing import attribute_text, link_name, name_text, names_in
from sriov_bootstrap.core.facts import RawNetdev, RawPf, RawVf

# Netdev -> what is built directly on it
Direct = Callable[[str], list[str] | None]


class Netdevs:
    """Those of our network namespace, in the tree below `root`; tests give another one."""

    def __init__(self, root: str = "/sys") -> None:
        """Reads nothing yet."""
        self._netdevs = f"{root}/class/net"

    def names(self) -> frozenset[str]:
        """Every netdev."""
        return frozenset(map(name_text, names_in(self._netdevs)))

    def read_stray(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """The bus of a netdev's device, "" without one, and the netdevs that it is built on; None: it is not here."""
        folder = self._folder(name)
        if not os.path.exists(folder):
            return None
        return link_name(f"{folder}/device/subsystem"), tuple(sorted(self._read_links(name, "lower_")))

    def has_master(self, name: str) -> bool:
        """Whether it is part of a bond, a bridge or the like. Waits for no lock."""
        return os.path.lexists(f"{self._folder(name)}/master")

    def read_mtus(self, netdevs: Iterable[str]) -> dict[str, int]:
        """Of those of these netdevs that are here. Waits for no lock (net/core/net-sysfs.c, netdev_show)."""
        texts = ((name, attribute_text(f"{self._folder(name)}/mtu")) for name in netdevs)
        return {name: int(text) for name, text in texts if text.isascii() and text.isdigit()}

    def add_uppers(self, pfs: tuple[RawPf, ...]) -> tuple[RawPf, ...]:
        """Every netdev above those of these PFs and VFs: a PF in a bond in a bridge carries what the bridge carries."""
        functions = [netdevs for pf in pfs for netdevs in (pf.netdevs, *(vf.netdevs for vf in pf.vfs))]
        names = {dev.name for netdevs in functions for dev in netdevs}
        # Only one of several on the same function may itself be an upper: net/core/failover.c.
        alone = {netdevs[0].name for netdevs in functions if len(netdevs) == 1}
        others = self.names() - alone if names else frozenset()
        direct = self._read_from_above(others).get if len(others) < len(names) else self._read_from_below
        above = {name: uppers for name in names if (uppers := _all_above(name, direct))}
        return tuple(_pf_below(pf, above) for pf in pfs) if above else pfs

    def _read_from_above(self, others: Iterable[str]) -> dict[str, list[str]]:
        direct: dict[str, list[str]] = {}
        for upper in others:
            for lower in self._read_links(upper, "lower_"):
                direct.setdefault(lower, []).append(upper)
        return direct

    def _read_from_below(self, name: str) -> list[str]:
        return self._read_links(name, "upper_")

    def _read_links(self, name: str, prefix: str) -> list[str]:
        entries = (entry for entry in names_in(self._folder(name)) if entry.startswith(prefix))
        return [name_text(entry.removeprefix(prefix)) for entry in entries]

    def _folder(self, name: str) -> str:
        return f"{self._netdevs}/{os.fsdecode(raw_of(name))}"


def _all_above(name: str, direct: Direct) -> tuple[str, ...]:
    found: list[str] = []
    queue = [name]
    while queue:
        new = [upper for upper in direct(queue.pop()) or () if upper not in found]
        queue += new
        found += new
    return tuple(sorted(found))


def _pf_below(pf: RawPf, above: dict[str, tuple[str, ...]]) -> RawPf:
    vfs = tuple(_vf_below(vf, above) for vf in pf.vfs)
    return replace(pf, netdevs=_netdevs_below(pf.netdevs, above), vfs=vfs)


def _vf_below(vf: RawVf, above: dict[str, tuple[str, ...]]) -> RawVf:
    has_upper = any(dev.name in above for dev in vf.netdevs)
    return replace(vf, netdevs=_netdevs_below(vf.netdevs, above)) if has_upper else vf


def _netdevs_below(netdevs: tuple[RawNetdev, ...], above: dict[str, tuple[str, ...]]) -> tuple[RawNetdev, ...]:
    return tuple(replace(dev, uppers=above.get(dev.name, ())) for dev in netdevs)
