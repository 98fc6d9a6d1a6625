"""What a child process or a helper unit sends to the process that waits for it: results and our exceptions, as values.

The two ends of a helper unit may be of two versions for the moment that an upgrade of the package takes. So whatever
does not read as one of these is a failure that says so.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import KernelError, RefusedError, SriovBootstrapError, StuckError, UnitError
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.followup import UnitResult, UnitState
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.edges import child

KILLED_HINT = "it was killed, or out of memory"


class Message(Struct, tag_field="kind", tag=str.lower):
    """One answer."""


class Done(Message):
    """How an action ended, well or not."""

    result: Result


class Refused(Message):
    """No action was begun."""

    message: str
    hint: str


class Stuck(Message):
    """No action was begun, and what comes before it hangs."""

    message: str
    hint: str


class Looked(Message):
    """Which processes have a vfio node open."""

    holders: Holders


class BusFailed(Message):
    """systemd could not be asked."""

    message: str
    hint: str


class Units(Message):
    """What systemd said about the units."""

    states: tuple[UnitState, ...]


class Restarted(Message):
    """How restarts ended, and why not all of them did; "" if all did."""

    results: tuple[UnitResult, ...]
    problem: str = ""


Answer = Done | Refused | Stuck | Looked | BusFailed | Units | Restarted


def catch_errors(work: Callable[[], Answer]) -> Answer:
    """Our own exceptions as values: only values pass through a pipe."""
    try:
        return work()
    except UnitError as error:
        return BusFailed(error.message, error.hint)
    except StuckError as error:
        return Stuck(error.message, error.hint)
    except SriovBootstrapError as error:
        return Refused(error.message, error.hint)


def decode(line: bytes, what: str) -> Answer:
    """The value, or our own exception again; KernelError where it is neither."""
    if not line:
        raise KernelError(f"{what}: the worker process exited without reporting a result", hint=KILLED_HINT)
    try:
        told: Answer = msgspec.json.decode(child.line_or_crash(line, what), type=Answer)
    except msgspec.ValidationError as error:
        hint = "the package was upgraded meanwhile: restart the service, if it was not"
        raise KernelError(f"{what}: its answer is of another version: {error}", hint=hint) from error
    except UNDECODABLE as error:
        raise KernelError(f"{what}: the worker process broke off its report: {error}", hint=KILLED_HINT) from error
    match told:
        case Refused():
            raise RefusedError(told.message, hint=told.hint)
        case Stuck():
            raise StuckError(told.message, pid=0, hint=told.hint)
        case BusFailed():
            raise UnitError(told.message, hint=told.hint)
    return told


def result_of(told: Answer, what: str) -> Result:
    """How an action ended; KernelError for an answer about something else."""
    if not isinstance(told, Done):
        raise KernelError(f"{what}: its answer is about something else")
    return told.result
