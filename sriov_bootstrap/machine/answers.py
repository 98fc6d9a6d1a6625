"""What a child process sends to the process that waits for it: our results and exceptions as values, for a pipe."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import (
    InUseError,
    KernelError,
    RefusedError,
    SriovBootstrapError,
    StuckError,
    UnitError,
)
from sriov_bootstrap.core.followup import UnitResult, UnitState
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.users import Holders
from sriov_bootstrap.edges import child


class Told(Struct, tag_field="kind", tag=str.lower):
    """What a writer sends to the process that waits for it."""


class Ended(Told):
    """The write returned; `made`: see report.Written."""

    outcome: Outcome
    made: int = -1


class KernelSaidNo(Told):
    """The write returned an errno, or a message if there is none."""

    errno: int
    message: str
    hint: str


class SomebodyUsesIt(Told):
    """It was not begun."""

    message: str
    hint: str


class Refused(Told):
    """It was not begun, for another reason."""

    message: str
    hint: str


class Looked(Told):
    """Which processes have a vfio node open."""

    holders: Holders


class BusFailed(Told):
    """systemd could not be asked."""

    message: str
    hint: str


class Units(Told):
    """What systemd said about the units."""

    states: tuple[UnitState, ...]


class Restarted(Told):
    """How restarts ended, and why not all of them did; "" if all did."""

    results: tuple[UnitResult, ...]
    problem: str = ""


Answer = Ended | KernelSaidNo | SomebodyUsesIt | Refused | Looked | BusFailed | Units | Restarted


def answer(work: Callable[[], Answer]) -> Answer:
    """Our own exceptions as values: only values pass through a pipe."""
    try:
        return work()
    except KernelError as error:
        return KernelSaidNo(error.errno, error.message, error.hint)
    except InUseError as error:
        return SomebodyUsesIt(error.message, error.hint)
    except StuckError as error:
        return KernelSaidNo(0, error.message, error.hint)
    except UnitError as error:
        return BusFailed(error.message, error.hint)
    except SriovBootstrapError as error:
        return Refused(error.message, error.hint)


def understood(line: bytes, what: str) -> Answer:
    """The value, or our own exception again."""
    if not line:
        raise KernelError(
            f"{what}: the worker process exited without reporting a result", hint="it was killed, or out of memory"
        )
    try:
        told: Answer = msgspec.json.decode(child.checked(line, what), type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KernelError(
            f"{what}: the worker process broke off its report: {error}", hint="it was killed, or out of memory"
        ) from error
    match told:
        case KernelSaidNo():
            raise KernelError(told.message, errno=told.errno, hint=told.hint)
        case SomebodyUsesIt():
            raise InUseError(told.message, hint=told.hint)
        case Refused():
            raise RefusedError(told.message, hint=told.hint)
        case BusFailed():
            raise UnitError(told.message, hint=told.hint)
    return told
