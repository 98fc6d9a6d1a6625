"""Two minutes of `make soak`."""

import os

import pytest

from .host import Guest
from .soak import FAULTS_A_ROUND, soak

MINUTES = float(os.environ.get("SRIOV_SOAK_MINUTES", "2"))
SEED = int(os.environ.get("SRIOV_SOAK_SEED", "1"))


@pytest.mark.timeout(900 + 60 * MINUTES)
@pytest.mark.long
def test_random_real_faults_break_no_promise(guest: Guest) -> None:
    done = soak(guest.vm, minutes=MINUTES, seed=SEED)
    assert not done.violations
    assert done.count >= FAULTS_A_ROUND[0]  # how many more depends on the machine
    assert done.checks
