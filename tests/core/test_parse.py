"""Raw text -> facts: what counts as in use, and that no text does any harm."""

from typing import Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import PF, RawVfValues, make_netdev, make_pf, make_raw_pf, make_raw_vf, make_vf
from sriov_bootstrap.core import vf_users
from sriov_bootstrap.core.facts import Link, Links, PfFacts, RawChild, RawNetdev, RawPf, RawVf
from sriov_bootstrap.core.parse import leaving_users, needs_holders, needs_port_names, parse_pf, vf_places
from sriov_bootstrap.core.vf_users import Holder, Holders, Owner, Owners, UseKind

QEMU = Holder(4711, "qemu-system-x86", "instance-0000002a")
DPDK = Holder(9, "dpdk")
RDMA = "/dev/infiniband/uverbs2"
VM = Owner("instance-0000002a")
UP = RawNetdev("v0", flags="0x1003")
TWO = (RawNetdev("ens1f0", ifindex="2"), RawNetdev("eth0", ifindex="9"))
TEXT = st.text(max_size=12)
NETDEV = st.builds(RawNetdev, TEXT, TEXT, TEXT, TEXT, st.tuples(TEXT), TEXT)
CHILDREN = st.tuples(st.builds(RawChild, TEXT, TEXT, TEXT))
VF = st.builds(
    RawVf, TEXT, TEXT, TEXT, TEXT, st.integers(), TEXT, st.tuples(NETDEV), st.tuples(TEXT), st.tuples(TEXT), CHILDREN
)
NAMES = st.sampled_from(["sriov_totalvfs", "vendor", "device", "numa_node", "sriov_drivers_autoprobe", "sriov_numvfs"])
RAW = st.builds(RawPf, TEXT, st.dictionaries(NAMES, TEXT), TEXT, st.tuples(NETDEV, NETDEV), st.tuples(VF, VF), CHILDREN)


def test_a_pf_is_understood() -> None:
    links = Links({"ens1f0": Link("ens1f0", ("enp59s0f0",))})
    assert parse_pf(make_raw_pf(vfs=(make_raw_vf(),)), links, Holders()) == PfFacts(
        pci_address=PF,
        total_vfs=7,
        driver="igb",
        vendor_id="8086",
        device_id="10c9",
        numa_node=1,
        netdevs=(make_netdev(altnames=("enp59s0f0",)),),
        vfs=(make_vf(iommu_group="17"),),
    )


@pytest.mark.parametrize(
    ("attributes", "field", "value"),
    [
        ({"sriov_totalvfs": "seven"}, "total_vfs", 0),
        ({"sriov_totalvfs": ""}, "total_vfs", 0),
        ({"sriov_totalvfs": "9" * 5000}, "total_vfs", 0),
        ({"sriov_totalvfs": "9" * 4000}, "total_vfs", 0),
        ({"numa_node": ""}, "numa_node", -1),
        ({"numa_node": "-1"}, "numa_node", -1),
        ({"sriov_drivers_autoprobe": "0"}, "autoprobe", False),
        ({"sriov_drivers_autoprobe": "1"}, "autoprobe", True),
        ({"sriov_drivers_autoprobe": ""}, "autoprobe", True),
        ({"vendor": ""}, "vendor_id", ""),
        ({"device": "0xABCD"}, "device_id", "abcd"),
        ({}, "serial_number", ""),
        ({"serial_number": ""}, "serial_number", None),
        ({"serial_number": "3C-FD"}, "serial_number", "3c-fd"),
    ],
)
def test_garbage_becomes_the_value_that_makes_the_least_happen(
    attributes: dict[str, str], field: str, value: object
) -> None:
    assert getattr(parse_pf(make_raw_pf(attributes=attributes), Links(), Holders()), field) == value


def test_a_pf_without_any_file_offers_nothing() -> None:
    assert parse_pf(RawPf(PF, {}), Links(), Holders()) == PfFacts(PF, 0, is_nic=False)


@pytest.mark.parametrize(
    ("driver", "use"),
    [
        pytest.param("", "", id="no driver"),
        pytest.param("nvme", "driver nvme is bound to it, and what uses it through that cannot be seen", id="its own"),
        pytest.param("pci-stub", "driver pci-stub is bound to it, and what uses it through that cannot be seen"),
        pytest.param("vfio-pci", "", id="vfio, not open"),
    ],
)
def test_a_vf_of_what_is_no_nic_is_in_use_as_long_as_it_has_a_driver(driver: str, use: str) -> None:
    raw = make_raw_pf(attributes={"class": "0x010802"}, vfs=(make_raw_vf(driver=driver, netdevs=()),))
    pf = parse_pf(raw, Links(), Holders())
    assert (pf.is_nic, str(pf.vfs[0].use or "")) == (False, use)
    assert pf.vfs[0].is_ready is bool(driver)


