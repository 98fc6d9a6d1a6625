"""ovs-vsctl, as far as one can tell."""

from pathlib import Path

import pytest

from sriov_bootstrap.machine.ask_ovs import read_hw_offload


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ('{hw-offload="true", n-handler-threads="4"}', "true"),
        ('{dpdk-init="false", hw-offload="False"}', "false"),
        ('{"hw-offload"="true"}', "true"),
        ("{}", ""),
        ("", ""),
    ],
)
def test_what_it_prints_is_understood(out: str, expected: str) -> None:
    assert read_hw_offload(["printf", "%s", out]) == expected


def test_without_it_nothing_is_known(tmp_path: Path) -> None:
    assert read_hw_offload([str(tmp_path / "ovs-vsctl")]) is None
    assert read_hw_offload(["false"]) is None
    assert read_hw_offload(["yes"]) is None  # more than anybody reads
