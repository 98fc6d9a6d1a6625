"""Some VFs of a PF have another driver, and their netdevs another MTU: what passes do about it, and remember."""

from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, make_rule
from fakes import Crash, FakeMachine, FakePf
from sriov_bootstrap.core.config import Config, Match, Method, PfRule, VfBinding
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Handover, dump
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_users import Owner, Owners
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

OFF, ON = (f"{PF} set sriov_drivers_autoprobe to {number}" for number in (0, 1))
SET = f"{PF} set sriov_numvfs from 0 to 4"
FOR_VMS = VfTable(vfs="2-3", driver="vfio-pci")
JUMBO = VfTable(vfs="all", mtu=9000)


def rule(*tables: VfTable, **values: Any) -> PfRule:  # noqa: ANN401
    return make_rule(**({"vf_binding": VfBinding.AUTO, "vf": tables} | values))


def a_pass(machine: FakeMachine, *rules: PfRule, mode: Mode = Mode.APPLY, is_asked: bool = False) -> PassReport:
    return run_pass(machine, Loaded(Config(pf=rules)), mode=mode, handover=Handover(is_asked=is_asked))


def its_line(machine: FakeMachine, *rules: PfRule) -> PfReport:
    return a_pass(machine, *rules).pfs[0]


def drivers(machine: FakeMachine) -> list[str]:
    return [vf.driver for pf in machine.read_pfs((PF,)) for vf in pf.vfs]


def mtus(machine: FakeMachine) -> list[int]:
    return [machine.mtus.get(vf.incarnation, 1500) for vf in machine.pfs[PF].facts.vfs]


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine(FakePf())


@pytest.mark.parametrize(
    ("vf_driver", "tables", "expected", "probing"),
    [
        ("kernel", (FOR_VMS,), ["igbvf", "igbvf", "vfio-pci", "vfio-pci"], True),
        ("kernel", (VfTable(vfs="0", driver="none"),), ["", "igbvf", "igbvf", "igbvf"], True),
        ("none", (VfTable(vfs="0", driver="kernel"),), ["igbvf", "", "", ""], True),
        ("none", (FOR_VMS,), ["", "", "vfio-pci", "vfio-pci"], False),
        ("vfio-pci", (VfTable(vfs="0", driver="kernel"),), ["igbvf", *["vfio-pci"] * 3], True),
        ("vfio-pci", (VfTable(vfs="0", driver="uio"),), ["uio", *["vfio-pci"] * 3], False),
    ],
)
def test_each_vf_gets_its_driver_and_the_second_pass_writes_nothing(
    machine: FakeMachine, vf_driver: str, tables: tuple[VfTable, ...], expected: list[str], *, probing: bool
) -> None:
    wished = rule(*tables, vf_driver=vf_driver)
    assert a_pass(machine, wished, mode=Mode.OBSERVE).pfs[0].state is PfState.PENDING
    line = its_line(machine, wished)
    words = ", ".join(sorted(wished.drivers(4).kinds))
    assert machine.writes == [OFF, SET, f"{PF} give its VFs their drivers ({words})"]
    assert (line.state, line.vfs_unbound, drivers(machine)) == (PfState.OK, 0, expected)
    assert machine.pfs[PF].facts.autoprobe is probing
    saved = machine.load_state()[0]
    assert saved.placements[PF] == Placement(vf_driver, others=wished.drivers(4).others)
    assert saved.incomplete == ()
    a_pass(machine, wished)
    assert len(machine.writes) == 3
    assert machine.now < 1010.0  # nobody waits for a driver of a VF that gets none


def test_all_vfs_by_a_table_are_as_by_vf_driver(machine: FakeMachine) -> None:
    a_pass(machine, rule(VfTable(vfs="all", driver="vfio-pci")))
    assert machine.writes == [OFF, SET, f"{PF} bind its VFs to vfio-pci"]
    a_pass(machine, rule(vf_driver="vfio-pci"))
    assert len(machine.writes) == 3


