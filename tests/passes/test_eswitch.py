"""The mode of a NIC's switch over passes: in the order of each driver, kept, held off, and restored."""

import errno
from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_netdev, make_rule, vf_address
from fakes import Crash, FakeMachine, FakePf
from fakes_switch import FakeSwitch
from sriov_bootstrap.core.config import Config, PfRule, VfBinding, WhenInUse
from sriov_bootstrap.core.eswitch_config import DevlinkParam, Eswitch, EswitchMode, InlineMode, ParamMode, SteeringMode
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_users import Owner, Owners
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass
from sriov_bootstrap.passes.release import run_release

SWITCHDEV = Eswitch(EswitchMode.SWITCHDEV)
LEGACY = Eswitch(EswitchMode.LEGACY)
OFFLOAD = Eswitch(EswitchMode.SWITCHDEV, InlineMode.TRANSPORT, hw_tc_offload=True)
OFF, COUNT, NONE = "set sriov_drivers_autoprobe to 0", "set sriov_numvfs from 0 to 4", "set sriov_numvfs from 4 to 0"
MODE, BACK = "set the eswitch mode from legacy to switchdev", "set the eswitch mode from switchdev to legacy"
WAIT, BIND = "wait for 4 representors", "bind its VFs"
STILL = "make sure that the eswitch mode is still switchdev"


def host(driver: str = "mlx5_core", *, num_vfs: int = 0, mode: str = "legacy", **values: Any) -> FakeMachine:  # noqa: ANN401
    machine = FakeMachine(FakePf(driver=driver, total_vfs=8))
    machine.pfs[PF].switch = FakeSwitch(mode, forgets=driver == "netdevsim")
    for name, value in values.items():
        setattr(switch(machine), name, value)
    if num_vfs:
        machine.make_vfs(PF, num_vfs)
    return machine


def switch(machine: FakeMachine) -> FakeSwitch:
    found = machine.pfs[PF].switch
    assert found is not None
    return found


def rule(eswitch: Eswitch | None = SWITCHDEV, **values: Any) -> PfRule:  # noqa: ANN401
    return make_rule(eswitch=eswitch, **({"vf_binding": VfBinding.AUTO} | values))


def a_pass(machine: FakeMachine, wanted: PfRule, *, mode: Mode = Mode.APPLY, **how: Any) -> PassReport:  # noqa: ANN401
    return run_pass(machine, Loaded(Config(pf=(wanted,))), mode=mode, **how)


def its_line(machine: FakeMachine, wanted: PfRule, **how: Any) -> PfReport:  # noqa: ANN401
    return a_pass(machine, wanted, **how).pfs[0]


def steps(machine: FakeMachine) -> list[str]:
    done = [text.removeprefix(f"{PF} ") for text in machine.writes]
    machine.writes.clear()
    return done


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("mlx5_core", [OFF, COUNT, MODE, WAIT, BIND]),
        ("ice", [OFF, MODE, COUNT, WAIT, BIND]),
        ("bnxt_en", [OFF, COUNT, MODE, WAIT, BIND]),
        ("netdevsim", [OFF, COUNT, MODE, WAIT, BIND]),
    ],
)
def test_each_driver_gets_its_order_and_the_next_pass_does_nothing(driver: str, expected: list[str]) -> None:
    machine = host(driver)
    line = its_line(machine, rule())
    assert (steps(machine), line.state) == (expected, PfState.OK)
    assert (line.eswitch_mode, line.eswitch_desired, line.representors, line.representors_desired) == (
        "switchdev",
        "switchdev",
        4,
        4,
    )
    assert (a_pass(machine, rule()).results, switch(machine).mistakes) == ((), [])


def test_bnxt_en_is_up_before_its_vfs_and_its_mode() -> None:
    machine = host("bnxt_en")
    machine.change(PF, netdevs=(make_netdev(is_up=False),))
    a_pass(machine, rule())
    assert steps(machine) == ["bring ens1f0 up", OFF, COUNT, MODE, WAIT, BIND]


