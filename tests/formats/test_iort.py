"""ACPI's IO Remapping Table, made by hand."""

import struct

import pytest

from sriov_bootstrap.formats.iort import smmu_options

ITS, ROOT_COMPLEX, SMMU_V2, SMMU_V3 = 0, 2, 3, 4


def node(kind: int, size: int = 24) -> bytes:
    return struct.pack("<BH", kind, size).ljust(size, b"\0")


def iort(*nodes: bytes, count: int | None = None) -> bytes:
    """With a gap between its head and the first node, as real ones have."""
    head = b"IORT".ljust(36, b"\0") + struct.pack("<III", len(nodes) if count is None else count, 52, 0)
    return head.ljust(52, b"\0") + b"".join(nodes)


@pytest.mark.parametrize(
    ("table", "options"),
    [
        pytest.param(iort(node(ITS), node(ROOT_COMPLEX, 40)), set(), id="interrupts alone"),
        pytest.param(iort(node(ITS), node(SMMU_V3, 68), node(ROOT_COMPLEX)), {"CONFIG_ARM_SMMU_V3"}, id="v3"),
        pytest.param(iort(node(SMMU_V2), node(SMMU_V3)), {"CONFIG_ARM_SMMU", "CONFIG_ARM_SMMU_V3"}, id="both"),
        pytest.param(iort(node(SMMU_V2), count=9), {"CONFIG_ARM_SMMU"}, id="cut off"),
        pytest.param(iort(node(ITS, 0).ljust(24, b"\0")), set(), id="a node without a length"),
        pytest.param(iort(), set(), id="no node"),
    ],
)
def test_the_smmus_of_a_table(table: bytes, options: set[str]) -> None:
    assert set(smmu_options(table) or ()) == options


@pytest.mark.parametrize("table", [b"", b"IORT", b"DMAR".ljust(80, b"\0")])
def test_what_is_no_such_table_says_nothing(table: bytes) -> None:
    assert smmu_options(table) is None
