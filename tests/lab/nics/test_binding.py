"""VFs are made first and bound later, side by side: with a driver that is slow, refuses, or does not return."""

import re
from typing import Final

import pytest

from lab.binding import ALONE, PROBE, UNMADE, bound, drivers, is_up, probing, unmake
from lab.host import DEVICES, PF1, PF2, UNIT, Guest

# In place of igbvf, for whoever asks which module such a VF needs.
MODPROBE: Final = "blacklist igbvf\nalias pci:v00008086d000010CAsv*sd*bc*sc*i* slowvf\n"
VFS_OF_PF1: Final = "0000:01:"
VF1: Final = "0000:01:10.2"
SLOW: Final = ["slowvf"] * 3


@pytest.fixture(scope="module")
def saved_unmade(saved_nics_guest: Guest) -> Guest:
    """No VF, and slowvf there for those to come; a probe of it takes no time if a test does not say so."""
    saved_nics_guest.restore()
    saved_nics_guest.vm.write("/etc/modprobe.d/slowvf.conf", MODPROBE)
    unmake(saved_nics_guest)
    saved_nics_guest.check("modprobe -r igbvf; modprobe slowvf probe_ms=0")
    saved_nics_guest.forget_journal()
    saved_nics_guest.save(UNMADE)
    return saved_nics_guest


@pytest.fixture
def unmade(saved_unmade: Guest) -> Guest:
    saved_unmade.restore(UNMADE)
    return saved_unmade


def slowvf(guest: Guest, parameter: str, value: str = "") -> None:
    """Set a parameter of the driver; "" names no VF."""
    guest.vm.write(f"/sys/module/slowvf/parameters/{parameter}", f"{value}\n")


def probes(guest: Guest, word: str, pf_vfs: str = "") -> list[str]:
    """Return the VFs whose probe `begins` or `ends`, in that order. While it lasts, a VF has its `driver` in /sys."""
    return re.findall(rf"slowvf ({pf_vfs}\S+): probe {word}$", guest.check("dmesg"), re.MULTILINE)


def test_the_probes_of_all_pfs_run_at_once_when_the_last_pf_is_written(unmade: Guest) -> None:
    slowvf(unmade, "hang", VFS_OF_PF1)
    with unmade.slow_writes(PF2):
        unmade.configure(bound(PF1), bound(PF2), services=ALONE)
        unmade.until(lambda: unmade.vfs() == {PF1: 3, PF2: 0}, "the count of the first PF")
        assert not probes(unmade, "begins")
    unmade.until(lambda: len(probes(unmade, "begins", VFS_OF_PF1)) == 3, "every probe of the first PF")
    unmade.until(lambda: len(probes(unmade, "ends")) == 3, "the probes of the second PF")
    assert not probes(unmade, "ends", VFS_OF_PF1)
    slowvf(unmade, "hang")
    unmade.settle({PF1: 3, PF2: 3})
    assert (drivers(unmade, PF1), drivers(unmade, PF2)) == (SLOW, SLOW)
    assert (probing(unmade, PF1), probing(unmade, PF2)) == ("1", "1")
    assert "bring " not in unmade.journal()  # both were up


def test_a_vf_whose_driver_refuses_is_named_and_the_others_are_bound(unmade: Guest) -> None:
    slowvf(unmade, "refuse", VF1)
    unmade.configure(bound(PF1), bound(PF2), services=ALONE)
    scrape = unmade.wait_for_reason(PF1, "vfs_incomplete")
    assert scrape.value("sriov_pf_vfs_unbound", pci_address=PF1) == 1
    assert not scrape.reasons(PF2)
    assert (drivers(unmade, PF1), drivers(unmade, PF2)) == (["slowvf", "", "slowvf"], SLOW)
    done = unmade.once()
    assert done.rc == 3, done
    assert f"{VF1}: slowvf: EIO" in done.stdout
    assert drivers(unmade, PF1) == ["slowvf", "", "slowvf"]
    vfs = unmade.vf_incarnations(PF1)
    slowvf(unmade, "refuse")
    done = unmade.once()
    assert done.rc == 0, done
    assert (drivers(unmade, PF1), unmade.vf_incarnations(PF1)) == (SLOW, vfs)


@pytest.mark.long
def test_a_probe_that_does_not_return_holds_up_no_other_vf_no_scrape_and_no_stop(unmade: Guest) -> None:
    slowvf(unmade, "hang", VF1)
    unmade.configure(bound(PF1), bound(PF2), services=ALONE)
    unmade.until(lambda: len(probes(unmade, "ends")) == 5, "every probe but one")
    assert unmade.scrape().samples
    assert f"{PF1}: bind its VFs is in progress" in " ".join(unmade.status()["notes"])
    unmade.check(f"systemctl stop {UNIT}")
    assert unmade.service("Result") == "success"
    assert VF1 not in probes(unmade, "ends")  # all this was meanwhile
    unmade.check(f"systemctl start --no-block {UNIT}")
    vfs = unmade.vf_incarnations(PF1)
    slowvf(unmade, "hang")
    unmade.settle({PF1: 3, PF2: 3})
    assert (drivers(unmade, PF1), unmade.vf_incarnations(PF1)) == (SLOW, vfs)


