"""PCI config space and the `resource` file, understood: what a function's SR-IOV capability says.

PCI Express Base Specification, 7.6.3 (extended capabilities) and 9.3.3 (SR-IOV); include/uapi/linux/pci_regs.h.
"""

import struct

from msgspec import Struct

SHORT = 64  # what the kernel gives those without CAP_SYS_ADMIN
EXTENDED = 0x100
SRIOV = 0x10
TOTAL_VFS = 0x0E
SRIOV_BYTES = 0x40
IOV_LINES = slice(7, 13)  # include/linux/pci.h: PCI_IOV_RESOURCES to PCI_IOV_RESOURCE_END
IORESOURCE_UNSET = 0x20000000  # include/linux/ioport.h


class Capability(Struct, frozen=True):
    """`is_seen`: enough of the config space could be read. `total_vfs` None: there is no SR-IOV capability.

    `has_gaps`: the list has null capabilities (id 0), as a hypervisor leaves where it takes one out. `is_dead`: the
    device does not answer. Behind a conventional bus 256 bytes are all, and none of these capabilities can be reached.
    """

    is_seen: bool
    total_vfs: int | None = None
    has_gaps: bool = False
    is_dead: bool = False


def capability(config: bytes) -> Capability:
    """Walks the list of extended capabilities; one that runs in circles ends."""
    if config[:2] == b"\xff\xff":
        return Capability(is_seen=False, is_dead=True)
    if len(config) <= SHORT:
        return Capability(is_seen=False)
    offset, seen, has_gaps = EXTENDED, set[int](), False
    while offset >= EXTENDED and offset not in seen and offset + 4 <= len(config):
        seen.add(offset)
        (header,) = struct.unpack_from("<I", config, offset)
        if header & 0xFFFF == SRIOV and offset + SRIOV_BYTES <= len(config):
            return Capability(is_seen=True, total_vfs=struct.unpack_from("<H", config, offset + TOTAL_VFS)[0])
        has_gaps = has_gaps or (header & 0xFFFF == 0 and (header != 0 or offset > EXTENDED))
        offset = header >> 20 & 0xFFC
    return Capability(is_seen=True, has_gaps=has_gaps)


def lacks_vf_memory(resource: str) -> bool:
    """Whether the kernel has found no room for the VFs' BARs: they are marked so, or were all given up.

    False for any other file, and if a BAR has an address: it does not say which of the others should have one.
    """
    lines = [line.split() for line in resource.splitlines()]
    if len(lines) < IOV_LINES.stop:
        return False
    try:
        bars = [tuple(int(word, 16) for word in line) for line in lines[IOV_LINES]]
    except ValueError:
        return False
    if any(len(bar) != 3 for bar in bars):  # noqa: PLR2004
        return False
    return any(flags & IORESOURCE_UNSET for _, _, flags in bars) or not any(flags for _, _, flags in bars)
