"""ovs-vsctl, as far as one can tell."""

from pathlib import Path

import pytest

from sriov_bootstrap.machine.ask_ovs import read_hw_offload, read_lost_ports


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
    assert read_lost_ports([str(tmp_path / "ovs-vsctl")]) == ()


def test_ports_without_a_netdev_are_named_once() -> None:
    said = (
        '"could not open network device eth9 (No such device)"\n[]\n"could not open network device r1 (No such device)"'
    )
    said += (
        '\n"eth9: could not set configuration (Address in use)"\n"could not open network device r1 (No such device)"'
    )
    assert read_lost_ports(["printf", "%s", said]) == ("eth9", "r1")
