"""units/ against the tables of the code, and against what systemd says of its sandbox."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from sriov_bootstrap.core.consumers import KNOWN_CONSUMERS

UNITS = Path(__file__).parents[1] / "units"
UNIT = UNITS / "sriov-bootstrap.service"
HOLDERS_UNIT = UNITS / "sriov-bootstrap-holders.service"
RELOAD_UNIT = UNITS / "sriov-bootstrap-reload@.service"
CLOUD_INIT_UNIT = UNITS / "sriov-bootstrap-cloud-init.service"


def _values(key: str, unit: Path = UNIT) -> set[str]:
    lines = unit.read_text().splitlines()
    return {word for line in lines if line.startswith(f"{key}=") for word in line.removeprefix(f"{key}=").split()}


@pytest.mark.parametrize("consumer", KNOWN_CONSUMERS)
def test_the_unit_comes_before_every_known_consumer(consumer: str) -> None:
    assert consumer in _values("Before")


def test_whoever_waits_for_the_vfs_waits_for_those_of_cloud_init_as_well() -> None:
    """But for the network, which cloud-init itself waits for."""
    others = {"shutdown.target", "network-pre.target"}
    assert _values("Before", CLOUD_INIT_UNIT) == _values("Before") - others
    assert {UNIT.name, "cloud-init-network.service", "cloud-init.service"} == _values("After", CLOUD_INIT_UNIT)


def test_the_unit_is_wanted_by_what_boots_and_ordered_before_the_network() -> None:
    assert _values("WantedBy") == {"multi-user.target"}
    assert "network-pre.target" in _values("Before") & _values("Wants")


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        pytest.param(UNIT, 2.0, id="the service"),
        pytest.param(HOLDERS_UNIT, 1.5, id="the looker"),
        pytest.param(RELOAD_UNIT, 2.8, id="modprobe"),
        pytest.param(CLOUD_INIT_UNIT, 0.9, id="cloud-init"),
    ],
)
def test_a_unit_is_exposed_to_little(unit: Path, most: float) -> None:
    """The figures are those of systemd 252 and 257."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+) ", said.stdout)
    assert found, said.stderr
    assert float(found[1]) <= most, said.stdout


def test_no_unit_runs_a_shell() -> None:
    commands = [line for unit in UNITS.iterdir() for line in unit.read_text().splitlines() if line.startswith("Exec")]
    assert len(commands) == 5
    assert not [line for line in commands if re.search(r"\bsh\b", line)]
