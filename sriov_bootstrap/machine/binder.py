"""VFs get their driver in a process of its own for each PF. A pass waits for it once the last PF is written.

It holds a lock of its PF, and is left behind with it if a probe does not return. Several run at once, beside a writer.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, StuckError
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.config import VfDriver
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine import pipe_messages
from sriov_bootstrap.passes.apply import apply, failure

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

STUCK_HINT = "see journalctl -k; the VF's driver, or its firmware, does not answer"
MODULE_SECONDS = 10.0  # for udev to load a module, which it begins with the first VF
MODULE_POLL_SECONDS = 0.02


def begin(machine: "HostMachine", action: BindVfs, guard: Callable[[], str]) -> Callable[[], Result]:
    """See execute.ActionMachine."""
    meant = action.vfs or machine.vf_drivers.vfs_of(action.pci_address)
    what, limit_seconds = f"{action.pci_address}: {action}", machine.deadline_seconds(replace(action, vfs=meant))
    began = machine.monotonic()

    def be_the_binder(send: child.Send) -> None:
        machine.say = lambda _: None  # our listener is out of reach: the only file open here is the lock
        machine.note_writer(lock, action, limit_seconds)
        send(to_json(pipe_messages.Done(apply(action, partial(_bind, machine, action, guard)))))

    def end() -> Result:
        left = max(0.1, limit_seconds - (machine.monotonic() - began))
        waiting = lambda passed: machine.say(f"{what}: {passed:.0f} s so far")  # noqa: E731
        try:
            line = child.finish(process, what=what, timeout_seconds=left, leave_behind=True, waiting=waiting)
            result = pipe_messages.result_of(pipe_messages.decode(line, what), what)
        except StuckError as error:
            message = f"{what}: no answer after {limit_seconds:g} s"
            return failure(action, StuckError(message, pid=error.pid, hint=STUCK_HINT))
        except SriovBootstrapError as error:
            result = _process_failure(action, error)
        machine.locks.forget_binding(action.pci_address)
        return result

    try:
        lock = machine.locks.begin_binding(action.pci_address)
    except BusyError as error:
        jam = machine.read_bindings().get(action.pci_address)
        stuck = StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint)
        return partial(failure, action, stuck)
    machine.has_written = True
    try:
        process = child.start(be_the_binder, keep=(lock,))
    except SriovBootstrapError as error:
        return partial(_process_failure, action, error)
    finally:
        os.close(lock)
    return end


def _process_failure(action: BindVfs, error: SriovBootstrapError) -> Result:
    """Of a process that could not be started, or was killed: no driver has refused a VF, so it is tried again."""
    return replace(failure(action, error), is_transient=True)


def _bind(machine: "HostMachine", action: BindVfs, guard: Callable[[], str]) -> Outcome:
    candidates = _wait_for_module(machine, action.pci_address) if action.driver == VfDriver.KERNEL else ()
    return machine.vf_drivers.bind(action, guard, candidates)


def _wait_for_module(machine: "HostMachine", pf: str) -> tuple[str, ...]:
    """The modules that want these VFs, once one of them is there.

    One that were loaded later would bind the VFs itself, one after the other.
    """
    modalias = machine.vf_drivers.modalias(pf)
    try:
        names = machine.kmod.modules_for(modalias) if modalias else ()
    except StuckError:
        return ()
    is_there = lambda name: machine.kmod.is_loaded(name) or machine.has_driver(name)  # noqa: E731
    deadline = machine.monotonic() + MODULE_SECONDS
    while names and not any(map(is_there, names)) and machine.monotonic() < deadline:
        machine.pause(MODULE_POLL_SECONDS)
    return names
