"""What is meant by a netdev that does not exist."""

import pytest

from builders import PF, PF2, PF3, make_netdev, make_pf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.netdev_names import UPGRADES, NetdevNames


def card(*names: str) -> tuple[PfFacts, ...]:
    """A port for each name, and no more than three."""
    pairs = zip((PF, PF2, PF3), names, strict=False)
    return tuple(make_pf(pci_address=address, netdevs=(make_netdev(name=name),)) for address, name in pairs)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("port-a", ": it is an altname of ens1f0 (0000:3b:00.0), and nova does not accept altnames"),
        ("ens1f0np0", f": did you mean ens1f0 (0000:3b:00.0)? {UPGRADES}"),
        ("ens1f0" + "np0" * 100, ""),  # longer than any netdev can have been called
        ("ens1g0", ": did you mean ens1f0 (0000:3b:00.0)?"),
        ("bond0", ""),
    ],
)
def test_why_a_netdev_is_not_found(name: str, why: str) -> None:
    pf = make_pf(netdevs=(make_netdev(altnames=("port-a",)),))
    assert NetdevNames((pf,)).why_unknown(name, "nova") == why


@pytest.mark.parametrize(
    ("now", "name", "question"),
    [
        (("ens1f0np0", "ens1f1np1"), "ens1f0", f"did you mean ens1f0np0 ({PF})? {UPGRADES}"),
        (("ens1f0np0", "ens1f1np1"), "ens1f1", f"did you mean ens1f1np1 ({PF2})? {UPGRADES}"),
        (("ens1f0", "ens1f1"), "ens1f1np1", f"did you mean ens1f1 ({PF2})? {UPGRADES}"),
        (("enp2s0f0np0", "enp2s0f1np1"), "enp2s0f1", f"did you mean enp2s0f1np1 ({PF2})? {UPGRADES}"),
        (("ens1f0", "ens1f1"), "enp59s0f1", f"did you mean ens1f1 ({PF2})? {UPGRADES}"),
        (("ens1f0", "ens1f1"), "enp59s0f1np1", f"did you mean ens1f1 ({PF2})? {UPGRADES}"),
        (("ens1f0", "ens1f1"), "enP0p59s0f0", f"did you mean ens1f0 ({PF})? {UPGRADES}"),
        (("ibs1", "eth1"), "ibp59s0", f"did you mean ibs1 ({PF})? {UPGRADES}"),
        (("ens1f0", "ens1f1"), "enp60s0f0", ""),  # another bus
        (("ens1f0", "ens1f1"), "enp999s99f0", ""),  # no bus
        (("ens1f0", "ens1f1"), "ens1f2", ""),  # one as likely as the other
        (("ens1f0", "bond7"), "ens1f2", f"did you mean ens1f0 ({PF})?"),
        (("eth0", "eth1"), "ens1f0", ""),
        ((), "ens1f0", ""),
    ],
)
def test_what_is_meant_by_a_name(now: tuple[str, ...], name: str, question: str) -> None:
    assert NetdevNames(card(*now)).question(name) == question


def test_an_altname_is_no_name_in_sys_and_means_its_netdev() -> None:
    pf = make_pf(netdevs=(make_netdev(altnames=("port-a",)),))
    assert NetdevNames((pf,)).question("port-a") == f"did you mean ens1f0 ({PF})?"