def test_60_vfs_of_mlx5_are_never_taken_from_a_driver() -> None:
    machine = host()
    machine.change(PF, total_vfs=60)
    a_pass(machine, rule(num_vfs=60))
    done = steps(machine)
    assert done[-1] == BIND
    assert [text for text in done if "unbind" in text or "to 0" in text] == [OFF]


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("mlx5_core", [OFF, NONE, COUNT, MODE, WAIT, BIND]),
        ("ice", [OFF, NONE, MODE, COUNT, WAIT, BIND]),
        ("bnxt_en", [MODE, WAIT]),
        ("netdevsim", [MODE, WAIT]),
    ],
)
def test_vfs_that_exist_are_made_again_only_where_the_driver_needs_it(driver: str, expected: list[str]) -> None:
    machine = host(driver, num_vfs=4)
    line = its_line(machine, rule())
    assert (steps(machine), line.state, switch(machine).mistakes) == (expected, PfState.OK, [])


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
def test_there_and_back_again(driver: str) -> None:
    machine = host(driver)
    for wish, mode in ((SWITCHDEV, "switchdev"), (LEGACY, "legacy"), (SWITCHDEV, "switchdev")):
        line = its_line(machine, rule(wish))
        assert (line.state, line.eswitch_mode, line.num_vfs) == (PfState.OK, mode, 4)
        assert line.representors == line.representors_desired == (4 if mode == "switchdev" else 0)
    assert switch(machine).mistakes == []


@pytest.mark.parametrize("driver", ["mlx5_core", "netdevsim"])
def test_another_count_keeps_the_mode_also_where_no_vfs_mean_legacy(driver: str) -> None:
    machine = host(driver)
    a_pass(machine, rule())
    steps(machine)
    line = its_line(machine, rule(num_vfs=2))
    assert (line.state, line.eswitch_mode, line.representors) == (PfState.OK, "switchdev", 2)
    assert STILL in steps(machine)


def test_no_vfs_in_switchdev_are_as_desired() -> None:
    machine = host("ice")
    line = its_line(machine, rule(num_vfs=0))
    assert (steps(machine), line.state, line.eswitch_mode) == ([MODE], PfState.OK, "switchdev")
    assert machine.saved[-1].pending is None


def test_a_mode_that_was_lost_is_restored_and_consumers_are_told() -> None:
    machine = host("netdevsim")
    a_pass(machine, rule())
    machine.data = machine.data.replace(b'"pending":{', b'"was":{')
    steps(machine)
    switch(machine).facts = replace(switch(machine).facts, mode="legacy")
    line = its_line(machine, rule())
    assert (steps(machine), line.state, line.representors) == ([MODE, WAIT], PfState.OK, 4)
    assert machine.saved[-1].pending is not None


@pytest.mark.parametrize("driver", ["mlx5_core", "bnxt_en"])
def test_a_mode_that_is_set_later_is_a_change_of_vfs_to_who_started_before(driver: str) -> None:
    """nova 34 reads the capability switchdev once, when it starts: SB-W416 compares with this."""
    machine = host(driver, num_vfs=4)
    a_pass(machine, make_rule(vf_binding=VfBinding.AUTO))
    machine.now += 100.0
    began = machine.now
    a_pass(machine, rule())
    assert machine.saved[-1].vfs_changed_at[PF] >= began


def test_the_rest_is_set_after_the_mode_and_again_when_it_is_lost() -> None:
    machine = host()
    text = f"{WAIT} and set inline_mode transport, hw-tc-offload on"
    line = its_line(machine, rule(OFFLOAD))
    assert (steps(machine), line.state) == ([OFF, COUNT, MODE, text, BIND], PfState.OK)
    switch(machine).offloading.discard("ens1f0_2")
    assert its_line(machine, rule(OFFLOAD)).state is PfState.OK
    assert (steps(machine), a_pass(machine, rule(OFFLOAD)).results) == ([text], ())


def test_a_netdev_that_cannot_offload_is_said_and_its_vfs_are_bound() -> None:
    machine = host(fixed={"ens1f0_1"})
    line = its_line(machine, rule(OFFLOAD))
    assert (line.state, line.reason, line.vfs_unbound) == (PfState.DEGRADED, Reason.ATTRIBUTES_REFUSED, 0)


def test_late_representors_are_waited_for_before_vfs_are_bound() -> None:
    machine = host(late=7.0)
    line = its_line(machine, rule())
    assert (line.state, line.representors, machine.now >= 1007.0) == (PfState.OK, 4, True)


