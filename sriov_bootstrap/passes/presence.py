"""Looks for what is here of rules that take no PF. Only then: it reads every PCI function that is no PF and no VF."""

from collections.abc import Container, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Protocol

from msgspec.structs import replace

from sriov_bootstrap.core import presence
from sriov_bootstrap.core.config import Match, PfRule, is_exact
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import Links, PfFacts, RawPf
from sriov_bootstrap.core.obstacles import Function, Platform
from sriov_bootstrap.core.parse import needs_port_names, parse_pf
from sriov_bootstrap.core.presence import Inventory, StrayNetdev
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.formats.pci_config import capability

ASKS_FOR_NONE = "the rule asks for no VFs, and there can be none: remove it, or set required = false"
IN_A_VM = "check that this VM was given the device: sriov-bootstrap init lists its PFs, and why others are none"


class PresenceMachine(Protocol):
    """The machine as this look needs it."""

    def read_functions(
        self, only: Iterable[str] = (), *, without: Container[str] = (), serial_numbers: bool = False
    ) -> tuple[RawPf, ...]:
        """Every PCI function `without` some, or `only` these; the attribute `physfn` of a VF is its PF."""

    def read_config_space(self, address: str) -> bytes:
        """As much of it as we may read."""

    def read_stray_netdev(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """The bus of its device and the netdevs that it is built on; None where it is not here."""

    def read_platform(self) -> Platform:
        """What holds for every device of this host."""

    def read_links(self) -> Links:
        """altnames, addresses, names of ports."""


def absent_verdicts(
    machine: PresenceMachine, wishes: Iterable[DesiredPf], pfs: tuple[PfFacts, ...]
) -> dict[str, Verdict]:
    """Rule -> why it takes no PF, for those of which more can be said than that nothing matches."""
    rules = [wish.rule for wish in wishes if wish.pf is None and wish.rule.required and not wish.lost]
    devices = find_devices(machine, rules, pfs) if rules else Inventory()
    found = {rule.name: _verdict(rule, pfs, devices) for rule in rules}
    return {name: verdict for name, verdict in found.items() if verdict}


def find_devices(
    machine: PresenceMachine, rules: Iterable[PfRule], pfs: tuple[PfFacts, ...], *, is_thorough: bool = False
) -> Inventory:
    """What these rules may mean. VFs of PFs are only read as far as a rule names them, or all if `is_thorough`."""
    matches = [rule.match for rule in rules]
    exact = [match.pci_address for match in matches if is_exact(match.pci_address)]
    raws = machine.read_functions(
        exact if len(exact) == len(matches) else (),
        without={pf.pci_address for pf in pfs} | (set() if is_thorough else _unnamed_vfs(matches, pfs)),
        serial_numbers=any(match.serial_number for match in matches),
    )
    by_name = any(match.netdev or match.altname for match in matches)
    links = machine.read_links() if raws and (by_name or needs_port_names(raws)) else Links()
    owners = {vf.pci_address: pf.pci_address for pf in pfs for vf in pf.vfs}
    functions = tuple(_function(raw, links, owners) for raw in raws)
    platform = machine.read_platform()
    if pfs or any(function.offers for function in functions):
        platform = replace(platform, has_iov=True)  # the kernel has made the files
    meant = tuple(_with_capability(machine, function, matches) for function in functions)
    return Inventory(meant, _strays(machine, matches, functions), platform)


def _verdict(rule: PfRule, pfs: tuple[PfFacts, ...], devices: Inventory) -> Verdict | None:
    if found := presence.absences(rule, devices):
        remedy = found[0].remedy if rule.num_vfs else ASKS_FOR_NONE
        is_final = presence.are_final(rule, found)
        return Verdict(Reason.ABSENT, presence.message_of(rule, found), remedy, is_final)
    remedy = presence.nothing_remedy(rule, pfs, devices) or (IN_A_VM if devices.platform.is_guest else "")
    return Verdict(Reason.ABSENT, f'no PF matches rule "{rule.name}" ({rule.match})', remedy) if remedy else None


def _unnamed_vfs(matches: list[Match], pfs: tuple[PfFacts, ...]) -> set[str]:
    """All VFs of a PF are alike, so one of each is enough, and those that a rule names by address or netdev."""
    unnamed: set[str] = set()
    for pf in pfs:
        rest = (vf for vf in pf.vfs[1:] if not any(_names(match, vf.pci_address, vf.netdevs) for match in matches))
        unnamed.update(vf.pci_address for vf in rest)
    return unnamed


def _names(match: Match, address: str, netdevs: Iterable[str]) -> bool:
    by_name = bool(match.netdev) and any(fnmatchcase(name, match.netdev) for name in netdevs)
    return by_name or bool(match.pci_address and fnmatchcase(address, match.pci_address))


def _function(raw: RawPf, links: Links, owners: Mapping[str, str]) -> Function:
    return Function(
        parse_pf(raw, links, Holders()),
        physfn=raw.attributes["physfn"] or owners.get(raw.pci_address, ""),
        offers=raw.attributes.get("sriov_totalvfs", ""),
    )


def _with_capability(machine: PresenceMachine, function: Function, matches: list[Match]) -> Function:
    """Config space is read of those that a rule means: it may have to wait for a reset."""
    if function.physfn or not any(presence.is_meant(match, function.facts) for match in matches):
        return function
    chip = capability(machine.read_config_space(function.facts.pci_address))
    return replace(function, **{name: getattr(chip, name) for name in chip.__struct_fields__})


def _strays(machine: PresenceMachine, matches: list[Match], functions: tuple[Function, ...]) -> tuple[StrayNetdev, ...]:
    of_functions = {dev.name for function in functions for dev in function.facts.netdevs}
    names = {match.netdev for match in matches if is_exact(match.netdev)} - of_functions
    found = ((name, machine.read_stray_netdev(name)) for name in sorted(names))
    return tuple(StrayNetdev(name, *place) for name, place in found if place is not None)
