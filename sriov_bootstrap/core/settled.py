"""Whether a write has taken effect, and how long that may take."""

from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.facts import PfFacts

ANY_DRIVER = DriverWishes("")


def is_settled(pf: PfFacts | None, target: int, *, expects_driver: bool, drivers: DriverWishes = ANY_DRIVER) -> bool:
    """Whether a write has taken effect: the VFs exist and, if a driver binds, it has finished.

    `drivers`: what its VFs are being given; some of them may be meant to have none.
    """
    if pf is None or pf.num_vfs != target:
        return False
    if not expects_driver or not pf.autoprobe:
        return True
    return have_drivers(pf, drivers)


def have_drivers(pf: PfFacts, drivers: DriverWishes) -> bool:
    """Whether each VF that is to have a driver has one, which has finished."""
    return all(vf.is_ready or drivers.wish_for(vf.index) == VfDriver.NONE for vf in pf.vfs)


def settle_deadline_seconds(num_vfs: int) -> float:
    """How long VFs may take to appear after the write returned: udev may have to load their driver first."""
    return 20.0 + 2.0 * num_vfs
