"""Why the kernel said no: errno and what was being done -> cause and remedy in words, and whether to try again.

From drivers/pci/iov.c and from what operators have seen in the field with igb, ixgbe, i40e, ice, mlx5, bnxt, idpf.
"""

import errno
import os

from msgspec import Struct


class Cause(Struct, frozen=True):
    """`is_transient`: the same write may well succeed in a moment."""

    cause: str
    remedy: str
    is_transient: bool = False


_GONE = Cause(
    "the device disappeared during the write", "reseat or replace the NIC; the rule is applied once it is back"
)
_UNKNOWN = Cause("the kernel gave no known reason", "check the kernel log: journalctl -k")

WRITE_CAUSES = {
    errno.EAGAIN: Cause(
        "the driver is busy with another operation", "none needed: the write is retried", is_transient=True
    ),
    errno.EBUSY: Cause(
        "the driver is not ready, or VFs already exist or are assigned to a VM",
        "if it persists, find out what uses them: sriov-bootstrap status",
        is_transient=True,
    ),
    errno.ENOENT: Cause(
        "no driver is bound to the PF, or it cannot create VFs at run time",
        'bind a driver, or use method = "max_vfs" if its module has that parameter',
    ),
    errno.EINVAL: Cause(
        "the driver refuses this number, or (i40e) a VF is assigned to a VM",
        "lower num_vfs, or shut the VM down; journalctl -k shows the driver's own messages",
    ),
    errno.ERANGE: Cause("the device has fewer VFs than that", "lower num_vfs; sriov_totalvfs is the maximum"),
    errno.ENOMEM: Cause(
        "no room for the VFs' memory windows (BARs) or bus numbers",
        'enable "above 4G decoding" in the firmware, or boot with pci=realloc (pci=assign-busses for bus numbers)',
    ),
    errno.ENOSPC: Cause("the device or the CPU is out of MSI-X vectors", "lower num_vfs or its queues (ethtool -L)"),
    errno.EIO: Cause("the NIC's firmware did not answer", "update or reset the NIC's firmware, then reboot"),
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.EACCES: Cause("no permission to write to it", "run as root; check ReadWritePaths= if the unit was changed"),
    errno.EPERM: Cause("the kernel is locked down, or permission is missing", "run as root; check kernel lockdown"),
    errno.EROFS: Cause("/sys is mounted read-only here", "run on the host, not in an unprivileged container"),
    errno.ENOSYS: Cause("this kernel or driver has no SR-IOV support", "use a kernel with CONFIG_PCI_IOV"),
    errno.EOPNOTSUPP: Cause(
        "the driver does not support this in its current mode", "check the eswitch mode: devlink dev eswitch show"
    ),
    errno.ETIMEDOUT: Cause(
        "the NIC's firmware took too long",
        "the write is retried; if this persists, update the firmware",
        is_transient=True,
    ),
}


def explain(number: int) -> Cause:
    """Cause and remedy of a failed write; an errno that is not in the table gets the general advice."""
    return WRITE_CAUSES.get(number, _UNKNOWN)


def remedy(number: int, pci_address: str) -> str:
    """What to do about it; without a known reason, where the kernel may have said more about this device."""
    cause = explain(number)
    return f"{cause.remedy} -g {pci_address}" if cause is _UNKNOWN else cause.remedy


def name_of(number: int) -> str:
    """`ENOSPC`, or the bare number where it has no name; "" for 0. Of two names it is the kernel's."""
    if number == errno.EOPNOTSUPP:  # which Python calls ENOTSUP
        return "EOPNOTSUPP"
    return errno.errorcode.get(number, str(number)) if number else ""


def describe(number: int) -> str:
    """`ENOSPC (No space left on device): the device or the CPU is out of MSI-X vectors`."""
    return f"{name_of(number)} ({os.strerror(number)}): {explain(number).cause}"
