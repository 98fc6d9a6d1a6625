"""units/sriov-bootstrap.service against the tables of the code: two lists of the same names drift apart."""

from pathlib import Path

import pytest

from sriov_bootstrap.core.consumers import KNOWN_CONSUMERS

UNIT = Path(__file__).parents[1] / "units" / "sriov-bootstrap.service"


def _values(key: str) -> set[str]:
    lines = UNIT.read_text().splitlines()
    return {word for line in lines if line.startswith(f"{key}=") for word in line.removeprefix(f"{key}=").split()}


@pytest.mark.parametrize("consumer", KNOWN_CONSUMERS)
def test_the_unit_comes_before_every_known_consumer(consumer: str) -> None:
    assert consumer in _values("Before")


def test_the_unit_is_wanted_by_what_boots_and_ordered_before_the_network() -> None:
    assert _values("WantedBy") == {"multi-user.target"}
    assert "network-pre.target" in _values("Before") & _values("Wants")
