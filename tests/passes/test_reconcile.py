"""Whole passes over a simulated host."""

import errno
from collections.abc import Callable
from typing import Unpack

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PfValues, make_config, make_netdev, make_rule, vf_address
from fakes import BOOT_ID, Crash, FakeMachine, FakePf
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.config import Config, Match, Method, OpenStack, PfRule, WhenInUse
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import Routes
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfState
from sriov_bootstrap.core.state import Handover, PendingRestart, State
from sriov_bootstrap.core.surroundings import Short
from sriov_bootstrap.core.suspects import Suspect
from sriov_bootstrap.core.vf_users import Holders, Owner, Owners
from sriov_bootstrap.passes.read import Loaded, load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass

RULE = make_rule()
BOTH = make_config(RULE, make_rule(name="b", match=Match(pci_address=PF2)))
SET = f"{PF} set sriov_numvfs from 0 to 4"
GOOD = ConfigFile("/c", b'[[pf]]\nname = "a"\nmatch = { driver = "igb" }\nnum_vfs = 1\n')


def machine_with(*, num_vfs: int = 0, **values: Unpack[PfValues]) -> FakeMachine:
    """A host with one PF."""
    machine = FakeMachine(FakePf(**values))
    machine.make_vfs(PF, num_vfs)
    return machine


def two_pfs() -> FakeMachine:
    """A host with two ports."""
    return FakeMachine(FakePf(), FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),)))


def a_pass(machine: FakeMachine, config: Config | None = None, *, force: bool = False) -> PassReport:
    """One that may write."""
    return run_pass(machine, Loaded(config or make_config(RULE)), mode=Mode.APPLY, force=force)


def verdicts(report: PassReport) -> list[tuple[PfState, Reason | None]]:
    """The state of each PF."""
    return [(pf.state, pf.reason) for pf in report.pfs]


OK = (PfState.OK, None)


def degraded(reason: Reason) -> tuple[PfState, Reason]:
    """The state of a PF that is not as desired."""
    return PfState.DEGRADED, reason


def test_second_pass_does_nothing() -> None:
    machine = machine_with(netdevs=(make_netdev(is_up=False),))
    config = make_config(make_rule(vf_driver=VfDriver.NONE))
    assert verdicts(a_pass(machine, config)) == [OK]
    expected = [f"{PF} set sriov_drivers_autoprobe to 0", SET, f"{PF} bring ens1f0 up"]
    assert machine.writes == expected
    pending = machine.load_state()[0].pending
    assert verdicts(a_pass(machine, config)) == [OK]
    assert machine.writes == expected
    assert machine.load_state()[0].pending == pending


def test_no_config_is_nothing_to_do() -> None:
    machine = machine_with(num_vfs=2)
    assert run_pass(machine, Loaded(Config()), mode=Mode.APPLY).pfs == ()
    assert (machine.writes, machine.count(PF)) == ([], 2)


def test_idle_vfs_are_replaced_through_zero() -> None:
    machine = machine_with(num_vfs=7)
    assert verdicts(a_pass(machine)) == [OK]
    assert machine.writes == [f"{PF} set sriov_numvfs from 7 to 0", SET]


def test_shrinking_waits_while_a_vm_holds_a_vf() -> None:
    machine = machine_with(num_vfs=7)
    machine.hold(PF, 3)
    report = a_pass(machine)
    assert verdicts(report) == [degraded(Reason.IN_USE)]
    assert report.pfs[0].message == f"{PF}: 7 VFs stay instead of 4: VF 3 0000:3b:02.3 is held by qemu pid 4711"
    assert machine.writes == []
    machine.holders = Holders()
    assert verdicts(a_pass(machine)) == [OK]


def test_a_vm_that_takes_a_vf_at_the_last_moment_keeps_it() -> None:
    machine = machine_with(num_vfs=7)
    machine.failures = {PF: ["used"]}
    assert verdicts(a_pass(machine)) == [degraded(Reason.IN_USE)]
    assert machine.count(PF) == 7


@pytest.mark.parametrize(("rule", "force"), [(make_rule(when_in_use=WhenInUse.REPLACE), False), (RULE, True)])
def test_vfs_in_use_are_replaced_where_that_was_said(rule: PfRule, *, force: bool) -> None:
    machine = machine_with(num_vfs=7)
    machine.hold(PF)
    assert verdicts(a_pass(machine, make_config(rule), force=force)) == [OK]
    assert machine.count(PF) == 4


