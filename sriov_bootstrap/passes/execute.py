"""Plans -> results: stage by stage, each action in order, retried where that helps.

PFs take turns with everything up to their VFs' drivers, because nothing may start after a write that hangs, and the
kernel creates VFs of one PF at a time anyway. Binding is different: it takes long, waits for no other PF, and is begun
in a process of its own, for all PFs at once. It begins when the last PF has been counted: every VF that gets a netdev
keeps udev busy, which made the counts of the PFs after it twice as slow where processors are few. Then the pass waits
for all of them together (settle.py), and takes the steps that follow.

What is done to VFs after a count cannot name them: those that the plan was made from are gone. Such an action means
every VF of its PF, in the number that the count was to make.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Protocol

from msgspec.structs import replace

from sriov_bootstrap.core.actions import (
    OPTIONAL,
    STAGES,
    Action,
    BindVfs,
    ReloadDriver,
    SetNumVfs,
    SetVfAttributes,
    SetVfMtus,
    Stage,
    stage_of,
)
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.repetition import in_pass_delay_seconds
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.passes import settle
from sriov_bootstrap.passes.protocols import ActionMachine


class Guard(Protocol):
    """Who uses these VFs, or a VF of these PFs, now; see read_users()."""

    def __call__(self, addresses: tuple[str, ...], /, *, at_work: bool = False) -> str:
        """Return whom a refusal names, "" if nobody."""


_Begun = tuple[Plan, Callable[[], Result]]
Stages = Mapping[type, Stage]


def carry_out(
    plans: Iterable[Plan], machine: ActionMachine, *, guard: Guard, stages: Stages = STAGES
) -> tuple[Result, ...]:
    """Runs every plan. A failure ends its own PF's steps; after a write that does not return, no further step is taken.

    `guard` is asked again right before a VF is destroyed or moved, or its switch gets another mode.
    """
    road, pick, results, counted = _Road(machine, guard), partial(_of_stages, stages), list[Result](), list[Plan]()
    for plan in (plans := tuple(plans)):
        results += road.take(plan, pick(plan.actions, Stage.BEFORE, Stage.COUNT, Stage.COUNTED))
        counted += [plan] if road.is_open(plan) else []
    begun = [binding for plan in counted for binding in road.begin(plan, pick(plan.actions, Stage.BIND))]
    results += (road.note(plan, end()) for plan, end in begun)
    results = list(settle.settle(tuple(results), machine))
    road.give_up(*(address for result in results for address in result.contested))
    ends = (road.take(plan, pick(plan.actions, Stage.AFTER)) for plan in plans)
    return (*results, *chain.from_iterable(ends))


def _of_stages(stages: Stages, actions: tuple[Action, ...], *wanted: Stage) -> tuple[Action, ...]:
    return tuple(action for action in actions if stage_of(action, stages) in wanted)


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
            yield (result := self._with_retries(plan, action))
            if result.outcome is Outcome.FAILED and isinstance(action, OPTIONAL):
                continue
            if not result.is_done or self._has_kept_vfs(plan, result):
                self.give_up(plan.pci_address)
                self._is_stuck = result.outcome is Outcome.STUCK

    def begin(self, plan: Plan, actions: tuple[Action, ...]) -> Iterator[_Begun]:
        """Begins to bind the VFs of a plan that has come as far. A write of another PF that hangs is not in its way."""
        for action in (action for action in actions if isinstance(action, BindVfs)):
            self._machine.say(f"{action.pci_address}: {action}")
            began = self._machine.monotonic()
            end = self._machine.begin(action, guard=partial(self._guard, action.vfs))
            yield plan, partial(self._end_of, began, end)

    def note(self, plan: Plan, result: Result) -> Result:
        """The end of what was begun. One that hangs is in nobody's way but its PF's."""
        if not result.is_done:
            self.give_up(plan.pci_address)
        return result

    def _end_of(self, began: float, end: Callable[[], Result]) -> Result:
        result = end()
        return replace(result, seconds=self._machine.monotonic() - began)

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

    def _whose_users_count(self, plan: Plan, action: Action) -> tuple[str, ...]:
        """PFs, or the VFs that the action alone concerns: who uses another one has nothing to fear from it."""
        match action:
            case ReloadDriver(pci_addresses=addresses):
                return addresses
            case SetVfAttributes(vfs=numbers) if numbers and plan.desired.pf:
                return tuple(vf.pci_address for vf in plan.desired.pf.vfs if vf.index in numbers)
            case SetVfMtus(pci_address=address, mtus=mtus):  # the plan may be older than they are
                vfs = (vf for raw in self._machine.read_pfs((address,)) for vf in raw.vfs)
                return tuple(vf.pci_address for vf in vfs if vf.index.isdigit() and int(vf.index) in mtus)
            case _:
                return (action.pci_address,)

    def _with_retries(self, plan: Plan, action: Action) -> Result:
        addresses = self._whose_users_count(plan, action)
        guard = partial(self._guard, addresses, at_work=isinstance(action, SetEswitchMode))
        machine, attempt = self._machine, 0
        machine.say(f"{action.pci_address}: {action}")
        while True:
            began = machine.monotonic()
            result = machine.act(action, guard=guard)
            result = replace(result, seconds=machine.monotonic() - began)
            delay = in_pass_delay_seconds(result, attempt)
            if delay is None:
                return result
            machine.say(f"{result.message}; next try in {delay:g} s")
            machine.pause(delay)
            attempt += 1
