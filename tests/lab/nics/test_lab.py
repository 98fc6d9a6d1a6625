"""The second guest itself: what its tests stand on is there."""

import re
import time

import pytest

from lab.host import DEVICES, PF1, Guest

from .conftest import VIRTIO

PROBE_MS = 700


def test_the_kernel_is_newer_and_the_virtio_pf_offers_15_vfs(guest: Guest) -> None:
    major, minor = (int(part) for part in guest.check("uname -r").split(".")[:2])
    assert (major, minor) >= (7, 0)
    assert guest.vm.read(f"{DEVICES}/{VIRTIO}/sriov_totalvfs").strip() == "15"


def test_netdevsim_has_an_eswitch(guest: Guest) -> None:
    guest.check("modprobe netdevsim && echo '1 1' >/sys/bus/netdevsim/new_device && udevadm settle")
    guest.check("echo 2 >/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs")
    guest.check("devlink dev eswitch set netdevsim/netdevsim1 mode switchdev")
    assert "mode switchdev" in guest.check("devlink dev eswitch show netdevsim/netdevsim1")


@pytest.mark.long
def test_slowvf_takes_its_time_over_a_vf(guest: Guest) -> None:
    vf = guest.check(f"basename $(readlink {DEVICES}/{PF1}/virtfn0)").strip()
    guest.check(f"modprobe slowvf probe_ms={PROBE_MS}; echo slowvf >{DEVICES}/{vf}/driver_override")
    began = time.monotonic()
    guest.check(f"echo {vf} >/sys/bus/pci/drivers_probe")
    assert time.monotonic() - began >= PROBE_MS / 1000
    assert guest.check(f"basename $(readlink {DEVICES}/{vf}/driver)").strip() == "slowvf"


def test_slowvf_waits_for_a_vf_refuses_another_and_the_kernel_log_says_in_which_order(guest: Guest) -> None:
    first, second = guest.check(f"basename -a $(readlink {DEVICES}/{PF1}/virtfn[01])").split()
    guest.check(f"modprobe slowvf probe_ms=0 hang={first} refuse={second} refuse_errno=12")
    guest.check(f"for vf in {first} {second}; do echo slowvf >{DEVICES}/$vf/driver_override; done")

    def said() -> list[str]:
        return re.findall(r"slowvf (\S+: probe \S+)$", guest.check("dmesg"), re.MULTILINE)

    with guest.running("probe", f"sh -c 'echo {first} >/sys/bus/pci/drivers_probe'"):
        guest.until(said, "the beginning of a probe")
        guest.check(f"echo {second} >/sys/bus/pci/drivers_probe")  # the kernel does not tell that it has failed
        assert said() == [f"{first}: probe begins", f"{second}: probe begins", f"{second}: probe ends"]
        guest.check("echo >/sys/module/slowvf/parameters/hang")
        guest.until(lambda: len(said()) == 4, "the end of the first probe")
    assert guest.check(f"basename $(readlink {DEVICES}/{first}/driver)").strip() == "slowvf"
    assert f"{second}: probe with driver slowvf failed with error -12" in guest.check("dmesg")
