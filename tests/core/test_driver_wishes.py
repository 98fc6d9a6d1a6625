"""Which driver a rule says for which VF."""

import pytest

from builders import make_rule
from sriov_bootstrap.core.driver_wishes import DriverWishes
from sriov_bootstrap.core.vf_attributes import VfTable

FIRST, ALL = VfTable(vfs="0", driver="vfio-pci"), VfTable(vfs="all", driver="vfio-pci")


@pytest.mark.parametrize(
    ("tables", "num_vfs", "wishes"),
    [
        pytest.param((), 4, DriverWishes("kernel"), id="vf_driver for all"),
        pytest.param((FIRST,), 4, DriverWishes("kernel", {0: "vfio-pci"}), id="another one for one"),
        pytest.param((FIRST, VfTable(vfs="all", driver="kernel")), 4, DriverWishes("kernel"), id="the last counts"),
        pytest.param((FIRST, VfTable(vfs="0", vlan=3)), 1, DriverWishes("vfio-pci"), id="no VF has the usual one"),
        pytest.param((ALL,), 4, DriverWishes("vfio-pci"), id="as vf_driver would say it"),
        pytest.param((ALL, VfTable(vfs="3", driver="none")), 4, DriverWishes("vfio-pci", {3: "none"}), id="but one"),
        pytest.param((ALL,), 0, DriverWishes("kernel"), id="no VFs"),
    ],
)
def test_tables_beat_vf_driver(tables: tuple[VfTable, ...], num_vfs: int, wishes: DriverWishes) -> None:
    assert make_rule(vf=tables).drivers(num_vfs) == wishes


def test_a_rule_names_each_driver_of_its_tables() -> None:
    rule = make_rule(vf=(FIRST, VfTable(vfs="1", driver="none"), VfTable(vfs="2", driver="igbvf")), vf_driver="uio")
    assert rule.driver_names == {"vfio-pci", "igbvf", "uio"}
    assert rule.drivers(4).names == ("igbvf", "uio", "vfio-pci")


def test_without_probing_the_kernel_chooses_nothing() -> None:
    assert DriverWishes("kernel", {1: "igbvf"}).without_probing == DriverWishes("none", {1: "igbvf"})
    assert DriverWishes("igbvf", {1: "kernel"}).without_probing == DriverWishes("igbvf", {1: "none"})


def test_the_wishes_for_some_vfs_are_as_short_as_can_be() -> None:
    wishes = DriverWishes("kernel", {1: "igbvf", 2: "igbvf", 3: "none"})
    assert wishes.among((1, 2)) == DriverWishes("igbvf")
    assert wishes.among((2, 0)) == DriverWishes("kernel", {2: "igbvf"})
    assert wishes.among(()) == DriverWishes("kernel")
