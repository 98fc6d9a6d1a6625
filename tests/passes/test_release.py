"""VFs of ours that no rule asks for any more are removed by whoever asks, and by nobody else."""

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_config, make_netdev, make_rule
from fakes import Crash, FakeMachine, FakePf
from sriov_bootstrap.base.errors import NotOursError
from sriov_bootstrap.core.config import Config, Match, Switch
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.former_links import FormerLink
from sriov_bootstrap.core.plan_max_vfs import modprobe_path
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfState
from sriov_bootstrap.core.state import PendingRestart
from sriov_bootstrap.core.vf_users import Owner, Owners
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass
from sriov_bootstrap.passes.release import run_release

RULE = make_rule()
OTHER = make_rule(name="b", match=Match(pci_address=PF2))
NO_RULE = make_config(OTHER)


def machine_with_leftovers(vf_driver: VfDriver = VfDriver.KERNEL) -> FakeMachine:
    """Two PFs of which we made the VFs; the rule of the first one is gone, and consumers know of all."""
    machine = FakeMachine(FakePf(), FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),)))
    a_pass(machine, make_config(make_rule(vf_driver=vf_driver), OTHER))
    a_pass(machine, NO_RULE)
    machine.save_state(replace(machine.load_state()[0], pending=None))
    machine.writes.clear()
    return machine


def a_pass(machine: FakeMachine, config: Config, *, mode: Mode = Mode.APPLY) -> PassReport:
    return run_pass(machine, Loaded(config), mode=mode)


def a_release(machine: FakeMachine, *, config: Config = NO_RULE, force: bool = False) -> PassReport:
    return run_release(machine, config, PF, mode=Mode.APPLY, force=force)


@pytest.mark.parametrize("mode", Mode)
def test_the_vfs_of_a_rule_that_is_removed_stay_and_are_told(mode: Mode) -> None:
    machine = machine_with_leftovers()
    (left,) = a_pass(machine, NO_RULE, mode=mode).leftovers
    assert (left.pci_address, len(left.vfs), machine.writes) == (PF, 4, [])
    assert a_pass(machine, make_config(RULE, OTHER), mode=mode).leftovers == ()


def test_while_the_config_is_broken_nothing_is_called_left_over() -> None:
    machine = machine_with_leftovers()
    for mode in Mode:
        assert run_pass(machine, Loaded(Config(), ("not TOML",)), mode=mode).leftovers == ()


def test_a_release_removes_them_once_and_consumers_hear_of_it() -> None:
    machine = machine_with_leftovers()
    report = a_release(machine)
    assert [(pf.pci_address, pf.state, pf.num_vfs) for pf in report.pfs] == [(PF, PfState.OK, 0)]
    assert machine.writes == [f"{PF} set sriov_numvfs from 4 to 0"]
    saved = machine.load_state()[0]
    assert saved.pending == PendingRestart(machine.now, (PF,))
    assert saved.report.leftovers == ()
    assert (machine.count(PF2), [*saved.ours]) == (4, [PF2])
    assert a_release(machine).results == ()
    assert a_pass(machine, NO_RULE).losses == {}


JUMBO = make_rule(mtu=9000, promisc=Switch.ON)


def link_of(machine: FakeMachine) -> tuple[int, bool]:
    link = machine.pfs[PF].link
    return link.mtu, link.is_promiscuous


def test_a_release_puts_back_what_the_pfs_netdev_had_before_us() -> None:
    machine = FakeMachine(FakePf())
    a_pass(machine, make_config(JUMBO))
    machine.pfs[PF].link = replace(machine.pfs[PF].link, mtu=1400)  # somebody else, and we set it again
    a_pass(machine, make_config(JUMBO))
    a_pass(machine, NO_RULE)
    assert link_of(machine) == (9000, True)
    machine.writes.clear()
    assert not a_release(machine).is_degraded
    assert machine.writes == [f"{PF} set sriov_numvfs from 4 to 0", f"{PF} set mtu 1500, promisc off of ens1f0"]
    assert link_of(machine) == (1500, False)
    machine.pfs[PF].link = replace(machine.pfs[PF].link, mtu=2000)
    assert a_release(machine).results == ()
    assert link_of(machine) == (2000, False)


