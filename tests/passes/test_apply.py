"""One action -> one edge call -> one result."""

import errno

import pytest

from builders import PF, PF2, make_netdev
from fakes import FakeMachine, FakePf
from sriov_bootstrap.core.plan import Action, ReloadDriver, SetAutoprobe, SetLinkUp, SetNumVfs, WriteFile
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes.apply import apply

WRITE = SetNumVfs(PF, 0, 4)
FILE = WriteFile(PF, "/etc/x.conf", "text")


def nobody() -> str:
    """No VF is in use."""
    return ""


@pytest.mark.parametrize(
    "action",
    [
        WRITE,
        SetAutoprobe(PF, enabled=False),
        SetLinkUp(PF, "ens1f0"),
        FILE,
        ReloadDriver(PF, "igb", (PF,), 4),
    ],
    ids=str,
)
def test_each_action_reaches_the_machine(action: Action) -> None:
    machine = FakeMachine(FakePf(netdevs=(make_netdev(is_up=False),)))
    made = 4 if action == WRITE else -1
    assert apply(action, machine, guard=nobody) == Result(action, Outcome.CHANGED, made=made)
    assert machine.writes == [f"{PF} {action}"]


@pytest.mark.parametrize(
    ("action", "failure", "expected"),
    [
        (SetLinkUp(PF, "eth0"), errno.ENOENT, Result(SetLinkUp(PF, "eth0"), Outcome.STALE)),
        (
            WRITE,
            errno.ENOSPC,
            Result(
                WRITE,
                Outcome.FAILED,
                errno=errno.ENOSPC,
                message=f"{PF}: cannot set sriov_numvfs from 0 to 4: ENOSPC (No space left on device): "
                "the device or the CPU is out of MSI-X vectors",
                hint="lower num_vfs or its queues (ethtool -L)",
            ),
        ),
        (
            WRITE,
            errno.EAGAIN,
            Result(
                WRITE,
                Outcome.FAILED,
                errno=errno.EAGAIN,
                message=f"{PF}: cannot set sriov_numvfs from 0 to 4: EAGAIN (Resource temporarily unavailable): "
                "the driver is busy with another operation",
                hint="none needed: the write is retried",
                is_transient=True,
            ),
        ),
        (
            FILE,
            errno.EROFS,
            Result(
                FILE,
                Outcome.FAILED,
                errno=errno.EROFS,
                message=f"{PF}: cannot write /etc/x.conf: EROFS (Read-only file system)",
            ),
        ),
        (WRITE, 0, Result(WRITE, Outcome.FAILED, message=f"{PF}: said no")),
        (
            WRITE,
            "stuck",
            Result(
                WRITE,
                Outcome.STUCK,
                seconds=80.0,
                message=f"{PF}: set sriov_numvfs from 0 to 4: no answer after 80 s",
                hint="wait",
            ),
        ),
        (WRITE, "stale", Result(WRITE, Outcome.STALE)),
    ],
    ids=["renamed meanwhile", "errno", "transient errno", "errno of a file", "no errno", "stuck", "stale"],
)
def test_a_failure_is_a_result(action: Action, failure: int | str, expected: Result) -> None:
    machine = FakeMachine(FakePf())
    machine.failures = {PF: [failure]}
    assert apply(action, machine, guard=nobody) == expected


def test_vfs_that_somebody_began_to_use_stay() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 7)
    action = SetNumVfs(PF, 7, 0)
    result = apply(action, machine, guard=lambda: "VF 0 is held")
    assert result == Result(action, Outcome.REFUSED, message=f"{PF}: VFs stay: VF 0 is held", hint="wait")
    assert machine.count(PF) == 7


def test_a_count_that_is_there_already_is_unchanged() -> None:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, 4)
    assert apply(WRITE, machine, guard=nobody) == Result(WRITE, Outcome.UNCHANGED)


def test_a_reload_may_take_as_long_as_all_its_vfs_need() -> None:
    machine = FakeMachine(FakePf(), FakePf(pci_address=PF2))
    machine.failures = {PF: ["stuck"]}
    assert apply(ReloadDriver(PF, "igb", (PF, PF2), 7), machine, guard=nobody).seconds == 60 + 5 * 2 * 7 * 2