def test_more_than_the_device_offers_is_refused_and_the_other_pf_is_served() -> None:
    machine = two_pfs()
    rules = make_rule(num_vfs=32), make_rule(name="b", match=Match(pci_address=PF2))
    assert verdicts(a_pass(machine, make_config(*rules))) == [degraded(Reason.EXCEEDS_MAX), OK]
    assert (machine.count(PF), machine.count(PF2)) == (0, 4)


def test_fewer_vfs_than_asked_is_degraded_and_not_asked_again() -> None:
    machine = machine_with()
    machine.pfs[PF].makes = 2
    for _ in range(3):
        assert verdicts(a_pass(machine)) == [degraded(Reason.FEWER_VFS)]
    assert machine.writes == [SET]
    machine.pfs[PF].makes = 7
    assert verdicts(a_pass(machine, force=True)) == [OK]


def test_no_vfs_and_no_error_is_degraded_and_asked_again() -> None:
    machine = machine_with()
    machine.pfs[PF].makes = 0
    assert verdicts(a_pass(machine)) == [degraded(Reason.FEWER_VFS)]
    assert machine.load_state()[0].pending is None
    machine.pfs[PF].makes = 7
    assert verdicts(a_pass(machine)) == [OK]


def test_vfs_that_stay_although_0_was_accepted_are_no_contest() -> None:
    machine = machine_with(num_vfs=7)
    machine.pfs[PF].keeps = True
    for number in (1, 2):
        (pf,) = a_pass(machine).pfs
        assert (pf.reason, pf.num_vfs) == (Reason.FEWER_VFS, 7)
        assert pf.message == f"{PF}: 7 VFs stay instead of 4: the kernel accepted 0 and reported no error"
        assert machine.writes == [f"{PF} set sriov_numvfs from 7 to 0"] * number
    machine.pfs[PF].keeps = False
    assert verdicts(a_pass(machine)) == [OK]


def test_vfs_that_stay_although_none_are_wanted_are_not_asked_to_go_again() -> None:
    machine = machine_with(num_vfs=7)
    machine.pfs[PF].keeps = True
    config = make_config(make_rule(num_vfs=0))
    for _ in range(2):
        (pf,) = a_pass(machine, config).pfs
        assert pf.message == f"{PF}: asked for 0 VFs but got 7, and the kernel reported no error"
    assert machine.writes == [f"{PF} set sriov_numvfs from 7 to 0"]


def test_a_vf_that_is_dead_is_named_and_the_others_are_there() -> None:
    machine = machine_with()
    machine.pfs[PF].dead = frozenset({2})
    (pf,) = a_pass(machine).pfs
    assert (pf.reason, pf.num_vfs) == (Reason.VFS_INCOMPLETE, 4)
    assert pf.message == f"{PF}: 1 of 4 VFs still without a netdev: {vf_address(PF, 2)}"


@pytest.mark.parametrize(
    ("failures", "writes", "expected"),
    [
        ([errno.EAGAIN], 2, OK),
        ([errno.EBUSY] * 5, 6, OK),
        ([errno.EBUSY] * 6, 6, degraded(Reason.WRITE_FAILED)),
        ([errno.ENOSPC], 1, degraded(Reason.WRITE_FAILED)),
        ([errno.EIO], 1, degraded(Reason.WRITE_FAILED)),
        ([0], 1, degraded(Reason.WRITE_FAILED)),
    ],
)
def test_only_what_may_pass_is_tried_again(
    failures: list[int | str], writes: int, expected: tuple[PfState, Reason | None]
) -> None:
    machine = two_pfs()
    machine.failures = {PF: failures}
    assert verdicts(a_pass(machine, BOTH)) == [expected, OK]
    assert machine.writes.count(SET) == writes


def test_vfs_are_waited_for_until_their_driver_has_them() -> None:
    machine = machine_with()
    machine.pfs[PF].late = 5.0
    report = a_pass(machine)
    assert verdicts(report) == [OK]
    assert report.results[0].seconds == pytest.approx(5.0, abs=0.6)
    assert "waiting for VFs to be ready: 0000:3b:00.0 has 4 of 4" in machine.said


