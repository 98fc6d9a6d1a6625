import os
from pathlib import Path

import pytest

from fakes_host import HostTree
from fakes_systemd import Forked
from sriov_bootstrap.core.facts import Routes
from sriov_bootstrap.core.users import Holder, Holders
from sriov_bootstrap.edges.procfs import CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, Procfs

NOBODY = 65534
VFIO_DEVICE = "anon_inode:[vfio-device]"
QEMU = (
    b"/usr/bin/qemu-system-x86_64\0-name\0guest=instance-0000002a,debug-threads=on\0-S\0-object\0"
    b'{"qom-type":"secret","id":"masterKey0"}\0-machine\0pc-q35-7.2\0'
)
# The first lines are headers and on-link routes; a half of the Internet (OpenVPN's trick) is not the default route.
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
tun0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0
ens1f0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
bond0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
ZERO, GATEWAY = "0" * 32, "fd000000000000000000000000000001"
IPV6_ROUTE = f"""\
fd000000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001   ens1f0
{ZERO} 00 {ZERO} 00 {GATEWAY} 00000400 00000002 00000000 00000003    br-ex
{ZERO} 01 {ZERO} 00 {GATEWAY} 00000400 00000002 00000000 00000003     tun0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


@pytest.fixture
def procfs(tree: HostTree) -> Procfs:
    return Procfs(f"{tree.root}/proc")


# -- who holds a VF open --


@pytest.mark.parametrize(
    ("target", "node"),
    [
        pytest.param("/dev/vfio/17", "/dev/vfio/17", id="group"),
        pytest.param("/dev/vfio/noiommu-0", "/dev/vfio/noiommu-0", id="group without IOMMU"),
        pytest.param("/dev/vfio/devices/vfio3", "/dev/vfio/devices/vfio3", id="iommufd"),
        pytest.param("/vfio/17", "/dev/vfio/17", id="in a mount namespace of libvirt"),
        pytest.param("/run/libvirt/qemu/3-instance.dev/vfio/17", "/dev/vfio/17", id="in a /dev made by libvirt"),
        pytest.param("/dev/infiniband/uverbs2", "/dev/infiniband/uverbs2", id="RDMA"),
        pytest.param("/dev/vhost-vdpa-0", "/dev/vhost-vdpa-0", id="vDPA"),
        pytest.param("/dev/vfio/17 (deleted)", "/dev/vfio/17", id="its node is gone, the device still open"),
    ],
)
def test_a_process_with_a_device_node_open_holds_it(tree: HostTree, procfs: Procfs, target: str, node: str) -> None:
    tree.add_process(4711, "/dev/null", target, comm="dpdk-testpmd")
    assert procfs.holders() == Holders({node: (Holder(4711, "dpdk-testpmd"),)})


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/dev/vfio/vfio", id="the container, which everybody shares"),
        pytest.param("/dev/infiniband/rdma_cm", id="the connection manager, which everybody shares"),
        pytest.param("anon_inode:[eventfd]", id="no device"),
        pytest.param("socket:[17]", id="a socket"),
        pytest.param("/home/vfio/17.txt", id="a file"),
    ],
)
def test_other_files_hold_nothing(tree: HostTree, procfs: Procfs, target: str) -> None:
    tree.add_process(4711, target)
    assert procfs.holders() == Holders()


def test_a_device_that_was_passed_on_without_its_group_cannot_be_told(tree: HostTree, procfs: Procfs) -> None:
    tree.add_process(4711, VFIO_DEVICE, "/dev/infiniband/uverbs0", comm="dpdk")
    holder = Holder(4711, "dpdk")
    assert procfs.holders() == Holders({"/dev/infiniband/uverbs0": (holder,)}, unattributed=(holder,))


def test_a_kernel_that_names_the_device_behind_a_file_is_believed(tree: HostTree, procfs: Procfs) -> None:
    tree.add_process(4711, "/dev/null", VFIO_DEVICE, comm="dpdk")
    syspath = "/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:10.6"
    tree.write("proc/4711/fdinfo/1", f"pos:\t0\nflags:\t02000002\nvfio-device-syspath: {syspath}\n")
    assert procfs.holders() == Holders({"0000:3b:10.6": (Holder(4711, "dpdk"),)})


def test_all_who_have_the_same_device_open_are_found(tree: HostTree, procfs: Procfs) -> None:
    for pid in (4711, 4712):
        tree.add_process(pid, "/dev/vfio/17", comm="dpdk")
    assert {holder.pid for holder in procfs.holders().by_device["/dev/vfio/17"]} == {4711, 4712}


def test_a_vm_is_called_by_its_domain(tree: HostTree, procfs: Procfs) -> None:
    tree.add_process(4711, "/dev/vfio/17", "anon_inode:[vfio-device]", "/dev/vfio/18", cmdline=QEMU)
    holder = Holder(4711, "qemu-system-x86", "instance-0000002a")
    assert procfs.holders() == Holders({"/dev/vfio/17": (holder,), "/dev/vfio/18": (holder,)})


@pytest.mark.parametrize(
    ("cmdline", "domain"),
    [
        pytest.param(b"qemu\0-name\0vm-1\0-m\x002048\0", "vm-1", id="plain -name"),
        pytest.param(b"qemu\0-m\x002048\0", "", id="no -name"),
        pytest.param(b"qemu\0-name\0guest=\xff\xfe\0", "\ufffd\ufffd", id="not UTF-8"),
        pytest.param(b"", "", id="ended"),
    ],
)
def test_the_domain_is_what_follows_name(tree: HostTree, procfs: Procfs, cmdline: bytes, domain: str) -> None:
    tree.add_process(4711, "/dev/vfio/17", cmdline=cmdline)
    assert procfs.holders().by_device["/dev/vfio/17"][0].domain == domain


def test_a_process_without_a_name_is_still_a_holder(tree: HostTree, procfs: Procfs) -> None:
    tree.add_process(4711, "/dev/vfio/17")
    (tree.root / "proc/4711/comm").unlink()
    assert str(procfs.holders().by_device["/dev/vfio/17"][0]) == "a process pid 4711"


def test_a_process_that_ends_while_we_look_hides_no_other(tree: HostTree, procfs: Procfs) -> None:
    (tree.root / "proc/4710").mkdir()
    tree.add_process(4711, "/dev/vfio/17", comm="qemu")
    (tree.root / "proc/4712/fd").mkdir(parents=True)
    assert procfs.holders() == Holders({"/dev/vfio/17": (Holder(4711, "qemu"),)})


def test_processes_that_cannot_be_looked_at_are_counted(tree: HostTree) -> None:
    tree.add_process(4711, "/dev/vfio/17", comm="qemu")
    for pid in (4712, 4713):
        tree.add_process(pid, "/dev/vfio/18")
        (tree.root / f"proc/{pid}/fd").chmod(0)

    def look_without_rights() -> list[object]:
        os.chdir(tree.root / "proc")
        if os.geteuid() == 0:
            os.setgroups([])
            os.setuid(NOBODY)
        found = Procfs(".").holders()
        return [{node: str(holder) for node, (holder,) in found.by_device.items()}, found.problem]

    assert Forked(look_without_rights).result() == [
        {"/dev/vfio/17": "qemu pid 4711"},
        "2 processes could not be looked at: run as root",
    ]


# -- the rest --


def test_the_default_routes_are_found_for_both_protocols(tree: HostTree, procfs: Procfs) -> None:
    tree.write("proc/net/route", ROUTE)
    tree.write("proc/net/ipv6_route", IPV6_ROUTE)
    assert procfs.default_routes() == Routes(frozenset({"bond0", "br-ex"}))


def test_a_host_without_routes_has_no_default_route(procfs: Procfs) -> None:
    assert procfs.default_routes() == Routes()


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"net\xff", r"net\xff"), (b"a\x1cb", r"a\x1cb"), ("a\u2003b".encode(), r"a\xe2\x80\x83b"), ("ä".encode(), "ä")],
)
def test_a_default_route_may_leave_through_a_netdev_of_any_name(
    tree: HostTree, procfs: Procfs, raw: bytes, text: str
) -> None:
    tree.write("proc/net/route", ROUTE.encode().replace(b"bond0", raw))
    tree.write("proc/net/ipv6_route", IPV6_ROUTE.encode().replace(b"br-ex", raw))
    assert procfs.default_routes() == Routes(frozenset({text}))


def test_a_default_route_that_leads_nowhere_leaves_through_no_netdev(tree: HostTree, procfs: Procfs) -> None:
    tree.write("proc/net/route", ROUTE.replace("bond0", "*"))
    assert procfs.default_routes() == Routes()


@pytest.mark.parametrize("name", ["route", "ipv6_route"])
def test_routes_that_cannot_be_read_are_unknown_ones(tree: HostTree, procfs: Procfs, name: str) -> None:
    (tree.root / f"proc/net/{name}").unlink(missing_ok=True)
    (tree.root / f"proc/net/{name}").mkdir()
    assert procfs.default_routes().problem == f"{tree.root}/proc/net/{name}: Is a directory"


def test_a_proc_without_routes_says_nothing_of_them(tree: HostTree, procfs: Procfs) -> None:
    (tree.root / "proc/net/route").unlink()
    assert procfs.default_routes().problem == f"{tree.root}/proc/net/route: No such file or directory"


def test_the_boot_id_and_the_kernel_command_line_are_read(procfs: Procfs) -> None:
    assert procfs.boot_id() == "b007"
    assert procfs.kernel_command_line() == ("root=/dev/vda", "ro", "quiet")


def test_without_proc_there_is_no_boot_id(tmp_path: Path) -> None:
    assert Procfs(f"{tmp_path}/proc").boot_id() == ""


# -- what we may do --

STATUS = "Name:\tpython3\nUid:\t{uid}\t{euid}\t0\t0\nCapInh:\t0000000000000000\nCapEff:\t{capabilities:016x}\n"
ALL, SOME = (1 << 41) - 1, 1 << CAP_SYS_PTRACE


@pytest.mark.parametrize(
    ("status", "lacks"),
    [
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=ALL), False, id="root"),
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=SOME), True, id="root with one of two"),
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=0), True, id="root with none"),
        pytest.param(STATUS.format(uid=0, euid=1000, capabilities=0), False, id="somebody else"),
        pytest.param("", False, id="unknown"),
    ],
)
def test_root_in_a_sandbox_knows_that_it_is(tree: HostTree, procfs: Procfs, status: str, *, lacks: bool) -> None:
    tree.write("proc/self/status", status)
    assert procfs.is_root_without(CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH) is lacks
