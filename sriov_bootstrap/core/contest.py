"""Something else also sets a PF's number of VFs: how often it has overwritten ours, and when ours is written next.

Two programs that set one number undo each other's work, and each write costs all of the PF's VFs. So a number that was
overwritten is written again after a pause, which grows each time it happens again. It is never given up: once the other
one stops, the next attempt holds. A number found changed at the start of a pass, for the first time in a while, is
corrected at once, like any loss: most often it was a single command, with no program behind it.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.facts import PfFacts

PAUSES_SECONDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
QUIET_SECONDS = 600.0  # after the last pause, the contest is forgotten


class Contest(Struct, frozen=True):
    """`times` in a row, `found` was written over our `target`; ours is not written again before `due_at`.

    That is on CLOCK_MONOTONIC.
    """

    target: int
    found: int
    times: int = 1
    due_at: float = 0.0


Contests = Mapping[str, Contest]


def pause_seconds(times: int) -> float:
    """How long the number is left alone after that many times."""
    return PAUSES_SECONDS[min(times, len(PAUSES_SECONDS)) - 1]


def next_contest(earlier: Contest | None, target: int, found: int, *, now: float) -> Contest:
    """It has happened again; a new target is a new contest."""
    times = earlier.times + 1 if earlier and earlier.target == target else 1
    return Contest(target, found, times, now + pause_seconds(times))


def find_contests(
    contests: Contests, placed: Mapping[str, int], pfs: Iterable[PfFacts], *, now: float
) -> tuple[dict[str, Contest], tuple[str, ...]]:
    """The contests as a pass finds them, and the PFs whose number was written over since the last one.

    `placed`: the numbers that the last pass left as desired. No VFs at all are a loss, as after a reload of the driver,
    unless there is a contest already.
    """
    here = {pf.pci_address: pf for pf in pfs if pf.driver}
    kept = {
        address: _seen_now(contest, here[address])
        for address, contest in contests.items()
        if address in here and now < contest.due_at + QUIET_SECONDS
    }
    new = []
    for address, target in placed.items():
        earlier = contest if (contest := kept.get(address)) and contest.target == target else None
        found = here[address].num_vfs if address in here else target
        if found == target or not (found or earlier):
            continue
        new.append(address)
        contest = next_contest(earlier, target, found, now=now)
        kept[address] = contest if earlier else replace(contest, due_at=now)
    return kept, tuple(new)


def _seen_now(contest: Contest, pf: PfFacts) -> Contest:
    """Every writer goes through 0: the number that it wants is another one."""
    return contest if pf.num_vfs in {0, contest.target} else replace(contest, found=pf.num_vfs)
