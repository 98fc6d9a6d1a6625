"""One action -> one call -> one result: the only place where an exception of an edge becomes a result.

It runs in the process that acts, so that what a writer or a helper sends home is the result itself: with the kernel's
errno and its remedy, and a hang as a hang. Who waits for that process adds only what it alone can know: that no answer
came, or none that it understands.
"""

import errno
import os
from collections.abc import Callable

from sriov_bootstrap.base.errors import BusyError, KernelError, RefusedError, SriovBootstrapError, StuckError
from sriov_bootstrap.core import errnos
from sriov_bootstrap.core.actions import Action, SetLinkUp, SetNumVfs
from sriov_bootstrap.core.report import Outcome, Result

NOT_COUNTED = -1


def apply(
    action: Action, call: Callable[[], Outcome | None], *, count_made: Callable[[], int] = lambda: NOT_COUNTED
) -> Result:
    """What `call` came to; None is CHANGED. Never raises out of our family of errors.

    `count_made` is asked right after a change, how many VFs it left.
    """
    try:
        outcome = call() or Outcome.CHANGED
    except SriovBootstrapError as error:
        return failure(action, error)
    return Result(action, outcome, made=count_made() if outcome is Outcome.CHANGED else NOT_COUNTED)


def failure(action: Action, error: SriovBootstrapError) -> Result:
    """The same for a call that has raised `error`."""
    match error:
        case StuckError():
            outcome = Outcome.STUCK
        case KernelError(errno=number) if number:
            return _kernel_failure(action, error, number)
        case RefusedError() | BusyError():
            outcome = Outcome.REFUSED
        case _:
            outcome = Outcome.FAILED
    return Result(action, outcome, message=error.message, hint=error.hint)


def _kernel_failure(action: Action, error: SriovBootstrapError, number: int) -> Result:
    if isinstance(action, SetLinkUp) and number == errno.ENOENT:  # udev has renamed it since: look again
        return Result(action, Outcome.STALE)
    message, remedy = explain(action, number)
    return Result(
        action,
        Outcome.FAILED,
        errno=number,
        message=message,
        hint=remedy or error.hint,
        is_transient=errnos.explain(number).is_transient,
    )


def explain(action: Action, number: int) -> tuple[str, str]:
    """Message and hint for an action that ended in `number`, the kernel's errno.

    The table of causes is for sriov_numvfs: ENOSPC from a file system is not about MSI-X vectors.
    """
    if not isinstance(action, SetNumVfs):
        return f"{action.pci_address}: cannot {action}: {errnos.name_of(number)} ({os.strerror(number)})", ""
    remedy = errnos.remedy(number, action.pci_address)
    return f"{action.pci_address}: cannot {action}: {errnos.describe(number)}", remedy
