"""Plans -> results: stage by stage, each action in order, retried where that helps.

PFs take turns with everything up to their VFs' drivers, because nothing may start after a write that hangs, and the
kernel creates VFs of one PF at a time anyway. All of that is handed to the machine as one row of steps, and it carries
out as many in one process as it can; a row ends with a step that fails, and what that means is decided here.

Binding is different: it takes long, waits for no other PF, and is begun in a process of its own, for all PFs at once.
It begins when the last PF has been counted: every VF that gets a netdev keeps udev busy, which made the counts of the
PFs after it twice as slow where processors are few. Then the pass waits for all of them together (settle.py), and takes
the steps that follow.

What is done to VFs after a count cannot name them: those that the plan was made from are gone. Such an action means
every VF of its PF, in the number that the count was to make.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import takewhile
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
    addresses_of,
    stage_of,
)
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.repetition import in_pass_delay_seconds
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.passes import settle
from sriov_bootstrap.passes.protocols import ActionMachine, GuardedAction


class Guard(Protocol):
    """Who uses these VFs, or a VF of these PFs, now; see read_users()."""

    def __call__(self, addresses: tuple[str, ...], /, *, pfs: tuple[str, ...], at_work: bool = False) -> str:
        """Return whom a refusal names, "" if nobody."""


_Begun = tuple[Plan, Callable[[], Result]]
_Planned = tuple[Plan, Action]
Stages = Mapping[type, Stage]


def carry_out(
    plans: Iterable[Plan], machine: ActionMachine, *, guard: Guard, stages: Stages = STAGES
) -> tuple[Result, ...]:
    """Runs every plan. A failure ends its own PF's steps; after a write that does not return, no further step is taken.

    `guard` is asked again right before a VF is destroyed or moved, or its switch gets another mode.
    """
    road, pick, results = _Road(machine, guard), partial(_of_stages, stages), list[Result]()
    plans = tuple(plans)
    results += road.take(pick(plans, Stage.BEFORE, Stage.COUNT, Stage.COUNTED))
    counted = road.finished_plans(plans)
    begun = [binding for plan, action in pick(counted, Stage.BIND) for binding in road.begin(plan, action)]
    results += (road.note(plan, end()) for plan, end in begun)
    results = list(settle.settle(tuple(results), machine))
    road.give_up(*(address for result in results for address in result.contested))
    return (*results, *road.take(pick(plans, Stage.AFTER)))


def _of_stages(stages: Stages, plans: Iterable[Plan], *wanted: Stage) -> Iterator[_Planned]:
    """The steps of each plan, one plan after the other."""
    for plan in plans:
        yield from ((plan, action) for action in plan.actions if stage_of(action, stages) in wanted)


class _Road:
    """Takes the steps of plans, and knows which plans have ended early."""

    def __init__(self, machine: ActionMachine, guard: Guard) -> None:
        self._machine = machine
        self._guard = guard
        self._given_up: set[str] = set()
        self._stuck: Plan | None = None
        self._announced: _Planned | None = None

    def give_up(self, *pci_addresses: str) -> None:
        """Nothing more is done to these PFs."""
        self._given_up.update(pci_addresses)

    def finished_plans(self, plans: Iterable[Plan]) -> tuple[Plan, ...]:
        """Those of which every step has been taken, and none has failed: no later one than the first that hangs."""
        return tuple(plan for plan in takewhile(lambda plan: plan is not self._stuck, plans) if self._is_good(plan))

    def _is_good(self, plan: Plan) -> bool:
        """A plan carried by another one depends on that one as well."""
        return not self._given_up & {plan.pci_address, plan.carrier}

    def _is_open(self, step: _Planned) -> bool:
        """Whether it may be taken."""
        return self._stuck is None and self._is_good(step[0])

    def take(self, steps: Iterable[_Planned]) -> Iterator[Result]:
        """Takes these steps, of each plan up to the first that fails."""
        left, tries = deque(steps), 0
        while left:
            if not self._is_open(left[0]):
                left.popleft()
                continue
            delay = None
            for result in self._act_on(tuple(self._row_of(left))):
                if (delay := in_pass_delay_seconds(result, tries)) is None:
                    tries, (plan, _) = 0, left.popleft()
                    self._judge(plan, result)
                    yield result
            if delay is not None:
                self._machine.say(f"{result.message}; next try in {delay:g} s")
                self._machine.pause(delay)
                tries += 1

    def _row_of(self, steps: Iterable[_Planned]) -> Iterator[_Planned]:
        """The first of them. When VFs have gone, that is looked at before the next step is begun."""
        for step in takewhile(self._is_open, steps):
            yield step
            if isinstance(step[1], SetNumVfs) and not step[1].after:
                return

    def _act_on(self, row: tuple[_Planned, ...]) -> Iterator[Result]:
        """The results of the first of these steps, each with how long it took."""
        machine, steps = self._machine, [GuardedAction(action, self._guard_of(plan, action)) for plan, action in row]
        self._announce(row[0])
        began = machine.monotonic()
        for number, result in enumerate(machine.act_in_turn(steps), 1):
            ended = machine.monotonic()
            if result.is_done and number < len(row):
                self._announce(row[number])
            yield replace(result, seconds=ended - began)
            began = ended

    def _announce(self, step: _Planned) -> None:
        """Once, however often it is tried."""
        if step is not self._announced:
            self._machine.say(f"{step[1].pci_address}: {step[1]}")
            self._announced = step

    def _judge(self, plan: Plan, result: Result) -> None:
        """Whether the rest of a plan may follow."""
        if result.outcome is Outcome.FAILED and isinstance(result.action, OPTIONAL):
            return
        if not result.is_done or self._has_kept_vfs(plan, result):
            self.give_up(plan.pci_address)
        if result.outcome is Outcome.STUCK:
            self._stuck = plan

    def begin(self, plan: Plan, action: Action) -> Iterator[_Begun]:
        """Begins to bind the VFs of a plan that has come as far. A write of another PF that hangs is not in its way."""
        if isinstance(action, BindVfs):
            self._machine.say(f"{action.pci_address}: {action}")
            began = self._machine.monotonic()
            end = self._machine.begin(action, guard=partial(self._guard, action.vfs, pfs=(action.pci_address,)))
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

    def _guard_of(self, plan: Plan, action: Action) -> Callable[[], str]:
        guard = partial(self._guard, pfs=addresses_of(action), at_work=isinstance(action, SetEswitchMode))
        return lambda: guard(self._whose_users_count(plan, action))
