"""The lab itself: were one of these to fail, no other result in this folder would mean anything."""

import subprocess
from collections.abc import Iterator

import pytest

from .vm import Vm


def test_two_igb_ports_offer_vfs(vm: Vm) -> None:
    assert vm.pfs() == ["0000:01:00.0", "0000:02:00.0"]
    for pf in vm.pfs():
        assert vm.read(f"/sys/bus/pci/devices/{pf}/sriov_totalvfs").strip() == "7"
        assert vm.check(f"readlink /sys/bus/pci/devices/{pf}/driver").strip().endswith("/igb")


def test_vfs_can_be_made_and_removed(vm: Vm) -> None:
    pf = f"/sys/bus/pci/devices/{vm.pfs()[0]}"
    vm.write(f"{pf}/sriov_drivers_autoprobe", "0")
    vm.write(f"{pf}/sriov_numvfs", "2")
    assert vm.check(f"ls -d {pf}/virtfn*").split() == [f"{pf}/virtfn0", f"{pf}/virtfn1"]
    vm.write(f"{pf}/sriov_numvfs", "0")
    vm.write(f"{pf}/sriov_drivers_autoprobe", "1")


def test_the_iommu_is_on(vm: Vm) -> None:
    assert vm.check("ls /sys/kernel/iommu_groups").split()


def test_a_failing_command_tells_everything(vm: Vm) -> None:
    assert vm.run("exit 3").rc == 3
    with pytest.raises(AssertionError, match="rc 4\nstdout: out\n\nstderr: err"):
        vm.check("echo out; echo err >&2; exit 4")


def test_what_goes_in_and_comes_out_is_whole(vm: Vm) -> None:
    """More than any pipe on its way holds."""
    text = "0123456789abcdef" * 50_000
    vm.write("/root/long", text)
    assert vm.read("/root/long") == text
    vm.check("rm /root/long")


def test_a_command_that_takes_too_long_holds_up_no_other(vm: Vm) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        vm.run("exec -a too-long sleep 600", timeout_seconds=1)
    assert vm.check("echo still here") == "still here\n"
    assert vm.run("pkill -x -f 'too-long 600'").rc == 0  # it went on, as promised


def test_testinfra_shares_the_connection(vm: Vm) -> None:
    assert vm.host.service("dbus").is_running
    assert vm.host.file("/etc/hostname").content_string.strip() == "sriov-lab"


@pytest.fixture
def third_igb(vm: Vm) -> Iterator[str]:
    vm.plug_igb("rp3", "hot1", mac="52:54:00:1a:b0:77")
    yield "52:54:00:1a:b0:77"
    if len(vm.pfs()) > 2:
        vm.unplug("hot1")


def test_a_third_igb_comes_and_goes(vm: Vm, third_igb: str) -> None:
    third = vm.wait_until(lambda: vm.pfs()[2:], deadline_seconds=30, what="a third PF")[0]

    def mac() -> str:
        return vm.run(f"cat /sys/bus/pci/devices/{third}/net/*/address").stdout.strip()

    assert vm.wait_until(mac, deadline_seconds=30, what="a netdev") == third_igb  # udev may be about to rename it
    vm.unplug("hot1")
    assert len(vm.pfs()) == 2


def test_files_outlast_the_reset_button(vm: Vm) -> None:
    """A clean reboot is in test_boot.py: each costs most of a minute."""
    vm.write("/root/witness", "still here")
    vm.check("sync")
    before = vm.boot_id()
    vm.reboot(hard=True)
    assert vm.boot_id() != before
    assert vm.read("/root/witness") == "still here"