@pytest.mark.parametrize(
    ("port_name", "is_port"),
    [
        ("", True),
        ("p0", True),
        ("p0s1", True),
        ("pf0vf3", False),
        ("pf0sf88", False),
        ("c1pf0vf3", False),
        ("pf0", False),
        ("pf0vf3x", True),
    ],
)
def test_representors_are_no_ports_of_a_pf(port_name: str, *, is_port: bool) -> None:
    links = Links({"ens1f0": Link("ens1f0", ifindex=2), "eth0": Link("eth0", ifindex=9, port_name=port_name)})
    pf = parse_pf(replace(make_raw_pf(), netdevs=TWO), links, Holders())
    assert [dev.name for dev in pf.ports] == (["ens1f0", "eth0"] if is_port else ["ens1f0"])
    assert len(pf.netdevs) == 2
    assert replace(pf, netdevs=pf.netdevs[1:]).netdev == ("eth0" if is_port else "")


def test_a_representor_that_was_renamed_meanwhile_is_still_one() -> None:
    links = Links({"rep3": Link("rep3", ifindex=9, port_name="pf0vf3")})
    assert [dev.name for dev in parse_pf(replace(make_raw_pf(), netdevs=TWO), links, Holders()).ports] == ["ens1f0"]


@pytest.mark.parametrize(
    ("netdevs", "problem", "are_needed", "are_known"),
    [
        pytest.param(TWO, "", True, True, id="several"),
        pytest.param(TWO, "no answer after 30 s", True, False, id="several, and no list of netdevs"),
        pytest.param(TWO[:1], "no answer after 30 s", False, True, id="an only one is a port"),
        pytest.param((), "no answer after 30 s", False, True, id="none"),
    ],
)
def test_ports_are_known_by_their_names_where_there_are_several(
    netdevs: tuple[RawNetdev, ...], problem: str, *, are_needed: bool, are_known: bool
) -> None:
    raw = replace(make_raw_pf(), netdevs=netdevs)
    assert needs_port_names((replace(raw, netdevs=()), raw)) is are_needed
    assert parse_pf(raw, Links(problem=problem), Holders()).are_ports_known is are_known


@given(RAW)
def test_any_text_makes_a_pf(raw: RawPf) -> None:
    assert parse_pf(raw, Links(), Holders()).num_vfs == 2


