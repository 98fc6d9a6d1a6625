"""Plans -> results: stage by stage, each action in order, retried where that helps.

Up to and including the count, PFs take turns, because nothing may start after a write that hangs. Then the pass waits
for the VFs of all PFs together (settle.py). What is done to each VF, and what follows, comes last and starts from new
facts: the VFs that the plan was made from are gone, and those of the count did not exist yet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Protocol, cast

from msgspec.structs import replace

from sriov_bootstrap.core.actions import STAGES, Action, ReloadDriver, SetNumVfs, Stage, VfAction
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.followup import in_pass_delay_seconds
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes import settle

Guard = Callable[[tuple[str, ...]], str]
ReadFacts = Callable[[], tuple[PfFacts, ...]]
Stages = Mapping[type, Stage]


class ActionMachine(settle.SettleMachine, Protocol):
    """What carrying out plans needs: something that acts, and what waiting needs."""

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        """Carries it out and returns how it ended; blocks until then, or until its deadline has passed.

        `guard` says who uses a VF that the action would destroy; it is asked right before. Never raises one of our own
        errors: a failure is a result, and so is a hang.
        """


def carry_out(
    plans: Iterable[Plan], machine: ActionMachine, *, guard: Guard, look: ReadFacts, stages: Stages = STAGES
) -> tuple[Result, ...]:
    """Runs every plan. A failure ends its own PF's steps; after a write that does not return, no further step is taken.

    `guard(pci_addresses)` says who uses a VF of these PFs now; it is asked again right before VFs are destroyed.
    `look` reads the facts; it is called at most once, after the counts.
    """
    plans, road, pick = tuple(plans), _Road(machine, guard), partial(_of_stages, stages)
    counts = chain.from_iterable(road.take(plan, pick(plan.actions, Stage.BEFORE, Stage.COUNT)) for plan in plans)
    results = settle.settle(tuple(counts), machine)
    road.give_up(*(address for result in results for address in result.contested))
    left = [(plan, pick(plan.actions, Stage.EACH_VF), pick(plan.actions, Stage.AFTER)) for plan in plans]
    needs_look = any(each and road.is_open(plan) for plan, each, _ in left)
    pfs = {pf.pci_address: pf for pf in look()} if needs_look else {}
    ends = (road.take(plan, (*_for_vfs(each, pfs.get(plan.pci_address)), *after)) for plan, each, after in left)
    return (*results, *chain.from_iterable(ends))


def _of_stages(stages: Stages, actions: tuple[Action, ...], *wanted: Stage) -> tuple[Action, ...]:
    return tuple(action for action in actions if stages[type(action)] in wanted)


def _for_vfs(actions: tuple[Action, ...], pf: PfFacts | None) -> Iterator[Action]:
    """What each VF needs of these, VF by VF."""
    for vf in pf.vfs if pf else ():
        yield from filter(None, (cast("VfAction", action).for_vf(vf) for action in actions))


class _Road:
    """Takes the steps of plans, and knows which plans have ended early."""

    def __init__(self, machine: ActionMachine, guard: Guard) -> None:
        self._machine = machine
        self._guard = guard
        self._given_up: set[str] = set()
        self._is_stuck = False

    def give_up(self, *pci_addresses: str) -> None:
        """Nothing more is done to these PFs."""
        self._given_up.update(pci_addresses)

    def is_open(self, plan: Plan) -> bool:
        """Whether its next step may be taken. A plan carried by another one depends on that one as well."""
        return not self._is_stuck and not self._given_up & {plan.pci_address, plan.carrier}

    def take(self, plan: Plan, actions: Iterable[Action]) -> Iterator[Result]:
        """Takes these steps of a plan, up to the first that fails."""
        for action in actions:
            if not self.is_open(plan):
                return
            result = self._with_retries(action)
            yield result
            if not result.is_done or self._has_kept_vfs(plan, result):
                self.give_up(plan.pci_address)
                self._is_stuck = result.outcome is Outcome.STUCK

    def _has_kept_vfs(self, plan: Plan, result: Result) -> bool:
        """Whether the VFs stay although 0 was accepted, as igb keeps those that it found when it was loaded.

        The next step would find their number where it expects 0, and pass for another program's doing.
        """
        if not (
            isinstance(result.action, SetNumVfs) and not result.action.after and result.made > 0 and plan.desired.pf
        ):
            return False
        there = {vf.inode for raw in self._machine.read_pfs((plan.pci_address,)) for vf in raw.vfs}
        return bool(there & plan.desired.pf.incarnations)

    def _with_retries(self, action: Action) -> Result:
        addresses = action.pci_addresses if isinstance(action, ReloadDriver) else (action.pci_address,)
        machine, attempt = self._machine, 0
        machine.say(f"{action.pci_address}: {action}")
        while True:
            began = machine.monotonic()
            result = machine.act(action, guard=lambda: self._guard(addresses))
            result = replace(result, seconds=machine.monotonic() - began)
            delay = in_pass_delay_seconds(result, attempt)
            if delay is None:
                return result
            machine.say(f"{result.message}; next try in {delay:g} s")
            machine.pause(delay)
            attempt += 1
