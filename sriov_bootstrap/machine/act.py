"""Each action -> the edge that carries it out, in a writer if it may hang: the only `match` over all of them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, assert_never

from sriov_bootstrap.core.actions import (
    Action,
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
from sriov_bootstrap.machine.writer import write
from sriov_bootstrap.passes.apply import apply

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine


def act(machine: "HostMachine", action: Action, guard: Callable[[], str]) -> Result:
    """See protocols.ActionMachine."""
    match action:
        case SetNumVfs(pci_address=address):
            call = partial(machine.pf_writes.write_num_vfs, action, guard)
            count_made = partial(machine.sysfs.count_vfs, address)
            return write(machine, action, partial(apply, action, call, count_made=count_made))
        case SetLinkUp():
            bring_up = partial(machine.pf_writes.set_link_up, action, machine.sysfs.children_of)
            return write(machine, action, partial(apply, action, bring_up))
        case SetAutoprobe():  # no process of its own: the kernel sets a flag and takes no lock (drivers/pci/iov.c)
            machine.has_written = True
            return apply(action, lambda: machine.pf_writes.write_autoprobe(action))
        case BindVfs():
            return machine.begin(action, guard=guard)()
        case LoadModule() | WriteFile() | ReloadDriver():
            return _with_privileges(machine, action, guard)
        case _:
            return write(machine, action, _netlink_work(machine, action, guard))


def _netlink_work(
    machine: "HostMachine",
    action: SetPfLink | SetVfAttributes | SetVfMtus | SetDevlinkParams | SetEswitchMode | SetUpEswitch,
    guard: Callable[[], str],
) -> Callable[[], Result]:
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
