"""No config is healthy; a broken one, or one that vanished, loses nothing and is told everywhere."""

import pytest

from .host import BOTH_PFS, CONFIG_FILE, NOVA, PF1, PF2, UNIT, Guest

NOTHING_TO_DO = "nothing to do: no rule in the config"


def test_no_config_is_healthy_and_touches_nothing(guest: Guest) -> None:
    uevents, nova = guest.uevents(), guest.starts(NOVA)
    guest.check(f"rm {CONFIG_FILE} && systemctl restart {UNIT}")
    assert guest.service("ActiveState") == "active"
    assert guest.service("StatusText") == NOTHING_TO_DO
    done = guest.once()
    assert (done.rc, done.stdout.startswith(NOTHING_TO_DO)) == (0, True), done
    status = guest.run("sriov-bootstrap status")
    assert (status.rc, status.stdout.startswith(NOTHING_TO_DO)) == (0, True), status
    scrape = guest.until_scrape(lambda it: bool(it.samples), "metrics")
    assert scrape.value("sriov_bootstrap_config_valid") == 1
    assert not scrape.series("sriov_pf_vfs")
    assert guest.vfs() == {PF1: 7, PF2: 7}  # what nobody configured is left alone
    assert guest.uevents() == uevents
    assert guest.starts(NOVA) == nova


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"echo 'num_vfs = = 3' >>{CONFIG_FILE}", CONFIG_FILE),
        (f"rm {CONFIG_FILE}", "every config file is gone"),
    ],
    ids=["broken", "vanished"],
)
def test_the_last_good_config_stays_in_force(guest: Guest, command: str, said: str) -> None:
    vfs = guest.vf_incarnations(PF1)
    guest.check(command)
    guest.reload()
    scrape = guest.until_scrape(lambda it: it.has("sriov_bootstrap_config_valid", 0), "an invalid config")
    assert scrape.value("sriov_pf_vfs_desired") == 14
    assert guest.vf_incarnations(PF1) == vfs
    assert said in guest.journal()
    assert guest.service("ActiveState") == "active"
    guest.set_num_vfs(PF2, 0)
    guest.until(lambda: guest.vfs() == {PF1: 7, PF2: 7}, "a repair by the last good config")
    guest.configure(BOTH_PFS)
    guest.until_scrape(lambda it: it.value("sriov_bootstrap_config_valid") == 1, "a valid config")
    assert guest.vf_incarnations(PF1) == vfs


def test_a_broken_config_is_exit_2_and_names_its_line(guest: Guest) -> None:
    guest.vm.write(CONFIG_FILE, BOTH_PFS + "num_fvs = 3\n")
    for command in ("sriov-bootstrap --once", "sriov-bootstrap check-config"):
        done = guest.run(command)
        assert done.rc == 2, done
        assert CONFIG_FILE in done.stderr + done.stdout
        assert "num_fvs" in done.stderr + done.stdout
    assert guest.status()["state"] == "config_invalid"
    assert guest.vfs() == {PF1: 7, PF2: 7}


def test_the_kill_switch_keeps_the_service_from_starting(guest: Guest) -> None:
    guest.check(f"touch /etc/sriov-bootstrap/disabled && systemctl restart {UNIT}")
    assert guest.service("ActiveState") == "inactive"
    assert guest.service("ConditionResult") == "no"
    notes = " ".join(guest.status()["notes"])
    assert "switched off: /etc/sriov-bootstrap/disabled keeps the unit from starting" in notes
    assert guest.vfs() == {PF1: 7, PF2: 7}
