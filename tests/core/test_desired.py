"""Rules applied to PFs."""

import pytest

from builders import PF, PF2, PF3, make_config, make_netdev, make_pf, make_rule
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import DesiredPf, asks_for, matches, resolve
from sriov_bootstrap.core.facts import PfFacts

HERE = make_pf(netdevs=(make_netdev(altnames=("enp59s0f0",)), make_netdev(name="rep0", mac="02:00:00:00:00:01")))


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(netdev="ens1f0"), True),
        (Match(netdev="ens1*"), True),
        (Match(netdev="ENS1F0"), False),
        (Match(netdev="enp59s0f0"), True),
        (Match(netdev="rep0"), True),
        (Match(altname="enp59s0f0"), True),
        (Match(altname="ens1f0"), False),
        (Match(pci_address="0000:3b:00.[0-3]"), True),
        (Match(pci_address="0000:3b:00.1"), False),
        (Match(mac="3c:fd:fe:*"), True),
        (Match(driver="igb"), True),
        (Match(driver="ig"), False),
        (Match(vendor_id="8086", device_id="10c9"), True),
        (Match(vendor_id="8086", device_id="1572"), False),
        (Match(netdev="ens1f0", driver="ixgbe"), False),
    ],
    ids=str,
)
def test_every_selector_that_is_given_must_hold(match: Match, *, holds: bool) -> None:
    assert matches(match, HERE) is holds


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(pci_address=PF), True),
        (Match(pci_address=PF, driver="nv*"), True),
        (Match(vendor_id="144d", device_id="a824"), True),
        (Match(pci_address="0000:3b:*", vendor_id="144d", device_id="a824"), True),
        (Match(pci_address="0000:3b:00.?"), False),
        (Match(pci_address="0000:3b:00.[0]"), False),
        (Match(vendor_id="144d"), False),
        (Match(device_id="a824"), False),
        (Match(vendor_id="144d", device_id="a*"), False),
        (Match(vendor_id="*", device_id="a824"), False),
        (Match(driver="nvme"), False),
        (Match(netdev="*"), False),
        (Match(mac="*"), False),
        (Match(pci_address=PF, driver="igb"), False),
    ],
    ids=str,
)
def test_what_is_no_nic_is_taken_only_by_a_rule_that_names_it(match: Match, *, holds: bool) -> None:
    pf = make_pf(driver="nvme", vendor_id="144d", device_id="a824", netdevs=(), is_nic=False)
    assert matches(match, pf) is holds
    assert resolve(make_config(make_rule(match=match)), [pf])[0].pf == (pf if holds else None)


@pytest.mark.parametrize(
    ("match", "asks"),
    [
        (Match(pci_address=PF), True),
        (Match(pci_address=PF, netdev="x", altname="x", mac="x", driver="x"), True),
        (Match(pci_address=PF2), False),
        (Match(vendor_id="144d", device_id="a824"), True),
        (Match(vendor_id="144d", device_id="a825"), False),
        (Match(vendor_id="144d"), False),
        (Match(driver="nvme"), False),
    ],
    ids=str,
)
def test_it_is_read_where_a_rule_may_name_it(match: Match, *, asks: bool) -> None:
    assert asks_for(make_config(make_rule(match=match)), PF, "0x144d", "0xa824") is asks


@pytest.mark.parametrize(("driver", "holds"), [("virtio-pci", True), ("virtio_net", True), ("igb", False)])
def test_a_pf_is_also_found_by_the_driver_of_its_netdev(driver: str, *, holds: bool) -> None:
    pf = make_pf(driver="virtio-pci", netdevs=(make_netdev(device="virtio1", driver="virtio_net"),))
    assert matches(Match(driver=driver), pf) is holds


def test_a_pf_without_a_netdev_is_found_by_its_address() -> None:
    bare = make_pf(netdevs=(), driver="")
    assert matches(Match(pci_address=PF), bare)
    assert not matches(Match(netdev="*"), bare)


@pytest.mark.parametrize(
    ("num_vfs", "pf", "target"),
    [
        (3, make_pf(), 3),
        (3, None, 3),
        (32, make_pf(), 32),
        ("max", make_pf(), 7),
        ("max", make_pf(driver="", total_vfs=8), None),
        ("max", None, None),
        ("50%", make_pf(), 3),
        ("100%", make_pf(), 7),
        ("0%", make_pf(), 0),
        ("1%", make_pf(), 1),
    ],
)
def test_a_count_is_told_where_it_can_be_told(num_vfs: int | str, pf: PfFacts | None, target: int | None) -> None:
    assert DesiredPf(make_rule(num_vfs=num_vfs), pf).target == target


