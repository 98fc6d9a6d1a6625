"""/sys/kernel/debug: what a driver tells of a bond of its PFs, and nowhere else."""

from pathlib import Path

from sriov_bootstrap.base.printable import one_line

MOST_BYTES = 64


def read_lag_state(root: str, pci_address: str) -> str:
    """`active` or `disabled`, "" if it cannot be read (mlx5/core/lag/debugfs.c). Waits for the driver's lock."""
    try:
        with Path(f"{root}/sys/kernel/debug/mlx5/{pci_address}/lag/state").open("rb") as file:
            return one_line(file.read(MOST_BYTES).strip())
    except OSError:
        return ""