def test_vfs_whose_driver_is_late_are_degraded_until_it_comes() -> None:
    machine = machine_with()
    machine.pfs[PF].late = 100.0
    assert verdicts(a_pass(machine)) == [degraded(Reason.VFS_INCOMPLETE)]
    assert verdicts(a_pass(machine)) == [degraded(Reason.VFS_INCOMPLETE)]
    machine.pause(100.0)
    assert verdicts(run_pass(machine, Loaded(make_config(RULE)), mode=Mode.OBSERVE)) == [OK]
    assert verdicts(a_pass(machine)) == [OK]
    assert machine.writes == [SET]


def test_vfs_for_which_the_host_has_no_driver_are_not_waited_for() -> None:
    machine = machine_with()
    machine.has_vf_driver = False
    assert verdicts(a_pass(machine)) == [OK]
    assert machine.now == 1000.0


def test_a_count_that_somebody_changed_meanwhile_is_planned_anew() -> None:
    machine = machine_with()
    machine.failures = {PF: ["stale"]}
    report = a_pass(machine)
    assert verdicts(report) == [OK]
    assert [result.outcome for result in report.results] == [Outcome.STALE, Outcome.CHANGED, Outcome.CHANGED]


def test_somebody_who_keeps_changing_the_count_is_not_fought_for_ever() -> None:
    machine = machine_with()
    machine.failures = {PF: ["stale"] * 99}
    report = a_pass(machine)
    assert verdicts(report) == [degraded(Reason.CONTESTED)]
    assert report.pfs[0].message == f"{PF}: something else sets 2 VFs where 4 are asked for, 2 times so far"
    assert report.contested == {PF: 2}
    assert len(machine.writes) == 2
    assert verdicts(a_pass(machine)) == [degraded(Reason.CONTESTED)]
    assert len(machine.writes) == 2


# -- somebody else writes the same number --


def contested(*, count: int = 1, makes: int = 65535) -> FakeMachine:
    """A host on which somebody writes his number over each of ours."""
    machine = machine_with()
    machine.pfs[PF].makes = makes
    machine.rivals = {PF: count}
    return machine


def tries(machine: FakeMachine) -> int:
    """How often our number was written."""
    return machine.writes.count(SET)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_number_that_somebody_else_writes_over_is_contested_and_ours_when_he_ends(count: int) -> None:
    machine = contested(count=count)
    report = a_pass(machine)
    assert verdicts(report) == [degraded(Reason.CONTESTED)]
    assert (report.pfs[0].message, report.contested) == (
        f"{PF}: something else sets {count} {'VF' if count == 1 else 'VFs'} where 4 are asked for",
        {PF: 1},
    )
    assert "it is written again after 5 s, and less and less often; sriov-bootstrap doctor names" in report.pfs[0].hint
    assert not report.has_failed
    machine.rivals = {}
    machine.pause(5.0)
    assert verdicts(a_pass(machine)) == [OK]


def test_who_probably_writes_over_a_number_is_named_with_what_to_do() -> None:
    machine = contested()
    link = Suspect("udev, by the .link file", "/etc/systemd/network/10-a.link:4", (1,), remedy="remove the key")
    machine.suspects = {PF: (link, Suspect("the script", "/etc/rc.local:2", (2,)))}
    (pf,) = a_pass(machine).pfs
    assert pf.message == f"{PF}: something else sets 1 VF where 4 are asked for: probably {link}"
    assert pf.hint == "it is written again after 5 s, and less and less often; remove the key"
    machine.suspects = {PF: (link, Suspect("the script", "/etc/rc.local:2", (1,)))}
    (pf,) = a_pass(machine).pfs
    assert pf.message.endswith(f"probably {link} or the script /etc/rc.local:2")
    assert pf.hint.endswith("; sriov-bootstrap doctor says how to stop each")


def test_what_may_have_removed_vfs_is_named_with_their_loss() -> None:
    machine = machine_with()
    machine.suspects = {PF: (Suspect("udev, by the .link file", "/etc/systemd/network/10-a.link:4", (1,)),)}
    assert a_pass(machine).loss_suspects == {}
    machine.make_vfs(PF, 0)
    report = a_pass(machine)
    assert report.losses
    assert report.loss_suspects == {PF: "udev, by the .link file /etc/systemd/network/10-a.link:4"}


