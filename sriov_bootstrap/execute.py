"""Plans -> results: every action in order, tried again where that helps, and looked at until it has become true."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Protocol

from msgspec.structs import replace

from sriov_bootstrap.apply import Kernel, apply
from sriov_bootstrap.core import facts
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.followup import in_pass_delay_seconds
from sriov_bootstrap.core.plan import Action, Plan, ReloadDriver, SetNumVfs, is_settled, settle_deadline_seconds
from sriov_bootstrap.core.report import Outcome, Result

Guard = Callable[[tuple[str, ...]], str]
LOOK_AGAIN_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)


class Machine(Kernel, Protocol):
    """What carrying out plans needs beyond the single calls."""

    def read_pfs(self, only: tuple[str, ...] = ()) -> tuple[facts.RawPf, ...]:
        """Every PF in /sys, or those of these PCI addresses that are there."""

    def expects_driver(self, modalias: str) -> bool:
        """Whether a module on this host would bind to such a VF."""

    def pause(self, seconds: float) -> None:
        """Waits."""

    def say(self, text: str) -> None:
        """Progress, for whoever is watching."""


def carry_out(plans: Iterable[Plan], machine: Machine, *, guard: Guard) -> tuple[Result, ...]:
    """Runs every plan. A failure ends its own PF's steps; a write that does not come back ends all further ones.

    `guard(pci_addresses)` says who uses a VF of these PFs now; it is asked again right before VFs are destroyed.
    """
    results: list[Result] = []
    for plan in plans:
        for action in plan.actions:
            result = _until_settled(action, _with_retries(action, machine, guard), machine)
            results.append(result)
            if result.outcome is Outcome.STUCK:
                return tuple(results)
            if not result.is_done:
                break
    return tuple(results)


def _with_retries(action: Action, machine: Machine, guard: Guard) -> Result:
    addresses = action.pci_addresses if isinstance(action, ReloadDriver) else (action.pci_address,)
    attempt = 0
    machine.say(f"{action.pci_address}: {action}")
    while True:
        result = apply(action, machine, guard=lambda: guard(addresses))
        delay = in_pass_delay_seconds(result, attempt)
        if delay is None:
            return result
        machine.say(f"{result.message}; next try in {delay:g} s")
        machine.pause(delay)
        attempt += 1


def _until_settled(action: Action, result: Result, machine: Machine) -> Result:
    """A successful write is not yet a success: waits until the VFs are there, or a deadline that grows with them."""
    if result.outcome is not Outcome.CHANGED:
        return result
    match action:
        case SetNumVfs(after=target) if target:
            addresses: tuple[str, ...] = (action.pci_address,)
        case ReloadDriver(expected=target):
            addresses = action.pci_addresses
        case _:
            return result
    began = machine.monotonic()
    settled = _wait(machine, addresses, target, began + settle_deadline_seconds(target * len(addresses)))
    return replace(result, is_settled=settled, seconds=result.seconds + machine.monotonic() - began)


def _wait(machine: Machine, addresses: tuple[str, ...], target: int, deadline: float) -> bool:
    expects: dict[str, bool] = {}
    for delay in _delays():
        pfs = {
            raw.pci_address: facts.parse_pf(raw, facts.Links(), facts.Holders()) for raw in machine.read_pfs(addresses)
        }
        waiting = [one for one in addresses if not _is_settled(machine, pfs.get(one), target, expects)]
        if not waiting:
            return True
        if machine.monotonic() > deadline:
            return False
        there = ", ".join(f"{one} has {pfs[one].num_vfs if one in pfs else 0}" for one in waiting)
        machine.say(f"waiting until {target} VFs are ready: {there}")
        machine.pause(delay)
    raise AssertionError  # pragma: no cover (the delays never end)


def _is_settled(machine: Machine, pf: PfFacts | None, target: int, expects: dict[str, bool]) -> bool:
    if is_settled(pf, target, expects_driver=True) or pf is None or pf.num_vfs != target:
        return is_settled(pf, target, expects_driver=True)
    bare = next((vf.modalias for vf in pf.vfs if not vf.driver), None)
    if bare is not None and bare not in expects:
        expects[bare] = machine.expects_driver(bare)
    return is_settled(pf, target, expects_driver=bare is None or expects[bare])


def _delays() -> Iterator[float]:
    return chain(LOOK_AGAIN_SECONDS, repeat(LOOK_AGAIN_SECONDS[-1]))
