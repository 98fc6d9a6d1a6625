"""Real NetworkManager beside us: it is named where it changes a PF's VFs, and leaves those alone that it shall.

It sets a profile's number when it activates it, and 0 when it deactivates it or is restarted; it does not look again.
"""

import re

import pytest

from .binding import ALONE, bound
from .conftest import FLAVOUR
from .host import DEVICES, FINDINGS_FILE, PF1, PF2, Guest, address_rule
from .rootfs import SID

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(FLAVOUR is not SID, reason="the guest of make test-sid has it"),
    pytest.mark.timeout(1200),  # with the first start of NetworkManager and doctor's look
]

AT_WORK = "network-manager"  # a snapshot
PROFILES = "/etc/NetworkManager/system-connections"
OURS, OTHER = f"{PROFILES}/ours.nmconnection", f"{PROFILES}/other.nmconnection"
KEEP_FILE, KEEP = "/etc/NetworkManager/conf.d/keep.conf", "[connection]\nsriov.preserve-on-down=1\n"
WANTED = {PF1: 3, PF2: 2}
LOOK_SECONDS = 300  # doctor's, beside NetworkManager
RULE = re.compile(r"SB-W221.*?remedy: +(sriov-bootstrap render udev --write) \(\S+\), then (.*?); and for", re.DOTALL)
WORD = re.compile(r"SB-W221.*?remedy: +NetworkManager does not let go .*?: (for .*?)\n", re.DOTALL)
CONTESTED = re.compile(r"SB-E718  .*? 1 VF where 2 are asked for.*?probably (.*?)\n.*?remedy: (.*?)\n", re.DOTALL)
# As by a program that sees to it that the profile is active: whether each of them succeeds depends on who is quicker.
AGAIN = "for round in $(seq 20); do nmcli --wait 20 connection up other; sleep 1; done\n"


def profile(name: str, netdev: str, sriov: str | None, *, connects: bool) -> str:
    head = f"[connection]\nid={name}\ntype=ethernet\ninterface-name={netdev}\nautoconnect={str(connects).lower()}\n"
    section = "" if sriov is None else f"[sriov]\n{sriov}\n"
    return f"{head}[ethernet]\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n{section}"


def write(guest: Guest, path: str, text: str) -> None:
    guest.vm.write(path, text)
    guest.check(f"chmod 600 {path}")


def wait_for_look(guest: Guest, words: str) -> None:
    """Let doctor look again: what it has found is what is named later."""
    guest.make_pass()
    guest.until(lambda: words in guest.vm.peek(FINDINGS_FILE), "doctor's look, a minute after the pass")


@pytest.fixture(scope="module")
def saved_managed(saved_guest: Guest) -> Guest:
    """NetworkManager has activated a profile with our number for one PF, and knows one with another for the second."""
    guest = saved_guest
    guest.restore()
    guest.configure(address_rule(PF1, WANTED[PF1]), bound(PF2, WANTED[PF2]), services=ALONE)
    guest.settle(WANTED)
    write(guest, OURS, profile("ours", guest.netdev(PF1), "total-vfs=3", connects=True))
    write(guest, OTHER, profile("other", guest.netdev(PF2), "total-vfs=1", connects=False))
    guest.check("systemctl unmask NetworkManager && systemctl start NetworkManager", timeout_seconds=300)
    guest.until(lambda: "ours" in guest.check("nmcli -t -f NAME connection show --active"), "an active profile")
    wait_for_look(guest, OTHER)
    guest.settle(WANTED)
    guest.forget_journal()
    guest.save(AT_WORK)
    return guest


@pytest.fixture
def guest(saved_managed: Guest) -> Guest:
    saved_managed.restore(AT_WORK)
    return saved_managed


def named(guest: Guest, path: str) -> str:
    """Wait until the journal has named the profile, and return the line."""
    words = re.compile(rf".*(?:probably|perhaps) NetworkManager, by the profile {re.escape(path)}:\d+.*")
    lines: list[str] = guest.until(lambda: words.findall(guest.journal()), f"the name of {path}")
    return lines[0]


def doctor(guest: Guest) -> str:
    return guest.run("sriov-bootstrap doctor", timeout_seconds=LOOK_SECONDS).stdout


def place_of_section(path: str, text: str) -> str:
    return f"{path}:{text.split(chr(10)).index('[sriov]') + 1}"


def state(guest: Guest, netdev: str) -> str:
    return guest.check(f"nmcli -g GENERAL.STATE device show {netdev}")


