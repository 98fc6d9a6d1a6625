"""Which VFs' netdevs are to get another MTU."""

from builders import make_pf, make_rule, make_vf
from sriov_bootstrap.core import vf_mtus
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_users import Use, UseKind

RULE = make_rule(vf=(VfTable(vfs="0-3", mtu=9000), VfTable(vfs="1", mtu=1400), VfTable(vfs="all", trust=True)))
VFS = (
    make_vf(index=0, mtu=1500),
    make_vf(index=1, mtu=1400),
    make_vf(index=2, mtu=1500, use=Use(UseKind.LOWER, "bond0")),
    make_vf(index=3, driver="vfio-pci", netdevs=()),
    make_vf(index=4, mtu=1500),
)
HOST = make_pf(vfs=VFS)


def test_later_tables_override_earlier_ones() -> None:
    assert RULE.vf_mtus(3) == {0: 9000, 1: 1400, 2: 9000}
    assert make_rule().vf_mtus(3) == {}


def test_only_free_vfs_with_a_netdev_differ() -> None:
    assert vf_mtus.differing_vfs(RULE, HOST) == VFS[:1]
    assert vf_mtus.netdevs_to_ask(RULE, HOST) == ("v0", "v1", "v2")


def test_vfs_that_get_a_driver_get_their_mtu_as_well() -> None:
    assert vf_mtus.to_set(RULE, HOST, ()) == {0: 9000}
    assert vf_mtus.to_set(RULE, HOST, [VFS[1].pci_address, VFS[3].pci_address, VFS[4].pci_address]) == {
        0: 9000,
        1: 1400,
        3: 9000,
    }


def test_what_is_not_known_of_a_netdev_is_no_difference() -> None:
    known = vf_mtus.with_mtus(HOST, {"v1": 1500})
    assert [vf.mtu for vf in known.vfs] == [0, 1500, 0, 0, 0]
    assert vf_mtus.differing_vfs(RULE, known) == known.vfs[1:2]
