"""What passes do about attributes of VFs, what they remember of it, and how one that died is ended."""

from typing import Any

import pytest
from msgspec.structs import replace

from builders import NEW_VF, PF, PF2, make_netdev, make_rule, vf_address
from fakes import Crash, FakeMachine, FakePf
from sriov_bootstrap.core.config import Config, Match, Method, PfRule, Switch, VfBinding
from sriov_bootstrap.core.facts import VfFacts
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.repetition import IN_USE_SECONDS, next_look_seconds
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes, VfTable, stable_mac
from sriov_bootstrap.core.vf_settings import QUIET_SECONDS
from sriov_bootstrap.core.vf_users import Holders, Owner, Owners
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

MAC = "02:00:00:00:00:01"
VLAN = VfTable(vfs="all", vlan=100)
ALL_OF_IT = VfTable(vfs="all", vlan=100, trust=True, spoofchk=False, max_tx_rate=1000)
OFF, SET, BIND = (
    f"{PF} set sriov_drivers_autoprobe to 0",
    f"{PF} set sriov_numvfs from 0 to 4",
    f"{PF} bind its VFs",
)
GIVE = f"{PF} set attributes of its VFs"


def rule(*tables: VfTable, address: str = PF, vf_binding: VfBinding = VfBinding.AUTO, **values: Any) -> PfRule:  # noqa: ANN401
    match = Match(pci_address=address)
    return make_rule(name=address, match=match, vf_binding=vf_binding, vf=tables, **values)


def a_pass(machine: FakeMachine, *rules: PfRule, is_asked: bool = False, mode: Mode = Mode.APPLY) -> PassReport:
    return run_pass(machine, Loaded(Config(pf=rules)), mode=mode, handover=Handover(is_asked=is_asked))


def its_line(machine: FakeMachine, *rules: PfRule, is_asked: bool = False, mode: Mode = Mode.APPLY) -> PfReport:
    return a_pass(machine, *rules, is_asked=is_asked, mode=mode).pfs[0]


def vfs(machine: FakeMachine, address: str = PF) -> tuple[VfFacts, ...]:
    return machine.pfs[address].facts.vfs


def vf_has(machine: FakeMachine, index: int, address: str = PF) -> VfAttributes:
    return machine.pfs[address].attributes.get(vfs(machine, address)[index].incarnation, NEW_VF)


def vlans(machine: FakeMachine, address: str = PF) -> list[int | None]:
    return [vf_has(machine, vf.index, address).vlan for vf in vfs(machine, address)]


def somebody_sets(machine: FakeMachine, index: int, **values: Any) -> None:  # noqa: ANN401
    machine.pfs[PF].attributes[vfs(machine)[index].incarnation] = replace(vf_has(machine, index), **values)


def vectors(machine: FakeMachine) -> list[int | None]:
    return [machine.pfs[PF].vectors.get(vf.incarnation) for vf in vfs(machine)]


def drivers(machine: FakeMachine) -> list[str]:
    return [vf.driver for pf in machine.read_pfs((PF,)) for vf in pf.vfs]


def next_look(machine: FakeMachine) -> float | None:
    return next_look_seconds(machine.load_state()[0], 0, now=machine.now)


def quiet_passes(machine: FakeMachine, *rules: PfRule) -> PfReport:
    """A pass that sees it, and one after the quiet time."""
    a_pass(machine, *rules)
    machine.now += QUIET_SECONDS
    return its_line(machine, *rules)


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine(FakePf())


@pytest.fixture
def served(machine: FakeMachine) -> FakeMachine:
    """Its VFs have been made, and got what VLAN says."""
    a_pass(machine, rule(VLAN))
    machine.writes.clear()
    return machine


# -- new VFs --


