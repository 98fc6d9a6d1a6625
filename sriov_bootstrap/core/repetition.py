"""When a pass is repeated, or an action within it: what failed and may pass, and what comes about without an event.

The daemon's next look at a host and the wait of `--once` follow from it.
"""

from collections.abc import Iterator

from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfState, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.vf_settings import QUIET_SECONDS

RETRY_SECONDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
IN_USE_SECONDS = 60.0  # walking /proc costs little, and an operator may be waiting for the VM that was just stopped
LAG_SECONDS = 5.0  # a bond is offloaded a moment after it was made, which is an event, and that is none
IN_PASS_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)


def retry_delay_seconds(failures: int) -> float | None:
    """How long to wait before the next pass after so many failed ones in a row; None after a good one."""
    if failures <= 0:
        return None
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]


def next_look_seconds(state: State, failures: int, *, now: float) -> float | None:
    """The same for the pass after the last one: a VF in use is looked at again sooner, for ever.

    So is a number that was overwritten, when its pause ends, however many passes those writes have triggered.
    """
    delay = retry_delay_seconds(failures)
    if delay is None:
        return min(_quiet_looks(state, now), default=None)
    contested = [pf.pci_address for pf in state.report.pfs if pf.reason is Reason.CONTESTED]
    dues = [max(0.0, state.contests[address].due_at - now) for address in contested if address in state.contests]
    reasons = {pf.reason for pf in state.report.pfs}
    waits = {Reason.IN_USE: IN_USE_SECONDS, Reason.LAG_INACTIVE: LAG_SECONDS}
    return min(
        [delay, *dues, *_quiet_looks(state, now), *(seconds for why, seconds in waits.items() if why in reasons)]
    )


def _quiet_looks(state: State, now: float) -> Iterator[float]:
    """When something may have come about that sends no event, on a host where nothing is wrong."""
    if any(pf.vfs_held for pf in state.report.pfs):
        yield IN_USE_SECONDS
    dues = _attributes_due_in(state, now)
    yield from (due if due > 0 else IN_USE_SECONDS for due in dues)  # overdue: something else is in the way


def left_alone_in_seconds(state: State, *, now: float) -> float | None:
    """When the last of the VFs that differ from their rule will have been left alone for long enough; None: none."""
    return max((due for due in _attributes_due_in(state, now) if due > 0), default=None)


def _attributes_due_in(state: State, now: float) -> Iterator[float]:
    """When each VF that differs has been left alone for long enough, in seconds; the past is negative."""
    for memory in state.attributes.values():
        yield from (seen.since + QUIET_SECONDS - now for seen in memory.seen.values() if not seen.awaits_carrier)


def is_worth_retrying(report: PassReport) -> bool:
    """Whether time alone may help: a VF is released, a firmware recovers. If not, an event or new config must come."""
    return report.has_transient_failure or any(pf.reason and pf.reason.traits.is_retried for pf in report.pfs)


def is_unfinished(report: PassReport) -> bool:
    """Whether the VFs were changed during the pass, so that it ended with things left to do."""
    return any(pf.state is PfState.PENDING for pf in report.pfs)


def in_pass_delay_seconds(result: Result, attempt: int) -> float | None:
    """How long to wait before the same action is tried again within the pass; None: not at all."""
    if result.outcome is not Outcome.FAILED or not result.is_transient or attempt >= len(IN_PASS_RETRY_SECONDS):
        return None
    return IN_PASS_RETRY_SECONDS[attempt]
