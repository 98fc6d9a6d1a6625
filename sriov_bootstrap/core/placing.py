"""Which driver each VF should have, and which VFs are to be given another one now.

`vf_driver` is a wish about VFs. The kernel fulfils it for VFs that it probes; everything else is done here, after the
count: VFs are created with probing off, and then all of them are bound at once (`late binding`), because the kernel
probes them one after the other, under a lock that every other PF waits for.

VFs that exist already are moved only if we know that our own work is unfinished or that the rule has changed. A VF that
has another driver than the rule says, for no reason that we know of, is somebody's: libvirt's, between two writes, or
an operator's. So there is a memory (`Placement`), and without it the VFs of `kernel` and `none` are left as they are.
A driver's name is different: it can be compared with what a VF has.

A VF in use is never moved. It keeps its driver until it is released. All of this is decided for each VF, as a table may
say another driver for some.
"""

from msgspec import Struct

from sriov_bootstrap.core.config import PfRule, VfBinding
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver, named_driver
from sriov_bootstrap.core.facts import PfFacts, VfFacts

BINDS_LATE = 'vf_binding = "auto": VFs get their driver once they exist, all at the same time'
NAMES_FOLLOW_PROBES = (
    'vf_binding = "auto": the kernel binds VFs one after the other, because netdev names here follow their order'
    " (net.ifnames=0, or a masked naming policy)"
)


class VfRefusal(Struct, frozen=True):
    """VFs that did not get the driver that was meant, by incarnation; `driver` and `others` are as in DriverWishes."""

    driver: str
    vfs: frozenset[int]
    message: str
    hint: str = ""
    others: dict[int, str] = {}

    def is_about(self, vf: VfFacts, wanted: str) -> bool:
        """Whether this VF did not get that driver."""
        return vf.incarnation in self.vfs and DriverWishes(self.driver, self.others).wish_for(vf.index) == wanted


class Placement(Struct, frozen=True):
    """What is remembered of one PF. `applied`: the vf_driver that all its VFs have been given, "" if unknown.

    `is_unfinished`: VFs were created to be bound afterwards, and that is not known to have been done. `moved`: those
    that have already left the driver in `applied`, while others are still in use. `others`: VFs that were given another
    driver than `applied`, by number.
    """

    applied: str = ""
    is_unfinished: bool = False
    moved: frozenset[int] = frozenset()
    refusal: VfRefusal | None = None
    others: dict[int, str] = {}

    @property
    def drivers(self) -> DriverWishes:
        """What all its VFs have been given."""
        return DriverWishes(self.applied, self.others)


class Moves(Struct, frozen=True):
    """VFs to be moved now, and those that will be once they are released."""

    now: tuple[VfFacts, ...] = ()
    later: tuple[VfFacts, ...] = ()


def binds_late(rule: PfRule, num_vfs: int, *, names_follow_probes: bool) -> bool:
    """Whether VFs of `kernel` are created without a driver and bound afterwards."""
    is_kernels = VfDriver.KERNEL in rule.drivers(num_vfs).kinds and not rule.uses_max_vfs
    return is_kernels and rule.vf_binding is VfBinding.AUTO and not names_follow_probes


def moves(rule: PfRule, pf: PfFacts, placed: Placement, *, may_probe: bool) -> Moves:
    """Which VFs need another driver. `may_probe`: probing is on, or it was us who switched it off.

    None while it is not known what the rule says of single VFs.
    """
    if rule.vf_problems:
        return Moves()
    wanted, applied = rule.drivers(pf.num_vfs), placed.drivers
    if wanted == applied and not wanted.names and not placed.is_unfinished:
        return Moves()  # most passes; no VF has to be looked at
    found = [_Candidate(vf, wanted.wish_for(vf.index), applied.wish_for(vf.index)) for vf in pf.vfs]
    wrong = [judged for judged in found if judged.is_wrong(placed, may_probe=may_probe)]
    free = [judged for judged in wrong if not judged.vf.use and not judged.is_of_another]
    now = [judged for judged in free if not placed.refusal or not placed.refusal.is_about(judged.vf, judged.wanted)]
    return Moves(tuple(judged.vf for judged in now), tuple(judged.vf for judged in wrong if judged.vf.use))


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


def former_name(vf_driver: str, applied: str) -> str:
    """The driver that an earlier rule named and this one does not; "" if there is none."""
    return "" if applied == vf_driver else named_driver(applied)


class _Candidate(Struct, frozen=True):
    """A VF, what its rule says of its driver, and what an earlier one has said."""

    vf: VfFacts
    wanted: str
    applied: str

    def is_wrong(self, placed: Placement, *, may_probe: bool) -> bool:
        """Whether it has another driver than is wanted, as far as that is our business."""
        if former_name(self.wanted, self.applied):  # it carries that name, whatever driver it has
            return self.vf.incarnation not in placed.moved
        match self.wanted:
            case VfDriver.KERNEL:
                is_ours = placed.is_unfinished or self.applied == VfDriver.NONE
                return not self.vf.driver and is_ours and may_probe
            case VfDriver.NONE:
                return bool(self.vf.driver) and self.applied == VfDriver.KERNEL
            case name:
                return self.vf.driver != name

    @property
    def is_of_another(self) -> bool:
        """On a vfio driver that no rule has named: libvirt, or an operator, is about to give it to a VM."""
        return self.vf.is_vfio and self.vf.driver not in {self.wanted, former_name(self.wanted, self.applied)}
