"""What is known of drivers by name: a table, one row for each that differs from the rest.

A driver without a row creates VFs through sriov_numvfs if it is a PF's, and a netdev if it is a VF's. So a new NIC
needs no row unless its driver does something else.

This is part of the boot path. Which function of the kernel each cell was read from is in driver_sources.py, which is
not; docs/drivers.md shows both.
"""

import re
from enum import StrEnum
from functools import cache
from typing import Literal

from msgspec import Struct

# What a PF's driver may be able to set, or to count (stats), for each VF. Literal: an enum would cost the boot more.
VfAttribute = Literal[
    "mac",
    "vlan",
    "vlan_8021ad",
    "max_rate",
    "min_rate",
    "spoofchk",
    "trust",
    "link_state",
    "query_rss",
    "stats",
    "msix",
]

MODULE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}"  # the kernel takes 55 (MODULE_NAME_LEN)


class Role(StrEnum):
    """What a driver does with the device it is bound to."""

    NIC = "nic"
    TRANSPORT = "transport"  # creates no netdev: the device goes to another bus, or to a process
    VFIO = "vfio"  # reached through vfio, so only /proc tells who holds it
    PASSED_ON = "passed_on"  # for a user-space program or a VM; creates no VFs when sriov_numvfs is written


class Driver(Struct, frozen=True):
    """One driver, by its name in /sys.

    `vf_module`: the module for its VFs, "" if that is the same one. `max_vfs`: the limit of its parameter max_vfs, 0 if
    unknown; `above`: what it does with a larger number.

    `count_parameter`: the parameter from which alone it takes the number, when it is loaded.

    `up_first`: it creates no VFs while the PF's netdev is down. `count_flaps_link`: it takes the PF's link down and up
    for each change of the number. `rates_need_carrier`: it refuses a VF's rate while the PF has no carrier.
    `mode_before_count`: it changes the eswitch mode only while there are no VFs. `mode_before_binding`: VFs that have a
    driver by then make it slow, or break. `no_eswitch`: devlink can set no eswitch mode. `tells_lag`: debugfs tells
    whether a bond of its PFs is offloaded, before which VFs must not have a driver. `firmware_limit`: how many VFs
    there can be is up to the firmware or its settings. `kept_vfs`: it reports success for 0 and keeps VFs that were
    there before it was loaded. `accepts_and_makes_fewer`: it can report success although VFs are missing, or do not
    work.

    `attributes`: what it has an operation for, which firmware, chip or mode may still refuse; None if not known.
    `refused_by_switch`: those of them that it does not set in switchdev mode.
    """

    name: str
    role: Role = Role.NIC
    vf_module: str = ""
    max_vfs: int = 0
    above: str = ""
    count_parameter: str = ""
    up_first: bool = False
    count_flaps_link: bool = False
    rates_need_carrier: bool = False
    mode_before_count: bool = False
    mode_before_binding: bool = False
    no_eswitch: bool = False
    tells_lag: bool = False
    firmware_limit: bool = False
    kept_vfs: bool = False
    accepts_and_makes_fewer: bool = False
    attributes: frozenset[VfAttribute] | None = None
    refused_by_switch: tuple[VfAttribute, ...] = ()

    def can_set(self, attribute: VfAttribute) -> bool | None:
        """Whether it has the operation; None if nothing is known of this driver's attributes."""
        return None if self.attributes is None else attribute in self.attributes


_NONE: frozenset[VfAttribute] = frozenset()
_BASIC: frozenset[VfAttribute] = frozenset({"mac", "vlan"})
_USUAL: frozenset[VfAttribute] = _BASIC | {"max_rate", "spoofchk", "trust", "link_state"}