def test_a_release_without_vfs_puts_it_back_too() -> None:
    machine = FakeMachine(FakePf())
    a_pass(machine, make_config(replace(JUMBO, num_vfs=0)))
    a_release(machine, config=make_config(replace(JUMBO, num_vfs=0)))
    assert link_of(machine) == (9000, True)  # a rule still says so
    a_release(machine)
    assert link_of(machine) == (1500, False)
    assert machine.load_state()[0].former_links == {}


def test_what_was_there_before_is_known_although_the_pass_dies() -> None:
    machine = FakeMachine(FakePf())
    a_pass(machine, make_config(RULE))
    machine.dies_before = 0
    with pytest.raises(Crash):
        a_pass(machine, make_config(JUMBO))
    assert machine.load_state()[0].former_links == {PF: FormerLink(1500, promisc=False)}
    machine.dies_before = None
    machine.failures = {PF: [22]}
    a_pass(machine, make_config(JUMBO))
    a_pass(machine, make_config(RULE))  # without the keys
    assert machine.load_state()[0].former_links == {}


def test_a_release_says_nothing_of_other_pfs_and_forgets_none_of_their_losses() -> None:
    machine = machine_with_leftovers()
    passes = machine.load_state()[0].counters.passes
    machine.make_vfs(PF2, 1)
    a_release(machine)
    saved = machine.load_state()[0]
    assert ([pf.pci_address for pf in saved.report.pfs], saved.counters.passes) == ([PF2], passes)
    assert a_pass(machine, NO_RULE).losses == {PF2: 4}


def test_a_release_leaves_the_driver_of_other_pfs_vfs_alone() -> None:
    machine = machine_with_leftovers()
    config = make_config(make_rule(name="b", match=Match(pci_address=PF2), vf_driver="vfio-pci"))
    a_pass(machine, config)
    machine.writes.clear()
    a_release(machine, config=config)
    assert machine.writes == [f"{PF} set sriov_numvfs from 4 to 0"]
    assert machine.load_state()[0].placements[PF2].applied == "vfio-pci"


def test_a_vf_in_use_stays_until_force_is_said() -> None:
    machine = machine_with_leftovers(VfDriver.NONE)
    machine.hold(PF, 1)
    (pf,) = a_release(machine).pfs
    assert (pf.state, pf.reason) == (PfState.DEGRADED, Reason.IN_USE)
    assert pf.message == f"{PF}: 4 VFs stay instead of 0: VF 1 0000:3b:02.1 is held by qemu pid 4711"
    assert pf.hint == "stop what uses it and run this again, or add --force"
    assert (machine.count(PF), machine.writes, machine.load_state()[0].pending) == (4, [], None)
    assert a_release(machine, force=True).pfs[0].state is PfState.OK
    assert machine.count(PF) == 0


def test_a_vf_of_a_vm_that_is_shut_off_stays() -> None:
    machine = machine_with_leftovers()
    machine.owners = Owners({"0000:3b:02.1": Owner("instance-0000002a")})
    assert a_release(machine).pfs[0].reason is Reason.IN_USE
    assert machine.count(PF) == 4


def test_a_vm_that_takes_a_vf_at_the_last_moment_keeps_it() -> None:
    machine = machine_with_leftovers()
    machine.failures = {PF: ["used"]}
    (pf,) = a_release(machine).pfs
    assert (pf.reason, machine.count(PF), machine.load_state()[0].pending) == (Reason.IN_USE, 4, None)


