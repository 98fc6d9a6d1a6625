"""A daemon that is killed at the worst moment leaves no restart undone, and none is done twice."""

from pathlib import Path

import pytest

from .host import AGENT, BOTH_PFS, NOVA, PF1, PF2, UNIT, Guest, address_rule

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


QUICK = "[Service]\nRestartSec=100ms\nRestartSteps=0\n"  # else systemd starts it ever more slowly: see the unit
DROP_IN = f"/run/systemd/system/{UNIT}.d/kills.conf"
KILLER = Path(__file__).parent / "guest" / "kills" / "kill-daemon"
SEED = 1


@pytest.fixture
def quick(guest: Guest) -> Guest:
    guest.vm.push(KILLER, "/usr/local/sbin/kill-daemon")
    guest.vm.write(DROP_IN, QUICK)
    guest.check("systemctl daemon-reload")
    return guest


def kill_often(guest: Guest, count: int, *pfs: str) -> tuple[int, int, float]:
    """Kill it at random moments; kills, losses of VFs, and when the last loss was."""
    command = f"python3 /usr/local/sbin/kill-daemon {count} 240 {SEED} {' '.join(pfs)}"
    kills, losses, lost_at = guest.check(command, timeout_seconds=400).split()
    return int(kills), int(losses), float(lost_at)


@pytest.mark.long
def test_a_hundred_kills_at_random_moments_lose_no_vf_and_no_restart(quick: Guest) -> None:
    quick.configure(address_rule(PF1, 2), address_rule(PF2, 3))
    quick.settle({PF1: 2, PF2: 3})
    before, vfs = starts_of_both(quick), quick.vf_incarnations(PF2)
    kills, losses, lost_at = kill_often(quick, 80, PF1)
    quick.settle({PF1: 2, PF2: 3})
    quick.make_pass()
    after = starts_of_both(quick)
    assert quick.vf_incarnations(PF2) == vfs  # nobody has taken these
    for log, was, now in zip((NOVA, AGENT), before, after, strict=True):
        last = quick.starts(log)[-1]
        assert float(last.split()[0]) > lost_at
        assert last.endswith(f" {PF1}=2 {PF2}=3")
        assert now - was <= losses
    idle_kills, *_ = kill_often(quick, 25)
    quick.settle({PF1: 2, PF2: 3})
    quick.make_pass()
    assert starts_of_both(quick) == after  # with nothing changed there is nobody to restart
    assert kills + idle_kills >= 100
    assert "Traceback" not in quick.journal()
