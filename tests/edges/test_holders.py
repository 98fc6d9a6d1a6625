import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes_host import HostTree
from fakes_systemd import Forked
from sriov_bootstrap.core.vf_users import Holder, Holders, Unseen
from sriov_bootstrap.edges.holders.device import Devices, Status, status_of
from sriov_bootstrap.edges.holders.open_devices import Limits, OpenDevices

NOBODY = 65534
VFIO_DEVICE = "anon_inode:[vfio-device]"
QEMU = (
    b"/usr/bin/qemu-system-x86_64\0-name\0guest=instance-0000002a,debug-threads=on\0-S\0-object\0"
    b'{"qom-type":"secret","id":"masterKey0"}\0-machine\0pc-q35-7.2\0'
)


@pytest.fixture
def real_process(tree: HostTree) -> Iterator[tuple[Path, int]]:
    """Below our root, and nobody else beside it: a process that has an ordinary file open that ends like a node."""
    file = tree.write("home/vfio/12", "an ordinary file")
    with file.open() as opened:
        (tree.root / f"proc/{os.getpid()}").symlink_to(f"/proc/{os.getpid()}")
        yield file, opened.fileno()


@pytest.fixture
def devices(tree: HostTree) -> OpenDevices:
    return OpenDevices(str(tree.root))


@pytest.mark.parametrize(
    ("target", "node"),
    [
        pytest.param("/dev/vfio/17", "/dev/vfio/17", id="group"),
        pytest.param("/dev/vfio/noiommu-0", "/dev/vfio/noiommu-0", id="group without IOMMU"),
        pytest.param("/dev/vfio/devices/vfio3", "/dev/vfio/devices/vfio3", id="iommufd"),
        pytest.param("/dev/vfio/devices/noiommu-vfio3", "/dev/vfio/devices/noiommu-vfio3", id="iommufd without IOMMU"),
        pytest.param("/run/libvirt/qemu/3-a.dev/vfio/devices/vfio3", "/dev/vfio/devices/vfio3", id="iommufd, libvirt"),
        pytest.param("/vfio/17", "/dev/vfio/17", id="in a mount namespace of libvirt"),
        pytest.param("/run/libvirt/qemu/3-instance.dev/vfio/17", "/dev/vfio/17", id="in a /dev made by libvirt"),
        pytest.param("/dev/infiniband/uverbs2", "/dev/infiniband/uverbs2", id="RDMA"),
        pytest.param("/dev/vhost-vdpa-0", "/dev/vhost-vdpa-0", id="vDPA"),
        pytest.param("/dev/vfio/17 (deleted)", "/dev/vfio/17", id="its node is gone, the device still open"),
    ],
)
def test_a_process_with_a_device_node_open_holds_it(
    tree: HostTree, devices: OpenDevices, target: str, node: str
) -> None:
    tree.add_process(4711, "/dev/null", target, comm="dpdk-testpmd")
    assert devices.holders() == Holders({node: (Holder(4711, "dpdk-testpmd"),)})


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
def test_other_files_hold_nothing(tree: HostTree, devices: OpenDevices, target: str) -> None:
    tree.add_process(4711, target)
    assert devices.holders() == Holders()


def test_a_device_that_was_passed_on_without_its_group_cannot_be_told(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, VFIO_DEVICE, "/dev/infiniband/uverbs0", comm="dpdk")
    holder = Holder(4711, "dpdk")
    assert devices.holders() == Holders({"/dev/infiniband/uverbs0": (holder,)}, unattributed=(holder,))


@pytest.mark.parametrize(
    ("node", "is_clear"),
    [
        pytest.param("/dev/vfio/17", True, id="its group"),
        pytest.param("/dev/vfio/devices/vfio3", False, id="another device, through iommufd"),
    ],
)
def test_a_device_without_a_name_belongs_to_a_group_but_to_no_other_device(
    tree: HostTree, devices: OpenDevices, node: str, *, is_clear: bool
) -> None:
    tree.add_process(4711, VFIO_DEVICE, node, comm="qemu")
    holder = Holder(4711, "qemu")
    assert devices.holders() == Holders({node: (holder,)}, unattributed=() if is_clear else (holder,))


