import os
import shutil
from pathlib import Path

import pytest

from builders import PF, PF2, vf_address
from fakes_host import NVME, VIRTIO, VIRTIO_ALIAS, HostTree, virtio_vf
from sriov_bootstrap.core.actions import SetLinkUp
from sriov_bootstrap.core.facts import Links, RawChild, RawNetdev, RawPf, RawVf
from sriov_bootstrap.core.parse import needs_holders, parse_pf
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.holders.open_devices import OpenDevices
from sriov_bootstrap.edges.netdevs import Netdevs
from sriov_bootstrap.edges.pf_writes import PfWrites
from sriov_bootstrap.edges.sysfs import Sysfs


@pytest.fixture
def sysfs(tree: HostTree) -> Sysfs:
    return Sysfs(f"{tree.root}/sys")


def test_a_pf_is_read_with_its_driver_and_its_netdev(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf()
    attributes = {
        "class": "0x020000",
        "sriov_totalvfs": "7",
        "vendor": "0x8086",
        "device": "0x10c9",
        "numa_node": "0",
        "sriov_drivers_autoprobe": "1",
    }
    netdev = RawNetdev("ens1f0", "3c:fd:fe:aa:bb:00", "0x1003", "2")
    assert sysfs.read_pfs() == (RawPf(PF, attributes, "igb", (netdev,)),)


def test_a_pf_without_driver_and_netdev_is_still_a_pf(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(driver="", netdev="")
    (pf,) = sysfs.read_pfs()
    assert (pf.pci_address, pf.driver, pf.netdevs) == (PF, "", ())


def test_any_name_is_read_as_text_and_written_to_as_it_is(tree: HostTree, sysfs: Sysfs) -> None:
    raw = os.fsdecode(b"n\xff\\\x1b")
    tree.add_pf(netdev=raw)
    tree.stack(os.fsdecode(bytes([0xFE])), raw)
    ((netdev,),) = (pf.netdevs for pf in Netdevs(f"{tree.root}/sys").add_uppers(sysfs.read_pfs()))
    assert (netdev.name, netdev.uppers) == (r"n\xff\x5c\x1b", (r"\xfe",))
    assert netdev.flags == "0x1003"
    PfWrites(f"{tree.root}/sys").set_link_up(SetLinkUp(PF, netdev.name), sysfs.children_of)
    assert Netdevs(f"{tree.root}/sys").names() == {netdev.name, r"\xfe"}


def test_a_pf_may_have_several_netdevs(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf()
    tree.add_netdev(PF, "ens1f0_rep0", ifindex=9)
    (pf,) = sysfs.read_pfs()
    assert {(one.name, one.ifindex) for one in pf.netdevs} == {("ens1f0", "2"), ("ens1f0_rep0", "9")}


def test_no_driver_is_asked_for_the_names_of_its_ports(tree: HostTree, sysfs: Sysfs) -> None:
    """The kernel waits for rtnl there, which a driver may hold for good; here, a FIFO waits for a writer."""
    tree.add_pf(num_vfs=1)
    tree.add_netdev(PF, "ens1f0_rep0", ifindex=9)
    tree.add_netdev(vf_address(PF, 0), "ens1f0v0_2", ifindex=11)
    for netdev in ("ens1f0", "ens1f0_rep0", "ens1f0v0", "ens1f0v0_2"):
        os.mkfifo(tree.root / f"sys/class/net/{netdev}/phys_port_name")

    def look(send: child.Send) -> None:
        for functions in (sysfs.read_pfs(), sysfs.read_functions(), sysfs.read_others(frozenset())):
            of_vfs = {dev.name for function in functions for vf in function.vfs for dev in vf.netdevs}
            names = of_vfs | {dev.name for function in functions for dev in function.netdevs}
            assert names == {"ens1f0", "ens1f0_rep0", "ens1f0v0", "ens1f0v0_2"}
        send(b"done")

    assert child.call(look, what="a look", timeout_seconds=10.0) == b"done"


def test_pfs_come_in_the_order_of_their_addresses(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(PF2, netdev="ens1f1")
    tree.add_pf(PF, netdev="ens1f0")
    assert [pf.pci_address for pf in sysfs.read_pfs()] == [PF, PF2]


@pytest.mark.parametrize(
    ("pci_class", "is_found"),
    [
        pytest.param("0x020000", True, id="Ethernet"),
        pytest.param("0x020700", True, id="InfiniBand"),
        pytest.param("0x0c0600", True, id="InfiniBand of old"),
        pytest.param("0x028000", True, id="other network"),
        pytest.param("0x010802", False, id="NVMe"),
        pytest.param("0x030200", False, id="GPU"),
        pytest.param("0x0b4000", False, id="QAT"),
        pytest.param("", False, id="unreadable"),
    ],
)
def test_only_nics_are_read_where_no_other_is_asked_for(
    tree: HostTree, sysfs: Sysfs, pci_class: str, *, is_found: bool
) -> None:
    (tree.add_pf() / "class").write_text(f"{pci_class}\n")
    assert bool(sysfs.read_pfs()) is is_found
    assert bool(sysfs.read_pfs(others=lambda *_: False)) is is_found
    assert [pf.pci_address for pf in sysfs.read_pfs(others=lambda *asked: asked == (PF, "0x8086", "0x10c9"))] == [PF]
    assert [pf.pci_address for pf in sysfs.read_pfs((PF,))] == [PF]


def test_serial_numbers_are_read_where_a_rule_asks_for_them(tree: HostTree, sysfs: Sysfs) -> None:
    (tree.add_pf() / "serial_number").write_text("3c-fd-fe-ff-ff-aa-bb-00\n")
    assert "serial_number" not in sysfs.read_pfs()[0].attributes
    assert sysfs.read_pfs(serial_numbers=True)[0].attributes["serial_number"] == "3c-fd-fe-ff-ff-aa-bb-00"
    assert sysfs.read_functions(serial_numbers=True)[0].attributes["serial_number"] == "3c-fd-fe-ff-ff-aa-bb-00"
    assert "serial_number" not in sysfs.read_functions()[0].attributes


@pytest.mark.parametrize("vf_ifindexes", [True, False])
def test_the_index_of_a_vfs_netdev_is_read_if_it_is_asked_for(
    tree: HostTree, sysfs: Sysfs, *, vf_ifindexes: bool
) -> None:
    tree.add_pf(num_vfs=1)
    (pf,) = sysfs.read_pfs(vf_ifindexes=vf_ifindexes)
    assert pf.netdevs[0].ifindex == "2"
    assert pf.vfs[0].netdevs == (RawNetdev("ens1f0v0", flags="0x1002", ifindex="10" if vf_ifindexes else ""),)


def test_every_function_is_read_or_those_that_are_asked_for(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(num_vfs=2)
    tree.add_nvme()
    tree.add_function("0000:6b:00.0", driver="accel", **{"class": "0x120000"})
    vfs = [vf_address(PF, index) for index in range(2)]
    assert [one.pci_address for one in sysfs.read_functions()] == sorted([NVME, PF, *vfs, "0000:6b:00.0"])
    assert [one.pci_address for one in sysfs.read_functions(without={PF, *vfs, NVME})] == ["0000:6b:00.0"]
    (one,) = sysfs.read_functions(["0000:6b:00.0", "0000:99:00.0", PF], without={PF})
    assert (one.driver, one.attributes) == ("accel", {"class": "0x120000", "physfn": ""})


def test_a_vf_is_seen_in_the_hands_of_whoever_has_only_its_device_node(tree: HostTree, sysfs: Sysfs) -> None:
    """iommufd, and a variant of vfio-pci whose name does not say so: no group is open."""
    tree.add_pf()
    tree.add_class_device(tree.add_vf(PF, 0, driver="acme_migration"), "vfio-dev/vfio3")
    tree.add_process(4711, "/dev/vfio/devices/vfio3")
    raws = sysfs.read_pfs()
    assert needs_holders(raws)
    (vf,) = parse_pf(raws[0], Links(), OpenDevices(str(tree.root)).holders()).vfs
    assert str(vf.use) == "held by qemu-system-x86 pid 4711"


def test_a_function_without_sriov_totalvfs_is_no_pf(tree: HostTree, sysfs: Sysfs) -> None:
    (tree.add_pf() / "sriov_totalvfs").unlink()
    assert sysfs.read_pfs() == ()


def test_a_host_without_pci_has_no_pfs(tmp_path: Path) -> None:
    assert Sysfs(f"{tmp_path}/sys").read_pfs() == ()


def test_vfs_are_read_through_their_links(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(num_vfs=2)
    vfs = sorted(sysfs.read_pfs()[0].vfs, key=lambda vf: vf.index)
    assert [(vf.index, vf.pci_address) for vf in vfs] == [("0", vf_address(PF, 0)), ("1", vf_address(PF, 1))]
    assert [(vf.driver, vf.iommu_group, vf.modalias) for vf in vfs] == [("igbvf", "17", ""), ("igbvf", "18", "")]
    assert [[dev.name for dev in vf.netdevs] for vf in vfs] == [["ens1f0v0"], ["ens1f0v1"]]
    assert vfs[0].inode == tree.device(vf_address(PF, 0)).stat().st_ino != vfs[1].inode


def test_a_vf_without_a_driver_says_which_module_would_take_it(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf()
    tree.add_vf(PF, 0, driver="")
    (vf,) = sysfs.read_pfs()[0].vfs
    assert (vf.driver, vf.modalias, vf.netdevs) == ("", "pci:v00008086d000010CA", ())


def test_a_vf_shows_its_device_nodes(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf()
    folder = tree.add_vf(PF, 0, driver="vfio-pci")
    for name in ("vfio-dev/vfio3", "infiniband/mlx5_2", "infiniband_verbs/uverbs2"):
        tree.add_class_device(folder, name)
    tree.add_vf(PF, 1)
    for index in range(2):
        child = tree.add_child(vf_address(PF, index), f"vdpa{index}", driver="vhost_vdpa")
        (child / f"vhost-vdpa-{index}").mkdir()
    vf = min(sysfs.read_pfs()[0].vfs, key=lambda vf: vf.index)
    nodes = ("/dev/vfio/devices/vfio3", "/dev/infiniband/uverbs2", "/dev/vhost-vdpa-0")
    assert (vf.driver, vf.nodes, vf.infiniband) == ("vfio-pci", nodes, ("mlx5_2",))


def test_a_vf_that_leaves_while_it_is_read_is_not_there(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(num_vfs=2)
    tree.remove(vf_address(PF, 0))
    assert [vf.pci_address for vf in sysfs.read_pfs()[0].vfs] == [vf_address(PF, 1)]


def test_a_pf_that_leaves_while_it_is_read_is_not_there(tree: HostTree, sysfs: Sysfs) -> None:
    tree.link("sys/bus/pci/devices/0000:5e:00.0", "sys/devices/gone")
    assert sysfs.read_pfs() == ()


def test_an_attribute_that_cannot_be_read_is_empty_and_the_others_stand(tree: HostTree, sysfs: Sysfs) -> None:
    folder = tree.add_pf()
    (folder / "numa_node").unlink()
    (folder / "numa_node").mkdir()
    (folder / "vendor").write_bytes(b"\xff\xfe\n")
    (pf,) = sysfs.read_pfs()
    assert (pf.attributes["numa_node"], pf.attributes["vendor"]) == ("", "\ufffd\ufffd")
    assert pf.attributes["sriov_totalvfs"] == "7"


def test_sriov_numvfs_is_never_read_by_a_look(tree: HostTree, sysfs: Sysfs) -> None:
    folder = tree.add_pf()
    (folder / "sriov_numvfs").unlink()
    os.mkfifo(folder / "sriov_numvfs")  # a read of it would wait, as it does on a device that is being probed
    (pf,) = sysfs.read_pfs()
    assert "sriov_numvfs" not in pf.attributes


# -- a bus between function and netdev --


def named(*netdevs: RawNetdev) -> list[tuple[str, str]]:
    """What hangs where."""
    return [(one.name, one.device) for one in netdevs]


def test_netdevs_are_found_behind_a_virtio_device(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf(num_vfs=2)
    (pf,) = sysfs.read_pfs()
    assert pf.netdevs == (RawNetdev("ens6", "3c:fd:fe:aa:bb:00", "0x1003", "2", device="virtio1"),)
    assert (pf.driver, pf.children) == ("virtio-pci", (RawChild("virtio1", "virtio_net"),))
    vfs = sorted(pf.vfs, key=lambda vf: vf.index)
    assert [named(*vf.netdevs) for vf in vfs] == [[("ens6v0", "virtio2")], [("ens6v1", "virtio3")]]
    assert [vf.children for vf in vfs] == [(RawChild(name, "virtio_net"),) for name in ("virtio2", "virtio3")]


def test_a_virtio_device_without_driver_says_which_module_would_take_it(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf()
    tree.add_virtio_vf(0, driver="")
    (vf,) = sysfs.read_pfs()[0].vfs
    assert (vf.driver, vf.modalias, vf.netdevs) == ("virtio-pci", "", ())
    assert vf.children == (RawChild("virtio2", modalias="virtio:d00000001v00001AF4"),)


def test_a_vf_without_driver_has_nothing_on_another_bus(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf()
    (tree.add_virtio_vf(0) / "driver").unlink()  # it is being unbound: the link goes last, and what it made first
    (vf,) = sysfs.read_pfs()[0].vfs
    assert (vf.modalias, vf.netdevs, vf.children) == (VIRTIO_ALIAS, (), ())


@pytest.mark.parametrize("place", ["vdpa0/virtio3", "virtio3"])  # since Linux 6.19 some, and before that all
def test_netdevs_are_found_behind_a_vdpa_device_too(tree: HostTree, sysfs: Sysfs, place: str) -> None:
    tree.add_pf()
    folder = tree.add_vf(PF, 0, driver="mlx5_core")
    tree.add_netdev(vf_address(PF, 0), "ens1f0v0")
    tree.add_child(vf_address(PF, 0), "vdpa0", driver="virtio_vdpa")
    tree.add_child(vf_address(PF, 0), place)
    tree.add_netdev(vf_address(PF, 0), "eth5", below=place)
    (vf,) = sysfs.read_pfs()[0].vfs
    assert named(*vf.netdevs) == [("ens1f0v0", ""), ("eth5", "virtio3")]
    assert set(vf.children) == {RawChild("vdpa0", "virtio_vdpa"), RawChild("virtio3", "virtio_net")}
    assert (vf.nodes, folder.name) == ((), vf_address(PF, 0))


def test_netdevs_of_subfunctions_are_not_the_functions(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(driver="mlx5_core")
    tree.add_netdev(PF, "ens1f0s4", below="mlx5_core.sf.4")
    tree.add_child(PF, "mlx5_core.sf.5/vdpa0", driver="virtio_vdpa")
    tree.add_child(PF, "mlx5_core.sf.5/vdpa0/virtio3")
    tree.add_netdev(PF, "eth5", below="mlx5_core.sf.5/vdpa0/virtio3")
    (pf,) = sysfs.read_pfs()
    assert (named(*pf.netdevs), pf.children) == ([("ens1f0", "")], ())


def test_all_looks_see_what_is_behind_another_bus(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf(num_vfs=1)
    (pf,) = sysfs.read_pfs()
    every = {one.pci_address: one for one in sysfs.read_functions()}
    assert {address: named(*one.netdevs) for address, one in every.items()} == {
        VIRTIO: [("ens6", "virtio1")],
        virtio_vf(0): [("ens6v0", "virtio2")],
    }
    assert every[virtio_vf(0)].attributes["physfn"] == VIRTIO
    (vf,) = sysfs.read_functions_of(VIRTIO)
    assert RawVf("0", *[getattr(vf, name) for name in vf.__struct_fields__[1:]]) == pf.vfs[0]


def test_a_netdev_in_another_namespace_leaves_its_folder(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(num_vfs=2)
    tree.add_vf(PF, 2, driver="iavf")
    (tree.add_vf(PF, 3, driver="iavf") / "net").mkdir()
    tree.add_vf(PF, 4, driver="vfio-pci")
    tree.add_vf(PF, 5, driver="")
    (pf,) = sysfs.read_pfs()
    assert {vf.index: vf.has_net for vf in pf.vfs} == {"2": False} | dict.fromkeys("01345", True)
    facts = parse_pf(pf, Links(), Holders())
    assert [vf.index for vf in facts.vfs if not vf.has_made_netdev] == [2]


@pytest.mark.parametrize(
    ("there", "found"),
    [pytest.param("renamed", ["renamed"], id="renamed"), pytest.param("", [], id="moved to another namespace")],
)
def test_a_netdev_that_changed_since_all_were_listed_is_looked_for_in_its_folder(
    tree: HostTree, sysfs: Sysfs, there: str, found: list[str]
) -> None:
    tree.add_pf(num_vfs=1)
    folder = tree.device(vf_address(PF, 0)) / "net"
    if there:
        (folder / "ens1f0v0").rename(folder / there)  # /sys/class/net still has the former name
    else:
        shutil.rmtree(folder / "ens1f0v0")
    (vf,) = sysfs.read_pfs()[0].vfs
    assert ([dev.name for dev in vf.netdevs], vf.has_net) == (found, True)


def test_a_netdev_that_came_since_all_were_listed_is_found_in_its_folder(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_pf(num_vfs=1)
    (tree.root / "sys/class/net/ens1f0v0").unlink()
    assert [dev.name for vf in sysfs.read_pfs()[0].vfs for dev in vf.netdevs] == ["ens1f0v0"]


def test_a_netdev_below_another_bus_leaves_its_folder_there(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf(num_vfs=2)
    shutil.rmtree(tree.device(virtio_vf(0)) / "virtio2/net/ens6v0")
    shutil.rmtree(tree.device(virtio_vf(1)) / "virtio3/net")
    (pf,) = sysfs.read_pfs()
    assert {vf.index: vf.has_net for vf in pf.vfs} == {"0": True, "1": False}


def test_a_device_that_leaves_its_bus_while_it_is_read_is_not_there(tree: HostTree, sysfs: Sysfs) -> None:
    tree.add_virtio_pf()
    (tree.root / "sys/bus/virtio/devices/leaves").mkdir()
    tree.link("sys/bus/virtio/devices/virtio9", f"{tree.device(VIRTIO)}/virtio9")
    (pf,) = sysfs.read_pfs()
    assert pf.children == (RawChild("virtio1", "virtio_net"), RawChild("virtio9"))
    assert named(*pf.netdevs) == [("ens6", "virtio1")]


def test_a_driver_is_there_under_its_exact_name(tree: HostTree, sysfs: Sysfs) -> None:
    (tree.root / "sys/bus/pci/drivers/vfio-pci").mkdir(parents=True)
    assert [sysfs.has_driver(name) for name in ("vfio-pci", "vfio_pci", "igbvf")] == [True, False, False]


def test_a_module_says_which_pci_drivers_it_has(tree: HostTree, sysfs: Sysfs) -> None:
    for name in ("pci:vfio-pci", "pci:another", "platform:vfio-platform"):
        (tree.root / "sys/module/vfio_pci/drivers" / name).mkdir(parents=True)
    assert sysfs.drivers_of("vfio-pci") == ("another", "vfio-pci")
    assert sysfs.drivers_of("igbvf") == ()
