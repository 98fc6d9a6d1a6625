"""A write that the kernel does not give back holds up nothing but itself."""

import time

from .host import AGENT, NOVA, PF1, PF2, UNIT, Guest, address_rule


def writers(guest: Guest) -> list[str]:
    """Return the processes that sit in the kernel with a write to sriov_numvfs."""
    return guest.run("grep -ls sriov_numvfs_store /proc/[0-9]*/stack").stdout.split()


def test_scrape_status_and_stop_do_not_wait_for_a_write(guest: Guest) -> None:
    nova = guest.starts(NOVA)
    with guest.slow_writes(PF1):
        guest.set_num_vfs(PF1, 0)
        guest.until(lambda: guest.status()["stuck_write"], "a write under way")
        assert guest.scrape().samples
        status = guest.status()
        assert status["stuck_write"]["pci_address"] == PF1
        assert status["stuck_write"]["action"] == "set sriov_numvfs from 0 to 7"
        assert f"{PF1}: set sriov_numvfs from 0 to 7 is in progress" in " ".join(status["notes"])
        guest.check(f"systemctl stop {UNIT}")
        assert guest.service("Result") == "success"  # "timeout" if the write had to be waited for
        assert guest.vfs()[PF1] == 0  # it is still held up: all this was during the write
        guest.check(f"systemctl start --no-block {UNIT}")
    guest.settle({PF1: 7, PF2: 7})
    assert len(guest.starts(NOVA)) == len(nova) + 1


def test_a_write_that_a_vm_holds_up_is_told_and_followed_by_no_other(guest: Guest) -> None:
    """The worst case of this kernel: sriov_numvfs waits, unkillable, for the process that has the VF open."""
    others = guest.vf_incarnations(PF2)
    guest.configure(address_rule(PF1, 1), address_rule(PF2))
    guest.settle({PF1: 1, PF2: 7})
    with guest.held_vf(PF1, is_open=True) as pid:
        guest.configure(address_rule(PF1, 2, when_in_use="replace"), address_rule(PF2, 3))
        guest.until(lambda: writers(guest), "a writer in the kernel")
        began = time.time()
        assert "is in progress" in " ".join(guest.status()["notes"])
        scrape = guest.wait_for_reason(PF1, "stuck")
        assert scrape.reasons(PF2) == {"blocked"}
        assert began - 30 < scrape.value("sriov_bootstrap_write_stuck_since_timestamp_seconds") < began + 30
        assert len(writers(guest)) == 1
        assert guest.vf_incarnations(PF2) == others
        done = guest.once()
        assert done.rc == 3, done
        assert "has not returned" in done.stdout
        assert f"is held by python3 pid {pid}" in done.stdout
        assert f"is held by python3 pid {pid}" in " ".join(guest.status()["notes"])
        guest.check(f"systemctl stop {UNIT}")
        assert guest.service("Result") == "success"
        assert len(writers(guest)) == 1
        guest.check(f"systemctl start --no-block {UNIT}")  # a daemon that starts into the jam does not add to it
        guest.wait_for_reason(PF1, "stuck")
        assert len(writers(guest)) == 1
    guest.settle({PF1: 2, PF2: 3})  # nobody has asked
    assert not writers(guest)
    for log in (NOVA, AGENT):
        assert guest.starts(log)[-1].endswith(f" {PF1}=2 {PF2}=3")
