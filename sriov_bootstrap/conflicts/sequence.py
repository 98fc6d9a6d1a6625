"""Several writes to one PF, one after the other: which number is there in the end.

The kernel changes a number to 0 and from 0; any other change is EBUSY, and leaves the number that is there
(drivers/pci/pci-sysfs.c, sriov_numvfs_store).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import matches
from sriov_bootstrap.core.facts import PfFacts

UNKNOWN_NUMBER = -1
MAX_FOLLOWED = 256  # of one run


class NumberStep(Struct, frozen=True):
    """A write. `numbers`: what it may write, UNKNOWN_NUMBER if that is not known; `devices` (): of any PF."""

    devices: tuple[Match, ...]
    numbers: tuple[int, ...]
    is_conditional: bool = False


def lasting_places(steps: Sequence[NumberStep], pfs: Iterable[PfFacts]) -> frozenset[int]:
    """The places of those whose number may be there when all are done, for some PF. Those beyond the bound may."""
    followed = steps[:MAX_FOLLOWED]
    found = set(range(len(followed), len(steps)))
    present = tuple(pfs)
    for pf in present:
        found |= _end([_is_of(step, pf) for step in followed], followed)
    for device in {device for step in followed for device in step.devices}:
        if not any(matches(device, pf) for pf in present):
            found |= _end([device in step.devices for step in followed], followed)
    found |= {at for at, step in enumerate(followed) if not step.devices}
    return frozenset(found)


def _is_of(step: NumberStep, pf: PfFacts) -> bool:
    return any(matches(device, pf) for device in step.devices)


def _end(concerns: list[bool], steps: Sequence[NumberStep]) -> set[int]:
    """Which of the steps that concern one PF leave the number that is there in the end; it starts at 0."""
    states: set[tuple[int, int]] = {(0, -1)}
    for at, step in enumerate(steps):
        if concerns[at]:
            after = {state for before in states for number in step.numbers for state in _after(before, number, at)}
            states = states | after if step.is_conditional else after
    return {place for _, place in states if place >= 0}


def _after(before: tuple[int, int], number: int, at: int) -> set[tuple[int, int]]:
    """(number, place) after a write: the one that is there stays unless one of the two is 0."""
    if 0 in {before[0], number}:
        return {(number, at)}
    return {before, (number, at)} if UNKNOWN_NUMBER in {before[0], number} else {before}
