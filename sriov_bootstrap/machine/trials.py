"""VFs in VMs of `verify`: recorded before they are taken, put back afterwards, also by whoever comes after a kill -9.

libvirt puts them back by itself as soon as the process that had them ends (edges/virsh.py). What is done here is to
compare with what was there before, and to do what libvirt has not done.

By then a VF may be somebody else's. nova can give it to a tenant's VM before verify's own has got it, or as soon as
libvirt has it back, and a record may be hours old when it is found. So a VF is touched only if it is the one that was
recorded, if it has stayed as it is for QUIET_SECONDS, and if nobody uses it, which is asked as before a pass changes
one, and once more right before each thing that is done. One that is in use is not waited for.
"""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import VfFacts
from sriov_bootstrap.core.trials import Trial, TriedVf, load_trials
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes, fingerprint
from sriov_bootstrap.core.vf_users import DOUBTS
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.vf_attributes import set_vf_attributes
from sriov_bootstrap.passes.read import read_other_users

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

BACK_SECONDS = 60.0  # for libvirt to put back what it has
QUIET_SECONDS = 5.0  # libvirt sets a VF up before its VM has it open, and nothing tells that it has begun
POLL_SECONDS = 0.2
VFIO = "vfio-pci"  # libvirt's choice while a VM has the VF
SET_SECONDS = 30.0
LIBVIRT_SETS: tuple[Request, ...] = ("mac", "vlan")


class PutBack(Struct, frozen=True):
    """What has become of a trial's VFs, a line for each: what is not as before, and who uses one that is left alone."""

    problems: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()


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
        back = put_back(machine, trial)
        problems += (*back.problems, *back.left_alone)
    machine.trial_files.remove_all()
    return tuple(problems)


def put_back(machine: "HostMachine", trial: Trial, *, wait_seconds: float = BACK_SECONDS) -> PutBack:
    """Sees to it that the VFs are as before, as far as nobody else uses them. Waits for `wait_seconds` at most."""
    quiet = _await_quiet(machine, trial, wait_seconds)
    for vf in quiet:
        if _is_away(machine, vf):
            _bind(machine, trial, vf)
    return _judge(machine, trial, _set_attributes(machine, trial, quiet))


def _await_quiet(machine: "HostMachine", trial: Trial, wait_seconds: float) -> tuple[TriedVf, ...]:
    """The VFs that are not as before, although nobody else uses them and nobody has touched them for QUIET_SECONDS."""
    deadline = machine.monotonic() + wait_seconds
    before = dict[str, int]()
    while now := _read_states(machine, trial):
        same = tuple(vf for vf in trial.vfs if before.get(vf.pci_address, -1) == now.get(vf.pci_address))
        if len(same) == len(now) or machine.monotonic() + QUIET_SECONDS > deadline:
            return same
        before, again_at = now, machine.monotonic() + QUIET_SECONDS
        while machine.monotonic() < again_at:
            machine.pause(POLL_SECONDS)
    return ()


def _read_states(machine: "HostMachine", trial: Trial) -> dict[str, int]:
    """PCI address -> driver and attributes, as one number, of the VFs that are not as before and that nobody uses."""
    attributes = attributes_now(machine, trial)
    differing = _changed_vfs(machine, trial, attributes)
    now = _facts(machine, trial, has_ended=False) if differing else {}
    free = ((vf, now[vf.pci_address]) for vf in differing if vf.pci_address in now)
    return {
        vf.pci_address: fingerprint(attributes.get(vf.number), there.binding) for vf, there in free if not there.use
    }


def _changed_vfs(machine: "HostMachine", trial: Trial, attributes: dict[int, VfAttributes]) -> tuple[TriedVf, ...]:
    """The VFs that are not as before, whoever has them; `attributes`: by number, what the PF has set."""
    wrong = _compare_all(trial, attributes)
    return tuple(vf for vf in trial.vfs if vf.number in wrong or _is_away(machine, vf))


def _is_away(machine: "HostMachine", vf: TriedVf) -> bool:
    """Whether it has another driver than before."""
    return machine.vf_drivers.driver(vf.pci_address) != vf.driver


