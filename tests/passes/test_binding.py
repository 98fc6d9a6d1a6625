"""VFs are created first and bound afterwards: what passes do, what they remember, and how one that died is ended."""

import errno

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_config, make_netdev, make_raw_pf, make_raw_vf, make_rule, make_wish, vf_address
from fakes import Crash, FakeMachine, FakePf
from sriov_bootstrap.core.config import Config, Match, Method, PfRule, VfBinding
from sriov_bootstrap.core.facts import Links
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.pf_report import report_pf
from sriov_bootstrap.core.placing import BINDS_LATE, NAMES_FOLLOW_PROBES, Placement
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.repetition import is_worth_retrying
from sriov_bootstrap.core.report import PassReport, PfState
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_users import Holders, Owner, Owners
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

OFF, ON = (f"{PF} set sriov_drivers_autoprobe to {number}" for number in (0, 1))
SET, BIND = f"{PF} set sriov_numvfs from 0 to 4", f"{PF} bind its VFs"
BOUND = ["igbvf"] * 4


def rule(vf_driver: str = "kernel", *, address: str = PF, num_vfs: int = 4) -> PfRule:
    match = Match(pci_address=address)
    return make_rule(name=address, match=match, num_vfs=num_vfs, vf_driver=vf_driver, vf_binding=VfBinding.AUTO)


def a_pass(machine: FakeMachine, *rules: PfRule, is_asked: bool = False, mode: Mode = Mode.APPLY) -> PassReport:
    return run_pass(machine, Loaded(Config(pf=rules or (rule(),))), mode=mode, handover=Handover(is_asked=is_asked))


def drivers(machine: FakeMachine, address: str = PF) -> list[str]:
    return [vf.driver for pf in machine.read_pfs((address,)) for vf in pf.vfs]


def incarnations(machine: FakeMachine) -> list[int]:
    return [vf.incarnation for vf in machine.pfs[PF].facts.vfs]


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine(FakePf())


def test_the_second_pass_writes_nothing(machine: FakeMachine) -> None:
    report = a_pass(machine)
    assert machine.writes == [OFF, SET, BIND]
    assert (report.pfs[0].state, report.pfs[0].vfs_unbound, drivers(machine)) == (PfState.OK, 0, BOUND)
    saved = machine.load_state()[0]
    assert (saved.autoprobe_off, saved.placements[PF].applied, saved.placements[PF].is_unfinished) == (
        (),
        "kernel",
        False,
    )
    a_pass(machine)
    assert machine.writes == [OFF, SET, BIND]


def of_second(*lines: str) -> list[str]:
    return [line.replace(PF, PF2) for line in lines]


def test_vfs_of_all_pfs_are_bound_once_the_last_is_written(machine: FakeMachine) -> None:
    machine.pfs[PF2] = FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),))
    a_pass(machine, rule(), rule(address=PF2))
    assert machine.writes == [OFF, SET, *of_second(OFF, SET), BIND, *of_second(BIND)]


def test_a_count_that_hangs_keeps_no_other_pfs_vfs_from_their_drivers(machine: FakeMachine) -> None:
    machine.pfs[PF2] = FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),))
    machine.failures = {PF2: ["fine", "stuck"]}
    report = a_pass(machine, rule(), rule(address=PF2))
    assert machine.writes == [OFF, SET, *of_second(OFF, SET), BIND]
    assert [pf.reason for pf in report.pfs] == [None, Reason.STUCK]


def test_a_pf_that_is_down_comes_up_between_its_count_and_the_binding(machine: FakeMachine) -> None:
    machine.change(PF, netdevs=(make_netdev(is_up=False),))
    a_pass(machine)
    assert machine.writes == [OFF, SET, f"{PF} bring ens1f0 up", BIND]


def test_a_driver_that_needs_its_pf_up_gets_it_first(machine: FakeMachine) -> None:
    machine.change(PF, netdevs=(make_netdev(is_up=False),), driver="bnxt_en")
    a_pass(machine)
    assert machine.writes == [f"{PF} bring ens1f0 up", OFF, SET, BIND]


