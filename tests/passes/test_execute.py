"""Plans -> results."""

import errno
from collections.abc import Iterator, Sequence

from builders import PF, PF2, PF3, make_netdev, make_wish
from fakes import FakeMachine, FakePf
from sriov_bootstrap.core.actions import ReloadDriver, SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes.execute import carry_out
from sriov_bootstrap.passes.protocols import GuardedAction

WRITE = SetNumVfs(PF, 0, 4)


def nobody(_addresses: tuple[str, ...], **_how: object) -> str:
    return ""


class Rows(FakeMachine):
    """Notes which steps it is given at a time."""

    def __init__(self, *pfs: FakePf) -> None:
        super().__init__(*pfs)
        self.rows: list[str] = []

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        self.rows.append("; ".join(str(action) for action, _ in steps))
        return super().act_in_turn(steps)


def two_counts() -> Rows:
    """Of one PF from 4 to 2 VFs, of another one to 3: done."""
    machine = Rows(FakePf(), FakePf(pci_address=PF3, netdevs=(make_netdev(name="ens3f0"),)))
    machine.make_vfs(PF, 4)
    other = make_wish(pf=machine.pfs[PF3].facts, match=Match(pci_address=PF3))
    plans = (
        Plan(make_wish(pf=machine.pfs[PF].facts), (SetAutoprobe(PF, enabled=False), SetNumVfs(PF, 4, 0), WRITE)),
        Plan(other, (SetAutoprobe(PF3, enabled=False), SetNumVfs(PF3, 0, 3))),
    )
    carry_out(plans, machine, guard=nobody)
    return machine


def test_steps_of_all_pfs_are_one_row_that_ends_where_vfs_went_away() -> None:
    """Whether they really have is looked at first: igb keeps those that it found when it was loaded."""
    machine = two_counts()
    off, none = "set sriov_drivers_autoprobe to 0", "set sriov_numvfs from 4 to 0"
    assert machine.rows == [f"{off}; {none}", f"{WRITE}; {off}; set sriov_numvfs from 0 to 3"]


def test_each_step_is_announced_once_when_it_begins() -> None:
    machine = two_counts()
    assert machine.said == [
        f"{PF}: set sriov_drivers_autoprobe to 0",
        f"{PF}: set sriov_numvfs from 4 to 0",
        f"{PF}: set sriov_numvfs from 0 to 4",
        f"{PF3}: set sriov_drivers_autoprobe to 0",
        f"{PF3}: set sriov_numvfs from 0 to 3",
    ]


def test_a_step_that_is_tried_again_begins_a_row_of_its_own_and_the_rest_follows() -> None:
    machine = Rows(FakePf(), FakePf(pci_address=PF3, netdevs=(make_netdev(name="ens3f0"),)))
    machine.failures = {PF: [errno.EAGAIN]}
    other = Plan(make_wish(pf=machine.pfs[PF3].facts, match=Match(pci_address=PF3)), (SetNumVfs(PF3, 0, 3),))
    results = carry_out([Plan(make_wish(), (WRITE,)), other], machine, guard=nobody)
    assert [result.outcome for result in results] == [Outcome.CHANGED, Outcome.CHANGED]
    assert machine.rows == [f"{WRITE}; set sriov_numvfs from 0 to 3"] * 2
    assert machine.said.count(f"{PF}: {WRITE}") == 1


def test_a_result_says_how_long_its_last_try_took() -> None:
    machine = FakeMachine(FakePf())
    machine.failures = {PF: [errno.EAGAIN, "stuck"]}
    (result,) = carry_out([Plan(make_wish(), (WRITE,))], machine, guard=nobody)
    assert (result.outcome, result.seconds) == (Outcome.STUCK, 80.0)


def test_the_guard_of_a_reload_is_asked_for_all_its_pfs() -> None:
    machine = FakeMachine(FakePf(), FakePf(pci_address=PF2))
    reload = ReloadDriver(PF, "igb", (PF, PF2), 4)
    results = carry_out(
        [Plan(make_wish(), (reload,))], machine, guard=lambda addresses, **_how: " and ".join(addresses)
    )
    message = f"{PF}: igb is not reloaded: {PF} and {PF2}"
    assert results == (Result(reload, Outcome.REFUSED, message=message, hint="wait"),)
