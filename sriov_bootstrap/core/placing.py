"""Which driver each VF should have, and which VFs are to be given another one now.

`vf_driver` is a wish about VFs. The kernel fulfils it for VFs that it probes; everything else is done here, after the
count: VFs are created with probing off, and then all of them are bound at once (`late binding`), because the kernel
probes them one after the other, under a lock that every other PF waits for.

VFs that exist already are moved only if we know that our own work is unfinished or that the rule has changed. A VF that
has another driver than the rule says, for no reason that we know of, is somebody's: libvirt's, between two writes, or
an operator's. So there is a memory (`Placement`), and without it the VFs of `kernel` and `none` are left as they are.
A driver's name is different: it can be compared with what a VF has.

A VF in use is never moved. It keeps its driver until it is released.
"""

from msgspec import Struct

from sriov_bootstrap.core.config import PfRule, VfBinding, VfDriver, named_driver
from sriov_bootstrap.core.facts import PfFacts, VfFacts

BINDS_LATE = 'vf_binding = "auto": VFs get their driver once they exist, all at the same time'
NAMES_FOLLOW_PROBES = (
    'vf_binding = "auto": the kernel binds VFs one after the other, because netdev names here follow their order'
    " (net.ifnames=0, or a masked naming policy)"
)


class VfRefusal(Struct, frozen=True):
    """VFs that `driver` (a rule's vf_driver) could not be given to: `vfs` are their incarnations."""

    driver: str
    vfs: frozenset[int]
    message: str
    hint: str = ""


class Placement(Struct, frozen=True):
    """What is remembered of one PF. `applied`: the vf_driver that all its VFs have been given, "" if unknown.

    `is_unfinished`: VFs were created to be bound afterwards, and that is not known to have been done. `moved`: those
    that have already left the driver in `applied`, while others are still in use.
    """

    applied: str = ""
    is_unfinished: bool = False
    moved: frozenset[int] = frozenset()
    refusal: VfRefusal | None = None


class Moves(Struct, frozen=True):
    """VFs to be moved now, and those that will be once they are released."""

    now: tuple[VfFacts, ...] = ()
    later: tuple[VfFacts, ...] = ()


def binds_late(rule: PfRule, *, names_follow_probes: bool) -> bool:
    """Whether VFs of `kernel` are created without a driver and bound afterwards."""
    is_kernels = rule.vf_driver == VfDriver.KERNEL and not rule.uses_max_vfs
    return is_kernels and rule.vf_binding is VfBinding.AUTO and not names_follow_probes


def moves(rule: PfRule, pf: PfFacts, placed: Placement, *, may_probe: bool) -> Moves:
    """Which VFs need another driver. `may_probe`: probing is on, or it was us who switched it off."""
    former = former_name(rule.vf_driver, placed)
    wrong = _wrong_vfs(rule, pf, placed, former, may_probe=may_probe)
    refused = placed.refusal.vfs if placed.refusal and placed.refusal.driver == rule.vf_driver else frozenset()
    free = [vf for vf in wrong if not vf.use and not _is_of_another(vf, rule, former) and vf.incarnation not in refused]
    return Moves(tuple(free), tuple(vf for vf in wrong if vf.use))


def lacks(vf: VfFacts, vf_driver: str) -> bool:
    """Whether a free VF has another driver than it was to be given."""
    if vf.use:
        return False
    match vf_driver:
        case VfDriver.KERNEL:
            return not vf.driver
        case VfDriver.NONE:
            return bool(vf.driver)
        case name:
            return vf.driver != name


def former_name(vf_driver: str, placed: Placement) -> str:
    """The driver that an earlier rule named and this one does not; "" if there is none."""
    return "" if placed.applied == vf_driver else named_driver(placed.applied)


def _wrong_vfs(rule: PfRule, pf: PfFacts, placed: Placement, former: str, *, may_probe: bool) -> list[VfFacts]:
    if former:  # every one of them carries its name, whatever driver it has
        return [vf for vf in pf.vfs if vf.incarnation not in placed.moved]
    match rule.vf_driver:
        case VfDriver.KERNEL:
            is_ours = placed.is_unfinished or placed.applied == VfDriver.NONE
            return [vf for vf in pf.vfs if not vf.driver] if is_ours and may_probe else []
        case VfDriver.NONE:
            return [vf for vf in pf.vfs if vf.driver] if placed.applied == VfDriver.KERNEL else []
        case name:
            return [vf for vf in pf.vfs if vf.driver != name]


def _is_of_another(vf: VfFacts, rule: PfRule, former: str) -> bool:
    """On a vfio driver that no rule has named: libvirt, or an operator, is about to give it to a VM."""
    return vf.is_vfio and vf.driver not in {rule.vf_driver, former}