def test_a_representor_that_never_comes_is_named() -> None:
    machine = host(lost={2})
    line = its_line(machine, rule())
    assert (line.state, line.reason, line.vfs_unbound) == (PfState.DEGRADED, Reason.REPRESENTORS_MISSING, 0)
    assert line.message == f"{PF}: 1 of 4 representors missing: VF 2"
    assert a_pass(machine, rule()).results == ()


def test_a_busy_switch_is_tried_again_in_the_same_pass() -> None:
    machine = host("ice")
    machine.change(PF, autoprobe=False)
    machine.failures[PF] = [errno.EBUSY, errno.EBUSY]
    line = its_line(machine, rule(vf_driver="none"))
    assert (steps(machine), line.state) == ([MODE, MODE, MODE, COUNT, WAIT], PfState.OK)


def test_a_mode_that_the_kernel_refuses_makes_the_pf_degraded_and_its_vfs_are_made_in_the_one_that_there_is() -> None:
    machine = host("ice")
    machine.change(PF, autoprobe=False)
    machine.failures[PF] = [errno.EIO]
    line = its_line(machine, rule(vf_driver="none"))
    assert (steps(machine), line.reason, line.num_vfs) == ([MODE, COUNT], Reason.ESWITCH_MODE, 4)


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO, errno.ENOMEM, errno.ENODEV, errno.EINVAL, errno.ENOSPC])
def test_a_refused_mode_is_told_in_full_and_keeps_no_vf_from_its_driver_and_the_next_pass_makes_it_good(
    driver: str, number: int
) -> None:
    refusals = [number] * (2 if driver == "mlx5_core" else 1)  # which is asked again before it has VFs
    machine = host(driver, refusals=refusals)
    line = its_line(machine, rule())
    assert (line.state, line.reason, line.eswitch_mode) == (PfState.DEGRADED, Reason.ESWITCH_MODE, "legacy")
    assert line.message.startswith(f"{PF}: cannot {MODE}: {errno.errorcode[number]}: the kernel refuses: ")
    assert line.hint
    assert (line.num_vfs, line.vfs_unbound, machine.pfs[PF].facts.autoprobe) == (4, 0, True)
    assert machine.saved[-1].mode_first == ((PF,) if driver == "mlx5_core" else ())
    assert (its_line(machine, rule()).state, switch(machine).mistakes) == (PfState.OK, [])
    assert machine.saved[-1].refused_modes == {}


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
def test_a_switch_that_stays_busy_keeps_no_vf_from_its_driver_either(driver: str) -> None:
    machine = host(driver, refusals=[errno.ETIMEDOUT] * 6)
    line = its_line(machine, rule())
    assert (line.reason, line.num_vfs, line.vfs_unbound) == (Reason.ESWITCH_MODE, 4, 0)
    assert (switch(machine).refusals, machine.saved[-1].mode_first) == ([], ())
    assert (its_line(machine, rule()).state, switch(machine).mistakes) == (PfState.OK, [])


def test_a_mode_that_waits_for_a_vf_in_use_has_been_refused_no_less_often() -> None:
    machine = host("bnxt_en", refusals=[errno.EIO])
    its_line(machine, rule())
    machine.failures[PF] = ["used"]
    assert its_line(machine, rule()).reason is Reason.IN_USE
    assert machine.saved[-1].refused_modes[PF].times == 1


@pytest.mark.parametrize(
    ("driver", "again"),
    [
        ("mlx5_core", [OFF, NONE, MODE, COUNT, BIND]),
        ("ice", [OFF, NONE, MODE, COUNT, BIND]),
        ("bnxt_en", [MODE]),
        ("netdevsim", [MODE]),
    ],
)
def test_vfs_are_made_again_twice_for_a_mode_that_is_refused_and_then_only_if_somebody_asks(
    driver: str, again: list[str]
) -> None:
    machine = host(driver, refusals=[errno.EIO] * 50)
    first = its_line(machine, rule())
    steps(machine)
    for _ in range(2):
        assert its_line(machine, rule()).message == first.message
        assert steps(machine) == again
    costs_nothing = driver in {"bnxt_en", "netdevsim"}
    line = its_line(machine, rule())
    assert (line.state, line.reason, line.message) == (PfState.DEGRADED, Reason.ESWITCH_MODE, first.message)
    assert (steps(machine), line.vfs_unbound) == (again if costs_nothing else [], 0)
    its_line(machine, rule(), handover=Handover(is_asked=True))
    assert steps(machine)[-len(again) :] == again
    switch(machine).refusals.clear()
    machine.make_vfs(PF, 0)  # as when its driver is bound again
    assert (its_line(machine, rule()).state, switch(machine).facts.mode) == (PfState.OK, "switchdev")