def test_new_vfs_have_their_attributes_before_their_driver_and_a_second_pass_does_nothing(machine: FakeMachine) -> None:
    line = its_line(machine, rule(ALL_OF_IT))
    expected = [OFF, SET, GIVE, BIND]
    assert (line.state, line.vf_attributes_differing, machine.writes) == (PfState.OK, 0, expected)
    assert vf_has(machine, 3) == replace(NEW_VF, vlan=100, trust=True, spoofchk=False, max_tx_rate=1000)
    told = VfAttributes(vlan=100, trust=True, spoofchk=False, max_tx_rate=1000)  # the rest is as usual
    assert [vf.attributes for vf in line.vfs] == [told] * 4
    for _ in range(2):
        assert its_line(machine, rule(ALL_OF_IT)) == line
        machine.now += 2 * QUIET_SECONDS
    assert (machine.writes, next_look(machine)) == (expected, None)


def test_only_vfs_that_a_table_names_are_set(machine: FakeMachine) -> None:
    a_pass(machine, rule(VfTable(vfs="1-2,9", vlan=7), VfTable(vfs="2", vlan=8)))
    assert vlans(machine) == [0, 7, 8, 0]


def test_vectors_that_the_kernel_does_not_tell_are_set_once(machine: FakeMachine) -> None:
    table = VfTable(vfs="all", msix_vectors=8)
    assert its_line(machine, rule(table)).state is PfState.OK
    assert (vectors(machine), machine.writes) == ([8] * 4, [OFF, SET, GIVE, BIND])
    line = quiet_passes(machine, rule(table))
    assert (line.state, line.vf_attributes_differing, len(machine.writes)) == (PfState.OK, 0, 4)


def test_vfs_that_the_kernel_binds_meanwhile_are_bound_again_for_what_only_counts_before(machine: FakeMachine) -> None:
    a_pass(machine, rule(VfTable(vfs="all", mac=MAC), vf_binding=VfBinding.KERNEL))
    assert (machine.writes, drivers(machine)) == ([SET, GIVE, BIND], ["igbvf"] * 4)


@pytest.mark.parametrize("table", [VLAN, VfTable(vfs="all", mac=MAC, msix_vectors=8)])
def test_vfs_whose_names_follow_their_probes_keep_their_driver(machine: FakeMachine, table: VfTable) -> None:
    machine.has_plain_names = True
    a_pass(machine, rule(table))
    assert machine.writes == [SET, GIVE]


def test_vfs_that_come_by_a_reload_have_them_after_the_quiet_time(machine: FakeMachine) -> None:
    mine = rule(VLAN, method=Method.MAX_VFS, reload_driver=True)
    line = its_line(machine, mine)
    assert (line.state, line.num_vfs, line.vf_attributes_differing, next_look(machine)) == (PfState.OK, 4, 4, 30.0)
    machine.now += QUIET_SECONDS
    assert (its_line(machine, mine).vf_attributes_differing, vlans(machine)) == (0, [100] * 4)


def test_a_rule_for_no_vfs_sets_nothing(machine: FakeMachine) -> None:
    assert its_line(machine, rule(ALL_OF_IT, num_vfs=0)).state is PfState.OK
    assert machine.writes == []


def test_each_vf_has_a_mac_of_its_own_that_stays(machine: FakeMachine) -> None:
    table = VfTable(vfs="all", mac="stable")
    a_pass(machine, rule(table))
    macs = [vf_has(machine, index).mac for index in range(4)]
    assert macs == [stable_mac(machine.id, PF, index) for index in range(4)]
    a_pass(machine, rule(table, num_vfs=3))
    assert [vf_has(machine, index).mac for index in range(3)] == macs[:3]


def test_without_a_machine_id_the_rest_is_set_and_said(machine: FakeMachine) -> None:
    machine.id = ""
    line = its_line(machine, rule(VfTable(vfs="all", mac="stable", vlan=100)))
    assert (vlans(machine), vf_has(machine, 0).mac) == ([100] * 4, NEW_VF.mac)
    assert (line.reason, "/etc/machine-id" in line.message) == (Reason.ATTRIBUTES_REFUSED, True)


# -- VFs that exist --


