"""Why a PF does not get its count, or not yet: each refusal, with its words and what to do. plan.py has the theory."""

from msgspec.structs import replace

from sriov_bootstrap.core.config import WhenInUse
from sriov_bootstrap.core.contest import pause_seconds
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import NAMED, PfFacts
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.surroundings import Jam, Short, Surroundings
from sriov_bootstrap.core.suspects import likeliest, name_suspects
from sriov_bootstrap.core.vf_users import UseKind


def unfit_verdict(desired: DesiredPf) -> Verdict | None:
    """Why no count can be applied to this PF, whatever the method."""
    rule, pf = desired.rule, desired.pf
    if pf is None:
        if desired.lost and rule.required:
            return _lost_verdict(desired, *desired.lost)
        message = f'no PF matches rule "{rule.name}" ({rule.match})'
        hint = "check that the NIC is seated and its name has not changed: sriov-bootstrap init lists this host's PFs"
        if rule.match.serial_number:
            hint = (
                "compare with lspci -vv, Device Serial Number: only root can read it, and Linux before 7.3 has no file"
            )
        return Verdict(Reason.ABSENT, message, hint) if rule.required else None
    if not pf.driver:
        message = f"{pf.pci_address}: no driver is bound, so it cannot have VFs"
        hint = f"load its driver: modprobe $(cat /sys/bus/pci/devices/{pf.pci_address}/modalias)"
        return Verdict(Reason.DRIVER_MISSING, message, hint)
    if desired.target is not None and desired.target > pf.total_vfs:
        message = f"{pf.pci_address}: cannot create {quantity(desired.target, 'VF')}: the device offers {pf.total_vfs}"
        return Verdict(Reason.EXCEEDS_MAX, message, f'lower num_vfs in rule "{rule.name}" to {pf.total_vfs} or "max"')
    return None


def _lost_verdict(desired: DesiredPf, address: str, first: str) -> Verdict:
    rule = desired.rule
    message = f'{address}: rule "{first}" comes before rule "{rule.name}" ({rule.match}), which matches it as well'
    hint = "a PF has one number of VFs, whichever of its netdevs a rule names: keep one of the two rules"
    return Verdict(Reason.ABSENT, message, hint)


def blocked_verdict(pf: PfFacts, jam: Jam) -> Verdict:
    """The PF that a write is stuck on, or one that has to wait because of it."""
    reason = Reason.STUCK if jam.is_overdue and jam.pci_address == pf.pci_address else Reason.BLOCKED
    hint = "end the VM or process that holds one of its VFs; the kernel log may name the cause: journalctl -k"
    return Verdict(reason, str(jam), hint)


def binding_verdict(pf: PfFacts, binding: Jam) -> Verdict:
    """The same for VFs that are being bound, which no VM holds up."""
    hint = "see journalctl -k if it takes long: a VF's driver, or its firmware, may not answer"
    return replace(blocked_verdict(pf, binding), hint=hint)


def in_use_verdict(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    """VFs are in use, and neither the rule nor an operator says that they may be destroyed."""
    if around.force or desired.rule.when_in_use is WhenInUse.REPLACE or not pf.vfs_in_use:
        return None
    users = shortlist([vf.refusal for vf in pf.vfs_in_use], NAMED, "; ")
    message = f"{pf.pci_address}: {vfs_stay(pf.num_vfs, target)}: {users}"
    hint = "this is applied automatically once they are released"
    if any(vf.use and vf.use.kind is UseKind.NO_NIC for vf in pf.vfs):
        hint = f"unbind the driver of those that are free, /sys/bus/pci/devices/VF/driver/unbind: {hint}"
    return Verdict(Reason.IN_USE, message, hint)


def vfs_stay(number: int, wanted: int) -> str:
    """What a refusal says about them, before it names their users."""
    return quantity(number, f"VF stays instead of {wanted}", f"VFs stay instead of {wanted}")


def short_verdict(pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    """The device created these VFs for exactly this number: destroying them and asking again would never end."""
    made = around.short.get(pf.pci_address)
    same = made == Short(target, pf.incarnations, is_proven=True)
    return fewer_vfs_verdict(pf, target) if same and pf.num_vfs and not around.force else None


def fewer_vfs_verdict(pf: PfFacts, target: int) -> Verdict:
    """The kernel accepted a number, but there are more or fewer VFs."""
    message = (
        f"{pf.pci_address}: asked for {quantity(target, 'VF')} but got {pf.num_vfs}, and the kernel reported no error"
    )
    hint = "check the eswitch mode, the NIC's firmware settings and the driver's messages: journalctl -k"
    return Verdict(Reason.FEWER_VFS, message, hint)


def kept_vfs_verdict(pf: PfFacts, target: int) -> Verdict:
    """The kernel accepted 0, the way to another number, but VFs stay."""
    message = f"{pf.pci_address}: {vfs_stay(pf.num_vfs, target)}: the kernel accepted 0 and reported no error"
    hint = "its driver may have found them when it was loaded, and keeps them until the next boot: journalctl -k"
    return Verdict(Reason.FEWER_VFS, message, hint)


def contested_verdict(pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    """Something else also writes this number, and the pause before our next attempt is not over."""
    contest = around.contests.get(pf.pci_address)
    if contest is None or contest.target != target or around.now >= contest.due_at:
        return None
    often = f", {contest.times} times so far" if contest.times > 1 else ""
    suspects = likeliest(around.suspects.get(pf.pci_address, ()), contest.found)
    what = f"something else sets {quantity(contest.found, 'VF')} where {target} are asked for{often}"
    pause = f"it is written again after {pause_seconds(contest.times):g} s, and less and less often"
    remedy = "sriov-bootstrap doctor names what else sets VFs if a file does: let only one of them do it"
    if suspects:
        remedy = suspects[0].remedy if len(suspects) == 1 else "sriov-bootstrap doctor says how to stop each"
    return Verdict(Reason.CONTESTED, f"{pf.pci_address}: {what}{name_suspects(suspects)}", f"{pause}; {remedy}")
