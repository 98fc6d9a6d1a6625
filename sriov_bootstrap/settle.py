"""Really done? Waits until the VFs that were asked for are there and have their drivers, for all PFs together.

Together, because drivers bind beside us: while the VFs of one PF are probed the next one is written already.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core import facts
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.plan import ReloadDriver, SetNumVfs, is_settled, settle_deadline_seconds
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.users import Holders

LOOK_AGAIN_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)


class Machine(Protocol):
    """What waiting needs of the machine."""

    def read_pfs(self, only: tuple[str, ...] = ()) -> tuple[facts.RawPf, ...]:
        """Every PF in /sys, or those of these PCI addresses that are there."""

    def expects_driver(self, modalias: str) -> bool:
        """Whether a module on this host would bind to such a VF."""

    def monotonic(self) -> float:
        """Seconds."""

    def pause(self, seconds: float) -> None:
        """Waits."""

    def say(self, text: str) -> None:
        """Progress, for whoever is watching."""


class _Wait(Struct, frozen=True):
    """The PFs that one action has made VFs on; `limit_seconds` grows with their number."""

    pci_addresses: tuple[str, ...]
    target: int
    limit_seconds: float


def settle(results: tuple[Result, ...], machine: Machine) -> tuple[Result, ...]:
    """A successful write is not yet a success: each result says whether it has become true, and how long that took."""
    waits = {number: wait for number, result in enumerate(results) if (wait := _wait(result))}
    settled = list(results)
    began = machine.monotonic()
    expects: dict[str, bool] = {}
    for delay in _delays():
        pfs = _look(machine, waits.values())
        passed = machine.monotonic() - began
        for number, wait in tuple(waits.items()):
            is_true = all(_is_settled(machine, pfs.get(one), wait.target, expects) for one in wait.pci_addresses)
            if is_true or passed > wait.limit_seconds:
                del waits[number]
                settled[number] = replace(results[number], is_settled=is_true, seconds=results[number].seconds + passed)
        if not waits:
            return tuple(settled)
        machine.say(f"waiting until VFs are ready: {_progress(waits.values(), pfs)}")
        machine.pause(delay)
    raise AssertionError  # pragma: no cover (the delays never end)


def _wait(result: Result) -> _Wait | None:
    """None: this action made no VFs, or was not done."""
    if result.outcome is not Outcome.CHANGED:
        return None
    match result.action:
        case SetNumVfs(pci_address=address, after=target) if target:
            addresses: tuple[str, ...] = (address,)
        case ReloadDriver(pci_addresses=addresses, expected=target):
            pass
        case _:
            return None
    return _Wait(addresses, target, settle_deadline_seconds(target * len(addresses)))


def _look(machine: Machine, waits: Iterable[_Wait]) -> dict[str, PfFacts]:
    addresses = tuple(one for wait in waits for one in wait.pci_addresses)
    pfs = machine.read_pfs(addresses) if addresses else ()
    return {raw.pci_address: facts.parse_pf(raw, facts.Links(), Holders()) for raw in pfs}


def _is_settled(machine: Machine, pf: PfFacts | None, target: int, expects: dict[str, bool]) -> bool:
    if is_settled(pf, target, expects_driver=True) or pf is None or pf.num_vfs != target:
        return is_settled(pf, target, expects_driver=True)
    bare = next((vf.modalias for vf in pf.vfs if vf.lacks_driver), None)
    if bare is not None and bare not in expects:
        expects[bare] = machine.expects_driver(bare)
    return is_settled(pf, target, expects_driver=bare is None or expects[bare])


def _progress(waits: Iterable[_Wait], pfs: dict[str, PfFacts]) -> str:
    return ", ".join(
        f"{one} has {pfs[one].num_vfs if one in pfs else 0} of {wait.target}"
        for wait in waits
        for one in wait.pci_addresses
    )


def _delays() -> Iterator[float]:
    return chain(LOOK_AGAIN_SECONDS, repeat(LOOK_AGAIN_SECONDS[-1]))