def test_probing_that_we_switched_off_is_given_back() -> None:
    machine = machine_with_leftovers(VfDriver.NONE)
    a_release(machine)
    assert machine.pfs[PF].facts.autoprobe
    assert machine.load_state()[0].autoprobe_off == ()


def test_a_look_changes_nothing() -> None:
    machine = machine_with_leftovers()
    data = machine.data
    (pf,) = run_release(machine, NO_RULE, PF, mode=Mode.OBSERVE).pfs
    assert (pf.state, pf.message) == (PfState.PENDING, "to do: set sriov_numvfs from 4 to 0")
    assert (machine.data, machine.writes, machine.count(PF)) == (data, [], 4)


def test_nothing_is_written_into_a_jam() -> None:
    machine = machine_with_leftovers()
    machine.failures = {PF2: ["stuck"]}
    a_pass(machine, make_config(make_rule(name="b", match=Match(pci_address=PF2), num_vfs=2)))
    machine.writes.clear()
    assert a_release(machine).pfs[0].reason is Reason.BLOCKED
    assert machine.writes == []


def test_a_release_that_does_not_come_back_owes_a_restart_for_when_it_does() -> None:
    machine = machine_with_leftovers()
    machine.failures = {PF: ["stuck"]}
    assert a_release(machine).pfs[0].reason is Reason.STUCK
    saved = machine.load_state()[0]
    assert (saved.pending, saved.report.jam) == (PendingRestart(machine.now, (PF,)), machine.jam)


def test_a_release_that_dies_loses_no_restart() -> None:
    machine = machine_with_leftovers()
    machine.failures = {PF: ["crash"]}
    with pytest.raises(Crash):
        a_release(machine)
    a_pass(machine, NO_RULE)
    assert machine.load_state()[0].pending == PendingRestart(machine.now, (PF,))


def test_state_that_cannot_be_saved_is_said() -> None:
    machine = machine_with_leftovers()
    machine.save_problem = "state.json could not be saved"
    assert a_release(machine).notes == ("state.json could not be saved",)


def test_a_modprobe_file_that_would_bring_them_back_is_named() -> None:
    machine = machine_with_leftovers()
    machine.texts[modprobe_path("igb")] = "options igb max_vfs=4\n"
    assert a_release(machine).notes == (
        "/etc/modprobe.d/sriov-bootstrap-igb.conf creates VFs again when igb is loaded: remove it",
    )


@pytest.mark.parametrize("count", [4, 2])
def test_vfs_that_somebody_made_anew_are_not_ours(count: int) -> None:
    machine = machine_with_leftovers()
    machine.make_vfs(PF, count)
    assert a_pass(machine, NO_RULE).leftovers == ()
    with pytest.raises(NotOursError, match="not of our making"):
        a_release(machine)
    assert machine.count(PF) == count


def test_vfs_from_before_us_are_ours_when_a_rule_has_adopted_them_and_not_while_they_do_not_fit() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 4)
    machine.hold(PF)
    a_pass(machine, make_config(make_rule(num_vfs=2)))  # refused: they are in use
    assert a_pass(machine, Config()).leftovers == ()
    a_pass(machine, make_config(RULE))
    assert machine.writes == []
    assert [left.pci_address for left in a_pass(machine, Config()).leftovers] == [PF]


def test_vfs_from_before_us_that_do_not_fit_are_replaced_when_a_rule_appears() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 2)
    a_pass(machine, Config())
    a_pass(machine, make_config(RULE))
    assert machine.writes == [f"{PF} set sriov_numvfs from 2 to 0", f"{PF} set sriov_numvfs from 0 to 4"]


def test_fewer_vfs_than_we_asked_for_are_ours_as_well() -> None:
    machine = FakeMachine(FakePf())
    machine.pfs[PF].makes = 3
    assert a_pass(machine, make_config(RULE)).pfs[0].reason is Reason.FEWER_VFS
    assert [len(left.vfs) for left in a_pass(machine, Config()).leftovers] == [3]