@pytest.mark.parametrize(
    ("vf", "links", "holders", "user"),
    [
        pytest.param(make_raw_vf(driver=""), Links(), Holders(), "", id="no driver"),
        pytest.param(make_raw_vf(), Links(), Holders(), "", id="netdev down"),
        pytest.param(
            make_raw_vf(netdevs=(UP,)),
            Links({"v1": Link("v1", ifindex=9)}),
            Holders(),
            "netdev v0 is up, and its addresses are unknown: the kernel does not list it",
            id="netdev up, unknown to ip",
        ),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0", flags="0x1003", ifindex="7"),)),
            Links({"v1": Link("v1", addresses=("10.0.0.2/24",), ifindex=7), "v2": Link("v2", ifindex=8)}),
            Holders(),
            "netdev v0 is up with 10.0.0.2/24",
            id="netdev renamed since",
        ),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0", flags="0x1003", ifindex="7"),)),
            Links({"v1": Link("v1", ifindex=8)}),
            Holders(),
            "netdev v0 is up, and its addresses are unknown: the kernel does not list it",
            id="netdev of another index",
        ),
        pytest.param(make_raw_vf(netdevs=(UP,)), Links({"v0": Link("v0")}), Holders(), "", id="netdev up, no address"),
        pytest.param(
            make_raw_vf(netdevs=(UP,)),
            Links({"v0": Link("v0", addresses=("10.0.0.2/24", "fd00::2/64"))}),
            Holders(),
            "netdev v0 is up with 10.0.0.2/24, fd00::2/64",
            id="netdev up, addresses",
        ),
        pytest.param(
            make_raw_vf(),
            Links({"v0": Link("v0", addresses=("10.0.0.2/24",))}),
            Holders(),
            "",
            id="netdev down, address",
        ),
        pytest.param(
            make_raw_vf(netdevs=(UP,)),
            Links(problem="no list"),
            Holders(),
            "netdev v0 is up, and its addresses are unknown: no list",
            id="addresses unknown",
        ),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0", uppers=("bond0", "br0")),)),
            Links(),
            Holders(),
            "netdev v0 is below bond0, br0",
            id="in a bond, down",
        ),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0", flags="0x1103"),)),
            Links(),
            Holders(),
            "netdev v0 is up and promiscuous: a program receives all its packets",
            id="below a macvtap that was moved to another namespace",
        ),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0", flags="0x1102"),)), Links(), Holders(), "", id="promisc, down"
        ),
        pytest.param(
            make_raw_vf(),
            Links({"v0": Link("v0", has_xdp=True)}),
            Holders(),
            "netdev v0 has an XDP program",
            id="AF_XDP",
        ),
        pytest.param(
            make_raw_vf(nodes=(RDMA,)),
            Links(),
            Holders({RDMA: (Holder(12, "ceph-osd"),)}),
            "held by ceph-osd pid 12",
            id="RDMA",
        ),
        pytest.param(
            make_raw_vf(nodes=(RDMA,)),
            Links(),
            Holders(problem="no permission to read /proc"),
            "cannot tell who is using it: no permission to read /proc",
            id="RDMA, /proc unreadable",
        ),
        pytest.param(make_raw_vf(nodes=(RDMA,)), Links(), Holders(unattributed=(DPDK,)), "", id="RDMA, nobody"),
        pytest.param(make_raw_vf(), Links(), Holders(problem="x"), "", id="a netdev is not in /proc"),
        pytest.param(
            make_raw_vf(netdevs=(RawNetdev("v0"), RawNetdev("v1", uppers=("bond0",)))),
            Links(),
            Holders(),
            "netdev v1 is below bond0",
            id="second netdev",
        ),
        pytest.param(
            make_raw_vf(netdevs=()),
            Links(),
            Holders(),
            "driver igbvf has no netdev here: it is in another network namespace, or bypasses the kernel",
            id="another namespace",
        ),
        pytest.param(
            make_raw_vf(netdevs=(), infiniband=("mlx5_2",)),
            Links(),
            Holders(),
            "driver igbvf has no netdev here: it is in another network namespace, or bypasses the kernel",
            id="another namespace, its shared RDMA device stays visible",
        ),
        pytest.param(make_raw_vf(driver="vfio-pci", netdevs=()), Links(), Holders(), "", id="vfio, nobody"),
        pytest.param(
            make_raw_vf(driver="acme_migration", netdevs=(), nodes=("/dev/vfio/devices/vfio3",)),
            Links(),
            Holders({"/dev/vfio/devices/vfio3": (DPDK,)}),
            "held by dpdk pid 9",
            id="vfio, by a driver whose name does not say so",
        ),
        pytest.param(
            make_raw_vf(driver="acme_migration", netdevs=(), nodes=("/dev/vfio/devices/vfio3",)),
            Links(),
            Holders({"/dev/vfio/devices/vfio4": (DPDK,)}),
            "",
            id="the same, and nobody has it",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci", netdevs=()),
            Links(),
            Holders({"/dev/vfio/17": (QEMU,)}),
            "held by qemu-system-x86 pid 4711 (instance-0000002a)",
            id="vfio group",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci", netdevs=()),
            Links(),
            Holders({"/dev/vfio/noiommu-17": (DPDK,)}),
            "held by dpdk pid 9",
            id="vfio without IOMMU",
        ),
        pytest.param(
            make_raw_vf(driver="mlx5_vfio_pci", iommu_group="", nodes=("/dev/vfio/devices/vfio3",)),
            Links(),
            Holders({"/dev/vfio/devices/vfio3": (DPDK,)}),
            "held by dpdk pid 9",
            id="vfio device node",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"), Links(), Holders({"/dev/vfio/18": (QEMU,)}), "", id="vfio, another group"
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"),
            Links(),
            Holders({"0000:3b:02.0": (DPDK,)}, unattributed=(QEMU,)),
            "held by dpdk pid 9",
            id="vfio, by its address",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"),
            Links(),
            Holders(unattributed=(DPDK,)),
            "could be held by dpdk pid 9, which has a vfio device open",
            id="vfio, a device that has no name",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"),
            Links(),
            Holders({"/dev/vfio/17": (QEMU, DPDK)}),
            "held by qemu-system-x86 pid 4711 (instance-0000002a), dpdk pid 9",
            id="vfio, two holders",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"),
            Links(),
            Holders({"/dev/vfio/17": tuple(Holder(pid, "dpdk") for pid in range(1, 6))}),
            "held by dpdk pid 1, dpdk pid 2 and 3 more",
            id="vfio, many holders",
        ),
        pytest.param(
            make_raw_vf(driver="vfio-pci"),
            Links(),
            Holders(problem="no permission to read /proc"),
            "cannot tell who is using it: no permission to read /proc",
            id="vfio, /proc unreadable",
        ),
    ],
)
def test_a_vf_is_in_use_when_somebody_would_miss_it(vf: RawVf, links: Links, holders: Holders, user: str) -> None:
    pf = parse_pf(make_raw_pf(vfs=(vf,)), links, holders)
    assert str(pf.vfs[0].use or "") == user
    assert pf.vfs_in_use == (pf.vfs if user else ())