def test_probing_that_was_off_before_us_stays_off(machine: FakeMachine) -> None:
    machine.change(PF, autoprobe=False)
    report = a_pass(machine)
    assert machine.writes == [SET]
    assert (report.pfs[0].state, report.pfs[0].vfs_unbound) == (PfState.OK, 4)
    a_pass(machine, is_asked=True)
    assert machine.writes == [SET]


def test_probing_that_was_off_before_us_stays_off_when_a_name_is_taken_back(machine: FakeMachine) -> None:
    machine.change(PF, autoprobe=False)
    a_pass(machine, rule("vfio-pci"))
    a_pass(machine)
    assert machine.writes == [SET, f"{PF} bind its VFs to vfio-pci", f"{PF} unbind 4 VFs"]
    assert (machine.pfs[PF].facts.autoprobe, drivers(machine)) == (False, [""] * 4)
    a_pass(machine, is_asked=True)
    assert len(machine.writes) == 3


@pytest.mark.parametrize("vf_driver", ["kernel", "none"])
def test_the_plan_says_when_vfs_get_their_driver(machine: FakeMachine, vf_driver: str) -> None:
    (pf,) = a_pass(machine, rule(vf_driver), mode=Mode.OBSERVE).pfs
    assert pf.remark == (BINDS_LATE if vf_driver == "kernel" else "")
    assert a_pass(machine, rule(vf_driver)).pfs[0].remark == ""


def test_where_names_follow_probes_the_kernel_binds_and_the_plan_says_so(machine: FakeMachine) -> None:
    machine.has_plain_names = True
    (pf,) = a_pass(machine, mode=Mode.OBSERVE).pfs
    assert (pf.message, pf.remark) == ("to do: set sriov_numvfs from 0 to 4", NAMES_FOLLOW_PROBES)
    a_pass(machine)
    assert machine.writes == [SET]


@pytest.mark.parametrize("vf_driver", ["kernel", "vfio-pci"])
@pytest.mark.parametrize("step", range(3))
def test_a_pass_that_dies_at_any_step_is_ended_by_the_next(machine: FakeMachine, vf_driver: str, step: int) -> None:
    a_pass(machine, rule(vf_driver, num_vfs=0))
    machine.dies_before = step
    with pytest.raises(Crash):
        a_pass(machine, rule(vf_driver))
    machine.dies_before = None
    report = a_pass(machine, rule(vf_driver))
    assert report.pfs[0].state is PfState.OK
    assert drivers(machine) == (BOUND if vf_driver == "kernel" else ["vfio-pci"] * 4)
    assert machine.pfs[PF].facts.autoprobe is (vf_driver == "kernel")
    writes = list(machine.writes)
    a_pass(machine, rule(vf_driver))
    assert machine.writes == writes


def test_a_pass_that_dies_while_vfs_are_bound_leaves_no_vf_behind(machine: FakeMachine) -> None:
    """Probing is on again by then, and some VFs have their driver."""
    machine.dies_before = 2
    with pytest.raises(Crash):
        a_pass(machine)
    machine.dies_before = None
    machine.change(PF, autoprobe=True)
    machine.unbound = {vf_address(PF, 3)}
    a_pass(machine)
    assert machine.writes[-1] == f"{PF} bind 1 VF"
    assert drivers(machine) == BOUND


@pytest.mark.parametrize("passes", [0, 1])
def test_a_pass_that_dies_once_probing_is_off_leaves_it_ours_to_switch_on(machine: FakeMachine, passes: int) -> None:
    """The number of VFs was right, so nothing else was to be done, and no consumer has to hear of it."""
    machine.make_vfs(PF, 4)
    machine.dies_before = 0
    with pytest.raises(Crash):
        a_pass(machine, rule("none"))
    machine.dies_before = None
    machine.change(PF, autoprobe=False)
    saved = machine.load_state()[0]
    assert (saved.autoprobe_off, saved.pending) == ((PF,), None)
    for _ in range(passes):
        a_pass(machine, rule("none"))
    machine.hold(PF, 3)
    (pf,) = a_pass(machine).pfs
    assert (pf.state, drivers(machine)) == (PfState.OK, [*BOUND[:3], "vfio-pci"])
    assert machine.pfs[PF].facts.autoprobe


