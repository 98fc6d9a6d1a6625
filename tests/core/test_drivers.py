"""What is known of drivers by name, and where it comes from."""

import re
from typing import get_args

import pytest

from sriov_bootstrap.core.driver_sources import SOURCES, KernelSource, cells_of
from sriov_bootstrap.core.drivers import DRIVERS, Driver, Role, VfAttribute, driver_of, is_transport, is_vfio

NEW = "driver_of_tomorrow"
# FILE:NAME, or a name alone; a function of C or the name of a struct.
CELL = re.compile(r"(?:(?:drivers/[\w./-]+\.c):)?[a-z]\w+")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("igb", Role.NIC),
        ("mlx5_core", Role.NIC),
        ("", Role.NIC),
        ("vfio-pci", Role.VFIO),
        ("vfio_pci_of_tomorrow", Role.VFIO),
        ("mlx5_vfio_pci", Role.VFIO),
        ("virtio_vfio_pci", Role.VFIO),
        ("virtio-pci", Role.TRANSPORT),
        ("pci-stub", Role.PASSED_ON),
    ],
)
def test_a_driver_has_one_role(name: str, role: Role) -> None:
    assert driver_of(name).role is role
    assert is_vfio(name) is (role is Role.VFIO)
    assert is_transport(name) is (role is Role.TRANSPORT)


def test_a_driver_without_a_row_differs_in_nothing() -> None:
    assert driver_of(NEW) == Driver(NEW)


def test_each_driver_has_one_row_and_each_row_says_something() -> None:
    assert len({driver.name for driver in DRIVERS}) == len(DRIVERS)
    assert [driver.name for driver in DRIVERS if driver == Driver(driver.name)] == []
    assert [driver.name for driver in DRIVERS if driver.name.startswith("vfio")] == []


def test_a_limit_of_max_vfs_says_what_happens_above_it() -> None:
    assert [driver.name for driver in DRIVERS if bool(driver.max_vfs) != bool(driver.above)] == []


@pytest.mark.parametrize(
    ("name", "attribute", "expected"),
    [
        ("igb", "trust", True),
        ("igb", "link_state", False),
        ("idpf", "mac", False),
        (NEW, "mac", None),
        ("vfio-pci", "mac", None),
    ],
)
def test_what_a_driver_can_set(name: str, attribute: VfAttribute, *, expected: bool | None) -> None:
    assert driver_of(name).can_set(attribute) is expected


def test_attributes_are_spelt_as_declared() -> None:
    """And each belongs to some driver."""
    said = {attribute for driver in DRIVERS for attribute in driver.attributes or ()}
    assert said == set(get_args(VfAttribute))


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_each_row_names_its_file_and_each_cell_its_function(driver: Driver) -> None:
    source = SOURCES[driver.name]
    assert re.fullmatch(r"(?:drivers|linux)/[\w./-]+\.c", source.file)
    lacking, extra = {*cells_of(driver)} - {*source.cells}, {*source.cells} - {*cells_of(driver)}
    assert lacking == set(), "name the function that shows it: also for a value that an operation refuses, see SHARED"
    assert extra == set(), "its row says nothing of the kind"
    assert bool(source.role) is (driver.role is not Role.NIC)
    assert bool(source.operations) is (driver.attributes is not None)
    names = [*source.cells.values(), *filter(None, (source.role, source.operations))]
    assert [name for name in names if not CELL.fullmatch(name)] == []


def test_only_rows_have_a_source() -> None:
    assert set(SOURCES) == {driver.name for driver in DRIVERS}


@pytest.mark.parametrize(
    ("driver", "cells"),
    [
        (Driver(NEW), []),
        (Driver(NEW, up_first=True), ["up_first"]),
        (Driver(NEW, max_vfs=7, above="it takes 7"), ["max_vfs", "above"]),
        (Driver(NEW, attributes=frozenset()), []),
        (Driver(NEW, attributes=frozenset({"trust", "mac"})), ["mac", "trust"]),
        (Driver(NEW, attributes=frozenset({"max_rate"})), ["max_rate", "min_rate"]),
        (Driver(NEW, attributes=frozenset({"vlan", "vlan_8021ad"})), ["vlan", "vlan_8021ad"]),
        (Driver(NEW, attributes=frozenset({"vlan"})), ["vlan", "vlan_8021ad"]),
    ],
)
def test_cells_that_need_a_function(driver: Driver, cells: list[str]) -> None:
    """A value that an operation refuses needs one as well: that there is an operation does not show it."""
    assert list(cells_of(driver)) == cells


def test_a_place_is_a_function_and_a_file_or_folder() -> None:
    source = KernelSource("drivers/net/nic/main.c", cells={"up_first": "enable", "mac": "drivers/lib/vf.c:set_mac"})
    assert source.place_of("up_first") == "enable in drivers/net/nic"
    assert source.place_of("mac") == "set_mac in drivers/lib/vf.c"