def test_a_table_moves_the_vfs_that_it_names_and_no_other(machine: FakeMachine) -> None:
    a_pass(machine, rule())
    machine.writes.clear()
    assert a_pass(machine, rule(FOR_VMS), mode=Mode.OBSERVE).pfs[0].will_move_vfs
    its_line(machine, rule(FOR_VMS))
    assert machine.writes == [f"{PF} bind 2 VFs to vfio-pci"]
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "vfio-pci"]
    its_line(machine, rule(VfTable(vfs="3", driver="vfio-pci")))
    assert machine.writes[1:] == [f"{PF} bind 1 VF"]
    assert drivers(machine) == ["igbvf", "igbvf", "igbvf", "vfio-pci"]
    assert machine.load_state()[0].placements[PF] == Placement("kernel", others={3: "vfio-pci"})
    a_pass(machine, rule(VfTable(vfs="3", driver="vfio-pci")))
    assert len(machine.writes) == 2


def test_a_pass_that_dies_while_it_moves_vfs_leaves_word_that_consumers_may_have_to_restart(
    machine: FakeMachine,
) -> None:
    a_pass(machine, rule())
    machine.data = dump(replace(machine.load_state()[0], pending=None))
    machine.dies_before = 0
    with pytest.raises(Crash):
        a_pass(machine, rule(FOR_VMS))
    pending = machine.load_state()[0].pending
    assert pending
    assert (pending.changed_at, pending.pci_addresses) == (None, (PF,))


def test_several_moves_are_one_step(machine: FakeMachine) -> None:
    a_pass(machine, rule(FOR_VMS))
    machine.writes.clear()
    a_pass(machine, rule(VfTable(vfs="0", driver="uio"), VfTable(vfs="3", driver="none")))
    assert machine.writes == [f"{PF} give 3 VFs their drivers (kernel, none, uio)"]
    assert drivers(machine) == ["uio", "igbvf", "igbvf", ""]


def test_a_vf_in_use_keeps_its_driver_until_it_is_released(machine: FakeMachine) -> None:
    a_pass(machine, rule())
    machine.owners = Owners({machine.pfs[PF].facts.vfs[3].pci_address: Owner("vm", is_running=True)})
    line = its_line(machine, rule(FOR_VMS))
    assert (line.state, line.vfs_held) == (PfState.OK, 1)
    assert "until released, then what the rule says of its driver applies: VF 3" in line.message
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "igbvf"]
    machine.owners = Owners()
    a_pass(machine, rule(FOR_VMS))
    assert drivers(machine)[3] == "vfio-pci"


def test_a_vf_that_refuses_its_driver_keeps_no_other_from_its_own(machine: FakeMachine) -> None:
    machine.refuses = {"0000:3b:02.3": "EIO"}
    line = its_line(machine, rule(FOR_VMS))
    assert (line.reason, drivers(machine)[:3]) == (Reason.VFS_INCOMPLETE, ["igbvf", "igbvf", "vfio-pci"])
    writes = len(machine.writes)
    line = its_line(machine, rule(FOR_VMS))
    assert (line.reason, len(machine.writes)) == (Reason.VFS_INCOMPLETE, writes)
    machine.refuses.clear()
    machine.refused.clear()
    assert a_pass(machine, rule(FOR_VMS), is_asked=True).pfs[0].state is PfState.OK
    assert drivers(machine)[3] == "vfio-pci"


@pytest.mark.parametrize("step", range(3))
def test_a_pass_that_dies_at_any_step_is_ended_by_the_next(machine: FakeMachine, step: int) -> None:
    wished = rule(FOR_VMS)
    machine.dies_before = step
    with pytest.raises(Crash):
        a_pass(machine, wished)
    machine.dies_before = None
    assert its_line(machine, wished).state is PfState.OK
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "vfio-pci"]
    assert machine.pfs[PF].facts.autoprobe


def test_where_names_follow_probes_the_kernel_binds_first(machine: FakeMachine) -> None:
    machine.has_plain_names = True
    its_line(machine, rule(FOR_VMS))
    assert machine.writes == [SET, f"{PF} give its VFs their drivers (kernel, vfio-pci)"]
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "vfio-pci"]


