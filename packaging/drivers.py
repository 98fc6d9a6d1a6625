"""docs/drivers.md, what is known of drivers and where it comes from: drivers.py > docs/drivers.md."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

from sriov_bootstrap.core.driver_sources import SOURCES, KernelSource, cells_of
from sriov_bootstrap.core.drivers import DRIVERS, Driver, Role, VfAttribute

HEAD = """\
# Drivers

<!-- Made by `make drivers`: change sriov_bootstrap/core/drivers.py and driver_sources.py -->

What `sriov-bootstrap` knows of drivers by name. A driver that is not listed needs no row: its VFs are created, counted
and protected like all others, and what can be set for them is not known beforehand. This was read in the sources of
Linux 7.3; another version, or an out-of-tree driver of the same name, may differ.
"""
HABITS = {
    "up_first": ("PF up first", "neither creates nor removes VFs while the PF's netdev is down: SB-E224"),
    "count_flaps_link": ("link flaps", "takes the PF's link down and up for each change of the number of VFs: SB-W223"),
    "mode_before_count": ("mode before VFs", "changes the eswitch mode only while there are no VFs"),
    "mode_before_binding": (
        "mode before binding",
        "VFs get their drivers after the eswitch mode, which is slow otherwise",
    ),
    "no_eswitch": (
        "no eswitch",
        "has no eswitch mode that devlink could set, so switchdev is refused for a rule that names it (Linux 6.12)",
    ),
    "tells_lag": ("VF LAG", "debugfs tells whether a bond of its PFs is offloaded, for `vf_lag`"),
    "firmware_limit": ("firmware's limit", "how many VFs there can be is up to the firmware or its settings"),
    "accepts_and_makes_fewer": ("silent failure", "can report success although VFs are missing, or do not work"),
    "kept_vfs": ("keeps VFs", "reports success for 0 and keeps VFs that were there before the driver was loaded"),
    "rates_need_carrier": ("rates need carrier", "refuses a VF's rate while the PF has no carrier"),
}
PARAMETERS = {
    "count_parameter": "parameter alone",
    "max_vfs": "max_vfs",
    "above": "above max_vfs",
    "vf_module": "VFs' module",
}
ATTRIBUTES: dict[VfAttribute, str] = {
    "mac": "MAC",
    "vlan": "VLAN",
    "vlan_8021ad": "802.1ad",
    "max_rate": "max rate",
    "min_rate": "min rate",
    "spoofchk": "spoofchk",
    "trust": "trust",
    "link_state": "link state",
    "query_rss": "query RSS",
    "stats": "counters",
    "msix": "MSI-X",
}
ROLES = {
    Role.TRANSPORT: "creates no netdev itself: the device goes to another bus, or to a process",
    Role.VFIO: "reached through vfio: in use while a process has it open",
    Role.PASSED_ON: "for a user-space program or a VM: creates no VFs",
}
TITLES = {cell: title for cell, (title, _) in HABITS.items()} | PARAMETERS | ATTRIBUTES
TITLES["refused_by_switch"] = "not in switchdev mode"


def main() -> None:
    sys.stdout.write(page())


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *_creation(), *_attributes(), *_roles(), *_sources()))


def _creation() -> Iterator[str]:
    yield "## How they create VFs\n"
    yield from (f"- **{title}**: {meaning}" for title, meaning in HABITS.values())
    yield "- **parameter alone**: takes the number from this module parameter, and nothing can be written: SB-E227"
    yield "- **max_vfs**: the limit of that module parameter, and what happens above it\n"
    rows = [driver for driver in DRIVERS if any(getattr(driver, cell) for cell in (*HABITS, *PARAMETERS))]
    titles = (*(title for title, _ in HABITS.values()), "parameter alone", "max_vfs", "VFs' module")
    yield from _table(("driver", *titles), ((f"`{driver.name}`", *_creation_cells(driver)) for driver in rows))


def _creation_cells(driver: Driver) -> Iterator[str]:
    yield from ("yes" if getattr(driver, cell) else "" for cell in HABITS)
    yield f"`{driver.count_parameter}`" if driver.count_parameter else ""
    yield f"{driver.max_vfs}: {driver.above}" if driver.max_vfs else ""
    yield f"`{driver.vf_module}`" if driver.vf_module else ""


def _attributes() -> Iterator[str]:
    yield "## What can be set for a VF\n"
    yield "Y: the driver has the operation; L: in legacy mode alone. Chip or firmware may still refuse it.\n"
    rows = [driver for driver in DRIVERS if driver.attributes is not None]
    cells = ((f"`{driver.name}`", *(_attribute_cell(driver, one) for one in ATTRIBUTES)) for driver in rows)
    yield from _table(("driver", *ATTRIBUTES.values()), cells)
    yield "## Remarks\n"
    yield from (f"- `{driver.name}`: {note}" for driver in DRIVERS if (note := SOURCES[driver.name].note))
    yield ""


def _attribute_cell(driver: Driver, attribute: VfAttribute) -> str:
    if attribute in driver.refused_by_switch:
        return "L"
    return "Y" if driver.can_set(attribute) else ""


def _roles() -> Iterator[str]:
    yield "## Drivers that are not a NIC's\n"
    yield "Every driver whose name begins with `vfio` is one of vfio as well.\n"
    rows = [driver for driver in DRIVERS if driver.role is not Role.NIC]
    yield from _table(("driver", "what it does"), ((f"`{driver.name}`", ROLES[driver.role]) for driver in rows))


def _sources() -> Iterator[str]:
    yield "## Where this comes from\n"
    yield "Each driver's file, and the functions that show it, in the same directory or below unless stated otherwise."
    yield "An operation that a driver does not have is missing from its net_device_ops, an eswitch from its files.\n"
    for driver in DRIVERS:
        source = SOURCES[driver.name]
        yield f"- `{driver.name}`: `{source.file}`{''.join(f'; {part}' for part in _parts(driver, source))}"


def _parts(driver: Driver, source: KernelSource) -> Iterator[str]:
    if source.role:
        yield f"`{source.role}`"
    if source.operations:
        yield f"`{source.operations}` (net_device_ops)"
    shown = defaultdict(list)
    for cell in cells_of(driver):
        shown[source.cells[cell]].append(TITLES[cell])
    yield from (f"`{function}` ({', '.join(titles)})" for function, titles in shown.items())


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = tuple(titles)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


if __name__ == "__main__":
    main()