def test_nobody_makes_war_about_a_number() -> None:
    machine = contested()
    for _ in range(3600):
        a_pass(machine)  # each of his writes is an event
        machine.pause(1.0)
    assert tries(machine) == 1 + 5 + 11  # the pauses grow to five minutes
    saved = machine.load_state()[0]
    assert saved.counters.contested == {PF: 17}
    assert saved.report.pfs[0].message.endswith("where 4 are asked for, 17 times so far")
    machine.rivals = {}
    machine.pause(300.0)
    assert verdicts(a_pass(machine)) == [OK]


def test_a_number_that_is_written_over_between_passes_is_put_right_at_once_and_then_ever_later() -> None:
    machine = machine_with()
    pauses = []
    for _ in range(5):
        assert verdicts(a_pass(machine)) == [OK]
        machine.make_vfs(PF, 1)
        began = machine.now
        while a_pass(machine).is_degraded:
            machine.pause(1.0)
        pauses.append(machine.now - began)
    assert pauses == [0.0, 10.0, 30.0, 60.0, 120.0]
    assert machine.load_state()[0].counters.contested == {PF: 5}
    machine.pause(600.0)
    a_pass(machine)
    machine.make_vfs(PF, 1)
    assert verdicts(a_pass(machine)) == [OK]


@pytest.mark.parametrize(("force", "handover"), [(True, Handover()), (False, Handover(is_asked=True))])
def test_who_asks_for_a_try_has_it_in_the_pause(*, force: bool, handover: Handover) -> None:
    machine = contested()
    a_pass(machine)
    loaded = Loaded(make_config(RULE))
    assert run_pass(machine, loaded, mode=Mode.OBSERVE).pfs[0].reason is Reason.CONTESTED
    assert run_pass(machine, loaded, mode=Mode.OBSERVE, force=force, handover=handover).pfs[0].will_change_vfs
    report = run_pass(machine, loaded, mode=Mode.APPLY, force=force, handover=handover)
    assert (verdicts(report), tries(machine)) == ([degraded(Reason.CONTESTED)], 2)
    machine.rivals = {}
    assert verdicts(run_pass(machine, loaded, mode=Mode.APPLY, force=force, handover=handover)) == [OK]


def test_another_number_is_no_matter_of_an_old_contest() -> None:
    machine = contested()
    a_pass(machine)
    machine.rivals = {}
    assert verdicts(a_pass(machine, make_config(make_rule(num_vfs=2)))) == [OK]


def test_a_vm_that_has_his_vf_keeps_it() -> None:
    machine = contested()
    a_pass(machine)
    machine.hold(PF)
    machine.pause(600.0)
    assert verdicts(a_pass(machine)) == [degraded(Reason.IN_USE)]
    assert machine.count(PF) == 1


def test_a_device_that_makes_fewer_is_no_contest_unless_somebody_writes_over_that() -> None:
    machine = contested(makes=2)
    assert verdicts(a_pass(machine)) == [degraded(Reason.CONTESTED)]
    machine.rivals = {}
    machine.pause(5.0)
    assert verdicts(a_pass(machine)) == [degraded(Reason.FEWER_VFS)]
    machine.pause(600.0)
    assert verdicts(a_pass(machine)) == [degraded(Reason.FEWER_VFS)]
    assert tries(machine) == 2


def test_his_vfs_are_not_of_our_making() -> None:
    machine = contested()
    a_pass(machine)
    assert machine.load_state()[0].ours == {}


def test_a_shortfall_that_no_look_has_proven_is_asked_once_more() -> None:
    """As a version left it that took another one's number for the device's."""
    machine = machine_with(num_vfs=1)
    vfs = machine.pfs[PF].facts.incarnations
    machine.save_state(State(boot_id=BOOT_ID, short={PF: Short(4, vfs)}))
    assert verdicts(a_pass(machine)) == [OK]


class _Restless(FakeMachine):
    """Somebody changes the VFs while we wait for their drivers: `to` is what he makes at each look."""

    to: list[int]

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        if self.to:
            self.make_vfs(PF, self.to.pop(0))


