"""What should be: rules applied to PFs. The first rule that matches a PF wins; a PF without a rule is left alone."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.facts import Netdev, PfFacts
from sriov_bootstrap.core.parse import parse_id


class DesiredPf(Struct, frozen=True):
    """One rule and one PF that it took; `pf` None: it took none.

    `lost`: address of a PF that it matches but another rule took first, and that rule's name.
    """

    rule: PfRule
    pf: PfFacts | None = None
    lost: tuple[str, str] | None = None

    @property
    def ports(self) -> tuple[Netdev, ...]:
        """The ports of its PF that the rule means."""
        return ports_of(self.rule.match, self.pf) if self.pf else ()

    @property
    def netdev(self) -> str:
        """The first of them, "" if it has none here: the one that is set, and asked for its VFs."""
        return self.ports[0].name if self.ports else ""

    @property
    def target(self) -> int | None:
        """How many VFs there should be; None while that is not known (no PF, or no driver to report its maximum)."""
        if isinstance(self.rule.num_vfs, int):
            return self.rule.num_vfs
        if self.pf is None or not self.pf.driver:
            return None
        if self.rule.num_vfs == "max":
            return self.pf.total_vfs
        percentage = int(self.rule.num_vfs.rstrip("%"))
        return max(
            self.pf.total_vfs * percentage // 100, min(percentage, 1)
        )  # "1%" of 7 VFs asks for some, not for none


def resolve(config: Config, pfs: Iterable[PfFacts]) -> tuple[DesiredPf, ...]:
    """In the order of the rules, then of the PCI addresses; a rule without a PF is listed once, with None."""
    taken: dict[str, list[PfFacts]] = {rule.name: [] for rule in config.pf}
    for pf in sorted(pfs, key=lambda pf: pf.pci_address):
        if rule := rule_of(config, pf):
            taken[rule.name] += [pf] if matches(rule.match, pf) else []
    wishes: list[DesiredPf] = []
    for rule in config.pf:
        found = [DesiredPf(rule, pf) for pf in taken[rule.name]]
        wishes += found or [DesiredPf(rule, lost=_lost_pf(rule, taken))]
    return tuple(wishes)


def _lost_pf(rule: PfRule, taken: Mapping[str, Iterable[PfFacts]]) -> tuple[str, str] | None:
    pairs = ((pf.pci_address, name) for name, pfs in taken.items() for pf in pfs if matches(rule.match, pf))
    return min(pairs, default=None)


def rule_of(config: Config, pf: PfFacts) -> PfRule | None:
    """The rule that matches this PF, or may match it once everything about it is known."""
    return next((rule for rule in config.pf if _may_match(rule.match, pf)), None)


def asks_for(config: Config, pci_address: str, vendor_id: str, device_id: str) -> bool:
    """Whether a rule may match this PF although it is no NIC, by what /sys says first."""
    pf = PfFacts(pci_address, 0, vendor_id=parse_id(vendor_id), device_id=parse_id(device_id), is_nic=False)
    return any(
        matches(replace(rule.match, netdev="", altname="", mac="", driver="", serial_number=""), pf)
        for rule in config.pf
        if rule.match.names_any_pf
    )


def _may_match(match: Match, pf: PfFacts) -> bool:
    """While altnames are unknown, a rule by name may match: the PF is left alone, not given to a later rule.

    So may one by a serial number that cannot be read.
    """
    if not pf.altnames_known:
        match = replace(match, netdev="", altname="")
    if pf.serial_number is None:
        match = replace(match, serial_number="")
    return matches(match, pf)


def ports_of(match: Match, pf: PfFacts) -> tuple[Netdev, ...]:
    """The ports that the selectors of netdevs name, such as one of the two of a ConnectX-3; else all."""
    return tuple(dev for dev in pf.ports if _names_netdev(match, dev)) or pf.ports


def _names_netdev(match: Match, dev: Netdev) -> bool:
    have = {"netdev": (dev.name, *dev.altnames), "altname": dev.altnames, "mac": (dev.mac,)}
    wanted = {key: glob for key in have if (glob := getattr(match, key))}
    return all(any(fnmatchcase(text, glob) for text in have[key]) for key, glob in wanted.items())


def matches(match: Match, pf: PfFacts) -> bool:
    """Whether every selector that is given holds. `netdev` also matches an altname: renames must not lose a PF.

    What is no NIC is only matched by what names it beyond doubt: `driver = "*"` must not take the VFs of a GPU.
    """
    if not pf.is_nic and not match.names_any_pf:
        return False
    altnames = [name for dev in pf.netdevs for name in dev.altnames]
    have = {
        "netdev": [dev.name for dev in pf.netdevs] + altnames,
        "altname": altnames,
        "pci_address": [pf.pci_address],
        "mac": [dev.mac for dev in pf.netdevs],
        "driver": [pf.driver, *(dev.driver for dev in pf.netdevs)],
        "vendor_id": [pf.vendor_id],
        "device_id": [pf.device_id],
        "serial_number": [pf.serial_number or ""],
    }
    wanted = {key: value for key, values in have.items() if (value := getattr(match, key))}
    return all(any(fnmatchcase(text, glob) for text in have[key]) for key, glob in wanted.items())