def test_drift_of_a_free_vf_is_repaired_after_a_quiet_time(served: FakeMachine) -> None:
    somebody_sets(served, 1, vlan=0)
    line = its_line(served, rule(VLAN))
    message = f"{PF}: 1 VF differs from the rule, and is set once it has been left alone for 30 s"
    assert (line.state, line.vf_attributes_differing, line.message) == (PfState.OK, 1, message)
    assert (line.vfs[1].differs, line.vfs[2].differs, next_look(served)) == ("vlan 0, not 100", "", 30.0)
    served.now += QUIET_SECONDS - 1
    a_pass(served, rule(VLAN))
    assert (served.writes, next_look(served)) == ([], 1.0)
    served.now += 1
    line = its_line(served, rule(VLAN))
    assert (served.writes, line.vf_attributes_differing, vlans(served)) == (
        [f"{PF} set attributes of 1 VF"],
        0,
        [100] * 4,
    )
    assert (served.load_state()[0].pending is None, next_look(served)) == (False, None)


def test_each_change_by_somebody_else_begins_the_quiet_time_anew(served: FakeMachine) -> None:
    for number in range(5):
        somebody_sets(served, 1, vlan=number)
        a_pass(served, rule(VLAN))
        served.now += QUIET_SECONDS - 1
    served.unbound.add(vf_address(PF, 1))
    a_pass(served, rule(VLAN))
    assert (served.writes, next_look(served)) == ([], QUIET_SECONDS)


def test_events_begin_the_quiet_time_anew_even_if_every_look_sees_the_same(served: FakeMachine) -> None:
    """Who plugs and unplugs a VF without end wakes us by that, always at the same point."""
    somebody_sets(served, 1, vlan=7)
    for _ in range(5):
        run_pass(served, Loaded(Config(pf=(rule(VLAN),))), mode=Mode.APPLY, handover=Handover(had_events=True))
        served.now += QUIET_SECONDS
    assert served.writes == []
    quiet_passes(served, rule(VLAN))
    assert vlans(served) == [100] * 4


def test_a_vf_of_a_vm_is_left_alone_until_after_its_release_and_the_others_are_not(served: FakeMachine) -> None:
    served.hold(PF, 0)
    somebody_sets(served, 0, vlan=7)
    somebody_sets(served, 1, vlan=7)
    line = quiet_passes(served, rule(VLAN))
    assert (line.state, vlans(served)) == (PfState.OK, [7, 100, 100, 100])
    served.holders = Holders()  # and is on vfio-pci still, which libvirt chose
    line = quiet_passes(served, rule(VLAN))
    assert (line.vf_attributes_differing, vlans(served)[0], next_look(served)) == (0, 7, None)
    served.change(PF, vfs=(replace(vfs(served)[0], driver=""), *vfs(served)[1:]))
    quiet_passes(served, rule(VLAN))
    assert vlans(served) == [100] * 4


def test_a_vf_that_a_vm_is_to_have_is_left_alone_by_its_domain_alone(served: FakeMachine) -> None:
    served.owners = Owners({vf_address(PF, 2): Owner("instance-1", is_running=False)})
    somebody_sets(served, 2, vlan=7)
    quiet_passes(served, rule(VLAN))
    assert (served.writes, vlans(served)[2]) == ([], 7)


def test_a_vf_that_somebody_takes_right_before_it_is_set_is_left_alone(served: FakeMachine) -> None:
    for index in (0, 1):
        somebody_sets(served, index, vlan=7)
    a_pass(served, rule(VLAN))
    served.now += QUIET_SECONDS
    served.failures = {PF: ["used"]}
    line = its_line(served, rule(VLAN))
    assert (line.state, vlans(served)) == (PfState.OK, [7, 100, 100, 100])
    assert served.writes == [f"{PF} set attributes of 2 VFs", f"{PF} set attributes of 1 VF"]


def test_a_count_that_somebody_changes_meanwhile_is_planned_anew(served: FakeMachine) -> None:
    somebody_sets(served, 0, vlan=7)
    a_pass(served, rule(VLAN))
    served.now += QUIET_SECONDS
    served.failures = {PF: ["stale"]}
    report = a_pass(served, rule(VLAN))
    assert report.results[0].outcome is Outcome.STALE
    assert (report.pfs[0].state, vlans(served)) == (PfState.OK, [100] * 4)


