"""Upgrading, removing, purging and installing the package again changes no VF and restarts nobody."""

import json
import subprocess
from pathlib import Path

import pytest

from .consumers import install_package, newest_package
from .host import CONFIG_FILE, METRICS_UNITS, NOVA, PF1, PF2, STATE_FILE, UNIT, Guest, address_rule
from .old_package import UnknownCommitError, package_of

NEWER = "99~lab"
LAST_0_1_0 = "796f9ed"  # the last commit that has state and locks where 0.1.0 has them
PASSES = "sriov_bootstrap_passes_total"
SMOKE = Path(__file__).parents[2] / "packaging/debian/tests/smoke"


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The package under test as its own successor."""
    tree = tmp_path / "tree"
    package = tmp_path / f"sriov-bootstrap_{NEWER}_all.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", newest_package(), tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join(f"Version: {NEWER}\n" if line.startswith("Version:") else line for line in lines))
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, stdout=subprocess.DEVNULL)
    return package


def test_no_step_in_the_life_of_the_package_touches_a_vf(guest: Guest, newer: Path) -> None:
    guest.configure(address_rule(PF1, 4), address_rule(PF2))
    guest.settle({PF1: 4, PF2: 7})
    config, nova = guest.check(f"cat {CONFIG_FILE}"), guest.starts(NOVA)
    vfs = guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)
    main_pid = guest.service("MainPID")

    def nothing_has_changed() -> None:
        assert (guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)) == vfs
        assert guest.check(f"cat {CONFIG_FILE}") == config
        assert guest.starts(NOVA) == nova

    install_package(guest.vm, newer, in_one_step=True)  # an upgrade
    assert guest.check("dpkg-query -W -f '${Version}' sriov-bootstrap") == NEWER
    assert guest.service("MainPID") not in {main_pid, "0"}
    guest.settle({PF1: 4, PF2: 7})
    nothing_has_changed()

    guest.check("dpkg --remove sriov-bootstrap", timeout_seconds=300)
    assert guest.run(f"systemctl is-active {UNIT}").stdout == "inactive\n"
    assert guest.run("command -v sriov-bootstrap").rc != 0
    assert guest.run(f"systemctl is-active {METRICS_UNITS}").stdout == "inactive\ninactive\n"
    assert guest.run("ls -d /run/sriov-bootstrap-metrics /run/systemd/system/sriov-bootstrap-metrics*").stdout == ""
    nothing_has_changed()

    install_package(guest.vm, newest_package())
    assert guest.service("UnitFileState") == "enabled"
    guest.settle({PF1: 4, PF2: 7})
    nothing_has_changed()

    guest.check("dpkg --purge sriov-bootstrap", timeout_seconds=300)
    assert guest.run("ls -d /run/sriov-bootstrap /usr/lib/sriov-bootstrap").stdout == ""
    nothing_has_changed()  # what an administrator wrote is not the package's to remove


LATER = "[services]\nsettle_seconds = 600\nmin_interval_seconds = 0\n"
OLD_LOCK = "/run/lock/sriov-bootstrap.lock"


def test_from_0_1_0_and_back_writes_nothing_and_loses_no_pending_restart(guest: Guest, newer: Path) -> None:
    """That version has its state and its locks elsewhere in /run."""
    try:
        old = package_of(LAST_0_1_0)
    except UnknownCommitError as error:
        pytest.skip(str(error))
    install_package(guest.vm, old)
    guest.configure(address_rule(PF1, 4), address_rule(PF2))
    guest.settle({PF1: 4, PF2: 7})
    guest.configure(address_rule(PF1, 3), address_rule(PF2), services=LATER)
    scrape = guest.until_scrape(lambda it: it.is_pending and guest.vfs() == {PF1: 3, PF2: 7}, "a restart that waits")
    config, nova, passes = guest.check(f"cat {CONFIG_FILE}"), guest.starts(NOVA), scrape.value(PASSES)
    vfs, main_pid = (guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)), guest.service("MainPID")
    assert guest.run(f"ls {OLD_LOCK}").rc == 0

    install_package(guest.vm, newer)
    scrape = guest.until_scrape(lambda it: it.value(PASSES) > passes, "a pass that goes on counting")
    assert guest.service("MainPID") not in {main_pid, "0"}
    assert guest.check(f"systemctl is-active {METRICS_UNITS}") == "active\nactive\n"
    assert scrape.is_pending
    assert json.loads(guest.vm.read(STATE_FILE))["pending"]["pci_addresses"] == [PF1]
    assert (guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)) == vfs
    assert (guest.check(f"cat {CONFIG_FILE}"), guest.starts(NOVA)) == (config, nova)

    with guest.running("old-pass", f"flock {OLD_LOCK} sleep 600"):  # a --once of 0.1.0 that is still at it
        guest.until(lambda: guest.run(f"flock --nonblock {OLD_LOCK} true").rc, "a lock that is held")
        assert guest.run("timeout 10 sriov-bootstrap --once").rc == 124
    guest.configure(address_rule(PF1, 3), address_rule(PF2))
    guest.until(lambda: len(guest.starts(NOVA)) == len(nova) + 1, "the restart that was pending")
    guest.settle({PF1: 3, PF2: 7})
    config, nova = guest.check(f"cat {CONFIG_FILE}"), guest.starts(NOVA)

    main_pid = guest.service("MainPID")
    install_package(guest.vm, old)  # a way back
    assert guest.service("MainPID") not in {main_pid, "0"}
    assert guest.run("ls -d /run/sriov-bootstrap-metrics /run/systemd/system/sriov-bootstrap-metrics*").stdout == ""
    guest.settle({PF1: 3, PF2: 7})
    assert (guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)) == vfs
    assert (guest.check(f"cat {CONFIG_FILE}"), guest.starts(NOVA)) == (config, nova)


def test_the_smoke_test_that_debian_runs_passes(guest: Guest) -> None:
    """The script of autopkgtest, in a guest that has what its control file asks for: root, systemd, the package."""
    guest.vm.push(SMOKE, "/root/smoke")
    before = guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)
    assert guest.check("cd /root && sh smoke 2>&1", timeout_seconds=300).splitlines()[-1] == "smoke: passed"
    assert (guest.vf_incarnations(PF1), guest.vf_incarnations(PF2)) == before
