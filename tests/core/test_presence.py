"""Which devices a rule without a PF may mean, and what is said of them."""

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PF3, make_netdev, make_pf, make_rule
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.obstacles import Function, Platform
from sriov_bootstrap.core.presence import (
    Inventory,
    StrayNetdev,
    absences,
    are_final,
    is_meant,
    is_virtual,
    message_of,
    nothing_remedy,
    parse_kernel_config,
)

BARE = make_pf(total_vfs=0)
SERIAL = "3c-fd-fe-ff-ff-aa-bb-00"
ACCELERATOR = make_pf(
    pci_address="0000:6b:00.0", total_vfs=0, is_nic=False, driver="qat", vendor_id="8086", device_id="4940", netdevs=()
)


@pytest.mark.parametrize(
    ("text", "has_iov"),
    [
        ("CONFIG_PCI=y\nCONFIG_PCI_IOV=y\n", True),
        ("CONFIG_PCI=y\n# CONFIG_PCI_IOV is not set\n", False),
        ("CONFIG_PCI=y\nCONFIG_X=m\n", False),  # hidden by what it depends on
        ("# CONFIG_PCI_IOV is not set\n", False),
        ("", None),
        ("\x1f\x8b garbage", None),
        ("# CONFIG_PCI_IOV=y\n", None),
    ],
)
def test_whether_a_kernel_has_sr_iov(text: str, *, has_iov: bool | None) -> None:
    assert parse_kernel_config(text) is has_iov


@pytest.mark.parametrize(
    ("names", "is_vm"),
    [
        (("QEMU", "KVM Virtual Machine"), True),
        (("Microsoft Corporation", "Virtual Machine"), True),
        (("VMware, Inc.", "VMware20,1"), True),
        (("Amazon EC2", "c6g.metal"), False),
        (("HPE", "ProLiant RL300 Gen11"), False),
        (("", ""), False),
    ],
)
def test_what_the_firmware_calls_a_vm(names: tuple[str, ...], *, is_vm: bool) -> None:
    assert is_virtual(names) is is_vm


@pytest.mark.parametrize(
    ("match", "function", "is_it"),
    [
        (Match(driver="igb"), BARE, True),
        (Match(netdev="ens1f0"), BARE, True),
        (Match(mac="3c:fd:fe:aa:bb:00"), BARE, True),
        (Match(netdev="ens2"), BARE, False),
        (Match(pci_address="0000:6b:00.0"), ACCELERATOR, True),
        (Match(vendor_id="8086", device_id="4940"), ACCELERATOR, True),
        (Match(driver="qat"), ACCELERATOR, True),
        (Match(driver="*"), ACCELERATOR, False),
        (Match(vendor_id="8086"), ACCELERATOR, False),
        (Match(pci_address="0000:6b:*"), ACCELERATOR, False),
        (Match(vendor_id="8086"), replace(ACCELERATOR, total_vfs=16), True),
        (Match(netdev="ib0"), replace(ACCELERATOR, netdevs=(make_netdev(name="ib0"),)), True),
    ],
)
def test_which_functions_a_rule_means(match: Match, function: Function, *, is_it: bool) -> None:
    assert is_meant(match, function) is is_it  # type: ignore[arg-type]


def test_a_message_names_the_first_nic_and_counts_the_others() -> None:
    rule = make_rule(match=Match(driver="igb"))
    functions = tuple(Function(replace(BARE, pci_address=address)) for address in (PF2, PF))
    devices = Inventory((Function(replace(BARE, is_nic=False, pci_address="0000:01:00.0")), *functions))
    (first, *_) = found = absences(rule, devices)
    assert first.function.facts.pci_address == PF
    assert message_of(rule, found) == (
        f'{PF} (ens1f0): it offers no VFs (matched by rule "tenant-a": driver igb); 2 more devices likewise'
    )
    assert message_of(rule, found[:1]).endswith("driver igb)")


NAMED = make_rule(match=Match(netdev="ens1f0"))
PFS = (
    make_pf(netdevs=(make_netdev(name="ens1f0np0"),)),
    make_pf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1np1"),)),
)


@pytest.mark.parametrize(
    ("devices", "remedy"),
    [
        pytest.param(
            Inventory(),
            f'did you mean ens1f0np0 ({PF})? Names change with upgrades; if so: match = {{ pci_address = "{PF}" }}',
            id="renamed",
        ),
        pytest.param(
            Inventory(strays=(StrayNetdev("ens1f0", "usb"),)),
            "ens1f0 is the netdev of no PCI function, so it has no VFs: it belongs to a device on the usb bus",
            id="USB",
        ),
        pytest.param(
            Inventory(strays=(StrayNetdev("ens1f0", lowers=("ens1f1np1", "eth5")),)),
            "ens1f0 is the netdev of no PCI function, so it has no VFs: it has no device of its own; "
            f'it is built on ens1f1np1: match = {{ pci_address = "{PF2}" }}',
            id="a bond",
        ),
        pytest.param(
            Inventory(strays=(StrayNetdev("ens1f0", lowers=("eth5",)),)),
            "ens1f0 is the netdev of no PCI function, so it has no VFs: it has no device of its own",
            id="a bond of others",
        ),
    ],
)
def test_what_a_name_means_that_no_pf_has(devices: Inventory, remedy: str) -> None:
    assert nothing_remedy(NAMED, PFS, devices) == remedy


def test_a_name_may_mean_a_nic_that_offers_no_vfs() -> None:
    functions = (
        Function(make_pf(netdevs=(make_netdev(name="ens1f0"),), pci_address=PF3), physfn=PF2),
        Function(make_pf(netdevs=(make_netdev(name="ens1f0np0"),))),
    )
    assert nothing_remedy(NAMED, (), Inventory(functions)).startswith(f"did you mean ens1f0np0 ({PF})?")
    assert not nothing_remedy(NAMED, (), Inventory(platform=Platform(is_guest=True)))


def test_a_pf_without_driver_may_be_the_one_that_a_rule_means() -> None:
    bare = make_pf(driver="", netdevs=())
    assert nothing_remedy(NAMED, (bare,), Inventory()).startswith(f"{PF} has no driver, and so no netdev: modprobe ")
    assert not nothing_remedy(make_rule(match=Match(pci_address=PF2)), (bare,), Inventory())


@pytest.mark.parametrize(
    ("match", "offers", "is_final"),
    [
        pytest.param(Match(pci_address=PF), "", True, id="by address"),
        pytest.param(Match(serial_number=SERIAL), "", True, id="by the card's number"),
        pytest.param(Match(pci_address=PF), "0", False, id="a driver or firmware that may change its mind"),
        pytest.param(Match(pci_address="0000:3b:*"), "", False, id="a glob, which may mean another as well"),
        pytest.param(Match(netdev="ens1f0"), "", False, id="a name, which another may be about to get"),
        pytest.param(Match(driver="igb"), "", False, id="a driver, which another may be about to get"),
    ],
)
def test_a_card_that_is_here_without_vfs_is_not_waited_for(match: Match, offers: str, *, is_final: bool) -> None:
    rule = make_rule(match=match)
    function = Function(replace(BARE, serial_number=SERIAL), offers=offers)
    found = absences(rule, Inventory((function,)))
    assert found
    assert are_final(rule, found) is is_final
