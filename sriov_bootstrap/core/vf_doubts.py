"""What a valid [[pf.vf]] table says and may not come true, depending on the PFs that its rule takes."""

from collections.abc import Iterator

from sriov_bootstrap.core.config import Match, PfRule, is_exact
from sriov_bootstrap.core.drivers import DRIVERS, Driver, driver_of
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.vf_attributes import STABLE, highest_of
from sriov_bootstrap.core.vf_tables import ADDRESS_KEYS, place_of


def doubts_of_tables(rule: PfRule) -> list[str]:
    """Each in words."""
    found = list(_doubts_of_count(rule, driver_of(rule.match.driver)))
    found += _doubts_of_switch(rule) if rule.wants_switchdev else ()
    if not _takes_one_pf(rule.match):
        found += [
            f"[[pf.vf]] number {number}: {key}: each PF that matches would get this address for a VF:"
            f" match one PF by its pci_address{_or_stable(key)}"
            for number, table in enumerate(rule.vf, 1)
            for key in ADDRESS_KEYS
            if getattr(table, key) not in {None, STABLE}
        ]
    return found


def _or_stable(key: str) -> str:
    return f', or write mac = "{STABLE}"' if key == "mac" else ""


def _doubts_of_count(rule: PfRule, driver: Driver) -> Iterator[str]:
    if isinstance(rule.num_vfs, int) or not driver.max_vfs:
        return
    for number, table in enumerate(rule.vf, 1):
        if (named := highest_of(table.vfs)) >= driver.max_vfs:
            count = f"{driver.name} creates at most {quantity(driver.max_vfs, 'VF')}, counted from 0"
            yield f'{place_of(number)}: vfs: "{table.vfs}" names VF {named}, and {count}'


def _doubts_of_switch(rule: PfRule) -> Iterator[str]:
    """Of a rule that names no driver, for each that it may be."""
    for driver in DRIVERS:
        if rule.match.driver not in {"", driver.name}:
            continue
        for number, table in enumerate(rule.vf, 1):
            if said := [key for key in driver.refused_by_switch if getattr(table, key)]:
                does = f"{driver.name} does not set this in switchdev mode, where Open vSwitch's flows decide"
                yield f"{place_of(number)}: {', '.join(said)}: {does}"


def _takes_one_pf(match: Match) -> bool:
    selectors = (match.pci_address, match.netdev, match.altname, match.mac)
    return any(is_exact(text) for text in selectors)
