"""Who has probably overwritten a number."""

import pytest

from sriov_bootstrap.core.suspects import Suspect, likeliest, name_breakers, name_suspects

LINK = Suspect("udev, by the .link file", "/etc/systemd/network/10-a.link:4", (3,), remedy="remove it")
PROFILE = Suspect("NetworkManager, by the profile", "/etc/NetworkManager/system-connections/a.nmconnection:9", (0,))
SCRIPT = Suspect("the script", "/etc/rc.local:2", (3,), names_pf=False)
UNIT = Suspect("systemd, by the unit", "/etc/systemd/system/vfs.service:7")
EITHER = Suspect("netplan, by", "/etc/netplan/a.yaml:5", (2, 5))
STRANGER = Suspect("the script", "/etc/rc.local:3", names_pf=False)


@pytest.mark.parametrize(
    ("suspects", "found", "named"),
    [
        ((PROFILE, SCRIPT, UNIT, LINK), 3, (LINK,)),
        ((PROFILE, SCRIPT, UNIT), 3, (SCRIPT,)),
        ((PROFILE, UNIT), 3, (UNIT,)),
        ((LINK, EITHER), 5, (EITHER,)),
        ((LINK, PROFILE, EITHER), 7, ()),
        ((STRANGER,), 7, ()),
        ((), 7, ()),
    ],
)
def test_what_sets_that_number_for_that_pf_comes_first(
    suspects: tuple[Suspect, ...], found: int, named: tuple[Suspect, ...]
) -> None:
    assert likeliest(suspects, found) == named


def test_whatever_sets_the_number_of_that_pf_may_have_removed_its_vfs() -> None:
    suspects = {"0000:3b:00.0": (LINK, SCRIPT, UNIT), "0000:3b:00.1": (SCRIPT,)}
    assert name_breakers(suspects, ["0000:3b:00.0", "0000:3b:00.1", "0000:5e:00.0"]) == {
        "0000:3b:00.0": f"{LINK} or {UNIT}"
    }


def test_a_few_are_named_and_nobody_is_no_word() -> None:
    assert name_suspects(()) == ""
    assert name_suspects((LINK,)) == ": probably udev, by the .link file /etc/systemd/network/10-a.link:4"
    assert name_suspects((LINK, UNIT)).endswith("10-a.link:4 or systemd, by the unit /etc/systemd/system/vfs.service:7")