DRIVERS = (
    # Intel. igb has 8 pools and ixgbe 64, and one of them is the PF's.
    Driver(
        "igb",
        vf_module="igbvf",
        max_vfs=7,
        above="igb reduces it to 7 on every port",
        count_flaps_link=True,
        rates_need_carrier=True,
        kept_vfs=True,
        no_eswitch=True,
        attributes=_BASIC | {"max_rate", "spoofchk", "trust"},
    ),
    Driver(
        "ixgbe",
        vf_module="ixgbevf",
        max_vfs=63,
        above="ixgbe creates none at all",
        count_flaps_link=True,
        rates_need_carrier=True,
        no_eswitch=True,
        attributes=_USUAL | {"query_rss", "stats"},
    ),
    Driver(
        "i40e",
        vf_module="iavf",
        count_flaps_link=True,
        firmware_limit=True,
        no_eswitch=True,
        attributes=_USUAL | {"stats"},
    ),
    Driver(
        "ice",
        vf_module="iavf",
        mode_before_count=True,
        firmware_limit=True,
        attributes=_USUAL | {"vlan_8021ad", "min_rate", "stats", "msix"},
        refused_by_switch=("trust",),
    ),
    Driver("fm10k", no_eswitch=True, attributes=_BASIC | {"max_rate", "stats"}),
    Driver("idpf", firmware_limit=True, no_eswitch=True, attributes=_NONE),
    # NVIDIA, Broadcom, Emulex, Chelsio
    Driver(
        "mlx5_core",
        mode_before_binding=True,
        tells_lag=True,
        firmware_limit=True,
        accepts_and_makes_fewer=True,
        attributes=_USUAL | {"min_rate", "stats", "msix"},
        refused_by_switch=("vlan", "spoofchk", "trust", "link_state"),
    ),
    Driver("mlx4_core", count_parameter="num_vfs", no_eswitch=True),
    Driver("bnxt_en", up_first=True, accepts_and_makes_fewer=True, attributes=_USUAL | {"vlan_8021ad", "min_rate"}),
    Driver(
        "bnx2x",
        up_first=True,
        accepts_and_makes_fewer=True,
        no_eswitch=True,
        attributes=_BASIC | {"spoofchk", "link_state"},
    ),
    Driver(
        "be2net",
        count_flaps_link=True,
        rates_need_carrier=True,
        firmware_limit=True,
        accepts_and_makes_fewer=True,
        no_eswitch=True,
        attributes=_BASIC | {"max_rate", "spoofchk", "link_state"},
    ),
    Driver("cxgb4", rates_need_carrier=True, no_eswitch=True, attributes=_BASIC | {"max_rate", "link_state"}),
    # HiSilicon, Huawei, AMD Pensando, Netronome, QLogic, Solarflare, Marvell
    Driver("hns3", accepts_and_makes_fewer=True, no_eswitch=True, attributes=_USUAL),
    Driver("hinic", rates_need_carrier=True, no_eswitch=True, attributes=_USUAL | {"min_rate"}),
    Driver("ionic", no_eswitch=True, attributes=_USUAL | {"stats"}),
    Driver("nfp", firmware_limit=True, attributes=_USUAL | {"vlan_8021ad", "min_rate"}),
    Driver("qede", no_eswitch=True, attributes=_USUAL | {"min_rate"}),
    Driver("qlcnic", count_flaps_link=True, no_eswitch=True, attributes=_BASIC | {"max_rate", "min_rate", "spoofchk"}),
    Driver("sfc", no_eswitch=True, attributes=_BASIC | {"spoofchk", "link_state"}),
    Driver("LiquidIO", accepts_and_makes_fewer=True, attributes=_BASIC | {"spoofchk", "trust", "link_state", "stats"}),
    Driver("rvu_nicpf", attributes=_BASIC | {"trust"}),
    # Amazon, Microsoft, Wangxun
    Driver("ena", no_eswitch=True, attributes=_NONE),
    Driver("mana", no_eswitch=True, attributes=_NONE),
    Driver("ngbe", count_flaps_link=True, attributes=_NONE),
    Driver("txgbe", count_flaps_link=True, attributes=_NONE),
    # Its netdev is on another bus.
    Driver("virtio-pci", Role.TRANSPORT, no_eswitch=True, attributes=_NONE),
    Driver("virtio_vdpa", Role.TRANSPORT),
    Driver("vhost_vdpa", Role.TRANSPORT),
    # Vendor variants of vfio-pci, for Linux before 6.1 and for driverctl's files. What begins with vfio needs no row.
    Driver("mlx5_vfio_pci", Role.VFIO),
    Driver("nvgrace_gpu_vfio_pci", Role.VFIO),
    Driver("hisi_acc_vfio_pci", Role.VFIO),
    Driver("pds_vfio_pci", Role.VFIO),
    Driver("qat_vfio_pci", Role.VFIO),
    Driver("virtio_vfio_pci", Role.VFIO),
    Driver("ism_vfio_pci", Role.VFIO),
    Driver("xe-vfio-pci", Role.VFIO),
    Driver("pci-stub", Role.PASSED_ON),
    Driver("uio_pci_generic", Role.PASSED_ON),
    Driver("igb_uio", Role.PASSED_ON),
    Driver("pciback", Role.PASSED_ON),
)

_BY_NAME = {driver.name: driver for driver in DRIVERS}


@cache  # asked several times for each VF
def driver_of(name: str) -> Driver:
    """Its row, or what holds for a driver without one; "" (no driver) has none."""
    if found := _BY_NAME.get(name):
        return found
    return Driver(name, Role.VFIO if name.startswith("vfio") else Role.NIC)


def is_module_name(text: str) -> bool:
    """Whether this can be part of a path, of a unit's name and of a modprobe command: no /, no dot, no leading dash."""
    return re.fullmatch(MODULE, text) is not None


def is_vfio(name: str) -> bool:
    """Whether a device bound to this driver is reached through vfio."""
    return driver_of(name).role is Role.VFIO


def is_transport(name: str) -> bool:
    """Whether this driver creates no netdev itself."""
    return driver_of(name).role is Role.TRANSPORT
