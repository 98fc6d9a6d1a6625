"""helper: what sriov-bootstrap-holders and -reload@ run; privileges.py asks them.

A helper does not trust its caller: it only does what the config asks for and what harms no one.
"""

import os
import sys
import time
from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import ExitCode, RefusedError, UsageError
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.plan import ReloadDriver, WriteFile, reload_deadline_seconds
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.validate import is_module_name
from sriov_bootstrap.edges.holders.look import OpenDevices
from sriov_bootstrap.machine import answers
from sriov_bootstrap.machine.privileges import stamped

if TYPE_CHECKING:
    from collections.abc import Callable

    from sriov_bootstrap.edges.kmod import Kmod
    from sriov_bootstrap.machine.host_machine import HostMachine


def helper(words: tuple[str, ...], *, root: str = "") -> int:
    """The answer goes to stdout, as JSON. UsageError for unknown words."""
    began_at = time.monotonic()
    match words:
        case ("holders",):
            told = answers.answer(lambda: answers.Looked(OpenDevices(root).holders()))
        case ("reload", driver) if is_module_name(driver):
            from sriov_bootstrap.edges import child
            from sriov_bootstrap.edges.kmod import Kmod
            from sriov_bootstrap.machine.host_machine import HostMachine

            told = answers.answer(lambda: _next_step(HostMachine(root=root), Kmod(child.run, root), driver))
        case _:
            raise UsageError(
                (f"helper: unknown command {' '.join(words)!r}",), hint="only sriov-bootstrap's own units use it"
            )
    print(stamped(told, began_at).decode(), end="")
    if isinstance(told, answers.Ended | answers.Looked):
        return ExitCode.OK
    sys.stderr.write(f"sriov-bootstrap: {printable(str(getattr(told, 'message', told)))}\n")
    return ExitCode.ERROR


def _next_step(machine: "HostMachine", kmod: "Kmod", driver: str) -> answers.Answer:
    """Decides as a pass would: the file in modprobe.d first, then the reload once it is asked for."""
    from sriov_bootstrap.core.plan_max_vfs import due_step
    from sriov_bootstrap.passes.reconcile import load_config, plans_now, users_now

    config = load_config(machine, None).config
    match due_step(plans_now(machine, config), driver):
        case WriteFile() as due:
            machine.files.write_file(due.path, due.text)
        case ReloadDriver() as due:
            _reload(machine, kmod, due, guard=lambda: users_now(machine, config, due.pci_addresses))
        case verdict:
            raise RefusedError(verdict.message, hint=verdict.hint)
    return answers.Ended(Outcome.CHANGED)


def _reload(machine: "HostMachine", kmod: "Kmod", due: ReloadDriver, guard: "Callable[[], str]") -> None:
    """Under the write lock, which modprobe then shares."""
    lock = machine.locks.begin_write()
    os.set_inheritable(lock, True)  # noqa: FBT003 - modprobe has it, too: it is held for as long as modprobe lives
    machine.note_writer(lock, due, reload_deadline_seconds(due))
    try:
        kmod.reload(due, guard=guard)
    finally:
        os.close(lock)
