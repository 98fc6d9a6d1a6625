"""What netdevs are built on, and what is built on them."""

import pytest

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.edges.netdevs import Netdevs
from sriov_bootstrap.edges.sysfs import Sysfs


@pytest.fixture
def netdevs(tree: HostTree) -> Netdevs:
    return Netdevs(f"{tree.root}/sys")


def read_uppers(tree: HostTree, netdevs: Netdevs) -> dict[str, tuple[str, ...]]:
    """Netdev of a PF or a VF -> all that is above it."""
    pfs = netdevs.add_uppers(Sysfs(f"{tree.root}/sys").read_pfs())
    functions = [netdevs for pf in pfs for netdevs in (pf.netdevs, *(vf.netdevs for vf in pf.vfs))]
    return {dev.name: dev.uppers for netdevs in functions for dev in netdevs}


@pytest.mark.parametrize("others", [0, 20])
@pytest.mark.parametrize("lower", ["ens1f0", "ens1f0v3"])
def test_all_netdevs_above_a_netdev_are_found_whatever_else_there_is(
    tree: HostTree, netdevs: Netdevs, lower: str, others: int
) -> None:
    """With 20 others it is the netdevs of PF and VFs that are looked at, else the others."""
    tree.add_pf(num_vfs=7)
    for upper, below in (("bond0", lower), ("vlan7", "bond0"), ("br0", "bond0"), ("br1", "vlan7")):
        tree.stack(upper, below)
    for number in range(others):
        tree.stack(f"macvtap{number}", "eno1")
    found = read_uppers(tree, netdevs)
    assert found.pop(lower) == ("bond0", "br0", "br1", "vlan7")
    assert set(found.values()) == {()}


def test_a_netdev_may_be_above_another_of_the_same_function(tree: HostTree, netdevs: Netdevs) -> None:
    """A failover netdev, and its standby."""
    tree.add_pf(num_vfs=1)
    tree.add_netdev(vf_address(PF, 0), "ens1f0v0nsby", ifindex=44)
    tree.stack("ens1f0v0", "ens1f0v0nsby")
    assert read_uppers(tree, netdevs) == {"ens1f0": (), "ens1f0v0": (), "ens1f0v0nsby": ("ens1f0v0",)}


def test_what_a_netdev_stands_on(tree: HostTree, netdevs: Netdevs) -> None:
    tree.add_pf()
    for name in ("lower_ens1f0", "lower_eth1", "upper_br0"):
        tree.write(f"sys/class/net/bond0/{name}/ifindex", "7\n")
    tree.link("sys/class/net/usb0/device/subsystem", "sys/bus/usb")
    assert netdevs.read_stray("bond0") == ("", ("ens1f0", "eth1"))
    assert netdevs.read_stray("usb0") == ("usb", ())
    assert netdevs.read_stray("ens9") is None


def test_mtus_are_those_of_the_netdevs_that_are_here(tree: HostTree, netdevs: Netdevs) -> None:
    for name, text in {"v0": "1500", "v1": "9000", "v2": "many"}.items():
        tree.write(f"sys/class/net/{name}/mtu", f"{text}\n")
    assert netdevs.read_mtus(("v0", "v1", "v2", "gone")) == {"v0": 1500, "v1": 9000}


def test_a_vlan_on_a_netdev_is_no_master(tree: HostTree, netdevs: Netdevs) -> None:
    tree.add_pf()
    tree.stack("ens1f0.7", "ens1f0")
    assert not netdevs.has_master("ens1f0")
    (tree.root / "sys/class/net/ens1f0/master").symlink_to("../bond0")
    assert netdevs.has_master("ens1f0")
