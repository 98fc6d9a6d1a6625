"""Writes in a process of its own, which inherits the write lock and can be left behind with it.

Steps that follow one another share a writer: starting a process takes longer than most of them, and as many processes
as steps would be as many waits for the scheduler. It sends a `Result` after each, and goes on only while that is good
and somebody listens: what has ended, or has given it up at a deadline, wants no more of it. The process that waits
makes a result itself only if none arrives: at the deadline, or if the writer died or sent something else.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

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


class WriterTask(NamedTuple):
    """An action, and what a writer calls for it."""

    action: Action
    call: Callable[[], Result]


def write(machine: "HostMachine", action: Action, call: Callable[[], Result]) -> Result:
    """The result of one action."""
    (result,) = write_in_turn(machine, (WriterTask(action, call),))
    return result


def write_in_turn(machine: "HostMachine", tasks: Sequence[WriterTask]) -> Iterator[Result]:
    """Each result as it comes, to the first that is not good. Blocks until then, each for the deadline of its action.

    The writer does not wait for whoever takes them, who has to take them all.
    """
    first = tasks[0].action
    try:
        lock = machine.locks.begin_write()
    except BusyError as error:
        yield failure(first, behind_another(machine.read_jam(), error))
        return
    machine.has_written = True
    try:
        writer = Writer(machine, tasks, lock, machine.deadline_seconds)
    except SriovBootstrapError as error:
        yield failure(first, error)
        return
    finally:
        os.close(lock)
    with writer:
        for action, _ in tasks:
            yield (result := _next_result(machine, writer, action))
            if not result.is_done:
                return


def _next_result(machine: "HostMachine", writer: "Writer", action: Action) -> Result:
    try:
        return writer.next_result(machine, action, machine.deadline_seconds(action))
    except StuckError as error:
        error.hint = LOADING_HINT if isinstance(action, LoadModule) else STUCK_HINT
        return failure(action, error)
    except SriovBootstrapError as error:
        return failure(action, error)


def behind_another(jam: Jam | None, error: BusyError) -> StuckError:
    """Instead of an `error` about a lock: which earlier write has it, and has not returned."""
    return StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint)


class Writer:
    """The process; whoever leaves its context waits for its end, unless an answer was waited for in vain."""

    def __init__(
        self, machine: "HostMachine", tasks: Sequence[WriterTask], lock: int, limit_seconds: Callable[[Action], float]
    ) -> None:
        """It begins, and keeps `lock` until it ends. SriovBootstrapError if it cannot be started."""

        def be_the_writer(send: child.Send) -> None:
            machine.say = lambda _: None  # our listener is out of reach: the only file open here is the lock
            for action, call in tasks:
                machine.note_writer(lock, action, limit_seconds(action))
                result = call()
                if not send(to_json(pipe_messages.Done(result))) or not result.is_done:
                    return

        self._process = child.start(be_the_writer, keep=(lock,))
        self._lines = child.lines_of(self._process)
        self._is_left_behind = False

    def next_result(self, machine: "HostMachine", action: Action, timeout_seconds: float) -> Result:
        """What it sends for this action. StuckError at the deadline; SriovBootstrapError if it is no result."""
        what = f"{action.pci_address}: {action}"
        waiting = child.progress(machine.say, what)
        process, lines = self._process, self._lines
        try:
            line = child.next_line(lines, process, what=what, timeout_seconds=timeout_seconds, waiting=waiting)
        except StuckError:
            self._is_left_behind = True
            raise
        return pipe_messages.result_of(pipe_messages.decode(line, what), what)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Whoever is interrupted waits no longer."""
        os.close(self._process.fd)
        if not self._is_left_behind and (kind is None or issubclass(kind, SriovBootstrapError)):
            child.see_off(self._process)
