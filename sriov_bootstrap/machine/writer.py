"""A write in a process of its own, which inherits the write lock and can be left behind with it.

The writer sends its `Result` back. The process that waits makes one itself only if none arrives: at the deadline, or
if the writer died or sent something else.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, StuckError
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core.actions import Action, LoadModule
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine import pipe_messages
from sriov_bootstrap.passes.apply import failure

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

STUCK_HINT = "end the VM or process that holds one of its VFs, or see journalctl -k; the write then completes"
LOADING_HINT = "see journalctl -k; modprobe continues, and a later pass goes on once the driver is there"


def write(machine: "HostMachine", action: Action, work: Callable[[], Result]) -> Result:
    """The result of `work` in that process. Blocks until it is done, or until the deadline of `action`."""
    try:
        lock = machine.locks.begin_write()
    except BusyError as error:
        return failure(action, behind_another(machine.read_jam(), error))
    machine.has_written = True
    limit_seconds = machine.deadline_seconds(action)
    try:
        process = start_writer(machine, action, work, lock, limit_seconds)
        return wait_for_writer(machine, action, process, limit_seconds)
    except StuckError as error:
        error.hint = LOADING_HINT if isinstance(action, LoadModule) else STUCK_HINT
        return failure(action, error)
    except SriovBootstrapError as error:
        return failure(action, error)
    finally:
        os.close(lock)


def behind_another(jam: Jam | None, error: BusyError) -> StuckError:
    """Instead of an `error` about a lock: which earlier write has it, and has not returned."""
    return StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint)


def start_writer(
    machine: "HostMachine", action: Action, work: Callable[[], Result], lock: int, limit_seconds: float
) -> child.Child:
    """A process that does `work` and keeps `lock` until it ends. SriovBootstrapError if it cannot be started."""

    def be_the_writer(send: child.Send) -> None:
        machine.say = lambda _: None  # our listener is out of reach: the only file open here is the lock
        machine.note_writer(lock, action, limit_seconds)
        send(to_json(pipe_messages.Done(work())))

    return child.start(be_the_writer, keep=(lock,))


def wait_for_writer(machine: "HostMachine", action: Action, process: child.Child, timeout_seconds: float) -> Result:
    """What it sends. StuckError at the deadline, when it is left behind; SriovBootstrapError if it sends no result."""
    what = f"{action.pci_address}: {action}"
    line = child.finish(
        process,
        what=what,
        timeout_seconds=timeout_seconds,
        leave_behind=True,
        waiting=lambda passed: machine.say(f"{what}: {passed:.0f} s so far"),
    )
    return pipe_messages.result_of(pipe_messages.decode(line, what), what)
