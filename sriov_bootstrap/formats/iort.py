"""ACPI's IO Remapping Table, as far as it says whether an Arm machine has an SMMU.

Every Arm server has the table, for its interrupts, whether it has an SMMU or not: its nodes must be looked at. Arm's
IO Remapping Table (DEN 0049), 3; include/acpi/actbl2.h.
"""

import struct
from collections.abc import Iterator

SIGNATURE = b"IORT"
COUNT_AND_OFFSET = struct.Struct("<II")
AT_COUNT = 36  # after the header that all tables have
NODE = struct.Struct("<BH")  # type and length
# Node types -> the option of the kernel that drives such an SMMU.
SMMUS = {3: "CONFIG_ARM_SMMU", 4: "CONFIG_ARM_SMMU_V3"}


def smmu_options(table: bytes) -> frozenset[str] | None:
    """The kernel options for the SMMUs that the table describes; None if it could not be read, or is none."""
    if table[:4] != SIGNATURE or len(table) < AT_COUNT + COUNT_AND_OFFSET.size:
        return None
    return frozenset(SMMUS[kind] for kind in _node_types(table) if kind in SMMUS)


def _node_types(table: bytes) -> Iterator[int]:
    count, offset = COUNT_AND_OFFSET.unpack_from(table, AT_COUNT)
    for _ in range(count):
        if offset + NODE.size > len(table):
            return
        kind, length = NODE.unpack_from(table, offset)
        yield kind
        if length < NODE.size:  # it would never end
            return
        offset += length