def test_who_makes_the_same_number_anew_contests_nothing() -> None:
    machine = _Restless(FakePf())
    machine.pfs[PF].late, machine.to = 1.0, [4]
    assert verdicts(a_pass(machine)) == [OK]


class _Unbinding(FakeMachine):
    """The driver goes while we wait for the VFs, and with it all of them."""

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        self.make_vfs(PF, 0)
        self.change(PF, driver="")


def test_vfs_that_go_with_their_driver_are_nobodys_contest() -> None:
    machine = _Unbinding(FakePf())
    machine.pfs[PF].late = 1.0
    report = a_pass(machine)
    assert (verdicts(report), report.contested) == ([degraded(Reason.DRIVER_MISSING)], {})


def test_a_reload_whose_vfs_somebody_changes_is_contested_and_not_repeated_at_once() -> None:
    machine = _Restless(FakePf(), FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),)))
    machine.pfs[PF].late, machine.to = 5.0, [1]
    report = a_pass(machine, MODULE)
    assert verdicts(report) == [degraded(Reason.CONTESTED), OK]
    assert verdicts(a_pass(machine, MODULE)) == [degraded(Reason.CONTESTED), OK]
    assert machine.writes.count(RELOAD) == 1
    machine.pause(5.0)
    assert verdicts(a_pass(machine, MODULE)) == [OK, OK]
    assert machine.writes.count(RELOAD) == 2


def test_a_stuck_write_blocks_the_other_pfs_and_is_reported() -> None:
    machine = two_pfs()
    machine.failures = {PF: ["stuck"]}
    for _ in range(2):
        report = a_pass(machine, BOTH)
        assert verdicts(report) == [degraded(Reason.STUCK), degraded(Reason.BLOCKED)]
        assert report.jam == machine.jam
    assert machine.writes == [SET]
    machine.jam = None
    assert verdicts(a_pass(machine, BOTH)) == [OK, OK]


def test_observing_writes_nothing_takes_no_lock_and_says_what_is_to_be_done() -> None:
    machine = machine_with()
    report = run_pass(machine, Loaded(make_config(RULE)), mode=Mode.OBSERVE)
    assert verdicts(report) == [(PfState.PENDING, None)]
    assert report.pfs[0].message == "to do: set sriov_numvfs from 0 to 4"
    assert (machine.writes, machine.saved, machine.locks) == ([], [], 0)


@pytest.mark.parametrize(("required", "state"), [(True, degraded(Reason.ABSENT)), (False, (PfState.OPTIONAL, None))])
def test_a_pf_that_is_missing_is_served_when_it_comes(*, required: bool, state: tuple[PfState, Reason | None]) -> None:
    machine = FakeMachine()
    config = make_config(make_rule(required=required))
    report = a_pass(machine, config)
    assert (verdicts(report), report.pfs[0].pci_address) == ([state], "")
    machine.pfs[PF] = FakePf()
    assert verdicts(a_pass(machine, config)) == [OK]
    assert machine.load_state()[0].pending == PendingRestart(1000.0, (PF,))


def test_what_offers_no_vfs_is_no_pf() -> None:
    assert verdicts(a_pass(machine_with(total_vfs=0))) == [degraded(Reason.ABSENT)]


def test_costly_reads_are_made_only_where_they_matter() -> None:
    machine = machine_with()
    machine.has_vf_driver = False
    a_pass(machine)
    assert machine.reads == []
    assert verdicts(a_pass(machine, make_config(make_rule(match=Match(altname="enp59s0f0"))))) == [
        degraded(Reason.ABSENT)
    ]
    assert machine.reads == ["links", "functions"]


def test_which_of_several_netdevs_are_ports_is_read_and_no_other_is_touched() -> None:
    representor = make_netdev(name="rep0", ifindex=9, is_up=False, is_representor=True)
    machine = machine_with(netdevs=(make_netdev(is_up=False), representor))
    machine.has_vf_driver = False
    report = a_pass(machine)
    assert {*machine.reads} == {"links"}
    assert f"{PF} bring ens1f0 up" in machine.writes
    assert f"{PF} bring rep0 up" not in machine.writes
    assert report.pfs[0].netdev == "ens1f0"


# -- config --