def test_a_pass_that_dies_once_all_are_bound_leaves_nothing_to_be_done(machine: FakeMachine) -> None:
    """A VF that an operator unbinds later is not taken for one that we have not bound yet."""
    a_pass(machine)
    saved = machine.load_state()[0]
    machine.save_state(replace(saved, placements={PF: Placement(is_unfinished=True)}))
    a_pass(machine)
    machine.unbound = {vf_address(PF, 3)}
    a_pass(machine)
    assert machine.writes == [OFF, SET, BIND]


def test_vfs_that_come_after_their_write_was_given_up_are_bound(machine: FakeMachine) -> None:
    machine.failures = {PF: ["", "stuck"]}
    assert a_pass(machine).pfs[0].reason is Reason.STUCK
    machine.jam = None
    machine.make_vfs(PF, 4)
    report = a_pass(machine)
    assert machine.writes == [OFF, SET, f"{PF} bind 4 VFs"]
    assert (report.pfs[0].state, drivers(machine)) == (PfState.OK, BOUND)


def test_a_vf_that_is_refused_is_said_until_an_operator_asks_again(machine: FakeMachine) -> None:
    machine.refuses = {vf_address(PF, 1): "igbvf: EIO"}
    (pf,) = a_pass(machine).pfs
    message = f"{PF}: not bound: {vf_address(PF, 1)}: igbvf: EIO"
    assert (pf.state, pf.reason, pf.message, pf.hint) == (PfState.DEGRADED, Reason.VFS_INCOMPLETE, message, "wait")
    assert (pf.vfs_unbound, drivers(machine)) == (1, ["igbvf", "", "igbvf", "igbvf"])
    (pf,) = a_pass(machine).pfs
    assert (pf.message, machine.writes) == (message, [OFF, SET, BIND])
    machine.refuses = {}
    machine.refused = set()
    machine.unbound = {vf_address(PF, 1)}
    (pf,) = a_pass(machine, is_asked=True).pfs
    assert (pf.state, machine.writes[-1]) == (PfState.OK, f"{PF} bind 1 VF")


def test_what_was_refused_and_is_bound_by_now_is_said_no_longer(machine: FakeMachine) -> None:
    machine.refuses = {vf_address(PF, 1): "igbvf: EIO"}
    a_pass(machine)
    machine.refused = set()
    assert a_pass(machine).pfs[0].state is PfState.OK


def test_a_vf_that_is_still_being_probed_is_not_in_use_and_counts_as_unbound() -> None:
    """It has its driver by then, and no netdev: elsewhere that means another network namespace."""
    probed = make_raw_vf(netdevs=())
    raw = make_raw_pf(vfs=(probed,))
    pf = parse_pf(raw, Links(), Holders(), is_binding=True)
    assert (pf.vfs_in_use, parse_pf(raw, Links(), Holders()).num_vfs) == ((), 1)
    assert parse_pf(raw, Links(), Holders()).vfs_in_use
    report = report_pf(Plan(make_wish(pf=pf, num_vfs=1)), pf, (), is_incomplete=False)
    assert (report.vfs_unbound, report.vfs_in_use) == (1, 0)


def test_a_probe_that_never_returns_is_stuck(machine: FakeMachine) -> None:
    machine.failures = {PF: ["", "", "stuck"]}
    (pf,) = a_pass(machine).pfs
    assert (pf.state, pf.reason) == (PfState.DEGRADED, Reason.STUCK)


def test_what_failed_before_a_driver_was_asked_is_tried_again_by_itself(machine: FakeMachine) -> None:
    machine.failures = {PF: ["", "", errno.EAGAIN]}
    report = a_pass(machine)
    assert (report.pfs[0].reason, is_worth_retrying(report)) == (Reason.VFS_INCOMPLETE, True)
    report = a_pass(machine)
    assert (machine.writes[-1], report.pfs[0].state, drivers(machine)) == (f"{PF} bind 4 VFs", PfState.OK, BOUND)


