"""A plan with an action of each stage, carried out: what an action to come can rely on."""

from collections.abc import Callable
from typing import cast

import pytest
from msgspec import Struct

from builders import PF, PF3, make_netdev, make_wish
from fakes import FakeMachine, FakePf
from sriov_bootstrap.base.errors import KernelError, SriovBootstrapError, StuckError
from sriov_bootstrap.core.actions import STAGES, Action, BindVfs, SetNumVfs, Stage
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes.apply import failure
from sriov_bootstrap.passes.execute import carry_out


class SetMode(Struct, frozen=True, tag="set_mode"):
    """Before: what the count depends on."""

    pci_address: str

    def __str__(self) -> str:
        return "set the mode"


class Split(SetNumVfs, frozen=True, tag="split"):
    """The count: a write of sriov_numvfs in all but its name, so that it is waited for as such."""

    def __str__(self) -> str:
        return f"split into {self.after}"


class SetVlans(Struct, frozen=True, tag="set_vlans"):
    """Counted: of all VFs, which have no driver yet, through the PF."""

    pci_address: str

    def __str__(self) -> str:
        return "set the VLANs"


class Bind(BindVfs, frozen=True, tag="bind"):
    """Bind: what is begun, and waited for when the last PF has come as far."""

    def __str__(self) -> str:
        return "bind them"


class Announce(Struct, frozen=True, tag="announce"):
    """After: once, when all is there."""

    pci_address: str

    def __str__(self) -> str:
        return "announce it"


TABLE = {
    **STAGES,
    SetMode: Stage.BEFORE,
    Split: Stage.COUNT,
    SetVlans: Stage.COUNTED,
    Bind: Stage.BIND,
    Announce: Stage.AFTER,
}


class StagedHost(FakeMachine):
    """Notes what is done, and how many VFs have a driver by then; `fails`: in what some of it ends."""

    def __init__(self, *pfs: FakePf) -> None:
        super().__init__(*pfs)
        self.done: list[str] = []
        self.waited_for: list[str] = []
        self.fails: dict[str, SriovBootstrapError] = {}

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        ready = sum(bool(vf.driver) for pf in self.read_pfs((action.pci_address,)) for vf in pf.vfs)
        name = f"{action.pci_address} {action}"
        self.done.append(f"{name}, {ready} ready")
        if name in self.fails:
            return failure(action, self.fails[name])
        is_real = isinstance(action, SetNumVfs | BindVfs)
        return super().act(action, guard=guard) if is_real else Result(action, Outcome.CHANGED)

    def begin(self, action: BindVfs, *, guard: Callable[[], str]) -> Callable[[], Result]:
        result = self.act(action, guard=guard)

        def end() -> Result:
            self.waited_for.append(action.pci_address)
            return result

        return end

    def carry_out(self, *plans: Plan) -> tuple[Result, ...]:
        return carry_out(plans, self, guard=lambda _, **_how: "", stages=TABLE)


def staged(address: str = PF) -> Plan:
    """A plan with an action of each stage for this PF."""
    actions = (SetMode(address), Split(address, 0, 2), SetVlans(address), Bind(address, "kernel"), Announce(address))
    pf = FakePf(pci_address=address).facts
    return Plan(make_wish(pf=pf, match=Match(pci_address=address)), cast("tuple[Action, ...]", actions))


def one_pf() -> StagedHost:
    """Its VFs get their driver in the stage for that, not while they are created."""
    return StagedHost(FakePf(autoprobe=False))


def two_pfs() -> StagedHost:
    """The same, twice."""
    other = FakePf(pci_address=PF3, netdevs=(make_netdev(name="ens3f0"),), autoprobe=False)
    return StagedHost(FakePf(autoprobe=False), other)


def test_each_stage_begins_when_the_one_before_has_become_true() -> None:
    machine = one_pf()
    results = machine.carry_out(staged())
    assert machine.done == [
        f"{PF} set the mode, 0 ready",
        f"{PF} split into 2, 0 ready",
        f"{PF} set the VLANs, 0 ready",
        f"{PF} bind them, 0 ready",
        f"{PF} announce it, 2 ready",
    ]
    assert [str(result.action) for result in results] == [
        line.split(" ", 1)[1].rsplit(",", 1)[0] for line in machine.done
    ]
    assert all(result.outcome is Outcome.CHANGED for result in results)


def test_vfs_are_bound_once_the_last_pf_has_come_as_far() -> None:
    machine = two_pfs()
    machine.carry_out(staged(PF), staged(PF3))
    assert machine.done == [
        f"{PF} set the mode, 0 ready",
        f"{PF} split into 2, 0 ready",
        f"{PF} set the VLANs, 0 ready",
        f"{PF3} set the mode, 0 ready",
        f"{PF3} split into 2, 0 ready",
        f"{PF3} set the VLANs, 0 ready",
        f"{PF} bind them, 0 ready",
        f"{PF3} bind them, 0 ready",
        f"{PF} announce it, 2 ready",
        f"{PF3} announce it, 2 ready",
    ]
    assert machine.waited_for == [PF, PF3]


@pytest.mark.parametrize(
    ("failing", "done"),
    [
        ("set the mode", 1),
        ("split into 2", 2),
        ("set the VLANs", 3),
        ("bind them", 4),
        ("announce it", 5),
    ],
)
def test_a_failure_ends_the_stages_of_its_pf_and_of_no_other(failing: str, done: int) -> None:
    machine = two_pfs()
    machine.fails = {f"{PF} {failing}": KernelError("said no")}
    results = machine.carry_out(staged(PF), staged(PF3))
    assert [sum(line.startswith(pf) for line in machine.done) for pf in (PF, PF3)] == [done, 5]
    assert [str(result.action) for result in results if not result.is_done] == [failing]


def test_a_hang_ends_all_stages_of_all_pfs() -> None:
    machine = two_pfs()
    machine.fails = {f"{PF} set the VLANs": StuckError("hangs", pid=7)}
    results = machine.carry_out(staged(PF), staged(PF3))
    assert machine.done[-1] == f"{PF} set the VLANs, 0 ready"
    assert results[-1].outcome is Outcome.STUCK


def test_what_another_plan_carries_goes_on_only_if_that_went_well() -> None:
    machine = two_pfs()
    machine.fails = {f"{PF} set the mode": KernelError("said no")}
    carried = Plan(staged(PF3).desired, cast("tuple[Action, ...]", (Announce(PF3),)), carrier=PF)
    machine.carry_out(staged(PF), carried)
    assert machine.done == [f"{PF} set the mode, 0 ready"]
    machine.fails = {}
    machine.carry_out(staged(PF), carried)
    assert machine.done[-1].startswith(f"{PF3} announce it")