# -- a bus between function and netdev --

ALIAS = "virtio:d00000001v00001AF4"
NET = RawChild("virtio2", "virtio_net")
VHOST = "/dev/vhost-vdpa-0"
GONE = "driver {} has no netdev here: it is in another network namespace, or bypasses the kernel"


def raw_virtio_vf(*devices: RawChild, **values: Unpack[RawVfValues]) -> RawVf:
    defaults: RawVfValues = {"driver": "virtio-pci", "children": devices, "netdevs": ()}
    return make_raw_vf(**(defaults | values))


@pytest.mark.parametrize(
    ("vf", "user"),
    [
        pytest.param(raw_virtio_vf(), "", id="probe under way"),
        pytest.param(raw_virtio_vf(RawChild("virtio2", modalias=ALIAS)), "", id="virtio_net is not loaded"),
        pytest.param(raw_virtio_vf(NET), GONE.format("virtio_net"), id="another namespace"),
        pytest.param(raw_virtio_vf(NET, netdevs=(RawNetdev("v0", device="virtio2"),)), "", id="netdev down"),
        pytest.param(
            raw_virtio_vf(NET, netdevs=(RawNetdev("v0", flags="0x1003", device="virtio2"),)),
            "netdev v0 is up with 10.0.0.2/24",
            id="netdev up, addresses",
        ),
        pytest.param(
            raw_virtio_vf(NET, RawChild("virtio3", "virtio_net"), netdevs=(RawNetdev("v0", device="virtio2"),)),
            GONE.format("virtio_net"),
            id="one of two in another namespace",
        ),
        pytest.param(raw_virtio_vf(NET, driver="igbvf"), GONE.format("igbvf"), id="the VF's own in another namespace"),
        pytest.param(
            raw_virtio_vf(NET, driver="mlx5_core", netdevs=(RawNetdev("v0", device="virtio2"),)),
            GONE.format("mlx5_core"),
            id="the VF's own in another namespace, that of its vDPA device here",
        ),
        pytest.param(
            raw_virtio_vf(RawChild("vdpa0", "virtio_vdpa"), NET, driver="mlx5_core", netdevs=(RawNetdev("v0"),)),
            GONE.format("virtio_net"),
            id="that of its vDPA device in another namespace",
        ),
        pytest.param(
            raw_virtio_vf(RawChild("vdpa0", "vhost_vdpa"), driver="mlx5_core", netdevs=(RawNetdev("v0"),)),
            "",
            id="vDPA for a VM, nobody",
        ),
        pytest.param(
            raw_virtio_vf(
                RawChild("vdpa0", "vhost_vdpa"), driver="mlx5_core", netdevs=(RawNetdev("v0"),), nodes=(VHOST,)
            ),
            "held by qemu-system-x86 pid 4711 (instance-0000002a)",
            id="vDPA, a VM",
        ),
        pytest.param(
            raw_virtio_vf(RawChild("vdpa0", "a_new_one"), driver="mlx5_core", netdevs=(RawNetdev("v0"),)),
            GONE.format("a_new_one"),
            id="a driver of which nobody knows whether it makes netdevs",
        ),
        pytest.param(raw_virtio_vf(driver="vp-vdpa"), GONE.format("vp-vdpa"), id="another transport of virtio"),
    ],
)
def test_a_vf_is_in_use_by_what_it_has_on_another_bus(vf: RawVf, user: str) -> None:
    links = Links({"v0": Link("v0", addresses=("10.0.0.2/24",))})
    pf = parse_pf(make_raw_pf(vfs=(vf,)), links, Holders({VHOST: (QEMU,)}))
    assert str(pf.vfs[0].use or "") == user


