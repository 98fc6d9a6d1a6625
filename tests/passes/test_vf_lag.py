"""VF LAG over passes: two PFs in one bond, whose VFs get their driver once mlx5 says that it is offloaded.

debugfs answers as mlx5/core/lag/debugfs.c:state_show does; no such card was at hand.
"""

import contextlib
from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_rule
from fakes import Crash, FakeMachine, FakePf
from fakes_switch import FakeSwitch
from sriov_bootstrap.core.config import Config, Match, VfBinding
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PfReport, PfState
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

LAG = Eswitch(EswitchMode.SWITCHDEV, vf_lag=True)


def bonded(driver: str = "mlx5_core", **values: Any) -> tuple[FakeMachine, Config]:  # noqa: ANN401
    """Two PFs of one card, with a rule each; nobody has made the bond yet."""
    pfs = (FakePf(driver=driver, total_vfs=8), FakePf(pci_address=PF2, driver=driver, total_vfs=8))
    machine = FakeMachine(*pfs)
    for pf in pfs:
        pf.switch = FakeSwitch()
    set_lag(machine, "disabled")
    first = make_rule(eswitch=LAG, **({"vf_binding": VfBinding.AUTO} | values))
    return machine, Config(pf=(first, replace(first, name="second", match=Match(pci_address=PF2))))


def set_lag(machine: FakeMachine, state: str) -> None:
    for pf in machine.pfs.values():
        assert pf.switch
        pf.switch.lag = state


def passed(machine: FakeMachine, config: Config) -> tuple[PfReport, ...]:
    return run_pass(machine, Loaded(config), mode=Mode.APPLY).pfs


def test_vfs_of_a_bond_have_no_driver_before_it_is_offloaded_and_a_boot_does_not_wait_for_it() -> None:
    machine, config = bonded()
    lines = passed(machine, config)
    assert not any("bind" in text for text in machine.writes)
    assert {(line.reason, line.num_vfs, line.eswitch_mode, line.representors) for line in lines} == {
        (Reason.LAG_INACTIVE, 4, "switchdev", 4)
    }
    assert all(line.reason and line.reason.traits.is_final for line in lines)
    machine.writes.clear()
    assert {line.reason for line in passed(machine, config)} == {Reason.LAG_INACTIVE}
    assert machine.writes == []
    set_lag(machine, "active")
    assert {line.state for line in passed(machine, config)} == {PfState.OK}
    assert machine.writes == [f"{PF} bind 4 VFs", f"{PF2} bind 4 VFs"]
    machine.writes.clear()
    passed(machine, config)
    assert machine.writes == []


@pytest.mark.parametrize("vf_driver", ["vfio-pci", "none"])
def test_also_vfs_of_another_driver_wait_for_the_bond(vf_driver: str) -> None:
    machine, config = bonded(vf_driver=vf_driver)
    passed(machine, config)
    assert not any("bind" in text for text in machine.writes)
    set_lag(machine, "active")
    assert {line.state for line in passed(machine, config)} == {PfState.OK}


def test_a_bond_that_comes_apart_takes_no_driver_from_a_vf() -> None:
    machine, config = bonded()
    set_lag(machine, "active")
    assert {line.state for line in passed(machine, config)} == {PfState.OK}
    machine.writes.clear()
    set_lag(machine, "disabled")
    lines = passed(machine, config)
    assert (machine.writes, {line.vfs_unbound for line in lines}) == ([], {0})
    assert (
        lines[0].message
        == f"{PF}: the bond of this PF is not offloaded, and 4 VFs have a driver already, which keeps it so"
    )


def test_a_bond_of_which_nothing_is_known_is_waited_for() -> None:
    machine, config = bonded()
    set_lag(machine, "")
    [line, _] = passed(machine, config)
    assert line.message == f"{PF}: cannot tell whether the bond of this PF is offloaded: debugfs does not say"
    assert line.vfs_unbound == 4


def test_a_driver_that_tells_nothing_of_bonds_binds_as_usual() -> None:
    machine, config = bonded("ice")
    assert {line.state for line in passed(machine, config)} == {PfState.OK}


def test_a_pass_that_is_killed_on_the_way_to_a_bond_is_made_good_by_the_next() -> None:
    for step in range(6):
        machine, config = bonded()
        machine.dies_before = step
        with contextlib.suppress(Crash):
            passed(machine, config)
        machine.dies_before = None
        passed(machine, config)
        assert not any("bind" in text for text in machine.writes)
        set_lag(machine, "active")
        assert {line.state for line in passed(machine, config)} == {PfState.OK}, step
