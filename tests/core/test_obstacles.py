"""Why a device that is here offers no VFs: one row for each thing that can be told, and for what cannot."""

from typing import Unpack

import pytest
from msgspec import Struct

from builders import PF, PF2, PfValues, make_pf, make_rule
from sriov_bootstrap.core import obstacles
from sriov_bootstrap.core.obstacles import Function, Obstacle, Platform, why_absent
from sriov_bootstrap.core.sriov_chips import CAPABLE, INCAPABLE, VF_DRIVERS, WITH_SRIOV, WITHOUT_SRIOV, has_sriov

GUEST = Platform(is_guest=True)
WITHOUT = Platform(has_iov=False)
GUEST_WITHOUT = Platform(has_iov=False, is_guest=True)
LINUX = Platform(has_iov=True)
ENABLE = "enable SR-IOV for it in its own setup"


class Row(Struct, frozen=True):
    """A function on a platform, and what is said of it."""

    function: Function
    platform: Platform
    obstacle: Obstacle
    problem: str
    remedy: str


def nic(
    *,
    offers: str = "",
    chip_vfs: int | None = None,
    is_seen: bool = True,
    has_gaps: bool = False,
    **values: Unpack[PfValues],
) -> Function:
    """A NIC of an unknown chip."""
    facts: PfValues = {"total_vfs": 0, "vendor_id": "1234", "device_id": "5678", "driver": "acme"}
    pf = make_pf(**(facts | values))
    return Function(pf, offers=offers, is_seen=is_seen, total_vfs=chip_vfs, has_gaps=has_gaps)


CONNECTX = nic(driver="mlx5_core", vendor_id="15b3", device_id="101d")
ROWS = {
    "a VF of this host": Row(
        Function(make_pf(total_vfs=0), physfn=PF2),
        LINUX,
        Obstacle.IS_VF,
        "it is a VF, which cannot have VFs",
        f'match its PF: match = {{ pci_address = "{PF2}" }}',
    ),
    "a VF that a VM was given": Row(
        nic(driver="iavf"), GUEST, Obstacle.IS_VF, "it is a VF that this machine was given", obstacles.ON_THE_HOST
    ),
    "a PF that is no NIC": Row(
        Function(make_pf(is_nic=False, netdevs=(), total_vfs=32), offers="32"),
        LINUX,
        Obstacle.UNNAMED,
        "it offers 32 VFs, but is not a NIC",
        f'name it by its address: match = {{ pci_address = "{PF}" }}',
    ),
    "a dead device": Row(
        Function(make_pf(total_vfs=0), is_dead=True), LINUX, Obstacle.DEAD, "it does not answer", "journalctl -k -g"
    ),
    "the driver offers none": Row(
        nic(offers="0", chip_vfs=8), LINUX, Obstacle.SWITCHED_OFF, "SR-IOV is disabled: its firmware or driver", ENABLE
    ),
    "garbage in sriov_totalvfs": Row(
        nic(offers="x"), LINUX, Obstacle.SWITCHED_OFF, "SR-IOV is disabled: its firmware or driver", ENABLE
    ),
    "the driver offers none in a VM": Row(
        nic(offers="0"), GUEST, Obstacle.HYPERVISOR, "SR-IOV is disabled for it on the host", obstacles.ON_THE_HOST
    ),
    "TotalVFs 0": Row(nic(chip_vfs=0), LINUX, Obstacle.SWITCHED_OFF, "SR-IOV is disabled in its firmware", ENABLE),
    "TotalVFs 0 in a VM": Row(
        nic(chip_vfs=0), GUEST, Obstacle.HYPERVISOR, "SR-IOV is disabled for it on the host", obstacles.ON_THE_HOST
    ),
    "a kernel without": Row(
        nic(chip_vfs=8), WITHOUT, Obstacle.KERNEL, "this kernel was built without SR-IOV", obstacles.WITH_IOV
    ),
    "a kernel without, in a VM that sees the capability": Row(
        nic(chip_vfs=8), GUEST_WITHOUT, Obstacle.KERNEL, "this kernel was built without SR-IOV", obstacles.WITH_IOV
    ),
    "a kernel that gave up": Row(
        nic(chip_vfs=8),
        LINUX,
        Obstacle.KERNEL,
        "the kernel does not expose its SR-IOV",
        f"check the kernel log: journalctl -k -g {PF}",
    ),
    "a kernel that is not known": Row(
        nic(chip_vfs=8),
        Platform(),
        Obstacle.KERNEL,
        "the kernel does not expose its SR-IOV",
        f"check the kernel log: journalctl -k -g {PF}; and whether the kernel has CONFIG_PCI_IOV=y",
    ),
    "a kernel without, not as root": Row(
        nic(is_seen=False), WITHOUT, Obstacle.KERNEL, "this kernel was built without SR-IOV", obstacles.WITH_IOV
    ),
    "not as root": Row(nic(is_seen=False), LINUX, Obstacle.NO_CAPABILITY, "it offers no VFs", "run doctor as root"),
    "a chip without": Row(
        nic(driver="igb", vendor_id="8086", device_id="1533"),
        LINUX,
        Obstacle.NO_CAPABILITY,
        "its chip has no SR-IOV",
        obstacles.NO_OTHER_WAY,
    ),
    "a chip without, not as root, in a VM": Row(
        nic(driver="e1000", is_seen=False),
        GUEST,
        Obstacle.NO_CAPABILITY,
        "its chip has no SR-IOV",
        obstacles.NO_OTHER_WAY,
    ),
    "firmware that hides it": Row(
        CONNECTX,
        LINUX,
        Obstacle.SWITCHED_OFF,
        "SR-IOV is disabled in its firmware",
        f"mlxconfig -d {PF} set SRIOV_EN=1",
    ),
    "firmware that hides it, another vendor": Row(
        nic(driver="ixgbe", vendor_id="8086", device_id="10fb"),
        WITHOUT,
        Obstacle.SWITCHED_OFF,
        "SR-IOV is disabled in its firmware",
        ENABLE,
    ),
    "an unknown chip": Row(
        nic(),
        LINUX,
        Obstacle.NO_CAPABILITY,
        "it has no SR-IOV: the chip does not",
        f"if the chip supports it, {ENABLE}",
    ),
    "a hypervisor that took it out": Row(
        nic(has_gaps=True),
        GUEST,
        Obstacle.HYPERVISOR,
        "this host is a VM, and its hypervisor hides the device's SR-IOV",
        "",
    ),
    "a hypervisor that hides a known chip's": Row(
        CONNECTX, GUEST, Obstacle.HYPERVISOR, "this host is a VM", obstacles.ON_THE_HOST
    ),
    "a hypervisor, an accelerator, a kernel without": Row(
        nic(has_gaps=True, is_nic=False, netdevs=()), GUEST_WITHOUT, Obstacle.HYPERVISOR, "this host is a VM", ""
    ),
    "a hypervisor and a kernel without, not as root": Row(
        nic(is_seen=False),
        GUEST_WITHOUT,
        Obstacle.HYPERVISOR,
        "this host is a VM, and its hypervisor hides the device's SR-IOV, if it has any; this kernel was built without",
        obstacles.ON_THE_HOST,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_why_a_device_offers_no_vfs(name: str) -> None:
    row = ROWS[name]
    absence = why_absent(row.function, row.platform, make_rule())
    assert absence.obstacle is row.obstacle
    assert absence.problem.startswith(row.problem)
    assert absence.remedy.startswith(row.remedy or obstacles.ON_THE_HOST)
    assert absence.evidence


@pytest.mark.parametrize("function", [row.function for row in ROWS.values()])
def test_no_remedy_in_a_vm_is_one_that_a_vm_has_no_means_for(function: Function) -> None:
    remedy = why_absent(function, GUEST_WITHOUT, make_rule()).remedy
    assert not any(word in remedy for word in ("mlxconfig", "setup", "BIOS", "reseat", "power-cycle"))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            nic(has_gaps=True),
            "no SR-IOV capability in its config space, but null capabilities, where some were taken out",
        ),
        (nic(), "no SR-IOV capability in its config space; CONFIG_PCI_IOV is not set in this kernel"),
        (nic(is_seen=False), "there is no file sriov_totalvfs; CONFIG_PCI_IOV is not set in this kernel"),
    ],
)
def test_what_shows_that_a_hypervisor_hides_it(function: Function, words: str) -> None:
    assert words in why_absent(function, GUEST_WITHOUT, make_rule()).evidence