def test_a_broken_config_leaves_the_last_good_one_in_force() -> None:
    machine = machine_with()
    machine.files = (GOOD,)
    good = load_config(machine, None)
    assert (good.problems, good.files, len(good.config.pf)) == ((), ("/c",), 1)
    machine.files = (ConfigFile("/c", b"x = 1"),)
    broken = load_config(machine, good.config)
    problem = '/c: unknown key "x": valid here: pf, services, metrics, boot, openstack'
    assert broken == Loaded(good.config, (problem,), ("/c",), (machine.files[0].checksum,))
    assert broken.checksums != good.checksums
    report = run_pass(machine, broken, mode=Mode.APPLY)
    assert (report.config_problems, report.config_files, machine.count(PF)) == ((problem,), ("/c",), 1)
    with pytest.raises(ConfigError):
        load_config(machine, None)


BAD_TABLE = ConfigFile("/c", GOOD.data + b'[[pf.vf]]\nvfs = "all"\nvlan = 4095\n')
BAD_TABLE_PROBLEM = '/c: [[pf]] "a": [[pf.vf]] number 1: vlan: 4095 is not between 0 and 4094 (0 is no VLAN)'


def test_a_mistake_in_a_table_keeps_no_pf_from_its_vfs() -> None:
    machine = machine_with()
    machine.files = (BAD_TABLE,)
    loaded = load_config(machine, None)
    assert (loaded.problems, loaded.table_problems) == ((), (BAD_TABLE_PROBLEM,))
    assert loaded.mistakes == (BAD_TABLE_PROBLEM,)
    look = run_pass(machine, loaded, mode=Mode.OBSERVE)
    assert (look.pfs[0].state, look.is_short_of_config) == (PfState.PENDING, True)
    for _ in range(2):
        report = run_pass(machine, loaded, mode=Mode.APPLY)
        assert (machine.count(PF), report.table_problems, report.config_problems) == (1, (BAD_TABLE_PROBLEM,), ())
        (line,) = report.pfs
        assert (line.state, line.reason) == (PfState.DEGRADED, Reason.ATTRIBUTES_REFUSED)
        assert line.message == f"{PF}: nothing is set for its VFs: {BAD_TABLE_PROBLEM}"
        assert line.is_settled
    assert not any("attributes" in write for write in machine.writes)
    machine.files = (ConfigFile("/c", b"x = 1"),)
    assert load_config(machine, loaded.config).config is loaded.config


def test_a_mistake_in_a_table_without_a_pf_is_reported_with_the_pass() -> None:
    machine = FakeMachine()
    machine.files = (ConfigFile("/c", BAD_TABLE.data.replace(b"num_vfs", b"required = false\nnum_vfs")),)
    report = run_pass(machine, load_config(machine, None), mode=Mode.APPLY)
    assert (report.is_degraded, report.is_short_of_config) == (False, True)
    assert report.pfs[0].state is PfState.OPTIONAL


def test_a_config_that_vanished_stays_in_force() -> None:
    vanished = (
        "every config file is gone, the last valid config stays in force: restart the service if that is intended"
    )
    config = make_config(RULE)
    assert load_config(FakeMachine(), config) == Loaded(config, (vanished,))
    assert load_config(FakeMachine(), Config()) == Loaded(Config())
    assert load_config(FakeMachine(), None) == Loaded(Config())


# -- losses, restarts, state --


def test_a_loss_is_repaired_counted_and_told() -> None:
    machine = machine_with()
    a_pass(machine)
    machine.make_vfs(PF, 0)
    machine.pause(60.0)
    report = a_pass(machine)
    saved = machine.load_state()[0]
    assert (verdicts(report), report.losses) == ([OK], {PF: 4})
    assert (saved.counters.vf_losses, saved.pending) == ({PF: 4}, PendingRestart(1060.0, (PF,)))
    assert a_pass(machine).losses == {}


class _SlowRemoval(FakeMachine):
    """Somebody's removal of VFs has begun before the pass looks, and ends before it writes."""

    def write_num_vfs(self, action: SetNumVfs, guard: Callable[[], str]) -> Outcome:
        if action.before == 1:
            self.make_vfs(PF, 0)
        return super().write_num_vfs(action, guard)


