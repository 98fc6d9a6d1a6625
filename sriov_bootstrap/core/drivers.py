"""What is known of drivers by name: a table, one row for each that differs from the rest.

A driver without a row creates VFs through sriov_numvfs if it is a PF's, and a netdev if it is a VF's. So a new NIC
needs no row unless its driver does something else.
"""

from enum import StrEnum

from msgspec import Struct


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
    """

    name: str
    role: Role = Role.NIC
    vf_module: str = ""
    max_vfs: int = 0
    above: str = ""


DRIVERS = (
    # drivers/net/ethernet/intel: igb has 8 pools and ixgbe 64, and one of them is the PF's.
    Driver("igb", vf_module="igbvf", max_vfs=7, above="igb reduces it to 7 on every port"),
    Driver("ixgbe", vf_module="ixgbevf", max_vfs=63, above="ixgbe creates none at all"),
    Driver("i40e", vf_module="iavf"),
    Driver("ice", vf_module="iavf"),
    # drivers/virtio, drivers/vhost/vdpa.c
    Driver("virtio-pci", Role.TRANSPORT),
    Driver("virtio_vdpa", Role.TRANSPORT),
    Driver("vhost_vdpa", Role.TRANSPORT),
    # Vendor variants of vfio-pci, for Linux before 6.1 and for driverctl's files. What begins with vfio needs no row.
    Driver("mlx5_vfio_pci", Role.VFIO),
    Driver("nvgrace_gpu_vfio_pci", Role.VFIO),
    Driver("hisi_acc_vfio_pci", Role.VFIO),
    Driver("pds_vfio_pci", Role.VFIO),
    Driver("qat_vfio_pci", Role.VFIO),
    Driver("pci-stub", Role.PASSED_ON),
    Driver("uio_pci_generic", Role.PASSED_ON),
    Driver("igb_uio", Role.PASSED_ON),
    Driver("pciback", Role.PASSED_ON),
    Driver("xen-pciback", Role.PASSED_ON),
)

_BY_NAME = {driver.name: driver for driver in DRIVERS}


def driver_of(name: str) -> Driver:
    """Its row, or what holds for a driver without one; "" (no driver) has none."""
    if found := _BY_NAME.get(name):
        return found
    return Driver(name, Role.VFIO if name.startswith("vfio") else Role.NIC)


def is_vfio(name: str) -> bool:
    """Whether a device bound to this driver is reached through vfio."""
    return driver_of(name).role is Role.VFIO


def is_transport(name: str) -> bool:
    """Whether this driver creates no netdev itself."""
    return driver_of(name).role is Role.TRANSPORT
