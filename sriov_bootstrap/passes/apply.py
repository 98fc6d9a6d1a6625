"""One action -> one edge call -> one result: the only `match` over actions."""

import errno
from collections.abc import Callable
from typing import Protocol, assert_never

from sriov_bootstrap.base.errors import KernelError, SriovBootstrapError, StuckError
from sriov_bootstrap.core import causes
from sriov_bootstrap.core.plan import (
    Action,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    WriteFile,
    reload_deadline_seconds,
    write_deadline_seconds,
)
from sriov_bootstrap.core.report import Outcome, Result, Written, explained

FILE_SECONDS = 30.0


class Kernel(Protocol):
    """What apply needs of the machine. Each call blocks until it is done or its deadline passes (StuckError)."""

    def write_num_vfs(self, action: SetNumVfs, *, guard: Callable[[], str], timeout_seconds: float) -> Written:
        """Writes if the file still says `before` and `guard()` returns "". KernelError carries the errno.

        What is there right after it tells a device that makes fewer from somebody else who writes, too.
        """

    def write_autoprobe(self, action: SetAutoprobe) -> None:
        """Writes sriov_drivers_autoprobe, which never waits for anything."""

    def set_link_up(self, action: SetLinkUp, *, timeout_seconds: float) -> None:
        """Sets IFF_UP."""

    def write_file(self, action: WriteFile) -> None:
        """Replaces a file atomically."""

    def reload_driver(self, action: ReloadDriver, *, guard: Callable[[], str], timeout_seconds: float) -> Outcome:
        """modprobe -r, modprobe, if `guard()` returns ""."""

    def monotonic(self) -> float:
        """Seconds."""


def apply(action: Action, kernel: Kernel, *, guard: Callable[[], str]) -> Result:
    """Never raises out of the family: a failure is a result. `guard` says who uses a VF that the action would end."""
    began = kernel.monotonic()
    try:
        done = _call(action, kernel, guard)
    except StuckError as error:
        return Result(action, Outcome.STUCK, kernel.monotonic() - began, message=error.message, hint=error.hint)
    except KernelError as error:
        if isinstance(action, SetLinkUp) and error.errno == errno.ENOENT:  # udev has renamed it since: look again
            return Result(action, Outcome.STALE, kernel.monotonic() - began)
        message, hint = explained(action, error.errno) if error.errno else (error.message, "")
        hint = hint or error.hint
        return Result(
            action,
            Outcome.FAILED,
            kernel.monotonic() - began,
            errno=error.errno,
            message=message,
            hint=hint,
            is_transient=causes.explain(error.errno).is_transient,
        )
    except SriovBootstrapError as error:
        return Result(action, Outcome.REFUSED, kernel.monotonic() - began, message=error.message, hint=error.hint)
    return Result(action, done.outcome, kernel.monotonic() - began, made=done.made)


def _call(action: Action, kernel: Kernel, guard: Callable[[], str]) -> Written:
    match action:
        case SetNumVfs(before=before, after=after):
            limit = write_deadline_seconds(max(before, after))
            return kernel.write_num_vfs(action, guard=guard, timeout_seconds=limit)
        case SetAutoprobe():
            kernel.write_autoprobe(action)
        case SetLinkUp():
            kernel.set_link_up(action, timeout_seconds=FILE_SECONDS)
        case WriteFile():
            kernel.write_file(action)
        case ReloadDriver():
            limit = reload_deadline_seconds(action)
            return Written(kernel.reload_driver(action, guard=guard, timeout_seconds=limit))
        case _:
            assert_never(action)
    return Written(Outcome.CHANGED)