def test_a_loss_that_goes_on_while_we_look_is_counted_whole() -> None:
    machine = _SlowRemoval(FakePf())
    a_pass(machine)
    vfs = machine.pfs[PF].facts.vfs
    machine.change(PF, vfs=vfs[:1])
    report = a_pass(machine)
    assert (verdicts(report), report.losses) == ([OK], {PF: 4})


def test_vfs_made_anew_behind_our_back_are_noticed_though_the_count_is_right() -> None:
    machine = machine_with()
    a_pass(machine)
    machine.pause(60.0)
    machine.make_vfs(PF, 4)
    report = a_pass(machine)
    assert (report.losses, report.results) == ({PF: 4}, ())
    assert machine.load_state()[0].pending == PendingRestart(1060.0, (PF,))


def test_our_own_replacement_is_no_loss() -> None:
    machine = machine_with()
    a_pass(machine)
    assert a_pass(machine, make_config(make_rule(num_vfs=2))).losses == {}


def test_vfs_that_were_there_at_boot_restart_nobody() -> None:
    machine = machine_with(num_vfs=4)
    a_pass(machine)
    assert machine.load_state()[0].pending is None


def test_a_pass_that_dies_after_its_write_loses_no_restart() -> None:
    machine = machine_with()
    a_pass(machine, make_config(make_rule(num_vfs=2)))
    machine.failures = {PF: ["crash"]}
    with pytest.raises(Crash):
        a_pass(machine)
    assert machine.load_state()[0].pending == PendingRestart(None, (PF,))
    machine.pause(10.0)
    report = a_pass(machine)
    assert (verdicts(report), report.losses) == ([OK], {})
    assert machine.load_state()[0].pending == PendingRestart(1010.0, (PF,))


def test_a_pass_that_dies_in_a_write_that_changed_nothing_still_restarts() -> None:
    machine = machine_with(num_vfs=4)
    a_pass(machine)
    machine.saved.clear()
    a_pass(machine, make_config(make_rule(num_vfs=2)))
    machine.data = machine.data.replace(b'"changed_at":1000.0', b'"changed_at":null')
    machine.pause(10.0)
    a_pass(machine, make_config(make_rule(num_vfs=2)))
    assert machine.load_state()[0].pending == PendingRestart(1010.0, (PF,))


def test_the_pending_restart_is_saved_before_the_first_write() -> None:
    machine = two_pfs()
    a_pass(machine, BOTH)
    assert [saved.pending for saved in machine.saved] == [
        PendingRestart(None, (PF, PF2)),
        PendingRestart(1000.0, (PF, PF2)),
    ]


def test_a_state_that_cannot_be_read_or_saved_is_noted() -> None:
    machine = machine_with(num_vfs=4)
    machine.data, machine.save_problem = b"{", "no space"
    notes = a_pass(machine).notes
    assert notes == ("state.json was unreadable and has been reset: Input data was truncated", "no space")
    assert run_pass(machine, Loaded(Config()), mode=Mode.OBSERVE).notes == notes[:1]


def test_what_the_daemon_saw_between_passes_is_counted() -> None:
    machine = machine_with()
    run_pass(machine, Loaded(Config()), mode=Mode.APPLY, handover=Handover(udev_resyncs=2, failures=1))
    counters = machine.load_state()[0].counters
    assert (counters.passes, counters.pass_failures, counters.udev_resyncs) == (2, 1, 2)


def test_autoprobe_is_given_back_where_we_took_it() -> None:
    machine = machine_with()
    a_pass(machine, make_config(make_rule(vf_driver=VfDriver.NONE)))
    a_pass(machine, make_config(make_rule(num_vfs=2)))
    assert machine.writes[2:] == [
        f"{PF} set sriov_drivers_autoprobe to 1",
        f"{PF} set sriov_numvfs from 4 to 0",
        f"{PF} set sriov_numvfs from 0 to 2",
    ]
    assert machine.load_state()[0].autoprobe_off == ()


# -- max_vfs --

MODULE = make_config(make_rule(match=Match(driver="igb"), method=Method.MAX_VFS, reload_driver=True))
RELOAD = f"{PF} reload the driver igb ({PF}, {PF2})"
FILE = f"{PF} write /etc/modprobe.d/sriov-bootstrap-igb.conf"


