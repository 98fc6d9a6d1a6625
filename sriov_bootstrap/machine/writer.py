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
        jam = machine.read_jam()
        return failure(action, StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint))
    machine.has_written = True
    try:
        return _wait_for_writer(machine, action, work, lock)
    except StuckError as error:
        error.hint = LOADING_HINT if isinstance(action, LoadModule) else STUCK_HINT
        return failure(action, error)
    except SriovBootstrapError as error:
        return failure(action, error)
    finally:
        os.close(lock)


def _wait_for_writer(machine: "HostMachine", action: Action, work: Callable[[], Result], lock: int) -> Result:
    what, limit_seconds = f"{action.pci_address}: {action}", machine.deadline_seconds(action)

    def be_the_writer(send: child.Send) -> None:
        machine.say = lambda _: None  # our listener is out of reach: the only file open here is the lock
        machine.note_writer(lock, action, limit_seconds)
        send(to_json(pipe_messages.Done(work())))

    line = child.call(
        be_the_writer,
        what=what,
        timeout_seconds=limit_seconds,
        keep=(lock,),
        leave_behind=True,
        waiting=lambda passed: machine.say(f"{what}: {passed:.0f} s so far"),
    )
    return pipe_messages.result_of(pipe_messages.decode(line, what), what)