def test_a_kernel_that_names_the_device_behind_a_file_is_believed(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/dev/null", VFIO_DEVICE, comm="dpdk")
    syspath = "/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:10.6"
    tree.write("proc/4711/fdinfo/1", f"pos:\t0\nflags:\t02000002\nvfio-device-syspath: {syspath}\n")
    assert devices.holders() == Holders({"0000:3b:10.6": (Holder(4711, "dpdk"),)})


def test_all_who_have_the_same_device_open_are_found(tree: HostTree, devices: OpenDevices) -> None:
    for pid in (4711, 4712):
        tree.add_process(pid, "/dev/vfio/17", comm="dpdk")
    assert {holder.pid for holder in devices.holders().by_device["/dev/vfio/17"]} == {4711, 4712}


def test_a_vm_is_called_by_its_domain(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/dev/vfio/17", "anon_inode:[vfio-device]", "/dev/vfio/18", cmdline=QEMU)
    holder = Holder(4711, "qemu-system-x86", "instance-0000002a")
    assert devices.holders() == Holders({"/dev/vfio/17": (holder,), "/dev/vfio/18": (holder,)})


@pytest.mark.parametrize(
    ("cmdline", "domain"),
    [
        pytest.param(b"qemu\0-name\0vm-1\0-m\x002048\0", "vm-1", id="plain -name"),
        pytest.param(b"qemu\0-m\x002048\0", "", id="no -name"),
        pytest.param(b"qemu\0-name\0guest=\xff\xfe\0", "\ufffd\ufffd", id="not UTF-8"),
        pytest.param(b"", "", id="ended"),
    ],
)
def test_the_domain_is_what_follows_name(tree: HostTree, devices: OpenDevices, cmdline: bytes, domain: str) -> None:
    tree.add_process(4711, "/dev/vfio/17", cmdline=cmdline)
    assert devices.holders().by_device["/dev/vfio/17"][0].domain == domain


def test_a_process_without_a_name_is_still_a_holder(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/dev/vfio/17")
    (tree.root / "proc/4711/comm").unlink()
    assert str(devices.holders().by_device["/dev/vfio/17"][0]) == "a process pid 4711"


def test_a_process_that_ends_while_we_look_hides_no_other(tree: HostTree, devices: OpenDevices) -> None:
    (tree.root / "proc/4710").mkdir()
    tree.add_process(4711, "/dev/vfio/17", comm="qemu")
    (tree.root / "proc/4712/fd").mkdir(parents=True)
    assert devices.holders() == Holders({"/dev/vfio/17": (Holder(4711, "qemu"),)})


def test_processes_that_cannot_be_looked_at_are_counted(tree: HostTree) -> None:
    tree.add_process(4711, "/dev/vfio/17", comm="qemu")
    for pid in (4712, 4713):
        tree.add_process(pid, "/dev/vfio/18")
        (tree.root / f"proc/{pid}/fd").chmod(0)

    def look_without_rights() -> list[object]:
        tree.root.chmod(0o755)
        os.chdir(tree.root)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setuid(NOBODY)
        found = OpenDevices(".").holders()
        return [{node: str(holder) for node, (holder,) in found.by_device.items()}, found.problem]

    assert Forked(look_without_rights).result() == [
        {"/dev/vfio/17": "qemu pid 4711"},
        "2 processes could not be looked at: run as root",
    ]


# -- who only looks like one --


def test_an_ordinary_file_that_ends_like_a_node_holds_nothing(
    devices: OpenDevices, real_process: tuple[Path, int]
) -> None:
    file, number = real_process
    assert os.readlink(f"/proc/self/fd/{number}") == str(file)
    assert devices.holders() == Holders()


def test_a_device_that_is_open_is_told_from_one_that_is_only_named(tree: HostTree) -> None:
    (tree.root / "proc").rename(tree.root / "no-proc")
    (tree.root / "proc").symlink_to("/proc")
    number = os.stat("/dev/null").st_rdev
    tree.link(f"sys/dev/char/{os.major(number)}:{os.minor(number)}", "sys/devices/virtual/vfio/17")
    for flags, node in ((os.O_RDONLY, "/dev/vfio/17"), (os.O_PATH, "")):
        descriptor = os.open("/dev/null", flags)
        try:
            assert Devices(str(tree.root)).node_of("self", str(descriptor), "/dev/vfio/12") == node
        finally:
            os.close(descriptor)


def test_a_path_to_a_node_takes_no_right_to_open_it_and_holds_nothing(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/dev/vfio/17")
    tree.write("proc/4711/fdinfo/0", "pos:\t0\nflags:\t010000000\nmnt_id:\t26\nino:\t9\n")
    assert devices.holders() == Holders()


def test_another_device_below_such_a_name_holds_nothing(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/dev/vfio/17", "/dev/vfio/18")
    for link in (tree.root / "sys/dev/char").iterdir():
        link.unlink()
        link.symlink_to("../../devices/virtual/mem/null")
    assert devices.holders() == Holders()


def test_the_number_says_which_node_it_is_and_not_the_name(tree: HostTree, devices: OpenDevices) -> None:
    tree.add_process(4711, "/srv/jail/vfio/99", comm="dpdk")
    for link in (tree.root / "sys/dev/char").iterdir():
        link.unlink()
        link.symlink_to("../../devices/pci0000:3a/0000:3b:10.0/vfio-dev/vfio3")
    assert set(devices.holders().by_device) == {"/dev/vfio/devices/vfio3"}


@pytest.mark.parametrize(
    ("drivers", "nodes"),
    [
        pytest.param("Character devices:\n  1 vfio\n\nBlock devices:\n  8 sd\n", {"/dev/vfio/17"}, id="of vfio"),
        pytest.param("Character devices:\n  1 mem\n\nBlock devices:\n  1 vfio\n", set(), id="of another driver"),
        pytest.param("", {"/dev/vfio/17"}, id="nobody knows"),
    ],
)
def test_a_device_that_was_removed_while_it_is_open_still_counts(
    tree: HostTree, devices: OpenDevices, drivers: str, nodes: set[str]
) -> None:
    tree.add_process(4711, "/dev/vfio/17 (deleted)")
    for link in (tree.root / "sys/dev/char").iterdir():
        link.unlink()
    if drivers:
        tree.write("proc/devices", drivers)
    assert set(devices.holders().by_device) == nodes


@pytest.mark.parametrize(
    ("number", "node"),
    [
        pytest.param(errno.ENOSYS, "/dev/vfio/17", id="a C library without statx"),
        pytest.param(errno.EPERM, "/dev/vfio/17", id="a sandbox that forbids it"),
        pytest.param(errno.EACCES, "", id="a FUSE file system of somebody else: no device is refused"),
        pytest.param(errno.ENOENT, "", id="closed"),
    ],
)
def test_what_cannot_be_asked_counts_as_what_it_looks_like(tree: HostTree, number: int, node: str) -> None:
    def look(_: str) -> Status:
        raise OSError(number, os.strerror(number))

    tree.add_process(4711, "/dev/vfio/17")
    assert Devices(str(tree.root), look).node_of("4711", "0", "/dev/vfio/17") == node


def test_a_descriptor_that_is_exchanged_while_we_look_holds_nothing(tree: HostTree) -> None:
    """By turns a path to the node, and a harmless device that is open."""
    tree.add_process(4711, "/dev/vfio/17")
    fdinfo = tree.root / "proc/4711/fdinfo/0"
    samples = []

    def look(path: str) -> Status:
        samples.append(path)
        if len(samples) == 3:
            fdinfo.write_text("pos:\t0\nflags:\t010000000\nmnt_id:\t26\nino:\t9\n")
        return status_of(path)

    assert Devices(str(tree.root), look).node_of("4711", "0", "/dev/vfio/17") == ""
    assert len(samples) == 3


def test_one_sample_is_enough_where_place_and_inode_are_the_same(tree: HostTree) -> None:
    tree.add_process(4711, "/dev/vfio/17")
    status = status_of(f"{tree.root}/proc/4711/fd/0")
    place = f"mnt_id:\t{status.mount}\nino:\t{status.inode}\n"
    tree.write("proc/4711/fdinfo/0", f"pos:\t0\nflags:\t0100002\n{place}")
    samples = []

    def look(path: str) -> Status:
        samples.append(path)
        return status_of(path)

    assert Devices(str(tree.root), look).node_of("4711", "0", "/dev/vfio/17") == "/dev/vfio/17"
    assert len(samples) == 1


def test_what_the_kernel_says_of_a_file_is_what_stat_says() -> None:
    for path in ("/dev/null", "/bin/sh", "/"):
        status, expected = status_of(path), os.stat(path)
        numbers = (os.major(expected.st_rdev), os.minor(expected.st_rdev))
        assert (status.uid, status.mode, status.inode) == (expected.st_uid, expected.st_mode, expected.st_ino)
        assert (status.major, status.minor) == numbers


@pytest.mark.parametrize(
    ("exe", "domain"),
    [
        pytest.param("usr/bin/qemu-system-aarch64", "instance-0000002a", id="QEMU"),
        pytest.param("usr/libexec/qemu-kvm", "instance-0000002a", id="of RHEL"),
        pytest.param("usr/bin/qemu-system-x86_64 (deleted)", "instance-0000002a", id="replaced by an upgrade"),
        pytest.param("usr/bin/dpdk-testpmd", "", id="another program with such a command line"),
        pytest.param("home/qemu-system-x86_64.py", "", id="a name that begins like it"),
    ],
)
def test_only_qemu_has_a_domain(tree: HostTree, devices: OpenDevices, exe: str, domain: str) -> None:
    tree.add_process(4711, "/dev/vfio/17", cmdline=QEMU, exe=exe)
    assert devices.holders().by_device["/dev/vfio/17"][0].domain == domain


def test_an_executable_that_others_may_write_is_not_qemus(tree: HostTree, devices: OpenDevices) -> None:
    tree.write("usr/bin/qemu-system-x86_64", "").chmod(0o757)
    tree.add_process(4711, "/dev/vfio/17", cmdline=QEMU)
    assert devices.holders().by_device["/dev/vfio/17"][0].domain == ""


# -- who has more open than is looked at --

USER, QEMU_USER = 1000, 64055
MANY = ("/dev/null",) * 40
FEW_FILES = Limits(process=12, first=200, uid=20, known=120, all=800)


def node(tree: HostTree, name: str, mode: int) -> None:
    """As the host has it."""
    tree.write(f"proc/1/root/dev/{name}", "").chmod(mode)


def look(tree: HostTree, limits: Limits = FEW_FILES) -> Holders:
    return OpenDevices(str(tree.root), limits).holders()


def test_a_user_with_many_files_hides_nobody_else(tree: HostTree) -> None:
    node(tree, "vfio/17", 0o600)
    for pid in range(100, 120):
        tree.add_process(pid, *MANY, uid=USER)
    tree.add_process(4711, *MANY, "/dev/vfio/17", comm="dpdk", uid=0)
    assert look(tree) == Holders({"/dev/vfio/17": (Holder(4711, "dpdk"),)}, unseen=(Unseen(USER),))


def test_a_vm_whose_vf_comes_late_is_looked_at_to_the_end(tree: HostTree) -> None:
    """Its uid is known to hold VFs, by another VM, and has a larger budget."""
    node(tree, "vfio/17", 0o600)
    tree.add_process(4711, "/dev/vfio/17", uid=QEMU_USER)
    tree.add_process(4712, *MANY[:35], "/dev/vfio/18", uid=QEMU_USER)
    found = look(tree)
    assert set(found.by_device) == {"/dev/vfio/17", "/dev/vfio/18"}
    assert found.unseen == ()


def test_what_a_user_may_open_could_be_among_what_was_not_seen(tree: HostTree) -> None:
    for name, mode in {"vfio/17": 0o600, "vfio/18": 0o660, "infiniband/uverbs0": 0o666, "vfio/vfio": 0o666}.items():
        node(tree, name, mode)
    tree.add_process(4711, *MANY, uid=USER)
    assert look(tree).unseen == (Unseen(USER, nodes=("/dev/infiniband/uverbs0", "/dev/vfio/18")),)


def test_a_user_who_was_handed_a_vf_could_have_been_handed_any(tree: HostTree) -> None:
    """As libvirt does with QEMU, in a /dev of its own."""
    node(tree, "vfio/17", 0o600)
    tree.add_process(4711, "/run/libvirt/qemu/1.dev/vfio/17", uid=QEMU_USER)
    tree.add_process(4712, *MANY * 4, uid=QEMU_USER)
    found = look(tree)
    assert set(found.by_device) == {"/dev/vfio/17"}
    assert found.unseen == (Unseen(QEMU_USER, is_any=True),)


def test_a_user_with_a_vf_that_is_theirs_was_handed_none(tree: HostTree) -> None:
    node(tree, "vfio/17", 0o660)
    node(tree, "vfio/18", 0o600)
    tree.add_process(4711, "/dev/vfio/17", VFIO_DEVICE, uid=USER)
    tree.add_process(4712, *MANY * 4, uid=USER)
    assert look(tree).unseen == (Unseen(USER, nodes=("/dev/vfio/17",)),)


def test_root_could_have_any(tree: HostTree) -> None:
    node(tree, "vfio/17", 0o600)
    tree.add_process(4711, *MANY * 4, uid=0)
    assert look(tree).unseen == (Unseen(0, is_any=True),)


def test_where_the_nodes_cannot_be_listed_any_user_could_have_any(tree: HostTree) -> None:
    tree.add_process(4711, *MANY, uid=USER)
    assert look(tree).unseen == (Unseen(USER, is_any=True),)


def test_when_the_whole_look_is_used_up_nobody_who_is_left_is_ruled_out(tree: HostTree) -> None:
    node(tree, "vfio/17", 0o600)
    for uid in range(2000, 2012):
        tree.add_process(uid, *MANY, uid=uid)
    unseen = look(tree, Limits(process=12, first=1, uid=20, known=30, all=100)).unseen
    assert {one.is_any for one in unseen[:3]} == {False}
    assert {one.is_any for one in unseen[-3:]} == {True}


def test_a_second_look_that_comes_less_far_forgets_nobody(tree: HostTree) -> None:
    """Each file looks like a node; the fourth one that is listed is one, and the second look comes to the second."""
    node(tree, "vfio/17", 0o600)
    folder = tree.root / "proc/4711/fd"
    folder.mkdir(parents=True)
    for number in range(9):
        (folder / f"{number}").symlink_to(f"../../../srv/{number}/vfio/17")
        tree.write(f"proc/4711/fdinfo/{number}", "flags:\t0100002\n")
    tree.add_node(f"/srv/{os.listdir(folder)[3]}/vfio/17")
    found = look(tree, Limits(process=4 * 9 + 1, first=1000, known=2 * 9, all=1000))
    assert found == Holders({"/dev/vfio/17": (Holder(4711, "a process"),)}, unseen=(Unseen(0, is_any=True),))


def test_files_that_only_look_like_nodes_cost_more_and_end_the_look_sooner(tree: HostTree) -> None:
    node(tree, "vfio/17", 0o600)
    for pid in (4711, 4712):
        tree.add_process(pid, *["/dev/vfio/17"] * 6, uid=USER)
        for number in range(6):
            tree.write(f"proc/{pid}/fdinfo/{number}", "flags:\t010000000\n")
    assert look(tree) == Holders(unseen=(Unseen(USER),))