def test_max_vfs_writes_the_file_reloads_once_and_brings_the_pfs_up_again() -> None:
    machine = two_pfs()
    assert verdicts(a_pass(machine, MODULE)) == [OK, OK]
    writes = [FILE, RELOAD, f"{PF} bring ens1f0 up", f"{PF2} bring ens1f1 up"]
    assert machine.writes == writes
    assert verdicts(a_pass(machine, MODULE)) == [OK, OK]
    assert machine.writes == writes


def test_max_vfs_is_shown_for_every_pf_before_it_is_done() -> None:
    report = run_pass(two_pfs(), Loaded(MODULE), mode=Mode.OBSERVE)
    assert verdicts(report) == [(PfState.PENDING, None)] * 2


def test_a_reload_that_makes_no_vfs_is_not_repeated() -> None:
    machine = two_pfs()
    machine.pfs[PF].makes = machine.pfs[PF2].makes = 0
    for _ in range(3):
        assert verdicts(a_pass(machine, MODULE)) == [degraded(Reason.FEWER_VFS)] * 2
    assert machine.writes == [FILE, RELOAD]


def test_a_reload_that_fails_is_a_failure_of_every_pf() -> None:
    machine = two_pfs()
    machine.failures = {PF: [errno.EACCES]}
    assert verdicts(a_pass(machine, MODULE)) == [degraded(Reason.WRITE_FAILED)] * 2


def test_a_vf_taken_at_the_last_moment_stops_the_reload() -> None:
    machine = two_pfs()
    machine.make_vfs(PF, 2)
    machine.texts["/etc/modprobe.d/sriov-bootstrap-igb.conf"] = "options igb max_vfs=2"
    machine.failures = {PF: ["used"]}
    assert verdicts(a_pass(machine, MODULE)) == [degraded(Reason.IN_USE)] * 2
    assert machine.count(PF) == 2


def test_max_vfs_reloads_nothing_while_a_sibling_has_no_such_rule() -> None:
    machine = two_pfs()
    config = make_config(make_rule(method=Method.MAX_VFS, reload_driver=True))
    assert verdicts(a_pass(machine, config)) == [degraded(Reason.RELOAD_REQUIRED)]
    assert machine.writes == [FILE]


def test_max_vfs_reloads_nothing_under_the_default_route() -> None:
    machine = two_pfs()
    machine.routes = Routes(frozenset({"ens1f1"}))
    assert verdicts(a_pass(machine, MODULE)) == [degraded(Reason.RELOAD_REQUIRED)] * 2
    assert machine.writes == [FILE]


@pytest.mark.parametrize(("protect", "num_vfs"), [(True, 7), (False, 4)])
def test_a_vf_of_a_vm_that_is_shut_off_is_kept_unless_the_config_says_otherwise(*, protect: bool, num_vfs: int) -> None:
    machine = machine_with(num_vfs=7)
    machine.owners = Owners({vf_address(PF, 2): Owner("instance-0000002a")})
    report = a_pass(machine, make_config(RULE, openstack=OpenStack(protect_shutoff=protect)))
    assert verdicts(report) == [degraded(Reason.IN_USE) if protect else OK]
    assert report.pfs[0].num_vfs == num_vfs


def test_a_vf_of_a_vm_that_runs_is_kept_whatever_the_config_says_of_those_that_do_not() -> None:
    machine = machine_with(num_vfs=7)
    machine.owners = Owners({vf_address(PF, 2): Owner("transient", is_running=True)})
    report = a_pass(machine, make_config(RULE, openstack=OpenStack(protect_shutoff=False)))
    assert report.pfs[0].message.endswith("VF 2 0000:3b:02.2 is in use: belongs to the VM transient, which is running")


def test_a_loss_is_counted_whole_though_a_rule_by_driver_lets_go_of_the_pf_meanwhile() -> None:
    config = make_config(make_rule(match=Match(driver="igb")))
    machine = machine_with()
    a_pass(machine, config)
    whole = machine.pfs[PF].facts
    for vfs, lost in ((whole.vfs[2:], 2), ((), 4)):
        machine.pfs[PF].facts = replace(machine.pfs[PF].facts, driver="", vfs=vfs)
        a_pass(machine, config)
        assert machine.load_state()[0].counters.vf_losses == {PF: lost}
