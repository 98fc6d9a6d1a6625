"""What /sys knows that most passes do without: config space, resources, IOMMU groups, who made the machine. Only reads.

Nothing here waits for a device lock. Reading config space waits for a reset of that device (pci_cfg_access_lock), and
without CAP_SYS_ADMIN returns 64 bytes (drivers/pci/pci-sysfs.c, pci_read_config).
"""

import os

from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.base.vanishing import attribute, attribute_text, link_name, names_in
from sriov_bootstrap.core.pci_address import normalize

CONFIG_BYTES = 4096  # PCI Express; 256 behind a conventional bus
ACPI_TABLE_BYTES = 1 << 20


class Pci:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/sys") -> None:
        """Reads nothing yet."""
        self._root = root
        self._devices = f"{root}/bus/pci/devices"

    def read_vf_layout(self, address: str) -> tuple[str, str, str]:
        """What a PF says about VFs that need not exist: sriov_vf_device, sriov_offset, sriov_stride."""
        folder = f"{self._devices}/{address}"
        names = ("sriov_vf_device", "sriov_offset", "sriov_stride")
        device, offset, stride = (attribute_text(f"{folder}/{name}") for name in names)
        return device, offset, stride

    def read_machine_names(self) -> tuple[str, ...]:
        """Who made this machine and what it is, as the firmware says it: SMBIOS, drivers/firmware/dmi-id.c."""
        return tuple(attribute_text(f"{self._root}/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))

    def read_config(self, address: str) -> bytes:
        """As much of the config space as we may read."""
        return attribute(f"{self._devices}/{address}/config", CONFIG_BYTES)

    def read_text(self, address: str, name: str) -> str:
        """An attribute, "" if it cannot be read. Not for sriov_numvfs and sriov_vf_total_msix, which wait."""
        return attribute_text(f"{self._devices}/{address}/{name}")

    def read_bridge(self, address: str) -> tuple[str, str]:
        """The bridge right above: its address and its subordinate_bus_number; "" where there is none."""
        try:
            folder = os.path.dirname(os.path.realpath(f"{self._devices}/{address}", strict=True))
        except OSError:
            return "", ""
        name = os.path.basename(folder)
        return (name, attribute_text(f"{folder}/subordinate_bus_number")) if normalize(name) == name else ("", "")

    def read_rdma(self) -> dict[str, str]:
        """Name of an RDMA device, or of one that is made for it such as uverbs0 -> the PCI address of its function."""
        devices = f"{self._root}/class/infiniband"
        folders = (devices, f"{devices}_verbs", f"{devices}_mad")
        return {
            text_of(os.fsencode(name)): link_name(f"{folder}/{name}/device")
            for folder in folders
            for name in names_in(folder)
            if folder == devices or os.path.islink(f"{folder}/{name}/device")
        }

    def read_netdev_attributes(self, names: frozenset[str]) -> dict[str, dict[str, str]]:
        """Of netdevs that are not of VFs: name -> attribute -> its text, "" if it has none.

        phys_port_name asks the driver, and waits for rtnl (net/core/net-sysfs.c): only where somebody needs it.
        """
        if not names:
            return {}
        folder = f"{self._root}/class/net"
        return {
            text_of(os.fsencode(netdev)): {name: attribute_text(f"{folder}/{netdev}/{name}") for name in sorted(names)}
            for netdev in names_in(folder)
            if not os.path.lexists(f"{folder}/{netdev}/device/physfn")
        }

    def count_vectors(self) -> dict[str, int]:
        """PCI address -> number of MSI and MSI-X vectors that its driver has allocated."""
        return {address: len(names_in(f"{self._devices}/{address}/msi_irqs")) for address in names_in(self._devices)}

    def read_groups(self) -> dict[str, tuple[str, dict[str, str]]] | None:
        """IOMMU group -> its name and what is in it, with the PCI class; None if the kernel shows no groups."""
        folder = f"{self._root}/kernel/iommu_groups"
        if not os.path.isdir(folder):
            return None
        return {
            name: (attribute_text(f"{folder}/{name}/name"), self._members(f"{folder}/{name}/devices"))
            for name in names_in(folder)
        }

    def read_acpi_tables(self) -> tuple[str, ...]:
        """The names of the firmware's tables; none in containers."""
        return tuple(sorted(names_in(f"{self._root}/firmware/acpi/tables")))

    def read_acpi_table(self, name: str) -> bytes:
        """One of these, as it is; b"" if it is not there, or not for us: only root may read them."""
        return attribute(f"{self._root}/firmware/acpi/tables/{name}", ACPI_TABLE_BYTES)

    def read_ifindex(self, netdev: str) -> str:
        """As text."""
        return attribute_text(f"{self._root}/class/net/{netdev}/ifindex")

    def read_carrier(self, netdev: str) -> str:
        """1 or 0; "" if it is down, as there is an answer only while it is up (net/core/net-sysfs.c)."""
        return attribute_text(f"{self._root}/class/net/{netdev}/carrier")

    def read_online_cpus(self) -> str:
        """Such as `0-63`."""
        return attribute_text(f"{self._root}/devices/system/cpu/online")

    def _members(self, folder: str) -> dict[str, str]:
        return {address: attribute_text(f"{folder}/{address}/class") for address in sorted(names_in(folder))}
