"""method = "max_vfs": one line for modprobe, and a reload of the driver only where it costs nobody anything."""

import pytest

from .host import DEVICES, NOVA, PF1, PF2, Guest, rule

RELOAD_UNIT = "sriov-bootstrap-reload@igb.service"
MODPROBE_FILE = "/etc/modprobe.d/sriov-bootstrap-igb.conf"


def by_module(num_vfs: int) -> str:
    return rule("tenant", 'driver = "igb"', num_vfs, method="max_vfs", reload_driver=True)


@pytest.fixture
def bare_guest(guest: Guest) -> Guest:
    """No VFs."""
    guest.configure(rule("tenant", 'driver = "igb"', 0))
    guest.settle({PF1: 0, PF2: 0})
    return guest


def loads(guest: Guest) -> str:
    """Return what differs after each load of the driver."""
    return guest.check(f"cat {DEVICES}/{PF1}/net/*/ifindex {DEVICES}/{PF2}/net/*/ifindex")


def test_the_module_makes_the_vfs_and_no_reload_takes_one_from_its_holder(bare_guest: Guest) -> None:
    guest, nova = bare_guest, bare_guest.starts(NOVA)
    bare = loads(guest)
    guest.configure(by_module(7))
    guest.until(lambda: guest.vfs() == {PF1: 7, PF2: 7}, "VFs")
    guest.settle({PF1: 7, PF2: 7})
    first, uevents = loads(guest), guest.uevents()
    assert first != bare
    assert guest.vm.read(MODPROBE_FILE).splitlines()[1:] == ["options igb max_vfs=7"]
    second = guest.once()
    assert second.rc == 0, second
    assert "as desired, nothing changed" in second.stdout
    assert guest.uevents() == uevents
    assert len(guest.starts(NOVA)) == len(nova) + 1

    vfs = guest.vf_incarnations(PF2)
    with guest.held_vf(PF2) as pid:
        guest.configure(by_module(5))
        guest.wait_for_reason("tenant", "in_use")
        done = guest.once()
        assert done.rc == 3, done
        assert f"pid {pid}; igb is not reloaded" in done.stdout
        assert loads(guest) == first
        assert guest.run(f"systemctl start {RELOAD_UNIT}").rc == 1  # who asks makes no difference
        told = f"pid {pid}; igb is not reloaded"
        guest.until(lambda: told in guest.check(f"journalctl -b -o cat -u {RELOAD_UNIT}"), "its words in the journal")
        assert loads(guest) == first
        assert guest.vf_incarnations(PF2) == vfs
    guest.settle({PF1: 5, PF2: 5})
    assert loads(guest) != first


def test_the_daemon_itself_loads_no_module(bare_guest: Guest) -> None:
    guest, bare = bare_guest, loads(bare_guest)
    with guest.unit_without("CAP_SYS_MODULE", RELOAD_UNIT):
        guest.configure(by_module(7))
        guest.wait_for_reason("tenant", "write_failed")
        assert "cannot unload the driver igb" in guest.journal()
        assert loads(guest) == bare
    guest.reload()  # what modprobe refuses is not tried again before there is a reason to look
    guest.settle({PF1: 7, PF2: 7})
    assert loads(guest) != bare
