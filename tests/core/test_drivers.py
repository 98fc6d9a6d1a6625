"""What is known of drivers by name."""

import pytest

from sriov_bootstrap.core.drivers import DRIVERS, Driver, Role, driver_of, is_transport, is_vfio


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("igb", Role.NIC),
        ("mlx5_core", Role.NIC),
        ("", Role.NIC),
        ("vfio-pci", Role.VFIO),
        ("vfio_pci_of_tomorrow", Role.VFIO),
        ("mlx5_vfio_pci", Role.VFIO),
        ("virtio-pci", Role.TRANSPORT),
        ("pci-stub", Role.PASSED_ON),
    ],
)
def test_a_driver_has_one_role(name: str, role: Role) -> None:
    assert driver_of(name).role is role
    assert is_vfio(name) is (role is Role.VFIO)
    assert is_transport(name) is (role is Role.TRANSPORT)


def test_a_driver_without_a_row_differs_in_nothing() -> None:
    assert driver_of("mlx5_core") == Driver("mlx5_core")


def test_each_driver_has_one_row_and_each_row_says_something() -> None:
    assert len({driver.name for driver in DRIVERS}) == len(DRIVERS)
    assert [driver.name for driver in DRIVERS if driver == Driver(driver.name)] == []
    assert [driver.name for driver in DRIVERS if driver.name.startswith("vfio")] == []


def test_a_limit_of_max_vfs_says_what_happens_above_it() -> None:
    assert [driver.name for driver in DRIVERS if bool(driver.max_vfs) != bool(driver.above)] == []