def test_a_rule_that_asks_for_the_mode_that_is_there_has_nothing_to_wait_for() -> None:
    machine = host("bnxt_en", refusals=[errno.EIO])
    its_line(machine, rule())
    assert its_line(machine, rule(LEGACY)).state is PfState.OK


def test_another_number_of_vfs_does_not_wait_for_a_mode_that_is_refused() -> None:
    machine = host("ice", refusals=[errno.EIO] * 50)
    for _ in range(3):
        its_line(machine, rule())
    steps(machine)
    line = its_line(machine, rule(num_vfs=2))
    assert (line.num_vfs, line.vfs_unbound, line.reason) == (2, 0, Reason.ESWITCH_MODE)
    assert MODE not in steps(machine)


def test_firmware_that_refuses_the_mode_with_vfs_gets_the_other_order() -> None:
    machine = host(refuses_with_vfs=True)
    line = its_line(machine, rule())
    assert (steps(machine), line.state) == (
        [OFF, COUNT, MODE, NONE, MODE, COUNT, WAIT, BIND],
        PfState.OK,
    )
    assert machine.saved[-1].mode_first == (PF,)
    machine.make_vfs(PF, 0)
    a_pass(machine, rule())
    assert steps(machine)[:2] == [OFF, COUNT]


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
def test_a_mode_waits_for_a_vf_in_use_and_nothing_is_touched(driver: str) -> None:
    machine = host(driver, num_vfs=4)
    machine.hold(PF)
    line = its_line(machine, rule(vf_driver="none"))
    assert (steps(machine), line.reason, line.eswitch_mode) == ([OFF], Reason.IN_USE, "legacy")
    assert line.message.startswith(
        f"{PF}: the eswitch mode stays legacy instead of switchdev: VF 0 0000:3b:02.0 is held"
    )
    dry = its_line(machine, rule(vf_driver="none"), mode=Mode.OBSERVE)
    assert dry.message == line.message


@pytest.mark.parametrize("master", ["ens1f0", "ens1f0_1"])
def test_a_mode_waits_for_what_its_netdevs_are_part_of(master: str) -> None:
    machine = host(num_vfs=4, mode="switchdev", masters={master})
    machine.change(PF, netdevs=(make_netdev(uppers=("bond0",)),))
    line = its_line(machine, rule(LEGACY))
    part = "bond0" if master == "ens1f0" else "another netdev"
    assert line.message == f"{PF}: the eswitch mode stays switchdev instead of legacy: {master} is part of {part}"
    assert (steps(machine), line.reason) == ([], Reason.IN_USE)


def test_a_vf_that_comes_into_use_after_the_plan_keeps_the_mode() -> None:
    machine = host("bnxt_en", num_vfs=4)
    machine.failures[PF] = ["used"]
    line = its_line(machine, rule())
    assert (line.reason, line.eswitch_mode) == (Reason.IN_USE, "legacy")


def test_a_mode_that_has_to_wait_after_all_leaves_probing_on_and_no_free_vf_without_its_driver() -> None:
    """A VM that runs has lost this VF, and will have the new one."""
    machine = host()
    machine.owners = Owners({vf_address(PF, 2): Owner("instance-0000002a", is_running=True)})
    line = its_line(machine, rule())
    assert (line.reason, line.eswitch_mode) == (Reason.IN_USE, "legacy")
    assert (steps(machine)[-1], machine.pfs[PF].facts.autoprobe) == ("bind 3 VFs", True)
    its_line(machine, rule())
    assert steps(machine) == []


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
def test_vms_that_are_shut_off_do_not_keep_a_host_that_boots_from_its_mode(driver: str) -> None:
    machine = host(driver)
    machine.owners = Owners({vf_address(PF, 2): Owner("instance-0000002a")})
    assert (its_line(machine, rule()).state, switch(machine).facts.mode) == (PfState.OK, "switchdev")