@pytest.mark.parametrize(
    ("vf", "waits_for", "is_ready"),
    [
        pytest.param(raw_virtio_vf(driver="", modalias="pci:v"), "pci:v", False, id="no driver"),
        pytest.param(raw_virtio_vf(), "", False, id="probe under way"),
        pytest.param(raw_virtio_vf(RawChild("virtio2", modalias=ALIAS)), ALIAS, False, id="virtio_net is not loaded"),
        pytest.param(raw_virtio_vf(NET), "", False, id="virtio_net's probe under way"),
        pytest.param(raw_virtio_vf(NET, netdevs=(RawNetdev("v0", device="virtio2"),)), "", True, id="ready"),
    ],
)
def test_a_virtio_vf_is_ready_when_its_netdev_is_there(vf: RawVf, waits_for: str, *, is_ready: bool) -> None:
    (parsed,) = parse_pf(make_raw_pf(vfs=(vf,)), Links(), Holders()).vfs
    assert (parsed.modalias, parsed.lacks_driver, parsed.is_ready) == (waits_for, bool(waits_for), is_ready)
    assert parsed.devices == {dev.name: "virtio2" for dev in vf.netdevs}


def test_a_pf_has_the_netdev_of_its_virtio_device() -> None:
    dev, child = (
        RawNetdev("ens6", "52:54:00:00:00:06", "0x1003", "2", device="virtio1"),
        RawChild("virtio1", "virtio_net"),
    )
    pf = parse_pf(RawPf(PF, {}, "virtio-pci", (dev,), children=(child,)), Links(), Holders())
    assert pf.netdevs == (make_netdev(name="ens6", mac="52:54:00:00:00:06", device="virtio1", driver="virtio_net"),)


@pytest.mark.parametrize("driver", ["mlx5_core", ""])
def test_a_pf_has_no_netdev_of_a_subfunctions_virtio_device(driver: str) -> None:
    devices = (RawNetdev("eth5", ifindex="1", device="virtio3"), RawNetdev("ens1f0", ifindex="2"))
    raw = RawPf(PF, {}, driver, devices, children=(RawChild("virtio3", "virtio_net"),))
    assert [dev.name for dev in parse_pf(raw, Links(), Holders()).netdevs] == ["ens1f0"]


def test_the_oldest_netdev_is_the_pfs_own() -> None:
    devices = (RawNetdev("rep0", ifindex="9"), RawNetdev("ens1f0", ifindex="2"))
    pf = parse_pf(RawPf(PF, {}, netdevs=devices), Links(), Holders())
    assert (pf.netdev, make_pf(netdevs=()).netdev) == ("ens1f0", "")


def test_vfs_are_in_the_order_of_their_index() -> None:
    vfs = tuple(make_raw_vf(index=index) for index in ("10", "2", "0"))
    assert [vf.index for vf in parse_pf(make_raw_pf(vfs=vfs), Links(), Holders()).vfs] == [0, 2, 10]


@pytest.mark.parametrize(
    ("vf", "needed"),
    [
        (make_raw_vf(), False),
        (make_raw_vf(driver=""), False),
        (make_raw_vf(driver="vfio-pci"), True),
        (make_raw_vf(nodes=(RDMA,)), True),
    ],
    ids=["igbvf", "no driver", "vfio", "RDMA"],
)
def test_proc_is_walked_only_where_a_vf_has_something_to_open(vf: RawVf, *, needed: bool) -> None:
    assert needs_holders([make_raw_pf(vfs=(vf,))]) is needed


@pytest.mark.parametrize(
    ("driver", "nodes", "is_vfio"),
    [
        ("acme_migration", ("/dev/vfio/devices/vfio3",), True),
        ("acme_migration", (), False),
        ("mlx5_vfio_pci", (), True),
        ("mlx5_core", ("/dev/infiniband/uverbs2",), False),
    ],
)
def test_vfio_is_known_by_what_the_driver_has_registered(driver: str, nodes: tuple[str, ...], *, is_vfio: bool) -> None:
    raw = make_raw_pf(vfs=(make_raw_vf(driver=driver, netdevs=(), nodes=nodes),))
    (vf,) = parse_pf(raw, Links(), Holders()).vfs
    assert (vf.is_vfio, vf.is_ready) == (is_vfio, is_vfio)


