"""Plans -> results: every action in order, tried again where that helps, and looked at until it has become true."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from msgspec.structs import replace

from sriov_bootstrap.core.actions import Action, ReloadDriver
from sriov_bootstrap.core.followup import in_pass_delay_seconds
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes import settle

Guard = Callable[[tuple[str, ...]], str]


class Machine(settle.Machine, Protocol):
    """What carrying out plans needs: who acts, and what waiting needs."""

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        """Carries it out and says what it came to; blocks until then, or until its deadline has passed.

        `guard` says who uses a VF that the action would end; it is asked right before. Never raises out of our family
        of errors: a failure is a result, and so is a hang.
        """


def carry_out(plans: Iterable[Plan], machine: Machine, *, guard: Guard) -> tuple[Result, ...]:
    """Runs every plan. A failure ends its own PF's steps; a write that does not come back ends all further ones.

    `guard(pci_addresses)` says who uses a VF of these PFs now; it is asked again right before VFs are destroyed.
    """
    return settle.settle(tuple(_act(plans, machine, guard)), machine)


def _act(plans: Iterable[Plan], machine: Machine, guard: Guard) -> Iterator[Result]:
    for plan in plans:
        for action in plan.actions:
            result = _with_retries(action, machine, guard)
            yield result
            if result.outcome is Outcome.STUCK:
                return
            if not result.is_done:
                break


def _with_retries(action: Action, machine: Machine, guard: Guard) -> Result:
    addresses = action.pci_addresses if isinstance(action, ReloadDriver) else (action.pci_address,)
    attempt = 0
    machine.say(f"{action.pci_address}: {action}")
    while True:
        began = machine.monotonic()
        result = machine.act(action, guard=lambda: guard(addresses))
        result = replace(result, seconds=machine.monotonic() - began)
        delay = in_pass_delay_seconds(result, attempt)
        if delay is None:
            return result
        machine.say(f"{result.message}; next try in {delay:g} s")
        machine.pause(delay)
        attempt += 1
