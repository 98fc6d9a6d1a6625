"""VFs in VMs of `verify`: recorded before they are taken, put back afterwards, also by whoever comes after a kill -9.

libvirt puts them back by itself as soon as the process that had them ends (edges/virsh.py). What is done here is to
wait for that, to compare with what was there before, and to do what libvirt has not done.
"""

from typing import TYPE_CHECKING, Any

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.trials import Trial, TriedVf, load_trials
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.vf_attributes import set_vf_attributes

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

BACK_SECONDS = 60.0  # for libvirt to end the VM, and for the probe of the VF after it
POLL_SECONDS = 0.2
VFIO = "vfio-pci"  # libvirt's choice while a VM has the VF
SET_SECONDS = 30.0
LIBVIRT_SETS: tuple[Request, ...] = ("mac", "vlan")


def sweep(machine: "HostMachine") -> tuple[str, ...]:
    """Cleans up after a `verify` that was killed; says what could not be put back. Nothing while one is under way."""
    if not machine.trial_files.read_trials() or machine.locks.is_verifying():
        return ()
    try:
        with machine.locks.hold_verify():  # or one that begins meanwhile would lose its VM and its record
            return clean_up(machine)
    except BusyError:
        return ()


def clean_up(machine: "HostMachine") -> tuple[str, ...]:
    """The same for whoever holds the lock of `verify`."""
    data = machine.trial_files.read_trials()
    problems = []
    for trial in load_trials(data, boot_id=machine.procfs.boot_id()).trials:
        try:
            machine.virsh.destroy(trial.domain)
        except SriovBootstrapError as error:
            problems.append(error.message)
        problems += put_back(machine, trial)
    machine.trial_files.remove_all()
    return tuple(problems)


def put_back(machine: "HostMachine", trial: Trial) -> tuple[str, ...]:
    """Waits until the VFs have their drivers again, and sees to it; returns what is still not as it was."""
    deadline = machine.monotonic() + BACK_SECONDS
    while (away := drivers_away(machine, trial)) and machine.monotonic() < deadline:
        machine.say(f"waiting for VFs of {trial.pf} to come back from {trial.domain}")
        machine.pause(POLL_SECONDS)
    for vf in away:
        _bind(machine, trial.pf, vf)
    left = ((vf, machine.vf_drivers.driver(vf.pci_address)) for vf in drivers_away(machine, trial))
    problems = [f"{vf.pci_address} has {now or 'no driver'} instead of {vf.driver or 'none'}" for vf, now in left]
    return (*problems, *_set_attributes(machine, trial))


def drivers_away(machine: "HostMachine", trial: Trial) -> tuple[TriedVf, ...]:
    """Those of its VFs that have another driver than before; one that is gone has none to get back."""
    there = machine.vf_drivers.vfs_of(trial.pf)
    return tuple(
        vf for vf in trial.vfs if vf.pci_address in there and machine.vf_drivers.driver(vf.pci_address) != vf.driver
    )


def _bind(machine: "HostMachine", pf: str, vf: TriedVf) -> None:
    wish = vf.driver if is_vfio(vf.driver) else VfDriver.KERNEL if vf.driver else VfDriver.NONE
    machine.act(BindVfs(pf, wish, (vf.pci_address,), former=VFIO, returns=True), guard=lambda: "")


def attributes_now(machine: "HostMachine", trial: Trial) -> dict[int, VfAttributes]:
    """Number of each of its VFs -> what the PF has set; nothing where that cannot be read."""
    link = machine.read_pf_links((trial.netdev,)).by_name.get(trial.netdev) if trial.netdev else None
    numbers = {vf.number for vf in trial.vfs}
    return {number: vf for number, vf in link.vfs.items() if number in numbers} if link else {}


def _set_attributes(machine: "HostMachine", trial: Trial) -> tuple[str, ...]:
    """What libvirt sets, if it has not taken it back."""
    wrong = _compare_all(trial, attributes_now(machine, trial))
    if not wrong:
        return ()
    ifindex = int(machine.pci.read_ifindex(trial.netdev) or "0")

    def work(send: child.Send) -> None:
        try:
            set_vf_attributes(ifindex, wrong)
        except SriovBootstrapError as error:
            send(child.CRASH + error.message.encode())
        else:
            send(b"")

    try:
        what = f"{trial.netdev}: attributes of its VFs"
        waiting = lambda passed: machine.say(f"{what}: {passed:.0f} s so far")  # noqa: E731
        child.call(work, what=what, timeout_seconds=SET_SECONDS, waiting=waiting)
    except SriovBootstrapError as error:
        return (error.message,)
    left = _compare_all(trial, attributes_now(machine, trial))
    return tuple(f"VF {number} no longer has {wish}" for number, wish in left.items())


def _compare_all(trial: Trial, now: dict[int, VfAttributes]) -> dict[int, VfAttributes]:
    """Number of a VF -> what libvirt has changed, as it was before."""
    before = {vf.number: vf.attributes for vf in trial.vfs if vf.attributes}
    found = {number: _compare(before[number], now[number]) for number in before if number in now}
    return {number: wish for number, wish in found.items() if wish.said}


def _compare(before: VfAttributes, now: VfAttributes) -> VfAttributes:
    """What a request would have to set anew, complete for each."""
    said: dict[str, Any] = {}
    for request in LIBVIRT_SETS:
        if before.only(request) != now.only(request):
            said |= before.only(request).said
    return VfAttributes(**said)
