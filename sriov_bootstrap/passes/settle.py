"""Really done? Waits until the VFs that were asked for exist and have their drivers, for all PFs together.

Two rules for this file:

1. This is the only place in a pass that waits for something to appear. No edge sleeps until a file is there.
2. It only looks, and only at what no write can block: the virtfn links and the VFs' own folders, never sriov_numvfs.

Theory of operation
-------------------

A write that succeeded is not yet a success. When it returns, the VFs are on the bus, but their driver may not be: udev
may have to load its module first, and probing takes up to a second per VF. Even a driver that has been bound may make
its netdev later (iavf does, in a work queue). A consumer started in between would find VFs
without netdevs. So each result is settled only once the facts agree with it, and the time that took is part of it.

All PFs are waited for at the same time, after the last write, because their drivers bind in parallel. There is no event
to wait for (one that says "all VFs of this PF are bound" does not exist, and udev may be dead), so we look again,
quickly at first and then every half second. A look reads only the PFs that are still awaited.

For each action that made VFs there is one `_Wait`, and four ways out of it:

- Settled. The count is right, and every VF that is going to have a driver has it. Which ones are? None with autoprobe
  off, and none for which no module on this host claims the VF's modalias: waiting for igbvf where it is not installed
  would cost every pass the whole deadline. modprobe is asked once per kind of VF.
- Refused. A VF that we tried to bind and that its driver would not take has had its answer: it is not waited for.
- Deadline. It grows with the number of VFs. The result stays a success that is not settled: the VFs are there, the
  report calls them incomplete, and a later pass sees when their drivers arrive.
- Contested. The PF has other VFs than its write left. No device and no driver does that on its own, so something else
  writes sriov_numvfs too, and waiting is pointless. There are two clues: the count differs from the one that the writer
  saw right after its write (`made`), or VFs that we have seen since are gone (`seen`). Without them another program's
  number would pass for all that the device can make, and would be kept for good (`Short` in core/surroundings.py). A PF
  that has lost its driver has lost its VFs with it, and nothing is contested.

Of several actions on one PF only the last is awaited: a 0 on the way to N has been overtaken.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core import facts
from sriov_bootstrap.core.actions import Action, BindVfs, ReloadDriver, SetNumVfs
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.settled import ANY_DRIVER, is_settled, settle_deadline_seconds
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.passes.protocols import SettleMachine

LOOK_AGAIN_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)


class _Wait(Struct, frozen=True):
    """The PFs that one action has made VFs on; `limit_seconds` grows with their number.

    `made`: as in Result. `seen`: PCI address -> every VF of it that was seen since. `contested`: see Result.
    """

    pci_addresses: tuple[str, ...]
    target: int
    limit_seconds: float
    made: int
    seen: dict[str, frozenset[int]]
    contested: set[str]


def settle(results: tuple[Result, ...], machine: SettleMachine) -> tuple[Result, ...]:
    """A successful write is not yet a success: each result says whether it has become true, and how long that took."""
    makers = [(number, result.action) for number, result in enumerate(results) if _makes_vfs(result.action)]
    last = {action.pci_address: number for number, action in makers}
    waits = {number: wait for number in sorted(last.values()) if (wait := _wait_for(results[number]))}
    bindings = [(result, result.action) for result in results if isinstance(result.action, BindVfs)]
    refused = {action.pci_address for result, action in bindings if not result.is_done}
    drivers = {action.pci_address: action.drivers for _, action in bindings}
    settled = list(results)
    began = machine.monotonic()
    for delay in pauses():
        pfs = _read_facts(machine, waits.values())
        passed = machine.monotonic() - began
        for number, wait in tuple(waits.items()):
            wait.contested.update(address for address in wait.pci_addresses if _is_contested(wait, pfs.get(address)))
            left = [address for address in wait.pci_addresses if address not in wait.contested]
            left = [address for address in left if address not in refused or not _has(pfs.get(address), wait.target)]
            meant = [(pfs.get(address), drivers.get(address, ANY_DRIVER)) for address in left]
            is_over = all(_is_settled(machine, pf, wait.target, wishes) for pf, wishes in meant)
            if is_over or passed > wait.limit_seconds:
                del waits[number]
                settled[number] = replace(
                    results[number],
                    is_settled=is_over,
                    seconds=results[number].seconds + passed,
                    contested=tuple(sorted(wait.contested)),
                )
        if not waits:
            return tuple(settled)
        machine.say(f"waiting for VFs to be ready: {_progress_text(waits.values(), pfs)}")
        machine.pause(delay)
    raise AssertionError  # pragma: no cover (the delays never end)


def _makes_vfs(action: Action) -> bool:
    return isinstance(action, SetNumVfs | ReloadDriver)


def _has(pf: PfFacts | None, target: int) -> bool:
    return pf is not None and pf.num_vfs == target


def _wait_for(result: Result) -> _Wait | None:
    """None: this action changed no VFs, or was not done."""
    if result.outcome is not Outcome.CHANGED:
        return None
    match result.action:
        case SetNumVfs(pci_address=address, after=target):
            addresses: tuple[str, ...] = (address,)
        case ReloadDriver(pci_addresses=addresses, expected=target):
            pass
        case _:
            return None
    limit = settle_deadline_seconds(target * len(addresses)) if target else 0.0
    return _Wait(addresses, target, limit, result.made, seen={}, contested=set())


def _is_contested(wait: _Wait, pf: PfFacts | None) -> bool:
    """Whether VFs went that had been there, or the number is not what the write left; not where its driver went."""
    if pf is None or not pf.driver:
        return False
    seen = wait.seen.get(pf.pci_address, pf.incarnations)
    wait.seen[pf.pci_address] = seen | pf.incarnations
    if pf.num_vfs == wait.target:
        return False
    return not seen <= pf.incarnations or wait.made not in {-1, pf.num_vfs}


def _read_facts(machine: SettleMachine, waits: Iterable[_Wait]) -> dict[str, PfFacts]:
    addresses = tuple(address for wait in waits for address in wait.pci_addresses)
    pfs = machine.read_pfs(addresses) if addresses else ()
    return {raw.pci_address: parse_pf(raw, facts.Links(), Holders()) for raw in pfs}


def _is_settled(machine: SettleMachine, pf: PfFacts | None, target: int, drivers: DriverWishes) -> bool:
    if is_settled(pf, target, expects_driver=True, drivers=drivers):
        return True
    if pf is None or pf.num_vfs != target:
        return False
    bare = next((vf.modalias for vf in pf.vfs if vf.lacks_driver and drivers.wish_for(vf.index) != VfDriver.NONE), None)
    return is_settled(pf, target, expects_driver=bare is None or machine.expects_driver(bare), drivers=drivers)


def _progress_text(waits: Iterable[_Wait], pfs: dict[str, PfFacts]) -> str:
    return ", ".join(
        f"{address} has {pfs[address].num_vfs if address in pfs else 0} of {wait.target}"
        for wait in waits
        for address in wait.pci_addresses
    )


def pauses() -> Iterator[float]:
    """How long to wait before each look, in seconds, without an end."""
    return chain(LOOK_AGAIN_SECONDS, repeat(LOOK_AGAIN_SECONDS[-1]))