def test_probing_that_was_off_before_us_stays_off(machine: FakeMachine) -> None:
    machine.change(PF, autoprobe=False)
    its_line(machine, rule(FOR_VMS))
    assert machine.writes == [SET, f"{PF} give its VFs their drivers (none, vfio-pci)"]
    assert (machine.pfs[PF].facts.autoprobe, drivers(machine)) == (False, ["", "", "vfio-pci", "vfio-pci"])
    a_pass(machine, rule(FOR_VMS))
    assert len(machine.writes) == 2


def test_a_driver_that_the_kernel_does_not_have_is_loaded(machine: FakeMachine) -> None:
    machine.absent_drivers = {"vfio-pci"}
    a_pass(machine, rule(FOR_VMS))
    assert machine.writes[2] == f"{PF} load the module vfio-pci"


def test_with_max_vfs_they_are_moved_after_the_reload(machine: FakeMachine) -> None:
    a_pass(machine, rule(FOR_VMS, method=Method.MAX_VFS, reload_driver=True, match=Match(driver="igb")))
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "vfio-pci"]


def test_when_the_rule_is_gone_each_override_of_ours_is_taken_back(machine: FakeMachine) -> None:
    a_pass(machine, rule(FOR_VMS))
    machine.writes.clear()
    a_pass(machine)
    a_pass(machine)
    assert machine.writes == [f"{PF} clear driver_override of 4 VFs"]


def test_new_vfs_get_their_mtu_once_they_have_a_netdev(machine: FakeMachine) -> None:
    wished = rule(VfTable(vfs="0-1", mtu=9000), FOR_VMS)
    line = its_line(machine, wished)
    assert machine.writes[3:] == [f"{PF} set the MTU of 2 VFs"]
    assert mtus(machine) == [9000, 9000, 1500, 1500]
    assert [vf.mtu for vf in line.vfs] == [9000, 9000, 0, 0]
    a_pass(machine, wished)
    assert len(machine.writes) == 4


def test_the_mtu_of_a_free_vf_is_repaired_and_that_of_one_in_use_is_not(machine: FakeMachine) -> None:
    a_pass(machine, rule(JUMBO))
    vfs = machine.pfs[PF].facts.vfs
    machine.mtus |= {vfs[0].incarnation: 1400, vfs[1].incarnation: 1400}
    machine.owners = Owners({vfs[1].pci_address: Owner("vm", is_running=True)})
    look = a_pass(machine, rule(JUMBO), mode=Mode.OBSERVE).pfs[0]
    assert [vf.differs for vf in look.vfs] == ["mtu 1400, not 9000", "mtu 1400, not 9000", "", ""]
    assert look.vf_attributes_differing == 1
    machine.writes.clear()
    line = its_line(machine, rule(JUMBO))
    assert machine.writes == [f"{PF} set the MTU of 1 VF"]
    assert (mtus(machine), line.vf_attributes_differing) == ([9000, 1400, 9000, 9000], 0)


def test_an_mtu_that_the_driver_refuses_is_named_and_the_rest_is_done(machine: FakeMachine) -> None:
    line = its_line(machine, rule(VfTable(vfs="0", mtu=9500), FOR_VMS))
    assert (line.state, line.reason) == (PfState.DEGRADED, Reason.ATTRIBUTES_REFUSED)
    assert line.message == f"{PF}: cannot set mtu to 9500"
    assert drivers(machine) == ["igbvf", "igbvf", "vfio-pci", "vfio-pci"]


def test_vfs_that_come_back_to_a_netdev_get_their_mtu_in_the_same_pass(machine: FakeMachine) -> None:
    a_pass(machine, rule(VfTable(vfs="0-1", mtu=9000), FOR_VMS))
    machine.writes.clear()
    a_pass(machine, rule(JUMBO))
    assert machine.writes == [f"{PF} bind 2 VFs", f"{PF} set the MTU of 2 VFs"]
    assert mtus(machine) == [9000] * 4


def test_a_table_without_attributes_asks_the_pf_for_nothing(machine: FakeMachine) -> None:
    a_pass(machine, rule(JUMBO, VfTable(vfs="0", driver="igbvf")))
    assert "pf links" not in machine.reads
