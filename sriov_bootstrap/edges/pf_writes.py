"""What is written to a PF in /sys: the number of its VFs, whether they get a driver by themselves, its netdev up.

The only place that reads sriov_numvfs, right before it writes: that read waits for the PF's device lock, as the write
will (drivers/pci/iov.c).
"""

import os
from collections.abc import Callable, Iterable

from sriov_bootstrap.base.errors import InUseError
from sriov_bootstrap.base.kernel_writes import errno_kept, write_attribute
from sriov_bootstrap.base.printable import raw_of
from sriov_bootstrap.core.actions import SetAutoprobe, SetLinkUp, SetNumVfs
from sriov_bootstrap.core.facts import IFF_UP
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.verdicts import vfs_stay


class PfWrites:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/sys") -> None:
        """Writes nothing yet."""
        self._devices = f"{root}/bus/pci/devices"

    def write_num_vfs(self, action: SetNumVfs, guard: Callable[[], str]) -> Outcome:
        """May block for ever: run it where it can be left behind. Raises KernelError with the errno, or InUseError."""
        path = f"{self._devices}/{action.pci_address}/sriov_numvfs"
        with errno_kept():
            now = _number(_read_or_raise(path))  # waits for a probe or another write of this PF to end
        if now == action.after:
            return Outcome.UNCHANGED
        if now != action.before:
            return Outcome.STALE
        if action.before and not action.allow_in_use and (users := guard()):
            message = f"{action.pci_address}: {vfs_stay(action.before, action.after)}: {users}"
            raise InUseError(message, hint="this is applied automatically once they are released")
        with errno_kept():
            write_attribute(path, str(action.after))
        return Outcome.CHANGED

    def write_autoprobe(self, action: SetAutoprobe) -> None:
        """Raises KernelError."""
        with errno_kept():
            write_attribute(f"{self._devices}/{action.pci_address}/sriov_drivers_autoprobe", f"{action.enabled:d}")

    def set_link_up(self, action: SetLinkUp, children_of: Callable[[str], Iterable[str]]) -> None:
        """By the PF's own folder, so that a netdev renamed since it was read is not found instead of another one.

        `children_of`: as of Sysfs.
        """
        folder, netdev = f"{self._devices}/{action.pci_address}", os.fsdecode(raw_of(action.netdev))
        if not os.path.exists(f"{folder}/net"):
            places = (f"{folder}/{child}" for child in children_of(action.pci_address))
            folder = next((place for place in places if os.path.exists(f"{place}/net/{netdev}")), folder)
        path = f"{folder}/net/{netdev}/flags"
        with errno_kept():
            write_attribute(path, hex(int(_read_or_raise(path), 16) | IFF_UP))


def _read_or_raise(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096).decode(errors="replace").strip()
    finally:
        os.close(descriptor)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1