def test_nothing_is_done_to_a_pf_whose_vfs_are_being_bound(machine: FakeMachine) -> None:
    a_pass(machine)
    machine.bindings = {PF: Jam(4711, PF, "bind its VFs", 0.0, is_overdue=True)}
    (pf,) = a_pass(machine, rule(num_vfs=2)).pfs
    assert (pf.reason, pf.num_vfs, pf.hint.startswith("see journalctl -k")) == (Reason.STUCK, 4, True)
    machine.bindings = {PF: Jam(4711, PF, "bind its VFs", 0.0, is_overdue=False)}
    assert a_pass(machine, rule(num_vfs=2)).pfs[0].reason is Reason.BLOCKED


@pytest.mark.parametrize(
    ("before", "after", "writes", "expected"),
    [
        ("kernel", "vfio-pci", [OFF, f"{PF} bind 4 VFs to vfio-pci"], ["vfio-pci"] * 4),
        ("vfio-pci", "kernel", [f"{PF} bind 4 VFs"], BOUND),
        ("none", "kernel", [f"{PF} bind 4 VFs"], BOUND),
        ("kernel", "none", [OFF, f"{PF} unbind 4 VFs"], [""] * 4),
        ("vfio-pci", "none", [f"{PF} unbind 4 VFs"], [""] * 4),
        ("vfio-pci", "igbvf", [f"{PF} bind 4 VFs to igbvf"], BOUND),
    ],
)
def test_another_driver_for_as_many_vfs_leaves_the_count_alone(
    machine: FakeMachine, before: str, after: str, writes: list[str], expected: list[str]
) -> None:
    a_pass(machine, rule(before))
    same, machine.writes = incarnations(machine), []
    report = a_pass(machine, rule(after))
    assert (machine.writes, drivers(machine), incarnations(machine)) == (writes, expected, same)
    assert report.pfs[0].state is PfState.OK
    assert machine.load_state()[0].pending is not None
    a_pass(machine, rule(after))
    assert machine.writes == writes


def test_a_vf_in_use_keeps_its_driver_until_it_is_released(machine: FakeMachine) -> None:
    a_pass(machine)
    machine.hold(PF, 1)
    (pf,) = a_pass(machine, rule("igbvf")).pfs
    assert machine.writes[-1] == OFF
    assert (pf.state, pf.vfs_held) == (PfState.OK, 1)
    assert pf.message.startswith(f'{PF}: 1 VF keeps its driver until released, then vf_driver = "igbvf" applies: VF 1 ')
    assert machine.load_state()[0].placements[PF].applied == "kernel"


def test_probing_stays_on_for_vfs_that_have_the_kernels_driver_although_fewer_would_not(machine: FakeMachine) -> None:
    """VF 1 stays while VF 0 is in use. The number that the rule asks for is VF 0 alone, which has another driver."""
    a_pass(machine, make_rule(num_vfs=2, vf_driver="none"))
    machine.hold(PF)
    mixed = make_rule(num_vfs=1, vf_binding=VfBinding.AUTO, vf=(VfTable(vfs="0", driver="vfio-pci"),))
    machine.writes.clear()
    assert a_pass(machine, mixed).pfs[0].reason is Reason.IN_USE
    a_pass(machine, mixed)
    assert machine.writes == [f"{PF} bind 1 VF"]
    machine.holders = Holders()
    assert a_pass(machine, mixed).pfs[0].state is PfState.OK


def test_a_name_that_one_vf_had_before_is_taken_back_from_all(machine: FakeMachine) -> None:
    a_pass(machine)
    machine.hold(PF)
    a_pass(machine, rule("vfio-pci"))
    machine.holders = Holders()
    a_pass(machine, rule("kernel"))
    assert machine.writes[-1] == f"{PF} bind 4 VFs"
    assert drivers(machine) == BOUND


def test_vfs_that_come_back_to_a_name_while_others_are_used_can_leave_it_again(machine: FakeMachine) -> None:
    a_pass(machine, rule("vfio-pci"))
    machine.hold(PF)
    a_pass(machine, rule("kernel"))
    assert drivers(machine) == ["vfio-pci", *BOUND[1:]]
    machine.owners = Owners({vf_address(PF, 1): Owner("vm", is_running=True)})
    a_pass(machine, rule("vfio-pci"))
    assert drivers(machine)[2:] == ["vfio-pci"] * 2
    machine.owners = Owners()
    a_pass(machine, rule("kernel"))
    assert drivers(machine) == ["vfio-pci", *BOUND[1:]]