def test_vfs_that_existed_before_us_are_served_once_they_are_quiet() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 4)
    assert quiet_passes(machine, rule(VLAN)).vf_attributes_differing == 0
    assert (machine.writes, vlans(machine)) == ([f"{PF} set attributes of 4 VFs"], [100] * 4)


def test_a_rule_that_changes_is_applied_to_vfs_that_are_quiet(served: FakeMachine) -> None:
    after = rule(VfTable(vfs="all", vlan=200))
    quiet_passes(served, after)
    assert vlans(served) == [200] * 4
    a_pass(served, rule())
    assert (vlans(served), len(served.writes)) == ([200] * 4, 1)


@pytest.mark.parametrize("table", [VfTable(vfs="1", mac=MAC), VfTable(vfs="1", msix_vectors=8)])
def test_a_vf_leaves_its_driver_for_what_only_counts_before_and_gets_it_back(
    served: FakeMachine, table: VfTable
) -> None:
    pending = served.load_state()[0].pending
    line = quiet_passes(served, rule(VLAN, table))
    assert served.writes == [f"{PF} set attributes of 1 VF", f"{PF} bind 1 VF"]
    assert (line.state, line.vf_attributes_differing, drivers(served)) == (PfState.OK, 0, ["igbvf"] * 4)
    assert served.load_state()[0].pending == pending
    quiet_passes(served, rule(VLAN, table))
    assert len(served.writes) == 2


def test_a_vf_on_a_vfio_driver_of_ours_stays_there(machine: FakeMachine) -> None:
    mine = rule(VLAN, vf_driver="vfio-pci")
    a_pass(machine, mine)
    machine.writes.clear()
    quiet_passes(machine, rule(VLAN, VfTable(vfs="all", mac="stable"), vf_driver="vfio-pci"))
    assert (machine.writes, drivers(machine)) == ([f"{PF} set attributes of 4 VFs"], ["vfio-pci"] * 4)


def test_a_vf_that_somebody_has_bound_although_the_rule_says_none_keeps_its_driver(machine: FakeMachine) -> None:
    a_pass(machine, rule(VLAN, vf_driver="none"))
    machine.change(PF, vfs=(replace(vfs(machine)[0], driver="igbvf"), *vfs(machine)[1:]))
    quiet_passes(machine, rule(VLAN, VfTable(vfs="all", mac=MAC), vf_driver="none"))
    assert drivers(machine) == ["igbvf", "", "", ""]
    assert vf_has(machine, 0).mac == MAC


def test_probing_that_somebody_has_switched_off_costs_no_vf_its_driver(served: FakeMachine) -> None:
    served.change(PF, autoprobe=False, vfs=tuple(replace(vf, driver="igbvf") for vf in vfs(served)))
    quiet_passes(served, rule(VLAN, VfTable(vfs="all", mac=MAC)))
    assert (served.writes, drivers(served)) == ([f"{PF} set attributes of 4 VFs"], ["igbvf"] * 4)


def test_a_trusted_vf_may_choose_another_mac(machine: FakeMachine) -> None:
    mine = rule(VfTable(vfs="all", mac=MAC, trust=True))
    a_pass(machine, mine)
    machine.writes.clear()
    somebody_sets(machine, 1, mac="02:00:00:00:00:99")
    assert (quiet_passes(machine, mine).vf_attributes_differing, machine.writes) == (0, [])


# -- what the kernel refuses --


def of_first(*words: Request) -> FakeMachine:
    """Two PFs; the first one cannot set these."""
    second = FakePf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),))
    machine = FakeMachine(FakePf(), second)
    machine.pfs[PF].cannot = {*words}
    return machine


