"""What a pass can do to the host."""

from typing import get_args

from builders import PF, PF2
from sriov_bootstrap.core.actions import (
    STAGES,
    Action,
    LoadModule,
    ReloadDriver,
    SetLinkUp,
    SetNumVfs,
    deadline_seconds,
)


def test_every_action_has_its_stage() -> None:
    assert set(STAGES) == set(get_args(Action))


def test_deadlines_grow_with_the_number_of_vfs() -> None:
    assert [deadline_seconds(SetNumVfs(PF, 0, count)) for count in (0, 64)] == [60.0, 380.0]
    assert deadline_seconds(SetNumVfs(PF, 64, 0)) == 380.0


def test_a_reload_may_take_as_long_as_all_its_vfs_need() -> None:
    assert deadline_seconds(ReloadDriver(PF, "igb", (PF, PF2), 7)) == 60 + 5 * 2 * 7 * 2


def test_a_module_has_a_minute_because_its_driver_may_find_vfs_that_wait_for_it() -> None:
    load = LoadModule(PF, "vfio-pci")
    assert (deadline_seconds(load), str(load)) == (60.0, "load the module vfio-pci")


def test_what_waits_for_no_vf_has_half_a_minute() -> None:
    assert deadline_seconds(SetLinkUp(PF, "ens1f0")) == 30.0
