"""VFs in VMs of `verify`: recorded before they are taken, put back afterwards, also by whoever comes after a kill -9.

libvirt puts them back by itself as soon as the process that had them ends (edges/virsh.py). What is done here is to
compare with what was there before, and to do what libvirt has not done.

By then a VF may be somebody else's. nova can give it to a tenant's VM before verify's own has got it, or as soon as
libvirt has it back, and a record may be hours old when it is found. So a VF is touched only if it is the one that was
recorded, if it has stayed as it is for QUIET_SECONDS, and if nobody uses it, which is asked as before a pass changes
one, and once more right before each thing that is done. One that is in use is not waited for.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, StuckError
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import NAMED, VfFacts
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.trials import Trial, Trials, TriedVf, dump_trials, load_trials
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes, fingerprint
from sriov_bootstrap.core.vf_users import DOUBTS
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.vf_attributes import set_vf_attributes
from sriov_bootstrap.edges.virsh import DESTROY_SECONDS
from sriov_bootstrap.passes.read import read_other_users

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

BACK_SECONDS = 60.0  # for libvirt to put back what it has
END_SECONDS = DESTROY_SECONDS + BACK_SECONDS
SWEEP_SECONDS = 10.0  # in a pass, for all that is left
QUIET_SECONDS = 5.0  # libvirt sets a VF up before its VM has it open, and nothing tells that it has begun
POLL_SECONDS = 0.2
VFIO = "vfio-pci"  # libvirt's choice while a VM has the VF
SET_SECONDS = 30.0
LIBVIRT_SETS: tuple[Request, ...] = ("mac", "vlan")


class PutBack(Struct, frozen=True):
    """What has become of a trial's VFs, a line for each: what is not as before, and who uses one that is left alone.

    `is_over`: nobody has to come for them once more.
    """

    problems: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    is_over: bool = True


def record(machine: "HostMachine", trials: tuple[Trial, ...]) -> None:
    """From now on passes leave their VFs alone, and somebody comes to clean up. SriovBootstrapError if it fails."""
    recorded = _read_recorded(machine)
    machine.trial_files.save_trials(dump_trials(Trials(recorded.boot_id, (*recorded.trials, *trials))))


def forget(machine: "HostMachine", over: Collection[Trial]) -> None:
    """Nobody has to come for these any more; with the last one, everything that was made for VMs is removed."""
    left = _read_recorded(machine).without(over)
    if not left.trials:
        machine.trial_files.remove_all()
    elif over:
        with suppress(SriovBootstrapError):  # what is over is only looked at once more
            machine.trial_files.save_trials(dump_trials(left))


def _read_recorded(machine: "HostMachine") -> Trials:
    boot_id = machine.procfs.boot_id()
    return replace(load_trials(machine.trial_files.read_trials(), boot_id=boot_id), boot_id=boot_id)


def sweep(machine: "HostMachine") -> tuple[str, ...]:
    """Cleans up after a `verify` that was killed, within SWEEP_SECONDS; see clean_up(). Nothing while one is under way.

    A pass waits for this, and comes again for what is left.
    """
    if not machine.trial_files.read_trials() or machine.locks.is_verifying():
        return ()
    try:
        with machine.locks.hold_verify():  # or one that begins meanwhile would lose its VM and its record
            return clean_up(machine, limit_seconds=SWEEP_SECONDS)
    except BusyError:
        return ()


def clean_up(machine: "HostMachine", *, limit_seconds: float = END_SECONDS) -> tuple[str, ...]:
    """The same for whoever holds the lock of `verify`; a line for each VF that is not as before, and what is left.

    Nothing new is begun after `limit_seconds`. The record keeps what could not be brought to an end.
    """
    deadline = machine.monotonic() + limit_seconds
    lines, over = list[str](), list[Trial]()
    trials = _read_recorded(machine).trials
    for trial in trials:
        left_seconds = deadline - machine.monotonic()
        if left_seconds <= 0:
            break
        back = end_trial(machine, trial, limit_seconds=left_seconds)
        lines += (*back.problems, *back.left_alone)
        if back.is_over:
            over.append(trial)
    forget(machine, over)
    if left := [trial.domain for trial in trials if trial not in over]:
        lines.append(f"a later pass, or verify, tries again: {shortlist(left, NAMED)}")
    return tuple(lines)


def end_trial(machine: "HostMachine", trial: Trial, *, limit_seconds: float = END_SECONDS) -> PutBack:
    """Ends its VM, if there is one, and puts its VFs back. Waits for `limit_seconds` at most; raises nothing of ours.

    If libvirt does not answer, it may be at work on these VFs, and nothing is done to them.
    """
    deadline = machine.monotonic() + limit_seconds
    timeout_seconds = min(DESTROY_SECONDS, round(limit_seconds, 1))  # it is part of a message
    machine.say(what := f"{trial.domain}: libvirt ends it")
    try:
        waiting = child.progress(machine.say, what)
        machine.virsh.destroy(trial.domain, timeout_seconds=timeout_seconds, waiting=waiting)
        problem = ""
    except StuckError as error:
        return PutBack((error.message,), is_over=False)
    except SriovBootstrapError as error:
        problem = error.message
    try:
        back = put_back(machine, trial, wait_seconds=min(BACK_SECONDS, deadline - machine.monotonic()))
    except SriovBootstrapError as error:
        back = PutBack((error.message,), is_over=False)
    problems = tuple(filter(None, (problem, *back.problems)))
    is_over = back.is_over and not (problems and _may_have_vm(machine, trial))
    return replace(back, problems=problems, is_over=is_over)


def _may_have_vm(machine: "HostMachine", trial: Trial) -> bool:
    """Whether its VM has something open, as far as that can be told."""
    holders = machine.read_holders()
    return bool(holders.problem) or holders.besides(trial.domain) != holders


def put_back(machine: "HostMachine", trial: Trial, *, wait_seconds: float = BACK_SECONDS) -> PutBack:
    """Sees to it that the VFs are as before, as far as nobody else uses them. Waits for `wait_seconds` at most."""
    quiet = _await_quiet(machine, trial, wait_seconds)
    for vf in quiet:
        if _is_away(machine, vf):
            _bind(machine, trial, vf)
    return _judge(machine, trial, quiet, _set_attributes(machine, trial, quiet))


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
            machine.say(f"{trial.domain}: waiting until nobody touches its VFs any more")
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

    what = f"{trial.netdev}: attributes of its VFs"
    try:
        child.call(work, what=what, timeout_seconds=SET_SECONDS, waiting=child.progress(machine.say, what))
    except SriovBootstrapError as error:
        return error.message
    return ""


def _judge(machine: "HostMachine", trial: Trial, tried: tuple[TriedVf, ...], refusal: str) -> PutBack:
    """`tried`: the VFs for which all has been done; `refusal`: why their attributes could not be set.

    A refusal counts instead of the attributes that are not as before.
    """
    attributes = {} if refusal else attributes_now(machine, trial)
    differing = _changed_vfs(machine, trial, attributes)
    now = _facts(machine, trial, has_ended=False) if differing else {}
    wrong = _compare_all(trial, attributes)
    problems, left_alone, is_over = [refusal] if refusal else list[str](), list[str](), True
    for vf, there in ((vf, now[vf.pci_address]) for vf in differing if vf.pci_address in now):
        if there.use:
            is_doubt = there.use.kind in DOUBTS
            (problems if is_doubt else left_alone).append(f"{there.refusal}: left alone")
            is_over = is_over and not is_doubt
            continue
        is_over = is_over and vf in tried
        if there.driver != vf.driver:
            problems.append(f"{vf.pci_address} has {there.driver or 'no driver'} instead of {vf.driver or 'none'}")
        if vf.number in wrong:
            problems.append(f"VF {vf.number} no longer has {wrong[vf.number]}")
    return PutBack(tuple(problems), tuple(left_alone), is_over)


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
