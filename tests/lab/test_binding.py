"""VFs get the driver that their rule names, or another one, without being made again; what is in use stays as it is."""

from typing import Final

import pytest

from .binding import ALONE, bound, drivers, overrides, probing
from .consumers import install_package, newest_package
from .host import CONFIG_FILE, DEVICES, PF1, PF2, Guest
from .old_package import UnknownCommitError, package_of

LAST_0_1_0: Final = "796f9ed"
IGBVF: Final = ["igbvf"] * 3
VFIO: Final = ["vfio-pci"] * 3
UNSET: Final = ["(null)"] * 3  # overrides


@pytest.mark.long
def test_vfs_go_from_one_named_driver_to_another_and_back_to_the_kernels_own(unmade: Guest) -> None:
    unmade.configure(bound(PF1, 3, "vfio-pci"), bound(PF2, 0), services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    assert (drivers(unmade, PF1), overrides(unmade, PF1)) == (VFIO, VFIO)
    vfs = unmade.vf_incarnations(PF1)
    unmade.configure(bound(PF1, 3, "igbvf"), bound(PF2, 0), services=ALONE)
    unmade.until(lambda: (drivers(unmade, PF1), overrides(unmade, PF1)) == (IGBVF, IGBVF), "igbvf by its name")
    unmade.configure(bound(PF1), bound(PF2, 0), services=ALONE)
    unmade.until(lambda: (drivers(unmade, PF1), overrides(unmade, PF1)) == (IGBVF, UNSET), "the kernel's own choice")
    unmade.settle({PF1: 3, PF2: 0})
    assert unmade.vf_incarnations(PF1) == vfs
    uevents, done = unmade.uevents(), unmade.once()
    assert (done.rc, "nothing changed" in done.stdout) == (0, True), done
    assert unmade.uevents() == uevents


@pytest.mark.long
def test_a_vf_in_use_keeps_its_driver_until_it_is_let_go_and_the_others_change(unmade: Guest) -> None:
    unmade.configure(bound(PF1, 3, "vfio-pci"), bound(PF2, 0), services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    vfs = unmade.vf_incarnations(PF1)
    with unmade.held_vf(PF1, 1, is_open=True) as pid:
        unmade.configure(bound(PF1, 3, "igbvf"), bound(PF2, 0), services=ALONE)
        unmade.until(lambda: drivers(unmade, PF1) == ["igbvf", "vfio-pci", "igbvf"], "the free VFs with their driver")
        done = unmade.once()
        assert "0000:01:10.2" in done.stdout
        assert f"held by python3 pid {pid}" in done.stdout
        assert drivers(unmade, PF1) == ["igbvf", "vfio-pci", "igbvf"]
    unmade.reload()
    unmade.until(lambda: drivers(unmade, PF1) == IGBVF, "all VFs with their driver")
    assert unmade.vf_incarnations(PF1) == vfs


@pytest.mark.long
def test_an_override_goes_with_its_rule(unmade: Guest) -> None:
    unmade.configure(bound(PF1, 3, "vfio-pci"), bound(PF2, 0), services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    vfs = unmade.vf_incarnations(PF1)
    unmade.configure(bound(PF2, 0), services=ALONE)
    unmade.until(lambda: overrides(unmade, PF1) == UNSET, "no override")
    assert unmade.vf_incarnations(PF1) == vfs


@pytest.mark.long
def test_probing_that_somebody_else_has_switched_off_stays_off(unmade: Guest) -> None:
    unmade.vm.write(f"{DEVICES}/{PF1}/sriov_drivers_autoprobe", "0")
    unmade.configure(bound(PF1), bound(PF2), services=ALONE)
    unmade.settle({PF1: 3, PF2: 3})
    assert (drivers(unmade, PF1), drivers(unmade, PF2)) == ([""] * 3, IGBVF)
    assert (probing(unmade, PF1), probing(unmade, PF2)) == ("0", "1")


@pytest.mark.long
def test_the_kernel_binds_where_a_rule_or_the_names_of_interfaces_need_it(unmade: Guest) -> None:
    unmade.configure(bound(PF1, vf_binding="kernel"), bound(PF2), services=ALONE)
    unmade.settle({PF1: 3, PF2: 3})
    assert (drivers(unmade, PF1), drivers(unmade, PF2)) == (IGBVF, IGBVF)
    assert [f"{pf}: bind its VFs" in unmade.journal() for pf in (PF1, PF2)] == [False, True]
    unmade.check("systemctl stop sriov-bootstrap")
    unmade.vm.write(CONFIG_FILE, bound(PF1, 2, vf_binding="kernel") + bound(PF2, 2) + ALONE)
    to_do = [line for line in unmade.once("--dry-run").stdout.splitlines() if "to do: " in line]
    assert ["bind its VFs" in line for line in to_do] == [False, True]
    unmade.check("sed 's/$/ net.ifnames=0/' /proc/cmdline >/run/cmdline && mount --bind /run/cmdline /proc/cmdline")
    planned = unmade.once("--dry-run").stdout
    assert "bind its VFs" not in planned
    assert "net.ifnames=0" in planned


def test_the_first_pass_after_an_upgrade_from_0_1_0_writes_nothing_and_binds_nothing(unmade: Guest) -> None:
    try:
        old = package_of(LAST_0_1_0)
    except UnknownCommitError as error:
        pytest.skip(str(error))
    install_package(unmade.vm, old)
    unmade.configure(bound(PF1), bound(PF2, vf_driver="none"), services=ALONE)
    unmade.settle({PF1: 3, PF2: 3})

    def seen() -> list[object]:
        """Return what would be different if a VF had been made or bound again: its place in /sys, and its netdev."""
        vfs = [(drivers(unmade, pf), unmade.vf_incarnations(pf)) for pf in (PF1, PF2)]
        return [*vfs, unmade.check(f"cat {DEVICES}/{PF1}/virtfn*/net/*/ifindex")]

    with unmade.held_vf(PF2, 1, is_open=True):
        before = seen()
        assert (drivers(unmade, PF1), drivers(unmade, PF2)) == (IGBVF, ["", "vfio-pci", ""])
        passes = unmade.scrape().value("sriov_bootstrap_passes_total")
        unmade.forget_journal()
        install_package(unmade.vm, newest_package())
        unmade.until_scrape(lambda it: it.value("sriov_bootstrap_passes_total") > passes, "a pass of the new version")
        unmade.settle({PF1: 3, PF2: 3})
        assert seen() == before
        assert ": changed | " not in unmade.journal()