def test_an_infiniband_vf_needs_no_netdev() -> None:
    vf = make_raw_vf(netdevs=(), infiniband=("mlx5_2",))
    pf = parse_pf(make_raw_pf(vfs=(vf,), attributes={"class": "0x020700"}), Links(), Holders())
    assert not pf.vfs_in_use


@pytest.mark.parametrize(
    ("owners", "user"),
    [
        (Owners({"0000:3b:02.0": VM}), "belongs to the VM instance-0000002a, which is shut off"),
        (Owners({"0000:3b:02.0": Owner("vm", is_running=True)}), "belongs to the VM vm, which is running"),
        (Owners({"0000:3b:02.1": VM}), ""),
        (Owners(problem="x.xml: Permission denied"), "cannot tell which VM owns it: x.xml: Permission denied"),
    ],
)
def test_a_vm_that_is_shut_off_owns_its_vf(owners: Owners, user: str) -> None:
    pf = parse_pf(make_raw_pf(vfs=(make_raw_vf(driver="", netdevs=()),)), Links(), Holders(), owners)
    assert str(pf.vfs[0].use or "") == user


@pytest.mark.parametrize("name", ["v0", RDMA])
def test_a_vm_may_have_a_vf_by_its_netdev_or_its_device_node(name: str) -> None:
    pf = parse_pf(make_raw_pf(vfs=(make_raw_vf(nodes=(RDMA,)),)), Links(), Holders(), Owners({name: VM}))
    assert str(pf.vfs[0].use) == "belongs to the VM instance-0000002a, which is shut off"


def test_who_has_a_vf_open_is_named_before_who_owns_it() -> None:
    vf = make_raw_vf(driver="vfio-pci", netdevs=())
    pf = parse_pf(make_raw_pf(vfs=(vf,)), Links(), Holders({"/dev/vfio/17": (QEMU,)}), Owners({"0000:3b:02.0": VM}))
    assert str(pf.vfs[0].use) == "held by qemu-system-x86 pid 4711 (instance-0000002a)"


@pytest.mark.parametrize(
    ("holders", "users"),
    [
        pytest.param(Holders(), "", id="nobody"),
        pytest.param(Holders({"/dev/vfio/9": (Holder(1, "qemu"),)}), "", id="holds another group"),
        pytest.param(
            Holders({"/dev/vfio/17": (Holder(4711, "qemu", "instance-1"),)}),
            "VF 0000:3b:02.0 is held by qemu pid 4711 (instance-1)",
            id="holds it, though the driver's link is gone",
        ),
        pytest.param(Holders(problem="3 processes could not be looked at"), "", id="not known"),
    ],
)
def test_who_keeps_a_vf_from_being_destroyed_is_named(holders: Holders, users: str) -> None:
    assert leaving_users([make_raw_vf(driver="")], holders) == users


def test_who_keeps_a_leaving_vf_is_told_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Holders({"/dev/vfio/17": (Holder(9, "dpdk"),)})
    unknown = Holders(problem="held by a permission")
    monkeypatch.setattr(vf_users, "USES", dict.fromkeys(UseKind, "taken"))
    said = [leaving_users([make_raw_vf(driver="")], holders) for holders in (held, unknown)]
    assert said == ["VF 0000:3b:02.0 is taken", ""]


@pytest.mark.parametrize(
    ("pf", "total", "offset", "stride", "places"),
    [
        ("0000:01:00.0", "3", "128", "2", ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4")),  # an 82576
        ("0000:3b:00.1", "2", "255", "1", ("0000:3c:00.0", "0000:3c:00.1")),
        ("10000:ff:1f.7", "2", "1", "1", ()),
        ("0000:01:00.0", "7", "", "", ()),
        ("0000:01:00.0", "7", "128", "0", ()),
        ("virtual", "7", "128", "2", ()),
        ("zz:zz:zz.z", "7", "128", "2", ()),
    ],
    ids=["82576", "the next bus", "the last bus", "not said", "garbage", "no address", "no number"],
)
def test_vfs_have_their_places_on_the_bus(
    pf: str, total: str, offset: str, stride: str, places: tuple[str, ...]
) -> None:
    texts = {"sriov_totalvfs": total, "sriov_offset": offset, "sriov_stride": stride}
    assert vf_places(pf, texts) == places