@pytest.mark.parametrize(
    ("refused", "table"),
    [
        ("trust", ALL_OF_IT),
        ("msix", VfTable(vfs="all", vlan=100, msix_vectors=8)),
        ("mac", VfTable(vfs="all", vlan=100, mac=MAC, trust=True)),
        ("node_guid", VfTable(vfs="all", vlan=100, node_guid="00:11:22:33:44:55:66:77")),
    ],
)
def test_what_is_refused_is_said_and_not_tried_again_and_the_rest_is_set(refused: Request, table: VfTable) -> None:
    machine = of_first(refused)
    both = rule(table), rule(table, address=PF2)
    first, second = a_pass(machine, *both).pfs
    message = f"{PF}: attributes not set: {refused}"
    assert (first.state, first.reason, first.message, first.hint) == (
        PfState.DEGRADED,
        Reason.ATTRIBUTES_REFUSED,
        message,
        "leave them out",
    )
    assert (first.num_vfs, first.vfs_unbound, first.is_settled, second.state) == (4, 0, True, PfState.OK)
    assert (vlans(machine), vlans(machine, PF2)) == ([100] * 4, [100] * 4)
    writes = list(machine.writes)
    for _ in range(3):
        machine.now += QUIET_SECONDS
        line = its_line(machine, *both)
        assert (line.message, line.vf_attributes_differing, machine.writes) == (message, 4, writes)
        assert (bool(line.vfs[0].differs), next_look(machine)) == (True, None)


def test_what_was_refused_is_left_out_when_the_rest_is_repaired(machine: FakeMachine) -> None:
    """A VF would lose its driver for vectors that it cannot have, and nothing would give it back."""
    machine.pfs[PF].cannot = {"msix"}
    mine = rule(VfTable(vfs="all", vlan=100, msix_vectors=8))
    a_pass(machine, mine)
    machine.writes.clear()
    somebody_sets(machine, 2, vlan=0)
    line = quiet_passes(machine, mine)
    assert (machine.writes, vlans(machine)) == ([f"{PF} set attributes of 1 VF"], [100] * 4)
    assert (line.reason, drivers(machine)) == (Reason.ATTRIBUTES_REFUSED, ["igbvf"] * 4)


@pytest.mark.parametrize("table", [ALL_OF_IT, VfTable(vfs="all", vlan=100, msix_vectors=8)])
def test_who_asks_has_it_tried_again(machine: FakeMachine, table: VfTable) -> None:
    machine.pfs[PF].cannot = {"trust", "msix"}
    a_pass(machine, rule(table))
    machine.pfs[PF].cannot = set()
    a_pass(machine, rule(table), is_asked=True)
    machine.now += QUIET_SECONDS
    line = its_line(machine, rule(table))
    assert (line.state, line.vf_attributes_differing) == (PfState.OK, 0)
    assert [vf_has(machine, 1).trust, vectors(machine)[1]] == [table.trust or False, table.msix_vectors]


def test_vfs_made_anew_have_it_tried_again_and_those_before_are_forgotten(machine: FakeMachine) -> None:
    machine.pfs[PF].cannot = {"trust"}
    sizes = set()
    for number in (4, 3) * 5:
        line = its_line(machine, rule(ALL_OF_IT, num_vfs=number))
        memory = machine.load_state()[0].attributes[PF]
        assert (line.reason, memory.refusal and memory.refusal.requests) == (
            Reason.ATTRIBUTES_REFUSED,
            {"trust": frozenset(vf.incarnation for vf in vfs(machine))},
        )
        sizes.add((len(memory.given), len(memory.seen)))
    assert sizes == {(4, 0), (3, 0)}
    machine.pfs[PF].cannot = set()
    assert its_line(machine, rule(ALL_OF_IT)).state is PfState.OK


def test_a_pf_whose_netdev_is_elsewhere_has_its_vfs_and_says_what_it_lacks(machine: FakeMachine) -> None:
    machine.change(PF, netdevs=())
    line = its_line(machine, rule(VLAN))
    assert (line.num_vfs, line.reason, line.vfs_unbound) == (4, Reason.ATTRIBUTES_REFUSED, 0)
    assert "has no netdev here" in line.message
    assert "set attributes" not in " ".join(machine.writes)


def test_a_kernel_that_does_not_answer_costs_attributes_alone() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 4)
    machine.link_problem = "no answer"
    line = its_line(machine, rule(VLAN))
    assert (line.reason, line.num_vfs, machine.writes) == (Reason.ATTRIBUTES_REFUSED, 4, [])
    assert "no answer" in line.message


# -- the PF's own netdev --