NUM_VFS: Final = f"{DEVICES}/{PF1}/sriov_numvfs"


@pytest.fixture
def down(unmade: Guest) -> Guest:
    """The first PF is down."""
    unmade.check(f"ip link set {unmade.netdev(PF1)} down")
    return unmade


def kill(guest: Guest) -> None:
    """End daemon, pass and writer, whatever they are at, and wait for the next daemon."""
    before = guest.service("MainPID")
    guest.check(f"systemctl kill --signal=KILL --kill-whom=all {UNIT}")
    guest.until(lambda: guest.service("MainPID") not in {before, "0"}, "the next daemon")


@pytest.mark.parametrize(
    ("path", "is_done", "num_vfs", "word", "is_up_now"),
    [
        pytest.param(NUM_VFS, False, 0, "0", False, id="probing off"),
        pytest.param(NUM_VFS, True, 3, "0", False, id="count written"),
        pytest.param(PROBE, False, 3, "1", True, id="PF up, probing on"),
    ],
)
@pytest.mark.long
def test_a_pass_that_is_killed_between_two_steps_is_ended_by_the_next(
    down: Guest, path: str, *, is_done: bool, num_vfs: int, word: str, is_up_now: bool
) -> None:
    """It also shows the steps themselves: the PF that is down comes up between its count and its probes."""
    with down.held_writes(path, is_done=is_done):
        down.configure(bound(PF1), bound(PF2, 0), services=ALONE)
        down.until(lambda: (down.vfs()[PF1], probing(down, PF1)) == (num_vfs, word), "the step before")
        down.until(lambda: is_up(down, PF1) is is_up_now, "the PF as it is then")
        assert not probes(down, "begins")
        kill(down)
    down.settle({PF1: 3, PF2: 0})
    assert (drivers(down, PF1), probing(down, PF1), is_up(down, PF1)) == (SLOW, "1", True)


def test_a_pass_that_is_killed_amid_binding_is_ended_by_the_next(down: Guest) -> None:
    slowvf(down, "hang", VF1)
    down.configure(bound(PF1), bound(PF2, 0), services=ALONE)
    down.until(lambda: len(probes(down, "ends")) == 2, "two of three probes")
    vfs = down.vf_incarnations(PF1)
    kill(down)
    slowvf(down, "hang")
    down.settle({PF1: 3, PF2: 0})
    assert (drivers(down, PF1), probing(down, PF1), down.vf_incarnations(PF1)) == (SLOW, "1", vfs)


@pytest.mark.long
def test_probing_switched_off_right_before_the_probes_is_found_out(unmade: Guest) -> None:
    """The kernel then ignores a probe and reports success."""
    with unmade.held_writes(PROBE):
        unmade.configure(bound(PF1), bound(PF2), services=ALONE)
        unmade.until(lambda: (unmade.vfs()[PF1], probing(unmade, PF1)) == (3, "1"), "VFs, and probing on")
        unmade.vm.write(f"{DEVICES}/{PF1}/sriov_drivers_autoprobe", "0")
    scrape = unmade.wait_for_reason(PF1, "vfs_incomplete")
    assert scrape.value("sriov_pf_vfs_unbound", pci_address=PF1) == 3
    assert (drivers(unmade, PF1), drivers(unmade, PF2)) == ([""] * 3, SLOW)
    assert "0000:01:10.0: probing has been switched off" in unmade.journal()
    done = unmade.once()
    assert (done.rc, drivers(unmade, PF1), probing(unmade, PF1)) == (0, SLOW, "1"), done


@pytest.mark.long
def test_a_pf_that_goes_between_its_count_and_its_probes_takes_no_other_with_it(unmade: Guest) -> None:
    with unmade.held_writes(PROBE):
        unmade.configure(bound(PF1), bound(PF2), services=ALONE)
        unmade.until(lambda: (unmade.vfs()[PF1], probing(unmade, PF1)) == (3, "1"), "VFs, and probing on")
        unmade.vm.write("/sys/bus/pci/drivers/igb/unbind", PF1)
    unmade.wait_for_reason(PF1, "driver_missing")
    unmade.until(lambda: drivers(unmade, PF2) == SLOW, "the VFs of the second PF with their driver")
    assert "Traceback" not in unmade.journal()
    unmade.vm.write("/sys/bus/pci/drivers/igb/bind", PF1)
    unmade.settle({PF1: 3, PF2: 3})
    assert drivers(unmade, PF1) == SLOW
