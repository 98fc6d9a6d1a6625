"""helper: what sriov-bootstrap-holders, -reload@ and -load@ run, for privileges.py.

A helper does not trust its caller: it only does what the config asks for and what harms no one.
"""

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import ExitCode, RefusedError, UsageError
from sriov_bootstrap.base.printable import printable, write_stderr
from sriov_bootstrap.core.actions import LoadModule, ReloadDriver, WriteFile, deadline_seconds
from sriov_bootstrap.core.drivers import is_module_name
from sriov_bootstrap.edges.holders.open_devices import OpenDevices
from sriov_bootstrap.machine import pipe_messages
from sriov_bootstrap.machine.privileges import stamp_answer
from sriov_bootstrap.passes.apply import apply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sriov_bootstrap.machine.host_machine import HostMachine


def helper(words: tuple[str, ...], *, root: str = "") -> int:
    """The answer goes to stdout, as JSON. UsageError for unknown words."""
    began_at = time.monotonic()
    match words:
        case ("holders",):
            told = pipe_messages.catch_errors(lambda: pipe_messages.Looked(OpenDevices(root).holders()))
        case ("reload", driver) if is_module_name(driver):
            from sriov_bootstrap.machine.host_machine import HostMachine

            told = pipe_messages.catch_errors(lambda: _next_step(HostMachine(root=root), driver))
        case ("load", module) if is_module_name(module):
            from sriov_bootstrap.machine.host_machine import HostMachine

            told = pipe_messages.catch_errors(lambda: _load(HostMachine(root=root), module))
        case _:
            raise UsageError(
                (f"helper: unknown command {' '.join(words)!r}",), hint="only sriov-bootstrap's own units use it"
            )
    print(stamp_answer(told, began_at).decode(), end="")
    problem = _problem(told)
    if problem is None:
        return ExitCode.OK
    write_stderr(f"sriov-bootstrap: {printable(problem)}\n")
    return ExitCode.ERROR


def _problem(told: pipe_messages.Answer) -> str | None:
    """Why what was asked for was not done, None where it was."""
    match told:
        case pipe_messages.Done(result=result):
            return None if result.is_done else result.message
        case pipe_messages.Looked():
            return None
        case _:
            return str(getattr(told, "message", told))


def _next_step(machine: "HostMachine", driver: str) -> pipe_messages.Done:
    """Decides as a pass would: the file in modprobe.d first, then the reload once it is asked for."""
    from sriov_bootstrap.core.plan_max_vfs import due_step
    from sriov_bootstrap.passes.read import load_config, read_users
    from sriov_bootstrap.passes.reconcile import make_plans

    config = load_config(machine, None).config
    match due_step(make_plans(machine, config), driver):
        case WriteFile(path=path, text=text) as due:
            return pipe_messages.Done(apply(due, lambda: machine.files.write_file(path, text)))
        case ReloadDriver(pci_addresses=addresses) as due:
            guard = partial(read_users, machine, config, addresses, pfs=addresses)
            return pipe_messages.Done(apply(due, partial(_reload, machine, due, guard)))
        case verdict:
            raise RefusedError(verdict.message, hint=verdict.hint)


def _load(machine: "HostMachine", module: str) -> pipe_messages.Done:
    """Only what a rule names, in the config as it is now: whoever asks chooses among these names."""
    from sriov_bootstrap.passes.read import load_config

    rules = [rule for rule in load_config(machine, None).config.pf if module in rule.driver_names]
    if not rules:
        raise RefusedError(f"no rule names the driver {module} (vf_driver, or driver of a [[pf.vf]])")
    call = partial(machine.kmod.load, module, machine.sysfs, where=f'rule "{rules[0].name}"')
    return pipe_messages.Done(apply(LoadModule("", module), call))


def _reload(machine: "HostMachine", due: ReloadDriver, guard: "Callable[[], str]") -> None:
    """Under the write lock, which modprobe then shares."""
    lock = machine.locks.begin_write()
    os.set_inheritable(lock, True)  # noqa: FBT003 - modprobe has it, too: it is held for as long as modprobe lives
    machine.note_writer(lock, due, deadline_seconds(due))
    try:
        machine.kmod.reload(due, guard=guard)
    finally:
        os.close(lock)