def test_a_vf_that_is_used_right_before_it_would_be_moved_stays(machine: FakeMachine) -> None:
    a_pass(machine)
    machine.failures = {PF: ["", "used"]}
    (pf,) = a_pass(machine, rule("igbvf-2")).pfs
    assert drivers(machine) == ["vfio-pci", "igbvf-2", "igbvf-2", "igbvf-2"]
    assert pf.vfs_held == 1


def test_a_module_is_loaded_for_vfs_that_need_it(machine: FakeMachine) -> None:
    machine.absent_drivers = {"vfio-pci"}
    a_pass(machine, rule("vfio-pci"))
    assert machine.writes == [OFF, SET, f"{PF} load the module vfio-pci", f"{PF} bind its VFs to vfio-pci"]


def test_without_the_module_there_are_vfs_all_the_same(machine: FakeMachine) -> None:
    machine.absent_drivers = {"dpdk"}
    machine.failures = {PF: ["", "", errno.ENOENT]}
    (pf,) = a_pass(machine, rule("dpdk")).pfs
    assert (pf.num_vfs, pf.reason, pf.vfs_unbound) == (4, Reason.VFS_INCOMPLETE, 4)
    assert machine.writes[-1] == f"{PF} load the module dpdk"


def test_vfs_of_a_reload_carry_no_name_of_those_before_it(machine: FakeMachine) -> None:
    a_pass(machine, rule("vfio-pci"))
    machine.writes = []
    after = replace(rule(num_vfs=3), method=Method.MAX_VFS, reload_driver=True)
    assert a_pass(machine, after).pfs[0].state is PfState.OK
    assert not [line for line in machine.writes if "bind" in line]


def test_when_the_rule_is_gone_its_vfs_carry_no_name_any_more(machine: FakeMachine) -> None:
    a_pass(machine, rule("vfio-pci"))
    machine.writes = []
    other = rule(address=PF2)
    a_pass(machine, other)
    assert machine.writes == [f"{PF} clear driver_override of 4 VFs"]
    assert drivers(machine) == ["vfio-pci"] * 4
    a_pass(machine, other)
    assert len(machine.writes) == 1


def test_when_the_rule_for_a_pf_that_is_no_nic_is_gone_its_users_are_still_seen(machine: FakeMachine) -> None:
    machine.change(PF, is_nic=False)
    a_pass(machine, rule("vfio-pci"))
    machine.failures = {PF: ["used"]}
    a_pass(machine, rule(address=PF2))
    assert machine.pfs[PF].facts.vfs[0].driver == "vfio-pci"
    assert machine.load_state()[0].placements[PF].applied == "vfio-pci"


def test_while_it_is_not_known_whether_the_rule_is_gone_nothing_is_taken_back(machine: FakeMachine) -> None:
    named = make_rule(match=Match(netdev="lan0"), num_vfs=4, vf_driver="vfio-pci")
    machine.change(PF, netdevs=(make_netdev(altnames=("lan0",)),))
    a_pass(machine, named)
    machine.writes = []
    machine.change(PF, netdevs=(make_netdev(),))
    machine.links = Links(problem="no answer")
    a_pass(machine, named)
    assert machine.writes == []


def test_while_one_of_them_is_used_nothing_is_taken_back(machine: FakeMachine) -> None:
    a_pass(machine, rule("vfio-pci"))
    machine.hold(PF)
    machine.writes = []
    a_pass(machine, rule(address=PF2))
    assert machine.writes == []


def test_a_first_pass_that_finds_everything_moves_nothing() -> None:
    """As after an upgrade from a version that remembers no drivers."""
    for vf_driver, autoprobe in (("kernel", True), ("none", False)):
        machine = FakeMachine(FakePf(autoprobe=autoprobe))
        machine.make_vfs(PF, 4)
        a_pass(machine, rule(vf_driver))
        assert machine.writes == []


def test_a_config_without_rules_asks_nothing(machine: FakeMachine) -> None:
    assert run_pass(machine, Loaded(make_config()), mode=Mode.APPLY).pfs == ()
    assert machine.writes == []
