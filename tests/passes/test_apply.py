"""One action -> one call -> one result."""

import errno
import os

import pytest

from builders import PF
from sriov_bootstrap.base.errors import (
    BusyError,
    InUseError,
    KernelError,
    RefusedError,
    SriovBootstrapError,
    StuckError,
)
from sriov_bootstrap.core import errnos
from sriov_bootstrap.core.actions import Action, ReloadDriver, SetLinkUp, SetNumVfs, WriteFile
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes.apply import apply, explain

WRITE = SetNumVfs(PF, 0, 4)
UP = SetLinkUp(PF, "eth0")
FILE = WriteFile(PF, "/etc/x.conf", "text")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, Result(WRITE, Outcome.CHANGED, made=3)),
        (Outcome.CHANGED, Result(WRITE, Outcome.CHANGED, made=3)),
        (Outcome.UNCHANGED, Result(WRITE, Outcome.UNCHANGED)),
        (Outcome.STALE, Result(WRITE, Outcome.STALE)),
    ],
)
def test_what_a_call_made_is_counted_where_it_changed_something(said: Outcome | None, expected: Result) -> None:
    assert apply(WRITE, lambda: said, count_made=lambda: 3) == expected


def test_nobody_has_counted_where_nobody_was_asked_to() -> None:
    assert apply(UP, lambda: None) == Result(UP, Outcome.CHANGED, made=-1)


def no(number: int) -> KernelError:
    return KernelError("somewhere: said no", errno=number, hint="" if number else "look there")


@pytest.mark.parametrize(
    ("action", "error", "expected"),
    [
        pytest.param(UP, no(errno.ENOENT), Result(UP, Outcome.STALE), id="renamed meanwhile"),
        pytest.param(
            WRITE,
            no(errno.ENOSPC),
            Result(
                WRITE,
                Outcome.FAILED,
                errno=errno.ENOSPC,
                message=f"{PF}: cannot set sriov_numvfs from 0 to 4: ENOSPC (No space left on device): "
                "the device or the CPU is out of MSI-X vectors",
                hint="lower num_vfs or its queues (ethtool -L)",
            ),
            id="errno",
        ),
        pytest.param(
            WRITE,
            no(errno.EAGAIN),
            Result(
                WRITE,
                Outcome.FAILED,
                errno=errno.EAGAIN,
                message=f"{PF}: cannot set sriov_numvfs from 0 to 4: EAGAIN (Resource temporarily unavailable): "
                "the driver is busy with another operation",
                hint="none needed: the write is retried",
                is_transient=True,
            ),
            id="transient errno",
        ),
        pytest.param(
            FILE,
            no(errno.EROFS),
            Result(
                FILE,
                Outcome.FAILED,
                errno=errno.EROFS,
                message=f"{PF}: cannot write /etc/x.conf: EROFS ({os.strerror(errno.EROFS)})",
            ),
            id="errno of a file",
        ),
        pytest.param(
            WRITE,
            no(0),
            Result(WRITE, Outcome.FAILED, message="somewhere: said no", hint="look there"),
            id="words without a number",
        ),
        pytest.param(
            WRITE,
            StuckError("no answer after 80 s", pid=7, hint="wait"),
            Result(WRITE, Outcome.STUCK, message="no answer after 80 s", hint="wait"),
            id="hung",
        ),
        pytest.param(
            WRITE,
            InUseError("VF 0 is held", hint="wait"),
            Result(WRITE, Outcome.REFUSED, message="VF 0 is held", hint="wait"),
            id="in use",
        ),
        pytest.param(WRITE, RefusedError("no"), Result(WRITE, Outcome.REFUSED, message="no"), id="refused"),
        pytest.param(WRITE, BusyError("busy"), Result(WRITE, Outcome.REFUSED, message="busy"), id="busy"),
        pytest.param(
            WRITE, SriovBootstrapError("broke"), Result(WRITE, Outcome.FAILED, message="broke"), id="anything else"
        ),
    ],
)
def test_a_failure_is_a_result(action: Action, error: SriovBootstrapError, expected: Result) -> None:
    def fail() -> Outcome:
        raise error

    assert apply(action, fail) == expected


NO_VECTORS = "ENOSPC (No space left on device): the device or the CPU is out of MSI-X vectors"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            WRITE,
            (
                f"{PF}: cannot set sriov_numvfs from 0 to 4: {NO_VECTORS}",
                "lower num_vfs or its queues (ethtool -L)",
            ),
        ),
        (WriteFile(PF, "/etc/x", ""), (f"{PF}: cannot write /etc/x: ENOSPC (No space left on device)", "")),
        (
            ReloadDriver(PF, "igb", (PF,), 4),
            (f"{PF}: cannot reload the driver igb ({PF}): ENOSPC (No space left on device)", ""),
        ),
    ],
)
def test_an_errno_is_explained_by_what_was_being_done(
    action: SetNumVfs | WriteFile | ReloadDriver, expected: tuple[str, str]
) -> None:
    assert explain(action, errno.ENOSPC) == expected


def test_without_a_known_reason_the_remedy_is_that_of_this_device() -> None:
    assert explain(WRITE, errno.EFAULT)[1] == errnos.remedy(errno.EFAULT, PF)
