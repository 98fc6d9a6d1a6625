"""The host on a bad day: /run is full, the clock jumps, udevd is gone, the NIC is pulled, the bus dies."""

import pytest

from .host import BOTH_PFS, NOVA, PF1, PF2, RDO_NOVA, SERVICES, UNIT, Guest, address_rule, rule

MAC = "52:54:00:1a:b0:77"
UDEVD = "systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket"


RUN = "/run/sriov-bootstrap/state"


@pytest.fixture
def full_run(guest: Guest) -> Guest:
    """A file system of our own, or somebody else makes room in /run again.

    What the daemon knows moves with it: an older state.json would not say whose doing it is that autoprobe is off.
    """
    kept = "/root/state.json"
    mount = f"mount -t tmpfs -o size=64k,mode=755 lab {RUN}"
    guest.check(f"systemctl stop {UNIT} && cp {RUN}/state.json {kept} && {mount} && mv {kept} {RUN}/")
    guest.check(f"systemctl start {UNIT}")
    guest.settle({PF1: 7, PF2: 7})
    guest.run(f"dd if=/dev/zero of={RUN}/filler bs=4k")
    return guest


def test_a_full_run_costs_neither_vfs_nor_a_restart(full_run: Guest) -> None:
    guest, nova = full_run, full_run.starts(NOVA)
    guest.set_num_vfs(PF1, 0)
    guest.until(lambda: guest.vfs() == {PF1: 7, PF2: 7}, "VFs")
    done = guest.once()
    assert done.rc == 0, done
    assert "state.json could not be saved: No space left on device" in done.stderr
    guest.until(lambda: len(guest.starts(NOVA)) > len(nova), "a restart of nova-compute")
    guest.check(f"rm {RUN}/filler")
    guest.make_pass()
    guest.settle({PF1: 7, PF2: 7})
    assert "Traceback" not in guest.journal()


def test_a_clock_that_jumps_makes_no_write_overdue(guest: Guest) -> None:
    nova = guest.starts(NOVA)
    with guest.slow_writes(PF1):
        guest.set_num_vfs(PF1, 0)
        guest.until(lambda: guest.status()["stuck_write"], "a write under way")
        guest.check("date -s @$(($(date +%s) + 31536000))")
        status = guest.status()
        assert f"{PF1}: set sriov_numvfs from 0 to 7 is in progress" in " ".join(status["notes"])
        assert not status["stuck_write"]["is_overdue"]
        assert not guest.scrape().reasons("tenant")
    passes = guest.settle({PF1: 7, PF2: 7}).value("sriov_bootstrap_passes_total")
    assert guest.make_pass().value("sriov_bootstrap_passes_total") <= passes + 3  # no storm
    assert len(guest.starts(NOVA)) == len(nova) + 1


def test_without_udevd_status_says_so_and_the_next_pass_repairs(guest: Guest) -> None:
    guest.check(f"systemctl stop {UDEVD}")
    assert "systemd-udevd is down" in " ".join(guest.status()["notes"])
    guest.set_num_vfs(PF1, 0)
    assert guest.status()["state"] == "pending"
    guest.reload()  # in place of the safety net, for which nobody waits ten minutes here
    guest.settle({PF1: 7, PF2: 7})
    guest.check(f"systemctl start {UDEVD}")
    assert "systemd-udevd" not in " ".join(guest.status()["notes"])
    guest.set_num_vfs(PF1, 0)
    guest.until(lambda: guest.vfs()[PF1] == 7, "a repair that an event began")


def test_a_nic_that_is_pulled_during_the_write_is_absent_and_comes_again(guest: Guest) -> None:
    guest.configure(address_rule(PF1), address_rule(PF2), rule("hot", f'mac = "{MAC}"', num_vfs=3))
    guest.vm.plug_igb("rp3", "hot1", mac=MAC)
    third = guest.until(lambda: guest.vm.pfs()[2:], "a third PF")[0]
    guest.settle({PF1: 7, PF2: 7, third: 3})
    with guest.slow_writes(third):
        guest.set_num_vfs(third, 0)
        guest.until(lambda: guest.status()["stuck_write"], "a write under way")
        guest.vm.unplug("hot1")
    guest.wait_for_reason("hot", "absent")
    guest.vm.plug_igb("rp3", "hot1", mac=MAC)
    guest.settle({PF1: 7, PF2: 7, third: 3})
    assert "Traceback" not in guest.journal()


def test_a_bus_that_dies_in_the_middle_of_a_job_restarts_nobody_twice(guest: Guest) -> None:
    """The stand-in of RDO is not done starting before it is told to be, so its job is under way when the bus dies."""
    guest.configure(BOTH_PFS, services=SERVICES + "job_timeout_seconds = 60\n")
    guest.start("systemctl start --no-block openstack-nova-compute", RDO_NOVA)
    rdo, nova = guest.starts(RDO_NOVA), guest.starts(NOVA)
    guest.make_pass()
    guest.set_num_vfs(PF1, 0)
    guest.until(lambda: len(guest.starts(RDO_NOVA)) > len(rdo), "its restart")
    guest.check("systemctl kill --signal=KILL dbus.service")
    guest.until(lambda: "restarts stay pending" in guest.journal(), "a line about the bus")
    guest.check("systemctl start dbus")
    guest.until(lambda: "how its restart ended is not known" in str(guest.status()["notes"]), "word of that")
    is_done = "NOTIFY_SOCKET=/run/systemd/notify systemd-notify --ready"
    guest.check(f"{is_done} --pid=$(systemctl show --property=MainPID --value openstack-nova-compute)")
    guest.settle({PF1: 7, PF2: 7})
    assert len(guest.starts(RDO_NOVA)) == len(rdo) + 1
    assert len(guest.starts(NOVA)) == len(nova) + 1
