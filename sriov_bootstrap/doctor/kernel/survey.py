"""What `doctor` knows of firmware, kernel and IOMMU: as it was read, understood by the checks."""

from msgspec import Struct

BRIDGE = "0x06"  # PCI class: what stands between the CPU and devices, and does no DMA of its own
NO_IOMMU = "vfio-noiommu"  # a group of that name is not behind an IOMMU (drivers/vfio/group.c)


class RawGroup(Struct, frozen=True):
    """An IOMMU group: PCI address -> class, as text, of what is in it; `name` as the kernel has given it, mostly ""."""

    name: str = ""
    devices: dict[str, str] = {}


class KernelSurvey(Struct, frozen=True):
    """`groups` None, `acpi_tables` empty: not to be seen. Texts by path: `boot_sources` are what an operator writes.

    `boot_menus` are what is made of them and what the boot loader reads. Neither is read while an IOMMU is in use.
    `has_all_menus`: none of them is hidden from who looks. `smmu_options`: formats/iort.py; None without such a table.
    """

    command_line: tuple[str, ...] = ()
    is_guest: bool = False
    acpi_tables: tuple[str, ...] = ()
    groups: dict[str, RawGroup] | None = None
    boot_sources: dict[str, str] = {}
    boot_menus: dict[str, str] = {}
    has_all_menus: bool = True
    smmu_options: frozenset[str] | None = None


def has_iommu(groups: dict[str, RawGroup]) -> bool:
    """Whether some device is behind an IOMMU that is in use."""
    return any(group.name != NO_IOMMU for group in groups.values())