@pytest.mark.parametrize("vf_driver", ["", "mlx5_core"])
def test_a_vf_on_its_way_to_a_vm_keeps_the_mode_and_so_does_one_that_would_be_made_again(vf_driver: str) -> None:
    """libvirt takes it from its driver before it gives it another."""
    machine = host(num_vfs=4)
    pf = machine.pfs[PF]
    pf.facts = replace(pf.facts, vfs=tuple(replace(vf, driver=vf_driver, netdevs=()) for vf in pf.facts.vfs))
    machine.owners = Owners({vf_address(PF, 2): Owner("instance-0000002a", is_running=not vf_driver)})
    assert its_line(machine, rule()).reason is Reason.IN_USE
    assert (steps(machine), switch(machine).facts.mode) == ([], "legacy")


@pytest.mark.parametrize("step", range(5))
def test_a_pass_that_dies_amid_vms_that_are_shut_off_is_ended_by_the_next(step: int) -> None:
    machine = host()
    machine.owners = Owners({vf_address(PF, 2): Owner("instance-0000002a")})
    machine.dies_before = step
    with pytest.raises(Crash):
        a_pass(machine, rule())
    machine.dies_before = None
    its_line(machine, rule())
    assert switch(machine).facts.mode == "switchdev"


@pytest.mark.parametrize("how", [{"force": True}, {}])
def test_whoever_says_so_changes_it_all_the_same(how: dict[str, bool]) -> None:
    machine = host("bnxt_en", num_vfs=4)
    machine.hold(PF)
    when = WhenInUse.KEEP if how else WhenInUse.REPLACE
    assert its_line(machine, rule(when_in_use=when), **how).eswitch_mode == "switchdev"


def test_whoever_forces_a_mode_is_told_what_loses_its_traffic_although_no_vf_goes() -> None:
    machine = host("bnxt_en", num_vfs=4, masters={"ens1f0"})
    machine.change(PF, netdevs=(make_netdev(uppers=("bond0",)),))
    machine.hold(PF)
    dry = its_line(machine, rule(), force=True, mode=Mode.OBSERVE)
    held = "VF 0 0000:3b:02.0 is held by qemu pid 4711"
    assert dry.eswitch_victims == (held, "ens1f0 is part of bond0")
    assert its_line(machine, rule(), mode=Mode.OBSERVE).eswitch_victims == ()
    assert its_line(machine, rule(), force=True).eswitch_victims == ()


def test_vfs_that_are_made_again_for_a_mode_are_no_victims_of_the_mode_beside() -> None:
    machine = host(num_vfs=4)
    machine.hold(PF)
    dry = its_line(machine, rule(), force=True, mode=Mode.OBSERVE)
    assert (dry.eswitch_victims, dry.will_change_vfs) == ((), True)


def test_a_driver_without_a_switch_has_its_vfs_all_the_same() -> None:
    machine = FakeMachine(FakePf())
    line = its_line(machine, rule())
    assert (line.num_vfs, line.reason) == (4, Reason.ESWITCH_UNSUPPORTED)
    assert line.message == f"{PF}: igb has no eswitch mode that can be set"


def test_a_dry_run_says_which_part_of_its_rule_a_driver_cannot_do() -> None:
    machine = host("igb", mode="")
    line = its_line(machine, rule(), mode=Mode.OBSERVE)
    assert (line.state, line.message.partition(":")[0]) == (PfState.PENDING, "to do")
    assert line.remark == "igb has no eswitch mode that can be set: its VFs are made without"
    assert its_line(machine, rule(LEGACY), mode=Mode.OBSERVE).remark != line.remark
    assert its_line(machine, rule(LEGACY)).state is PfState.OK


def test_a_switch_that_cannot_be_read_keeps_the_count() -> None:
    machine = host()
    machine.switch_problem = "the kernel did not list the netdevs: it is asleep"
    line = its_line(machine, rule())
    assert (steps(machine), line.reason, line.num_vfs) == ([], Reason.ESWITCH_MODE, 0)
    assert line.message == f"{PF}: the kernel did not list the netdevs: it is asleep"


