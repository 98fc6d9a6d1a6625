"""Somebody else writes another number of VFs, too: he is not fought, and ours holds when he has ended."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .host import DEADLINE_SECONDS, DEVICES, FINDINGS_FILE, PF1, PF2, Guest, address_rule

WANTED = 3
HIS_SECONDS = 60
LINK = "/etc/systemd/network/10-lab.link"
LONGEST_PAUSE_SECONDS = 300.0
WRITE = f"{PF1}: set sriov_numvfs from "
PAUSE = re.compile(r"it is written again after (\d+) s")

# Writes his number whenever it is not there: 0 first, as every guide says. By uptime: other tests set the clock.
RIVAL = f"""\
cd {DEVICES}/{PF1} || exit
now() {{ cut -d. -f1 /proc/uptime; }}
end=$(($(now) + {HIS_SECONDS}))
while [ "$(now)" -lt $end ]; do
    if [ "$(ls -d virtfn* 2>/dev/null | wc -l)" -ne 1 ]; then echo 0 >sriov_numvfs; echo 1 >sriov_numvfs; fi
    sleep 0.2
done
"""


@contextmanager
def rival(guest: Guest) -> Iterator[None]:
    """Let him write beside the test, until he ends by himself or the test does."""
    guest.vm.write("/run/rival", RIVAL)
    with guest.running("rival", "sh /run/rival"):
        yield


def has_ended(guest: Guest) -> bool:
    return guest.run("systemctl is-active --quiet lab-test-rival").rc != 0


def writes_in_pauses(journal: str) -> list[str]:
    """Ours before the pause is over; none holds back what looks like a loss, as when he has only written his 0."""
    found, until = [], 0.0
    for line in journal.splitlines():
        at = float(line[1:].partition("]")[0])
        if "VFs disappeared" in line:
            until = 0.0
        elif WRITE in line and at < until:
            found.append(line)
        elif pause := PAUSE.search(line):
            until = at + int(pause[1]) - 1.0  # it began before the line was written
    return found


def test_who_sets_another_number_for_a_while_is_not_fought_and_ours_holds_when_he_ends(guest: Guest) -> None:
    guest.configure(address_rule(PF1, WANTED), address_rule(PF2))
    before = guest.settle({PF1: WANTED, PF2: 7})
    assert before.series("sriov_pf_contested_total", pci_address=PF1)  # 0, and not nothing
    others = guest.vf_incarnations(PF2)
    guest.forget_journal()
    with rival(guest):
        scrape = guest.wait_for_reason(PF1, "contested")
        assert scrape.reasons(PF2) == set()
        (pf,) = [one for one in guest.status()["pfs"] if one["pci_address"] == PF1]
        assert "the kernel reported no error" not in pf["message"]
        guest.until(lambda: has_ended(guest), "his end")
        journal = guest.journal(output="short-monotonic")
        assert WRITE in journal
        assert PAUSE.search(journal)
        assert writes_in_pauses(journal) == []
    # Nobody asks: no --once, no reload, and no event either, as he is quiet.
    deadline = LONGEST_PAUSE_SECONDS + DEADLINE_SECONDS
    guest.vm.wait_until(lambda: guest.vfs()[PF1] == WANTED, deadline_seconds=deadline, what="our number")
    after = guest.settle({PF1: WANTED, PF2: 7})
    counts = [one.value("sriov_pf_contested_total", pci_address=PF1) for one in (before, after)]
    assert counts[1] > counts[0]
    assert guest.vf_incarnations(PF2) == others
    assert "Traceback" not in guest.journal()


@pytest.mark.long
def test_a_link_file_that_udev_applies_again_is_named(guest: Guest) -> None:
    """udev writes 0, and then its number: a pass that comes in between sees a loss, a later one another number."""
    guest.vm.write(LINK, f"[Match]\nPath=pci-{PF1}\n[Link]\nNamePolicy=keep\nSR-IOVVirtualFunctions=1\n")
    guest.check("udevadm control --reload")
    guest.make_pass()
    guest.until(lambda: LINK in guest.vm.peek(FINDINGS_FILE), "doctor's look, a minute after the pass")
    guest.check(f"udevadm trigger --settle --action=add /sys/class/net/{guest.netdev(PF1)}")
    guest.until(lambda: f"udev, by the .link file {LINK}:5" in guest.journal(), "his name")
    guest.settle({PF1: 7, PF2: 7})


@pytest.mark.long
def test_who_asks_for_a_try_need_not_wait(guest: Guest) -> None:
    guest.configure(address_rule(PF1, WANTED), address_rule(PF2))
    guest.settle({PF1: WANTED, PF2: 7})
    with rival(guest):
        guest.wait_for_reason(PF1, "contested")
        guest.until(lambda: "3 times so far" in guest.journal() or has_ended(guest), "a pause of 30 s, or his end")
    done = guest.once()
    assert done.rc == 0, done
    assert guest.vfs()[PF1] == WANTED
