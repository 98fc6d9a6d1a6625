"""VFs get their driver in a process of its own for each PF. A pass waits for it once the last PF is written.

It holds a lock of its PF, and is left behind with it if a probe does not return. Several run at once, beside a writer.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, StuckError
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.machine.writer import Writer, WriterTask, behind_another
from sriov_bootstrap.passes.apply import apply, failure

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

STUCK_HINT = "see journalctl -k; the VF's driver, or its firmware, does not answer"
MODULE_SECONDS = 10.0  # for udev to load a module, which it begins with the first VF
MODULE_POLL_SECONDS = 0.02


def begin(machine: "HostMachine", action: BindVfs, guard: Callable[[], str]) -> Callable[[], Result]:
    """See protocols.ActionMachine."""
    meant = action.vfs or machine.vf_drivers.vfs_of(action.pci_address)
    limit_seconds, began = machine.deadline_seconds(replace(action, vfs=meant)), machine.monotonic()

    def end() -> Result:
        left = max(0.1, limit_seconds - (machine.monotonic() - began))
        try:
            with writer:
                result = writer.next_result(machine, action, left)
        except StuckError as error:
            message = f"{action.pci_address}: {action}: no answer after {limit_seconds:g} s"
            return failure(action, StuckError(message, pid=error.pid, hint=STUCK_HINT))
        except SriovBootstrapError as error:
            result = _process_failure(action, error)
        machine.locks.forget_binding(action.pci_address)
        return result

    try:
        lock = machine.locks.begin_binding(action.pci_address)
    except BusyError as error:
        return partial(failure, action, behind_another(machine.read_bindings().get(action.pci_address), error))
    machine.has_written = True
    work = partial(apply, action, partial(_bind, machine, action, guard, _modules_for(machine, action)))
    try:
        writer = Writer(machine, (WriterTask(action, work),), lock, lambda _: limit_seconds)
    except SriovBootstrapError as error:
        return partial(_process_failure, action, error)
    finally:
        os.close(lock)
    return end


def _process_failure(action: BindVfs, error: SriovBootstrapError) -> Result:
    """Of a process that could not be started, or was killed: no driver has refused a VF, so it is tried again."""
    return replace(failure(action, error), is_transient=True)


def _modules_for(machine: "HostMachine", action: BindVfs) -> tuple[str, ...]:
    """Those that want these VFs, where the kernel chooses. Asked before the fork: PFs of one kind share the answer."""
    if VfDriver.KERNEL not in action.drivers.kinds:
        return ()
    modalias = machine.vf_drivers.modalias(action.pci_address)
    return machine.modules_for(modalias) if modalias else ()


def _bind(machine: "HostMachine", action: BindVfs, guard: Callable[[], str], modules: tuple[str, ...]) -> Outcome:
    """Once one of the modules is there: one that came later would bind the VFs itself, one after the other."""
    deadline = machine.monotonic() + MODULE_SECONDS
    while modules and not _is_any_there(machine, modules) and machine.monotonic() < deadline:
        machine.pause(MODULE_POLL_SECONDS)
    return machine.vf_drivers.bind(action, guard, modules)


def _is_any_there(machine: "HostMachine", modules: tuple[str, ...]) -> bool:
    return any(machine.kmod.is_loaded(name) or machine.has_driver(name) for name in modules)
