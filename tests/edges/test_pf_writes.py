import errno
import fcntl
import os
from collections.abc import Callable, Iterable

import pytest

from builders import PF, PF2
from fakes_host import VIRTIO, HostTree
from sriov_bootstrap.base.errors import InUseError, KernelError
from sriov_bootstrap.core.actions import SetAutoprobe, SetLinkUp, SetNumVfs
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.edges.pf_writes import PfWrites
from sriov_bootstrap.edges.sysfs import Sysfs


@pytest.fixture
def writes(tree: HostTree) -> PfWrites:
    return PfWrites(f"{tree.root}/sys")


def children_of(tree: HostTree) -> Callable[[str], Iterable[str]]:
    return Sysfs(f"{tree.root}/sys").children_of


def nobody() -> str:
    return ""


def never() -> str:
    pytest.fail("nobody had to be asked who uses the VFs")


@pytest.mark.parametrize(
    ("text", "outcome", "text_after"),
    [
        pytest.param("0\n", Outcome.CHANGED, "4\n", id="as planned"),
        pytest.param("4\n", Outcome.UNCHANGED, "4\n", id="somebody has done it"),
        pytest.param("3\n", Outcome.STALE, "3\n", id="somebody has made others"),
        pytest.param("what\n", Outcome.STALE, "what\n", id="garbage"),
        pytest.param("-4\n", Outcome.STALE, "-4\n", id="negative"),
        pytest.param("", Outcome.STALE, "", id="nothing"),
    ],
)
def test_the_count_is_written_only_over_the_one_that_was_planned_for(
    tree: HostTree, writes: PfWrites, text: str, outcome: Outcome, text_after: str
) -> None:
    path = tree.add_pf() / "sriov_numvfs"
    path.write_text(text)
    assert writes.write_num_vfs(SetNumVfs(PF, 0, 4), never) is outcome
    assert path.read_text() == text_after


def test_vfs_that_somebody_began_to_use_stay(tree: HostTree, writes: PfWrites) -> None:
    path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
    with pytest.raises(InUseError) as caught:
        writes.write_num_vfs(SetNumVfs(PF, 4, 0), lambda: "VF 0 is held by qemu pid 4711")
    assert caught.value.message == "0000:3b:00.0: 4 VFs stay instead of 0: VF 0 is held by qemu pid 4711"
    assert caught.value.hint == "this is applied automatically once they are released"
    assert path.read_text() == "4\n"


def test_vfs_that_nobody_uses_go(tree: HostTree, writes: PfWrites) -> None:
    path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
    assert writes.write_num_vfs(SetNumVfs(PF, 4, 0), nobody) is Outcome.CHANGED
    assert path.read_text() == "0\n"


def test_who_may_destroy_vfs_in_use_is_not_asked_about_them(tree: HostTree, writes: PfWrites) -> None:
    path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
    assert writes.write_num_vfs(SetNumVfs(PF, 4, 0, allow_in_use=True), never) is Outcome.CHANGED
    assert path.read_text() == "0\n"


def test_the_errno_of_a_device_that_is_gone_is_kept(tree: HostTree, writes: PfWrites) -> None:
    with pytest.raises(KernelError) as caught:
        writes.write_num_vfs(SetNumVfs(PF, 0, 4), never)
    path = tree.root / "sys/bus/pci/devices" / PF / "sriov_numvfs"
    assert (caught.value.message, caught.value.errno) == (f"{path}: No such file or directory", errno.ENOENT)


def test_the_errno_of_the_write_itself_is_kept(tree: HostTree, writes: PfWrites) -> None:
    path = tree.add_pf() / "sriov_numvfs"
    sealed = os.memfd_create("sriov_numvfs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(sealed, b"0\n")
        fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)  # it opens, it reads, and write(2) says EPERM
        path.unlink()
        path.symlink_to(f"/proc/self/fd/{sealed}")
        with pytest.raises(KernelError) as caught:
            writes.write_num_vfs(SetNumVfs(PF, 0, 4), never)
    finally:
        os.close(sealed)
    assert (caught.value.message, caught.value.errno) == ("write: Operation not permitted", errno.EPERM)


@pytest.mark.parametrize(
    ("enabled", "text"), [pytest.param(True, "1\n", id="on"), pytest.param(False, "0\n", id="off")]
)
def test_autoprobe_is_written(tree: HostTree, writes: PfWrites, text: str, *, enabled: bool) -> None:
    path = tree.add_pf() / "sriov_drivers_autoprobe"
    path.write_text("x\n")
    writes.write_autoprobe(SetAutoprobe(PF, enabled=enabled))
    assert path.read_text() == text


def test_autoprobe_of_a_device_that_is_gone_fails_with_its_errno(writes: PfWrites) -> None:
    with pytest.raises(KernelError) as caught:
        writes.write_autoprobe(SetAutoprobe(PF, enabled=True))
    assert caught.value.errno == errno.ENOENT


def test_bringing_a_netdev_up_keeps_its_other_flags(tree: HostTree, writes: PfWrites) -> None:
    tree.add_pf(netdev="")
    path = tree.add_netdev(PF, "ens1f0", flags="0x1102") / "flags"
    writes.set_link_up(SetLinkUp(PF, "ens1f0"), children_of(tree))
    assert path.read_text() == "0x1103\n"


def test_a_netdev_that_was_renamed_is_not_mistaken_for_another(tree: HostTree, writes: PfWrites) -> None:
    tree.add_pf(PF, netdev="ens1f0np0")
    tree.add_pf(PF2, netdev="")
    other = tree.add_netdev(PF2, "ens1f0", flags="0x1002") / "flags"
    with pytest.raises(KernelError) as caught:
        writes.set_link_up(SetLinkUp(PF, "ens1f0"), children_of(tree))
    assert caught.value.errno == errno.ENOENT
    assert other.read_text() == "0x1002\n"


def test_a_netdev_behind_a_virtio_device_is_brought_up(tree: HostTree, writes: PfWrites) -> None:
    path = tree.add_virtio_pf() / "virtio1/net/ens6/flags"
    path.write_text("0x1002\n")
    writes.set_link_up(SetLinkUp(VIRTIO, "ens6"), children_of(tree))
    assert path.read_text() == "0x1003\n"


def test_a_netdev_that_was_renamed_behind_a_virtio_device_is_not_mistaken_either(
    tree: HostTree, writes: PfWrites
) -> None:
    tree.add_virtio_pf(netdev="ens6np0")
    tree.add_child(PF, "virtio7")
    other = tree.add_netdev(PF, "ens6", flags="0x1002", below="virtio7") / "flags"
    with pytest.raises(KernelError) as caught:
        writes.set_link_up(SetLinkUp(VIRTIO, "ens6"), children_of(tree))
    assert caught.value.errno == errno.ENOENT
    assert other.read_text() == "0x1002\n"


def test_a_netdev_of_a_subfunctions_virtio_device_is_not_brought_up_for_the_pf(
    tree: HostTree, writes: PfWrites
) -> None:
    tree.add_pf(netdev="ens1f0np0", driver="mlx5_core")
    tree.add_child(PF, "virtio7")  # its parent is the PF, which does the DMA
    other = tree.add_netdev(PF, "ens1f0", flags="0x1002", below="virtio7") / "flags"
    with pytest.raises(KernelError) as caught:
        writes.set_link_up(SetLinkUp(PF, "ens1f0"), children_of(tree))
    assert caught.value.errno == errno.ENOENT
    assert other.read_text() == "0x1002\n"