def test_parameters_come_first_and_steering_only_in_legacy_mode() -> None:
    wanted = rule(
        Eswitch(EswitchMode.SWITCHDEV, flow_steering_mode=SteeringMode.SMFS),
        devlink_params={"total_vfs": DevlinkParam(16, ParamMode.PERMANENT), "enable_roce": True},
    )
    machine = host()
    line = its_line(machine, wanted)
    permanent = "total_vfs to 16 (permanent: from the next reset of the device, or power cycle)"
    assert steps(machine) == [
        OFF,
        f"set {permanent}, enable_roce to true, flow_steering_mode to smfs",
        COUNT,
        MODE,
        WAIT,
        BIND,
    ]
    assert line.state is PfState.OK
    switch(machine).facts = replace(switch(machine).facts, params={})
    line = its_line(machine, wanted)
    assert steps(machine) == [f"set {permanent}, enable_roce to true"]
    assert (line.reason, line.message) == (
        Reason.ESWITCH_UNSUPPORTED,
        f"{PF}: flow_steering_mode is unknown instead of smfs",
    )


def test_parameters_alone_say_nothing_of_the_mode() -> None:
    machine = host()
    line = its_line(machine, rule(None, devlink_params={"max_mac_per_vf": 4}))
    assert steps(machine) == [OFF, "set max_mac_per_vf to 4", COUNT, BIND]
    assert (line.state, line.eswitch_desired) == (PfState.OK, "")


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
@pytest.mark.parametrize("num_vfs", [0, 4])
@pytest.mark.parametrize("step", range(7))
def test_a_pass_that_dies_before_any_step_is_ended_by_the_next(driver: str, num_vfs: int, step: int) -> None:
    machine = host(driver, num_vfs=num_vfs)
    machine.dies_before = step
    try:
        a_pass(machine, rule(OFFLOAD))
    except Crash:
        machine.dies_before = None
    line = its_line(machine, rule(OFFLOAD))
    assert (line.state, line.eswitch_mode, line.representors, line.vfs_unbound) == (PfState.OK, "switchdev", 4, 0)
    assert (a_pass(machine, rule(OFFLOAD)).results, switch(machine).mistakes) == ((), [])


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
def test_a_release_returns_the_mode_that_was_found(driver: str) -> None:
    machine = host(driver)
    a_pass(machine, rule())
    report = run_release(machine, Config(), PF, mode=Mode.APPLY)
    assert (report.pfs[0].state, switch(machine).facts.mode, machine.count(PF)) == (PfState.OK, "legacy", 0)


def test_a_release_leaves_a_mode_that_was_there_before() -> None:
    machine = host("ice", mode="switchdev")
    a_pass(machine, rule())
    run_release(machine, Config(), PF, mode=Mode.APPLY)
    assert (switch(machine).facts.mode, machine.count(PF)) == ("switchdev", 0)


def test_a_rule_that_says_nothing_of_it_asks_nothing() -> None:
    machine = host(num_vfs=4, mode="switchdev")
    line = its_line(machine, rule(None))
    assert ("eswitches" in machine.reads, line.eswitch_mode, line.state) == (False, "", PfState.OK)


def test_two_pfs_do_not_disturb_each_other() -> None:
    machine = FakeMachine(FakePf(driver="ice"), FakePf(driver="ice", pci_address=PF2, netdevs=()))
    machine.pfs[PF].switch, machine.pfs[PF2].switch = FakeSwitch(), FakeSwitch()
    machine.failures[PF] = [errno.EIO] * 9
    other = replace(rule(), name="b", match=replace(rule().match, pci_address=PF2))
    report = run_pass(machine, Loaded(Config(pf=(rule(vf_driver="none"), other))), mode=Mode.APPLY)
    assert [(pf.state, pf.num_vfs) for pf in report.pfs] == [(PfState.DEGRADED, 0), (PfState.OK, 4)]


def test_port_functions_are_set_before_vfs_have_a_driver_and_not_again() -> None:
    machine, tables = host(), (VfTable(vfs="all", roce=False), VfTable(vfs="2", max_io_eqs=8))
    text = f"{WAIT} and set port functions of 4 VFs"
    line = its_line(machine, rule(vf=tables))
    assert (steps(machine), line.state, switch(machine).mistakes) == ([OFF, COUNT, MODE, text, BIND], PfState.OK, [])
    assert switch(machine).functions[2] == PortFunction(roce=False, max_io_eqs=8)
    assert a_pass(machine, rule(vf=tables)).results == ()
    line = its_line(machine, rule(vf=(VfTable(vfs="all", roce=True),)))
    assert (steps(machine), line.reason) == ([], Reason.ATTRIBUTES_REFUSED)
    assert line.message == "; ".join(
        ["0000:3b:00.0: VF 0 lacks roce on", *(f"VF {number} lacks roce on" for number in (1, 2, 3))]
    )