def test_mtu_and_promisc_of_the_pf_are_set_once(machine: FakeMachine) -> None:
    mine = rule(mtu=9000, promisc=Switch.ON)
    a_pass(machine, mine)
    assert machine.writes == [OFF, SET, f"{PF} set mtu 9000, promisc on of ens1f0", BIND]
    a_pass(machine, mine)
    assert len(machine.writes) == 4
    a_pass(machine, rule(mtu=9000, promisc=Switch.OFF))
    assert machine.writes[4:] == [f"{PF} set promisc off of ens1f0"]


def test_an_mtu_that_is_refused_costs_nothing_else(machine: FakeMachine) -> None:
    machine.failures = {PF: ["", "", 22]}
    line = its_line(machine, rule(VLAN, mtu=9999))
    assert (line.reason, line.num_vfs, vlans(machine), drivers(machine)) == (
        Reason.ATTRIBUTES_REFUSED,
        4,
        [100] * 4,
        ["igbvf"] * 4,
    )


# -- carrier --


def test_rates_wait_for_the_carrier_of_drivers_that_need_it(machine: FakeMachine) -> None:
    machine.pfs[PF].link = replace(machine.pfs[PF].link, has_carrier=False)
    mine = rule(VfTable(vfs="all", vlan=100, max_tx_rate=1000))
    line = its_line(machine, mine)
    message = f"{PF}: rates of its VFs are set once ens1f0 has a carrier"
    assert (line.state, line.awaits_carrier, line.message) == (PfState.OK, True, message)
    assert (vlans(machine), vf_has(machine, 0).max_tx_rate, line.vf_attributes_differing) == ([100] * 4, 0, 4)
    writes = list(machine.writes)
    assert (quiet_passes(machine, mine).message, machine.writes, next_look(machine)) == (message, writes, None)
    machine.pfs[PF].link = replace(machine.pfs[PF].link, has_carrier=True)
    line = quiet_passes(machine, mine)
    assert (line.awaits_carrier, vf_has(machine, 0).max_tx_rate, next_look(machine)) == (False, 1000, None)


# -- what costs nothing, or only looks --


@pytest.mark.parametrize(("mine", "reads"), [(rule(), 0), (rule(VLAN), 1)])
def test_only_a_rule_that_says_something_of_it_has_the_kernel_asked(
    machine: FakeMachine, mine: PfRule, reads: int
) -> None:
    a_pass(machine, mine)
    machine.reads.clear()
    a_pass(machine, mine)
    assert machine.reads.count("pf links") == reads


def test_a_look_says_what_would_be_set_and_sets_nothing(machine: FakeMachine) -> None:
    line = its_line(machine, rule(VLAN), mode=Mode.OBSERVE)
    steps = ", then ".join(text.removeprefix(f"{PF} ") for text in (OFF, SET, GIVE, BIND))
    assert (line.state, line.message) == (PfState.PENDING, f"to do: {steps}")
    machine.make_vfs(PF, 4)
    line = its_line(machine, rule(VLAN), mode=Mode.OBSERVE)
    assert (line.state, line.vf_attributes_differing, machine.writes) == (PfState.OK, 4, [])
    assert line.message == f"{PF}: 4 VFs differ from the rule, and are set once they have been left alone for 30 s"
    a_pass(machine, rule(VLAN))
    machine.now += QUIET_SECONDS
    line = its_line(machine, rule(VLAN), mode=Mode.OBSERVE)
    assert (line.state, line.message) == (PfState.PENDING, "to do: set attributes of 4 VFs")


# -- a pass that dies --


@pytest.mark.parametrize(
    ("vf_driver", "step"),
    [(name, step) for name, steps in {"kernel": 4, "none": 3, "vfio-pci": 4}.items() for step in range(steps)],
)
def test_a_pass_that_dies_at_any_step_is_ended_by_the_next(machine: FakeMachine, vf_driver: str, step: int) -> None:
    mine = rule(VLAN, VfTable(vfs="all", mac="stable", msix_vectors=8), vf_driver=vf_driver)
    machine.dies_before = step
    with pytest.raises(Crash):
        a_pass(machine, mine)
    machine.dies_before = None
    line = quiet_passes(machine, mine)
    assert (line.state, line.vf_attributes_differing) == (PfState.OK, 0)
    assert (vlans(machine), vectors(machine)) == ([100] * 4, [8] * 4)
    assert drivers(machine) == [{"kernel": "igbvf", "none": ""}.get(vf_driver, vf_driver)] * 4
    writes = list(machine.writes)
    quiet_passes(machine, mine)
    assert machine.writes == writes


