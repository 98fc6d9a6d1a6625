"""/sys/kernel/debug, on a tree."""

from pathlib import Path

import pytest

from builders import PF
from sriov_bootstrap.edges.debugfs import read_lag_state


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_the_state_of_a_bond(tmp_path: Path, state: str) -> None:
    file = tmp_path / f"sys/kernel/debug/mlx5/{PF}/lag/state"
    file.parent.mkdir(parents=True)
    file.write_text(f"{state}\n")
    assert read_lag_state(str(tmp_path), PF) == state


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert read_lag_state(str(tmp_path), PF) == ""
