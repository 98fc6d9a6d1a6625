"""/proc: the only module that reads it. Who holds a device open, where the default routes leave, what runs.

Closing a file sends no event, so this is looked up anew in each pass that may need it. A host may have hundreds of VMs
with hundreds of files each, so a file costs one readlink.
"""

import os
import re

from sriov_bootstrap.core.counted import counted
from sriov_bootstrap.core.facts import Routes
from sriov_bootstrap.core.users import Holder, Holders
from sriov_bootstrap.printable import text_of
from sriov_bootstrap.reading import read_file

# Where libvirt gives QEMU a /dev of its own, the link still ends like this; a node that was removed can still be open.
NODE = re.compile(r"/(vfio/(?:devices/vfio|noiommu-)?\d+|infiniband/uverbs\d+|vhost-vdpa-\d+)(?: \(deleted\))?$")
# A device that was opened through its group. Which one it is only its fdinfo says, since Linux 6.18; the group's own
# file may be closed, or in another process (drivers/vfio/group.c: the device keeps the group by itself).
VFIO_DEVICE = "anon_inode:[vfio-device]"
VFIO_SYSPATH = re.compile(rb"^vfio-device-syspath:.*/([^/\n]+)$", re.MULTILINE)
MAX_BYTES = 256 << 20  # a route table of the whole Internet; what a tree below `render --root` has may be anything
UDEVD_NAMES = ("systemd-udevd", "udevd")
IDLE_STATES = "TtZX"  # proc_pid_stat(5): stopped, traced, dead
# linux/capability.h
CAP_DAC_READ_SEARCH, CAP_SYS_MODULE, CAP_SYS_PTRACE = 2, 16, 19
NOWHERE = {b"*", b"lo"}  # routes that refuse: net/ipv4/fib_trie.c, fib_route_seq_show; net/ipv6/route.c, rt6_info_route
QEMU_NAME = rb"(?:^|\0)-name\0(?:guest=)?([^,\0]+)"


class Procfs:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/proc") -> None:
        """Reads nothing yet."""
        self._root = root

    def holders(self) -> Holders:
        """Every process with a VF open. To see other users' files: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH."""
        found: dict[str, tuple[Holder, ...]] = {}
        unattributed: list[Holder] = []
        unseen = 0
        for pid in filter(str.isdigit, os.listdir(self._root)):
            try:
                devices, is_clear = self._devices(pid)
            except PermissionError:
                unseen += 1
                continue
            except OSError:  # it ended while we looked
                continue
            if devices or not is_clear:
                holder = self._holder(pid)
                found |= {device: (*found.get(device, ()), holder) for device in devices}
                unattributed += [] if is_clear else [holder]
        problem = f"{counted(unseen, 'process', 'processes')} could not be looked at: run as root" if unseen else ""
        return Holders(found, tuple(unattributed), problem)

    def is_root_without(self, *capabilities: int) -> bool:
        """Whether we are root and one of these was taken away, as in the sandbox of the service's unit."""
        status = self._text("self/status")
        is_root = re.search(r"^Uid:\s+\d+\s+0\s", status, re.MULTILINE)  # the second one is the effective one
        effective = re.search(r"^CapEff:\s+([0-9a-f]+)$", status, re.MULTILINE)
        if not is_root or not effective:
            return False
        return not all(int(effective[1], 16) >> one & 1 for one in capabilities)

    def default_routes(self) -> Routes:
        """Where they leave, IPv4 and IPv6. In bytes: a name may have in it what only str.split() takes for a space."""
        try:
            ipv4 = [line.split() for line in self._read("net/route").splitlines()]
        except OSError as error:
            return Routes(problem=f"{self._root}/net/route: {error.strerror}")
        try:
            ipv6 = [line.split() for line in self._read("net/ipv6_route").splitlines()]
        except FileNotFoundError:  # a kernel without IPv6
            ipv6 = []
        except OSError as error:
            return Routes(problem=f"{self._root}/net/ipv6_route: {error.strerror}")
        names = (
            [row[0] for row in ipv4 if row[1:2] == [b"00000000"] and row[7:8] == [b"00000000"]]  # destination, mask
            + [row[9] for row in ipv6 if row[:2] == [b"0" * 32, b"00"] and row[9:]]  # destination, prefix length
        )
        return Routes(frozenset(text_of(name) for name in names if name not in NOWHERE))

    def has_udevd(self) -> bool:
        """Whether a udevd is at work, or cannot be ruled out: without one no event ever comes."""
        pids = [name for name in os.listdir(self._root) if name.isdigit()]
        states = [
            self._text(f"{pid}/stat").rpartition(")")[2].strip()[:1]
            for pid in pids
            if self._text(f"{pid}/comm").strip() in UDEVD_NAMES
        ]
        return "1" not in pids or any(state not in IDLE_STATES for state in states)  # no 1: others' are hidden

    def boot_id(self) -> str:
        """Different after each boot; see random(4)."""
        return self._text("sys/kernel/random/boot_id").strip()

    def command_line(self, pid: int) -> tuple[str, ...]:
        """The words that a process was started with; () if it has ended."""
        return tuple(self._text(f"{pid}/cmdline").rstrip("\0").split("\0")) if pid else ()

    def kernel_command_line(self) -> tuple[str, ...]:
        """The words of the kernel's command line."""
        return tuple(self._text("cmdline").split())

    def kernel_release(self) -> str:
        """As `uname -r` says it."""
        return self._text("sys/kernel/osrelease").strip()

    def cpu_vendor(self) -> str:
        """Such as GenuineIntel; "" on what is no x86."""
        found = re.search(r"^vendor_id\s*:\s*(\S+)", self._text("cpuinfo"), re.MULTILINE)
        return found[1] if found else ""

    def is_guest(self) -> bool:
        """Whether this is a VM, as far as its hypervisor says so (x86)."""
        flags = re.search(r"^flags\s*:(.*)$", self._text("cpuinfo"), re.MULTILINE)
        return "hypervisor" in (flags[1].split() if flags else ())

    def _devices(self, pid: str) -> tuple[set[str], bool]:
        """What this process has open, and False if it has a vfio device without a word of which one it is.

        One that has a group open as well, as QEMU has, is taken to have its devices through that.
        """
        folder = f"{self._root}/{pid}/fd"
        devices: set[str] = set()
        has_nameless = False
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            if node := NODE.search(target):
                devices.add(f"/dev/{node[1]}")
            elif target == VFIO_DEVICE:
                address = VFIO_SYSPATH.search(self._bytes(f"{pid}/fdinfo/{name}"))
                devices |= {address[1].decode(errors="replace")} if address else set()
                has_nameless = has_nameless or not address
        return devices, not has_nameless or any(device.startswith("/dev/vfio/") for device in devices)

    def _holder(self, pid: str) -> Holder:
        domain = re.search(QEMU_NAME, self._bytes(f"{pid}/cmdline"))
        name = self._text(f"{pid}/comm").strip() or "a process"
        return Holder(int(pid), name, domain[1].decode(errors="replace") if domain else "")

    def _text(self, name: str) -> str:
        return self._bytes(name).decode(errors="replace")

    def _bytes(self, name: str) -> bytes:
        try:
            return self._read(name)
        except OSError:
            return b""

    def _read(self, name: str) -> bytes:
        return read_file(f"{self._root}/{name}", MAX_BYTES)
