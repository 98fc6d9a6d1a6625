"""Why the kernel refused to set an attribute of a VF: the driver, what was asked for and errno -> cause and remedy.

From net/core/rtnetlink.c, drivers/pci/iov.c, the operations that driver_sources.py names, and what igb and netdevsim
answered when they were asked.
"""

import errno
import os

from msgspec import Struct

from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.errnos import name_of
from sriov_bootstrap.core.vf_attributes import RefusedSetting, Request
from sriov_bootstrap.core.vf_operations import missing_operations, operation_of


class RefusalReason(Struct, frozen=True):
    """In both, {driver} is the PF's driver, {keys} the keys of [[pf.vf]], and {vf} the VF's number."""

    cause: str
    remedy: str


_LEAVE_OUT = "leave {keys} out for this VF in [[pf.vf]]"
_LOG = "journalctl -k shows the driver's messages; sriov-bootstrap --once tries again"
_AGAIN = "sriov-bootstrap --once tries again"

# For every driver; None is for every request that has no row with this errno.
REASONS: dict[tuple[Request | None, int], RefusalReason] = {
    ("mac", errno.EINVAL): RefusalReason(
        "{driver} refuses this address, as a multicast one, or has no VF {vf} now",
        "choose another address in [[pf.vf]]; journalctl -k shows the driver's messages",
    ),
    ("vlan", errno.EINVAL): RefusalReason(
        "{driver} takes VLANs 0 to 4095 and priorities 0 to 7 at most, or has no VF {vf} now",
        "correct vlan and vlan_qos in [[pf.vf]]; journalctl -k shows the driver's messages",
    ),
    ("vlan", errno.EPROTONOSUPPORT): RefusalReason(
        "{driver} tags with 802.1Q only, at least in this mode", "leave out vlan_protocol in [[pf.vf]]"
    ),
    ("rate", errno.EINVAL): RefusalReason(
        "{driver} cannot keep such a rate: above the speed of the link, or a minimum where it knows none",
        "lower or leave out {keys} in [[pf.vf]]; ethtool shows the speed of the link",
    ),
    ("rate", errno.ERANGE): RefusalReason(
        "the rate is above the speed of the link", "lower max_tx_rate in [[pf.vf]]; ethtool shows the speed of the link"
    ),
    ("link_state", errno.EINVAL): RefusalReason("{driver} does not know this state, or has no VF {vf} now", _LEAVE_OUT),
    ("msix", errno.EBUSY): RefusalReason(
        "a driver is bound to the VF, and its vectors can only be changed before",
        "once nothing uses it, unbind it; new VFs get their vectors before their driver",
    ),
    ("msix", errno.EOPNOTSUPP): RefusalReason(
        "{driver} or the PF's firmware cannot change the vectors of VFs", _LEAVE_OUT
    ),
    ("msix", errno.ENOENT): RefusalReason(
        "{driver} cannot change the vectors of VFs, or this kernel is older than 5.13", _LEAVE_OUT
    ),
    ("msix", errno.EINVAL): RefusalReason(
        "{driver} does not offer a VF that many vectors",
        "lower msix_vectors in [[pf.vf]]; sriov_vf_total_msix of the PF in /sys is what its VFs share",
    ),
    ("msix", errno.ENOSPC): RefusalReason(
        "the PF has not that many vectors left for its VFs",
        "lower msix_vectors in [[pf.vf]]; sriov_vf_total_msix of the PF in /sys is what its VFs share",
    ),
    (None, errno.EINVAL): RefusalReason("{driver} refuses this value, or has no VF {vf} now", _LOG),
    (None, errno.ERANGE): RefusalReason("the value is out of {driver}'s range, or it has no VF {vf} now", _LOG),
    (None, errno.EOPNOTSUPP): RefusalReason(
        "{driver} does not support it, at least not in its current mode",
        f"{_LEAVE_OUT}, or check the eswitch mode: devlink dev eswitch show",
    ),
    (None, errno.EPERM): RefusalReason(
        "{driver} or its firmware does not allow it, as where another PF controls the eswitch",
        "set it where the eswitch is controlled, such as on the DPU",
    ),
    (None, errno.EACCES): RefusalReason("no permission", "run as root; check ReadWritePaths= if the unit was changed"),
    (None, errno.EROFS): RefusalReason(
        "/sys is mounted read-only here", "run on the host, not in an unprivileged container"
    ),
    (None, errno.EAGAIN): RefusalReason("{driver} is resetting the VF, or is busy with another operation", _AGAIN),
    (None, errno.EBUSY): RefusalReason("{driver} is busy with the VF or with another operation", _AGAIN),
    (None, errno.ENETDOWN): RefusalReason("the PF is down", "set pf_up = true for the rule, or bring it up"),
    (None, errno.ENODEV): RefusalReason("the VF is gone, or {driver} does not know it", _AGAIN),
    (None, errno.ENOENT): RefusalReason("{driver} has no VF {vf} now", _AGAIN),
    (None, errno.EADDRNOTAVAIL): RefusalReason(
        "{driver} refuses this address, as a multicast one", "choose another address in [[pf.vf]]"
    ),
    (None, errno.EEXIST): RefusalReason("this address is in use on the PF", "choose another address in [[pf.vf]]"),
    (None, errno.EADDRINUSE): RefusalReason("this address is in use on the PF", "choose another address in [[pf.vf]]"),
    (None, errno.ENOMEM): RefusalReason("no memory, or no room in the NIC's tables", _LOG),
    (None, errno.ENOSPC): RefusalReason("no room in the NIC's tables", _LOG),
    (None, errno.EIO): RefusalReason("the NIC's firmware did not do it", f"{_LOG}; update or reset the NIC's firmware"),
    (None, errno.ETIMEDOUT): RefusalReason(
        "the NIC's firmware took too long", f"{_LOG}; update the firmware if it persists"
    ),
}
_UNKNOWN = RefusalReason("the kernel gave no known reason", _LOG)
_NO_OPERATION = RefusalReason(
    "{driver} has no operation for it", "leave {keys} out in [[pf.vf]] for PFs with this driver"
)
_NO_CARRIER = RefusalReason(
    "{driver} takes a rate only while the PF has a carrier, and none above the speed of the link",
    "none needed if the link is down: it is set again once there is a carrier. Otherwise lower {keys} in [[pf.vf]]",
)
_NO_MINIMUM = RefusalReason("{driver} cannot guarantee a minimum rate", "leave out min_tx_rate in [[pf.vf]]")
_NO_8021AD = RefusalReason("{driver} tags with 802.1Q only", "leave out vlan_protocol in [[pf.vf]]")

