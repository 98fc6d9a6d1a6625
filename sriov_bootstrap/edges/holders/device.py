"""Whether an open file of some process is a VF's device node, and which.

Nothing is opened, and no file system is asked: a FUSE server, any user's process, might never answer. statx(2) with
AT_STATX_DONT_SYNC takes what the kernel has in memory, where every open device is: there is nothing to wait for.
"""

import errno
import os
import re
import stat
import struct
from functools import cache, cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from sriov_bootstrap.base.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Callable

# Where libvirt gives QEMU a /dev of its own, the link still ends like this; a node that was removed can still be open.
NODE = re.compile(
    r"/(vfio/(?:devices/(?:noiommu-)?vfio|noiommu-)?\d+|infiniband/uverbs\d+|vhost-vdpa-\d+)(?: \(deleted\))?$"
)
# Where /sys/dev/char/MAJOR:MINOR leads, and the node of it: drivers/vfio/group.c, drivers/vfio/device_cdev.c,
# drivers/infiniband/core/uverbs_main.c, drivers/vhost/vdpa.c. Each has the same name in /proc/devices.
DEVICE = re.compile(
    r"/(?:(vfio/(?:noiommu-)?\d+)|vfio-dev/((?:noiommu-)?vfio\d+)|infiniband_verbs/(uverbs\d+)|(vhost-vdpa-\d+))$"
)
FOLDERS = ("", "/dev/", "/dev/vfio/devices/", "/dev/infiniband/", "/dev/")  # by the group in DEVICE
DRIVERS = re.compile(r"^ *(\d+) (?:vfio|vfio-dev|infiniband_verbs|vhost-vdpa)$", re.MULTILINE)
OPENED = re.compile(rb"^flags:\s*([0-7]+)$(?:\s*^mnt_id:\s*(\d+)$)?(?:\s*^ino:\s*(\d+)$)?", re.MULTILINE)
MAX_BYTES = 1 << 16
SAMPLES = 16  # a descriptor being swapped while we look passes for two at once in half of them
CANNOT_BE_ASKED = {errno.ENOSYS, errno.EPERM}  # EPERM: of a sandbox around us; no file system says that to a look
# include/uapi/linux/fcntl.h, stat.h
AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_DONT_SYNC = -100, 0x800, 0x4000
STATX_MODE_UID_INO_MOUNT = 0x3 | 0x8 | 0x100 | 0x1000
STATX = struct.Struct("=20xI4xH2xQ88xII8xQ")
STATX_BYTES = 256


class Status(Struct, frozen=True):
    """What the kernel knows about a file."""

    uid: int
    mode: int
    inode: int
    major: int
    minor: int
    mount: int


def status_of(path: str) -> Status:
    """Follows the link without blocking. OSError, with ENOSYS if the C library cannot do it."""
    buffer = bytearray(STATX_BYTES)
    _statx()(os.fsencode(path), buffer)
    return Status(*STATX.unpack_from(buffer))


@cache
def _statx() -> "Callable[[bytes, bytearray], None]":
    """os.statx() comes with Python 3.15."""
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).statx
    except (
        ImportError,
        MemoryError,
        AttributeError,
    ) as error:  # MemoryError: an old libffi under MemoryDenyWriteExecute=
        raise OSError(errno.ENOSYS, str(error)) from error

    def statx(path: bytes, buffer: bytearray) -> None:
        room = (ctypes.c_char * STATX_BYTES).from_buffer(buffer)
        if call(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MODE_UID_INO_MOUNT, room):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return statx


class Devices:
    """The host below `root`; tests give another one."""

    def __init__(self, root: str, look: "Callable[[str], Status]" = status_of) -> None:
        """Reads nothing yet."""
        self._look = look
        self._proc = f"{root}/proc"
        self._numbers = f"{root}/sys/dev/char"

    def node_of(self, pid: str, number: str, node: str) -> str:
        """The node that this descriptor has open, "" if none; `node` is what its link looks like.

        What cannot be told of a character device counts as what it looks like.

        O_PATH takes no right to open a node, and the link and statx look the same: only fdinfo shows it. The two could
        be of different files, one after the other, unless place and inode are the same. If they cannot be compared
        (before Linux 5.14) or differ (overlayfs), only a process lucky many times over passes for a holder.
        """
        samples = 0
        while True:
            samples += 1
            try:
                opened = OPENED.search(read_file(f"{self._proc}/{pid}/fdinfo/{number}", MAX_BYTES))
                if not opened or int(opened[1], 8) & os.O_PATH:
                    return ""
                status = self._look(f"{self._proc}/{pid}/fd/{number}")
            except OSError as error:  # it was closed, or its file system refuses us: then it is not a device
                return node if error.errno in CANNOT_BE_ASKED else ""
            if not stat.S_ISCHR(status.mode):
                return ""
            is_one_file = bool(opened[3]) and (int(opened[2]), int(opened[3])) == (status.mount, status.inode)
            if is_one_file or samples == SAMPLES:
                return self._node_name(status, node)

    def _node_name(self, status: Status, node: str) -> str:
        try:
            link = os.readlink(f"{self._numbers}/{status.major}:{status.minor}")
        except OSError:  # the device was removed while it was open; or a terminal, which is not in /sys either
            return node if self._majors is None or status.major in self._majors else ""
        found = DEVICE.search(link)
        return FOLDERS[found.lastindex] + found[found.lastindex] if found and found.lastindex else ""

    @cached_property
    def _majors(self) -> frozenset[int] | None:
        """The major numbers of the drivers that create such nodes; None if they are not known."""
        try:
            text = read_file(f"{self._proc}/devices", MAX_BYTES).decode(errors="replace")
        except OSError:
            return None
        return frozenset(int(number) for number in DRIVERS.findall(text.partition("Block devices:")[0]))
