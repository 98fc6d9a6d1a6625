"""A daemon that is killed at the worst moment leaves no restart undone, and none is done twice."""

from .host import AGENT, BOTH_PFS, NOVA, PF1, PF2, UNIT, Guest

SLOW_TO_RESTART = "[services]\nsettle_seconds = 8\nmin_interval_seconds = 0\n"


def starts_of_both(guest: Guest) -> tuple[int, int]:
    return len(guest.starts(NOVA)), len(guest.starts(AGENT))


def kill_daemon(guest: Guest) -> None:
    """SIGKILL, and wait until systemd has started the next one."""
    before = guest.service("MainPID")
    guest.check(f"systemctl kill --signal=KILL --kill-whom=main {UNIT}")
    guest.until(lambda: guest.service("MainPID") not in {before, "0"}, "the next daemon")


def test_a_kill_between_the_write_and_the_restart_loses_no_restart(guest: Guest) -> None:
    guest.configure(BOTH_PFS, services=SLOW_TO_RESTART)
    before = starts_of_both(guest)
    guest.make_pass()
    guest.set_num_vfs(PF1, 0)
    guest.until_scrape(lambda it: it.is_pending and it.value("sriov_pf_vfs") == 14, "VFs, and a pending restart")
    kill_daemon(guest)
    assert starts_of_both(guest) == before  # or this would prove nothing
    guest.settle({PF1: 7, PF2: 7})
    guest.make_pass()
    assert starts_of_both(guest) == (before[0] + 1, before[1] + 1)


def test_a_kill_during_the_write_loses_neither_vfs_nor_restart(guest: Guest) -> None:
    """The writer outlives the daemon, and the next one waits for it."""
    before = starts_of_both(guest)
    with guest.slow_writes(PF1):
        guest.set_num_vfs(PF1, 0)
        guest.until(lambda: guest.status()["stuck_write"], "a write under way")
        kill_daemon(guest)
        assert (guest.vfs()[PF1], starts_of_both(guest)) == (0, before)
    guest.settle({PF1: 7, PF2: 7})
    guest.make_pass()
    assert starts_of_both(guest) == (before[0] + 1, before[1] + 1)
