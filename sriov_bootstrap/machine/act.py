"""Each action -> the edge that carries it out, in a writer if it may hang: the only `match` over all of them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, assert_never

from sriov_bootstrap.core.actions import (
    BindVfs,
    LoadModule,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    SetVfAttributes,
    SetVfMtus,
    WriteFile,
)
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch
from sriov_bootstrap.edges.procfs import CAP_SYS_MODULE
from sriov_bootstrap.machine.writer import WriterTask, write, write_in_turn
from sriov_bootstrap.passes.apply import apply
from sriov_bootstrap.passes.protocols import GuardedAction

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

NetlinkAction = SetPfLink | SetVfAttributes | SetVfMtus | SetDevlinkParams | SetEswitchMode | SetUpEswitch
WriterAction = SetNumVfs | SetLinkUp | SetAutoprobe | NetlinkAction


def act_in_turn(machine: "HostMachine", steps: Sequence[GuardedAction]) -> Iterator[Result]:
    """See protocols.ActionMachine: as many as one writer can do, or the first alone."""
    action, guard = steps[0]
    match action:
        case BindVfs():
            yield machine.begin(action, guard=guard)()
        case LoadModule() | WriteFile() | ReloadDriver():
            yield _with_privileges(machine, action, guard)
        case _:
            yield from _write(machine, steps)


def _write(machine: "HostMachine", steps: Sequence[GuardedAction]) -> Iterator[Result]:
    tasks = []
    for action, guard in steps:
        if isinstance(action, BindVfs | LoadModule | WriteFile | ReloadDriver):
            break
        tasks.append(WriterTask(action, _call_of_writer(machine, action, guard)))
    if len(tasks) == 1 and isinstance(tasks[0].action, SetAutoprobe):
        machine.has_written = True
        yield tasks[0].call()  # no process for it alone: the kernel sets a flag, and takes no lock (drivers/pci/iov.c)
    else:
        yield from write_in_turn(machine, tasks)


def _call_of_writer(machine: "HostMachine", action: WriterAction, guard: Callable[[], str]) -> Callable[[], Result]:
    match action:
        case SetNumVfs(pci_address=address):
            call = partial(machine.pf_writes.write_num_vfs, action, guard)
            return partial(apply, action, call, count_made=partial(machine.sysfs.count_vfs, address))
        case SetLinkUp():
            return partial(apply, action, partial(machine.pf_writes.set_link_up, action, machine.sysfs.children_of))
        case SetAutoprobe():
            return partial(apply, action, partial(machine.pf_writes.write_autoprobe, action))
        case _:
            return _netlink_call(machine, action, guard)


def _netlink_call(machine: "HostMachine", action: NetlinkAction, guard: Callable[[], str]) -> Callable[[], Result]:
    """What a writer has to ask the kernel for; most rules ask for none of it, and import nothing for it."""
    match action:
        case SetPfLink() | SetVfAttributes() | SetVfMtus():
            from sriov_bootstrap.machine import vf_attributes

            return vf_attributes.work(machine, action, guard)
        case _:
            from sriov_bootstrap.machine import eswitch

            return eswitch.work(machine, action, guard)


def _with_privileges(
    machine: "HostMachine", action: LoadModule | WriteFile | ReloadDriver, guard: Callable[[], str]
) -> Result:
    """What the service has to ask a helper unit for."""
    match action:
        case LoadModule():
            return _load(machine, action)
        case WriteFile():
            return _write_file(machine, action)
        case ReloadDriver():
            return _reload(machine, action, guard)
        case _:
            assert_never(action)


def _write_file(machine: "HostMachine", action: WriteFile) -> Result:
    """Whatever may reload also writes what modprobe obeys."""
    if machine.procfs.is_root_without(CAP_SYS_MODULE):
        return machine.privileges.write_modprobe(action)
    return apply(action, lambda: machine.files.write_file(action.path, action.text))


def _reload(machine: "HostMachine", action: ReloadDriver, guard: Callable[[], str]) -> Result:
    """Where a unit has to be asked, that unit guards and locks."""
    if not machine.procfs.is_root_without(CAP_SYS_MODULE):
        return write(machine, action, partial(apply, action, partial(machine.kmod.reload, action, guard)))
    machine.has_written = True
    return machine.privileges.reload(action, timeout_seconds=machine.deadline_seconds(action))


def _load(machine: "HostMachine", action: LoadModule) -> Result:
    """Where a unit has to be asked, that unit checks whether a rule names the module."""
    if machine.procfs.is_root_without(CAP_SYS_MODULE):
        return machine.privileges.load(action, timeout_seconds=machine.deadline_seconds(action))
    call = partial(machine.kmod.load, action.module, machine.sysfs, where=action.pci_address)
    return write(machine, action, partial(apply, action, call))