def test_mlxconfig_is_told_the_number_of_the_rule() -> None:
    assert "NUM_OF_VFS=4," in why_absent(CONNECTX, LINUX, make_rule()).remedy
    assert "NUM_OF_VFS=N," in why_absent(CONNECTX, LINUX, make_rule(num_vfs="max")).remedy


def test_what_only_this_host_can_change_is_fixable() -> None:
    fixable = {row.obstacle for row in ROWS.values() if why_absent(row.function, row.platform, make_rule()).is_fixable}
    assert fixable == {Obstacle.SWITCHED_OFF, Obstacle.KERNEL}


def test_a_function_is_called_by_address_and_netdev() -> None:
    assert str(nic()) == f"{PF} (ens1f0)"
    assert str(nic(netdevs=())) == PF


def test_the_tables_of_chips_do_not_contradict_each_other() -> None:
    assert not (WITH_SRIOV & WITHOUT_SRIOV | WITH_SRIOV & VF_DRIVERS | WITHOUT_SRIOV & VF_DRIVERS)
    for driver in CAPABLE:
        capable, incapable = CAPABLE[driver].split(), INCAPABLE[driver].split()
        assert len({*capable, *incapable}) == len(capable) + len(incapable)
        for chip in capable + incapable:
            pf = make_pf(driver=driver, vendor_id="8086", device_id=chip)
            assert has_sriov(pf) is (chip in capable)
    assert has_sriov(make_pf(driver="igb", vendor_id="8086", device_id="ffff")) is None
    assert has_sriov(make_pf(driver="igb", vendor_id="1234", device_id="1533")) is None