def _facts(machine: "HostMachine", trial: Trial, *, has_ended: bool) -> dict[str, VfFacts]:
    """PCI address -> its VFs as they are now, but for those that are gone, or others by now; see read_other_users()."""
    pf = read_other_users(machine, trial.pf, trial.domain, has_ended=has_ended)
    now = pf.vfs if pf else ()
    return {vf.pci_address: vf for vf in now if any(it.is_at(vf.pci_address, vf.incarnation) for it in trial.vfs)}


def _is_free(machine: "HostMachine", trial: Trial, vf: TriedVf) -> bool:
    """Asked right before something is done to it: whether it is still the same VF, and nobody uses it."""
    there = _facts(machine, trial, has_ended=True).get(vf.pci_address)
    return there is not None and there.use is None


def _bind(machine: "HostMachine", trial: Trial, vf: TriedVf) -> None:
    wish = vf.driver if is_vfio(vf.driver) else VfDriver.KERNEL if vf.driver else VfDriver.NONE
    action = BindVfs(trial.pf, wish, (vf.pci_address,), former=VFIO, returns=True)
    words = f"{vf.pci_address} is in use, or has been created again"
    machine.act(action, guard=lambda: "" if _is_free(machine, trial, vf) else words)


def attributes_now(machine: "HostMachine", trial: Trial) -> dict[int, VfAttributes]:
    """Number of each of its VFs -> what the PF has set; nothing where that cannot be read.

    Another PF may have the netdev's name by now.
    """
    netdevs = {dev.name for pf in machine.read_pfs((trial.pf,), vf_ifindexes=False) for dev in pf.netdevs}
    link = machine.read_pf_links((trial.netdev,)).by_name.get(trial.netdev) if trial.netdev in netdevs else None
    numbers = {vf.number for vf in trial.vfs}
    return {number: vf for number, vf in link.vfs.items() if number in numbers} if link else {}


def _set_attributes(machine: "HostMachine", trial: Trial, vfs: tuple[TriedVf, ...]) -> str:
    """For these VFs, what libvirt sets, if it has not taken it back; why that failed, "" if it has not."""
    found = _compare_all(trial, attributes_now(machine, trial)) if vfs else {}
    wrong = {vf: found[vf.number] for vf in vfs if vf.number in found}
    if not wrong:
        return ""
    ifindex = int(machine.pci.read_ifindex(trial.netdev) or "0")

    def work(send: child.Send) -> None:
        machine.say = lambda _: None  # who listens is out of reach here
        wishes = {vf.number: wish for vf, wish in wrong.items() if _is_free(machine, trial, vf)}
        try:
            if wishes:
                set_vf_attributes(ifindex, wishes)
        except SriovBootstrapError as error:
            send(child.CRASH + error.message.encode())
        else:
            send(b"")

    try:
        what = f"{trial.netdev}: attributes of its VFs"
        waiting = lambda passed: machine.say(f"{what}: {passed:.0f} s so far")  # noqa: E731
        child.call(work, what=what, timeout_seconds=SET_SECONDS, waiting=waiting)
    except SriovBootstrapError as error:
        return error.message
    return ""


def _judge(machine: "HostMachine", trial: Trial, refusal: str) -> PutBack:
    """`refusal`: why attributes could not be set, which then counts instead of those that are not as before."""
    attributes = {} if refusal else attributes_now(machine, trial)
    differing = _changed_vfs(machine, trial, attributes)
    now = _facts(machine, trial, has_ended=False) if differing else {}
    wrong = _compare_all(trial, attributes)
    problems, left_alone = [refusal] if refusal else list[str](), list[str]()
    for vf, there in ((vf, now[vf.pci_address]) for vf in differing if vf.pci_address in now):
        if there.use:
            lines = problems if there.use.kind in DOUBTS else left_alone
            lines.append(f"{there.refusal}: left alone")
            continue
        if there.driver != vf.driver:
            problems.append(f"{vf.pci_address} has {there.driver or 'no driver'} instead of {vf.driver or 'none'}")
        if vf.number in wrong:
            problems.append(f"VF {vf.number} no longer has {wrong[vf.number]}")
    return PutBack(tuple(problems), tuple(left_alone))


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
