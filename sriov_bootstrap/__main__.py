"""python -m sriov_bootstrap: the same as the command."""

from sriov_bootstrap.cli import run_and_exit

run_and_exit()