_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOENT, errno.ENOSYS}


def is_momentary(refused: RefusedSetting) -> bool:
    """Whether the driver was busy, such as with a reset of the VF: vectors are busy for as long as it is bound."""
    return refused.errno in {errno.EAGAIN, errno.EBUSY} and refused.request != "msix"


def explain(refused: RefusedSetting, driver: str, pf: str) -> tuple[str, str]:
    """Message and hint: device, what was asked for, errno, cause; remedy. `driver` is the PF's, `pf` its address."""
    reason = _reason(refused, driver)
    words = {"driver": driver or "the driver", "keys": ", ".join(refused.asked.said), "vf": refused.vf}
    number = f"{name_of(refused.errno)} ({os.strerror(refused.errno)})"
    message = f"{pf}: VF {refused.vf}: cannot set {refused.asked}: {number}: {reason.cause.format_map(words)}"
    return message, reason.remedy.format_map(words)


def _reason(refused: RefusedSetting, driver: str) -> RefusalReason:
    """What is known of the driver says more than the errno does."""
    knows = driver_of(driver)
    lacks = {*missing_operations(refused.asked, knows).values()}
    is_bad_value = refused.errno in {errno.EINVAL, errno.EPROTONOSUPPORT, *_UNSUPPORTED}
    operation = operation_of(refused.request)
    if refused.errno in _UNSUPPORTED and operation and knows.can_set(operation) is False:
        return _NO_OPERATION
    if "vlan_8021ad" in lacks and is_bad_value:
        return _NO_8021AD
    if "min_rate" in lacks and is_bad_value:
        return _NO_MINIMUM
    if refused.request == "rate" and refused.errno == errno.EINVAL and knows.rates_need_carrier:
        return _NO_CARRIER
    for request in (refused.request, None):
        if reason := REASONS.get((request, refused.errno)):
            return reason
    return _UNKNOWN