def test_the_first_rule_that_matches_wins_and_one_rule_takes_several_pfs() -> None:
    one, two, three = (make_pf(pci_address=address) for address in (PF, PF2, PF3))
    special = make_rule(name="special", match=Match(pci_address=PF2))
    general = make_rule(name="general", match=Match(driver="igb"))
    late = make_rule(name="late", match=Match(pci_address=PF3))
    wishes = resolve(make_config(special, general, late), [three, two, one])
    assert wishes == (
        DesiredPf(special, two),
        DesiredPf(general, one),
        DesiredPf(general, three),
        DesiredPf(late, lost=(PF3, "general")),
    )


TWO_PORTS = make_pf(
    netdevs=(
        make_netdev(name="enp4s0"),
        make_netdev(name="enp4s0d1", ifindex=3, mac="3c:fd:fe:aa:bb:01", altnames=("second",)),
        make_netdev(name="rep0", ifindex=9, is_representor=True),
    )
)


@pytest.mark.parametrize(
    ("match", "ports"),
    [
        (Match(netdev="enp4s0"), ["enp4s0"]),
        (Match(netdev="enp4s0d1"), ["enp4s0d1"]),
        (Match(netdev="second"), ["enp4s0d1"]),
        (Match(altname="sec*"), ["enp4s0d1"]),
        (Match(mac="3c:fd:fe:aa:bb:01"), ["enp4s0d1"]),
        (Match(netdev="enp4s0*"), ["enp4s0", "enp4s0d1"]),
        (Match(netdev="enp4s0", mac="3c:fd:fe:aa:bb:01"), ["enp4s0", "enp4s0d1"]),
        (Match(netdev="rep0"), ["enp4s0", "enp4s0d1"]),
        (Match(pci_address=PF), ["enp4s0", "enp4s0d1"]),
    ],
    ids=str,
)
def test_a_rule_finds_a_pf_by_each_of_its_ports_and_means_that_one(match: Match, ports: list[str]) -> None:
    (wish,) = resolve(make_config(make_rule(match=match)), [TWO_PORTS])
    assert (wish.pf, [dev.name for dev in wish.ports]) == (TWO_PORTS, ports)


def test_a_rule_that_comes_too_late_knows_which_one_was_first() -> None:
    rules = [make_rule(name=name, match=Match(netdev=name)) for name in ("enp4s0d1", "enp4s0", "ens1f0")]
    assert [(wish.pf, wish.lost, wish.ports == ()) for wish in resolve(make_config(*rules), [TWO_PORTS])] == [
        (TWO_PORTS, None, False),
        (None, (PF, "enp4s0d1"), True),
        (None, None, True),
    ]


def test_a_pf_without_a_rule_is_not_ours() -> None:
    assert resolve(make_config(), [make_pf()]) == ()


@pytest.mark.parametrize(
    ("match", "here", "holds"),
    [
        (Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00"), "3c-fd-fe-ff-ff-aa-bb-00", True),
        (Match(serial_number="3c-fd-fe-*"), "3c-fd-fe-ff-ff-aa-bb-00", True),
        (Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00", pci_address="*.1"), "3c-fd-fe-ff-ff-aa-bb-00", False),
        (Match(serial_number="3c-fd-fe-ff-ff-aa-bb-01"), "3c-fd-fe-ff-ff-aa-bb-00", False),
        (Match(serial_number="?*"), "", False),
        (Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00"), None, False),
    ],
    ids=str,
)
def test_a_card_is_found_by_its_serial_number(match: Match, here: str | None, *, holds: bool) -> None:
    assert matches(match, make_pf(serial_number=here)) is holds


def test_a_pf_is_held_still_while_its_serial_number_cannot_be_read() -> None:
    first = make_rule(name="first", match=Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00", driver="igb"))
    second = make_rule(name="second", match=Match(driver="*"))
    config = make_config(first, second)
    assert [wish.pf for wish in resolve(config, [make_pf(serial_number=None)])] == [None, None]
    assert [bool(wish.pf) for wish in resolve(config, [make_pf(serial_number="")])] == [False, True]
    assert [bool(wish.pf) for wish in resolve(config, [make_pf(serial_number=None, driver="ice")])] == [False, True]


def test_a_pf_is_held_still_while_its_altnames_are_unknown() -> None:
    by_name = make_rule(name="by-name", match=Match(altname="enp59s0f0", driver="igb"))
    by_driver = make_rule(name="by-driver", match=Match(driver="igb"))
    unknown = make_pf(altnames_known=False)
    assert resolve(make_config(by_name, by_driver), [unknown]) == (DesiredPf(by_name), DesiredPf(by_driver))
    assert resolve(make_config(by_driver), [unknown]) == (DesiredPf(by_driver, unknown),)