class Mortal(FakeMachine):
    """Dies when it is to set so many attributes more."""

    lives_for = 99

    def set_attribute(self, pf: FakePf, vf: VfFacts, request: Request, asked: VfAttributes) -> bool:
        self.lives_for -= 1
        if not self.lives_for:
            raise Crash
        return super().set_attribute(pf, vf, request, asked)


@pytest.mark.parametrize("lives_for", [1, 2, 4])
def test_a_vf_that_has_been_taken_from_its_driver_gets_it_back_whenever_the_pass_dies(lives_for: int) -> None:
    machine = Mortal(FakePf())
    a_pass(machine, rule(VLAN))
    mine = rule(VLAN, VfTable(vfs="all", msix_vectors=8))
    a_pass(machine, mine)
    machine.now += QUIET_SECONDS
    machine.lives_for = lives_for
    with pytest.raises(Crash):
        a_pass(machine, mine)
    assert drivers(machine).count("") == lives_for
    machine.lives_for = 99
    line = quiet_passes(machine, mine)
    assert (drivers(machine), vectors(machine)) == (["igbvf"] * 4, [8] * 4)
    assert (line.state, line.vf_attributes_differing) == (PfState.OK, 0)


def test_a_pass_that_dies_before_drivers_are_given_back_is_ended_by_the_next(served: FakeMachine) -> None:
    mine = rule(VLAN, VfTable(vfs="all", mac="stable"))
    a_pass(served, mine)
    served.now += QUIET_SECONDS
    served.dies_before = 1
    with pytest.raises(Crash):
        a_pass(served, mine)
    assert drivers(served) == [""] * 4
    served.dies_before = None
    line = its_line(served, mine)
    assert (line.state, drivers(served)) == (PfState.OK, ["igbvf"] * 4)


def test_vfs_whose_brother_is_taken_before_they_have_their_driver_back_get_it(served: FakeMachine) -> None:
    mine = rule(VLAN, VfTable(vfs="all", mac="stable"))
    a_pass(served, mine)
    served.now += QUIET_SECONDS
    served.failures = {PF: ["", "used"]}
    a_pass(served, mine)
    assert drivers(served) == ["vfio-pci", "igbvf", "igbvf", "igbvf"]


def test_a_binding_that_fails_for_the_moment_is_made_up_for(served: FakeMachine) -> None:
    mine = rule(VLAN, VfTable(vfs="all", mac="stable"))
    a_pass(served, mine)
    served.now += QUIET_SECONDS
    served.failures = {PF: ["", 11]}
    assert its_line(served, mine).reason is Reason.VFS_INCOMPLETE
    assert drivers(served) == [""] * 4
    a_pass(served, mine)
    assert drivers(served) == ["igbvf"] * 4


def test_what_fails_for_no_reason_of_a_vf_is_tried_again_and_not_at_once(served: FakeMachine) -> None:
    somebody_sets(served, 0, vlan=7)
    a_pass(served, rule(VLAN))
    served.now += QUIET_SECONDS
    served.failures = {PF: [0]}
    line = its_line(served, rule(VLAN))
    assert (line.reason, next_look(served)) == (Reason.ATTRIBUTES_REFUSED, IN_USE_SECONDS)
    line = its_line(served, rule(VLAN))
    assert (line.state, vlans(served)) == (PfState.OK, [100] * 4)


def test_what_is_remembered_of_a_pf_that_is_gone_is_forgotten(served: FakeMachine) -> None:
    assert served.load_state()[0].attributes[PF].given
    del served.pfs[PF]
    a_pass(served, rule(VLAN))
    assert served.load_state()[0].attributes == {}
