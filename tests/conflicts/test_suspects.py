"""What may have overwritten the number of a PF, from what files say."""

import pytest

from builders import PF, PF2, make_config, make_netdev, make_pf, make_rule
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.conflicts.suspects import suspects_of
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.suspects import Suspect
from sriov_bootstrap.render.host import Host

CONFIG = make_config(make_rule(num_vfs=4))
PFS = make_pf(), make_pf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),))
HOST = Host(CONFIG, resolve(CONFIG, PFS), PFS)
MINE, OTHER = (Match(netdev="ens1f0"),), (Match(netdev="ens1f1"),)


def master(
    kind: Format, devices: tuple[Match, ...], num_vfs: int | None = None, *, possible: tuple[int, ...] = ()
) -> Master:
    return Master(kind, "/etc/f", 3, "text", devices, num_vfs, remedy="remove it", possible=possible)


@pytest.mark.parametrize(
    ("one", "suspect"),
    [
        (master(Format.LINK, MINE, 3), Suspect("udev, by the .link file", "/etc/f:3", (3,), remedy="remove it")),
        (master(Format.TUNED, MINE), Suspect("tuned, by", "/etc/f:3", (), remedy="remove it")),
        (
            master(Format.NETPLAN, MINE, possible=(2, 4)),
            Suspect("netplan, by", "/etc/f:3", (2, 4), remedy="remove it"),
        ),
        (
            master(Format.SCRIPT, (), 2),
            Suspect("the script", "/etc/f:3", (2,), names_pf=False, remedy="remove it"),
        ),
        (master(Format.SCRIPT, ()), None),
        (
            master(Format.NETWORK_MANAGER, MINE, 4),
            Suspect("NetworkManager, by the profile", "/etc/f:3", (4, 0), remedy="remove it"),
        ),
        (
            master(Format.NETWORK_MANAGER, MINE, 0),
            Suspect("NetworkManager, by the profile", "/etc/f:3", (0,), remedy="remove it"),
        ),
        (master(Format.NETWORK_MANAGER, OTHER, 4), None),
        (master(Format.SCRIPT, MINE, 4), None),
        (master(Format.SCRIPT, OTHER, 2), None),
        (master(Format.DRIVERCTL, MINE), None),
    ],
)
def test_whatever_sets_another_number_or_one_that_is_not_known(one: Master, suspect: Suspect | None) -> None:
    assert suspects_of(HOST, [one]) == ({PF: (suspect,)} if suspect else {})


def test_a_rule_without_a_pf_has_no_number_that_could_be_overwritten() -> None:
    assert suspects_of(Host(CONFIG, resolve(CONFIG, ()), ()), [master(Format.LINK, MINE, 3)]) == {}


def test_there_is_an_end_to_them() -> None:
    masters = [master(Format.SCRIPT, MINE, number) for number in range(5, 105)]
    assert len(suspects_of(HOST, masters)[PF]) == 16