def vf_netdevs(guest: Guest) -> list[str]:
    paths = guest.vm.paths(f"{DEVICES}/{PF2}/virtfn*/net/*")
    return sorted(path.rpartition("/")[2] for path in paths)


def test_a_profile_with_our_own_number_is_named_when_it_goes_down(guest: Guest) -> None:
    guest.check("nmcli connection down ours", timeout_seconds=180)
    assert "3 VFs disappeared" in named(guest, OURS)
    guest.settle(WANTED)


@pytest.mark.parametrize(("keep", "is_lost"), [("", True), (KEEP, False)], ids=["as it is", "preserve-on-down"])
def test_a_profile_that_lost_its_section_while_active_sets_0_once_more(
    guest: Guest, keep: str, *, is_lost: bool
) -> None:
    """It goes by what it was activated with. Only what applies where it says nothing itself can still be changed."""
    write(guest, OURS, profile("ours", guest.netdev(PF1), None, connects=True))
    guest.check("nmcli connection reload")
    if keep:
        guest.vm.write(KEEP_FILE, keep)
        guest.check("nmcli general reload conf")
    for expected in (is_lost, False):
        before = guest.vf_incarnations(PF1)
        guest.check("nmcli connection up ours", timeout_seconds=180)
        guest.settle(WANTED)
        assert (guest.vf_incarnations(PF1) != before) is expected


def test_vfs_are_back_after_a_restart_of_network_manager(guest: Guest) -> None:
    before = guest.vf_incarnations(PF1)
    guest.check("systemctl restart NetworkManager", timeout_seconds=300)
    guest.until(lambda: "ours" in guest.run("nmcli -t -f NAME connection show --active").stdout, "the profile")
    guest.settle(WANTED)
    if guest.vf_incarnations(PF1) != before:
        assert "disappeared" in named(guest, OURS)


def test_a_profile_that_sets_another_number_again_and_again_is_named_with_what_to_do_and_ours_holds(
    guest: Guest,
) -> None:
    guest.vm.write("/run/again", AGAIN)
    with guest.running("again", "sh /run/again"):
        named(guest, OTHER)
        found = guest.until(lambda: CONTESTED.search(doctor(guest)), "SB-E718")
        assert found
        assert f"NetworkManager, by the profile {OTHER}:" in found[1]
        assert "the section [sriov]" in found[2]
    assert guest.once().rc == 0
    guest.settle(WANTED)


def test_a_profile_with_an_empty_section_is_named_for_the_loss_and_ours_holds(guest: Guest) -> None:
    empty = profile("other", guest.netdev(PF2), "", connects=False)
    write(guest, OTHER, empty)
    guest.check("nmcli connection reload")
    assert "[sriov] without total-vfs, which means 0" in doctor(guest)
    wait_for_look(guest, place_of_section(OTHER, empty))  # the daemon keeps places of what it found, and no more
    guest.run("nmcli connection up other", timeout_seconds=180)  # fails if ours are quicker
    assert "2 VFs disappeared" in named(guest, OTHER)
    guest.settle(WANTED)


def test_vfs_by_dhcp_are_found_and_the_remedy_holds_also_for_one_that_comes_back(guest: Guest) -> None:
    names = vf_netdevs(guest)
    guest.until(lambda: all("connecting" in state(guest, name) for name in names), "DHCP on each VF")
    found = doctor(guest)
    assert f"NetworkManager manages 2 netdevs of its VFs: {', '.join(names)}" in found
    # One half: it has no effect on what is managed already, and the finding shows the other.
    rule = RULE.search(found)
    assert rule
    for command in rule.groups():
        guest.check(command)
    word = WORD.search(doctor(guest))
    assert word
    guest.check(word[1])
    guest.until(lambda: all("unmanaged" in state(guest, name) for name in names), "VFs that are left alone")
    assert "SB-W221" not in doctor(guest)
    # As when a VM gives it back: another netdev, of the same device.
    vf = guest.check(f"basename $(readlink {DEVICES}/{PF2}/virtfn0)").strip()
    guest.check(f"echo {vf} >{DEVICES}/{vf}/driver/unbind; echo {vf} >/sys/bus/pci/drivers_probe")
    guest.until(lambda: vf_netdevs(guest) == names, "its netdev")
    guest.until(lambda: all("unmanaged" in state(guest, name) for name in names), "a VF that is left alone")
    assert "inet" not in guest.check(f"ip -br address show dev {names[0]}")
