"""A look at every process: what it has open, and for which user.

Any user can have a million files open. A user with more than usual is looked at after the others, within a budget; what
is then not looked at counts against the VFs within that user's reach, not against all, which could block any change.
The user is the real uid: su(1) and the like run as root for the user who started them.
"""

import os
import re
from collections.abc import Iterable

from msgspec import Struct

from sriov_bootstrap.base.vanishing import content
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.vf_users import Holder, Holders, Unseen
from sriov_bootstrap.edges.holders.device import NODE, Devices, status_of

# A device that was opened through its group. Which one it is only its fdinfo says, since Linux 6.18; the group's own
# file may be closed, or in another process (drivers/vfio/group.c: the device keeps the group itself). No file has
# this name: the link to a file begins with a slash.
VFIO_DEVICE = "anon_inode:[vfio-device]"
GROUP = re.compile(r"/dev/vfio/(?!devices/)")
VFIO_SYSPATH = re.compile(rb"^vfio-device-syspath:.*/([^/\n]+)$", re.MULTILINE)
REAL_UID = re.compile(rb"^Uid:\s+(\d+)", re.MULTILINE)
QEMU_NAME = re.compile(rb"(?:^|\0)-name\0(?:guest=)?([^,\0]+)")
QEMU = re.compile(r"/(?:qemu-system-[\w-]+|qemu-kvm)(?: \(deleted\))?$")  # deleted: by an upgrade
WRITABLE_BY_OTHERS = 0o022
OPEN_TO_OTHERS = 0o066  # an access control list has its mask where the group's bits are: acl(5)
MAX_BYTES = 1 << 20
CANDIDATE_COST = 8  # files that could be looked at while the kernel is asked about one
NODE_FOLDERS = ("", "/vfio", "/vfio/devices", "/infiniband")  # of /dev


class Limits(Struct, frozen=True):
    """How many files are looked at. A million takes 3 s, more on a busy host; the unit has 30."""

    process: int = 1 << 10  # of one process, before the others get their turn
    first: int = 1 << 17  # of all, before their users are looked up
    uid: int = 1 << 17
    known: int = 1 << 19  # of root, and of each uid that holds a VF, such as QEMU's
    all: int = 1 << 21  # of all uids with more than their share


class ProcessFiles(Struct, frozen=True):
    """One process: what it has open, whether each of its devices is known, what the look cost, if it was complete."""

    devices: set[str]
    is_clear: bool
    cost: int
    is_whole: bool

    @property
    def nodes(self) -> set[str]:
        """What it has open by name."""
        return {device for device in self.devices if device.startswith("/dev/")}


class SearchResult(Struct):
    """What has been found so far, by process."""

    holders: dict[str, tuple[Holder, ProcessFiles]] = {}
    hidden: set[str] = set()
    cost: int = 0


class OpenDevices:
    """The host below `root`; tests give another one."""

    def __init__(self, root: str = "", limits: Limits = Limits()) -> None:  # noqa: B008 - it is frozen
        """Reads nothing yet."""
        self._proc = f"{root}/proc"
        self._device = Devices(root)
        self._limits = limits

    def holders(self) -> Holders:
        """Every process with a VF open. To see other users' files: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH."""
        found = SearchResult()
        rest = [pid for pid in filter(str.isdigit, os.listdir(self._proc)) if not self._has_looked(pid, found)]
        unseen = self._inspect_by_uid(rest, found) if rest else ()
        by_device: dict[str, tuple[Holder, ...]] = {}
        for holder, seen in found.holders.values():
            by_device |= {device: (*by_device.get(device, ()), holder) for device in seen.devices}
        unattributed = tuple(holder for holder, seen in found.holders.values() if not seen.is_clear)
        hidden = quantity(len(found.hidden), "process", "processes")
        problem = f"{hidden} could not be looked at: run as root" if found.hidden else ""
        return Holders(by_device, unattributed, problem, unseen)

    def _has_looked(self, pid: str, found: SearchResult) -> bool:
        return found.cost < self._limits.first and self._inspect(pid, found, self._limits.process)

    def _inspect_by_uid(self, pids: Iterable[str], found: SearchResult) -> tuple[Unseen, ...]:
        """Root and VF holders first, then the users with the fewest processes."""
        by_uid: dict[int, list[str]] = {}
        for pid in pids:
            by_uid.setdefault(self._uid(pid), []).append(pid)
        known = {0, *map(self._uid, found.holders)}
        end = found.cost + self._limits.all
        unseen = []
        for uid in sorted(by_uid, key=lambda uid: (uid not in known, len(by_uid[uid]))):
            is_cut = end - found.cost < self._limits.known
            if not self._inspect_processes(by_uid[uid], found, end, is_known=uid in known):
                unseen.append(Unseen(uid, is_any=True) if is_cut else self._unseen_of(uid, found))
        return tuple(unseen)

    def _inspect_processes(self, pids: list[str], found: SearchResult, end: int, *, is_known: bool) -> bool:
        """A uid's processes, a part of each first: a VM opens its VFs among its first files."""
        began = found.cost
        for limit in (self._limits.process, self._limits.all):
            rest = []
            for pid in pids:
                budget = self._limits.known if is_known else self._limits.uid
                left = min(end, began + budget) - found.cost
                if left <= 0 or not self._inspect(pid, found, min(left, limit)):
                    rest.append(pid)
                is_known = is_known or pid in found.holders
            pids = rest
        return not pids

    def _inspect(self, pid: str, found: SearchResult, limit: int) -> bool:
        """Whether that was all of it; then its earlier findings no longer count."""
        _, before = found.holders.pop(pid, (None, None))
        try:
            seen = self._read_process(pid, limit)
        except PermissionError:
            found.hidden.add(pid)
            return True
        except OSError:  # it ended while we looked
            return True
        found.cost += seen.cost
        if before and not seen.is_whole:
            seen = ProcessFiles(
                seen.devices | before.devices, seen.is_clear and before.is_clear, seen.cost, is_whole=False
            )
        if seen.devices or not seen.is_clear:
            found.holders[pid] = self._holder(pid), seen
        return seen.is_whole

    def _read_process(self, pid: str, limit: int) -> ProcessFiles:
        """One that also has a group open, as QEMU does, is taken to have its devices through that.

        A node of a device of its own says nothing about the others: those without a name did not come through it.
        """
        devices, has_nameless, asked, number = set[str](), False, 0, 0
        folder = os.open(f"{self._proc}/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)  # relative lookups cost less
        try:
            with os.scandir(folder) as entries:  # lazy: to list a million takes a second
                for number, entry in enumerate(entries, 1):  # the final count is the cost
                    if number + asked > limit:
                        break
                    try:
                        target = os.readlink(name := entry.name, dir_fd=folder)
                    except FileNotFoundError:
                        continue
                    if "/" not in target:  # most: sockets, pipes, timers
                        if target == VFIO_DEVICE:
                            asked += CANDIDATE_COST
                            address = VFIO_SYSPATH.search(self._bytes(f"{pid}/fdinfo/{name}"))
                            devices |= {address[1].decode(errors="replace")} if address else set()
                            has_nameless = has_nameless or not address
                    elif (node := NODE.search(target)) and f"/dev/{node[1]}" not in devices:
                        asked += CANDIDATE_COST
                        devices.add(self._device.node_of(pid, name, f"/dev/{node[1]}"))
        finally:
            os.close(folder)
        devices.discard("")
        is_clear = not has_nameless or any(GROUP.match(device) for device in devices)
        return ProcessFiles(devices, is_clear, number + asked, is_whole=number + asked <= limit)

    def _unseen_of(self, uid: int, found: SearchResult) -> Unseen:
        """What it can have open beyond what was seen: nodes that it may open, or any once it was handed one.

        libvirt gives QEMU a /dev of its own, or the open file. That a uid was handed a VF cannot be
        faked: it has one open that it may not open itself.
        """
        nodes = self._nodes()
        if uid == 0 or nodes is None:
            return Unseen(uid, is_any=True)
        own = {node for node, status in nodes.items() if status.st_uid == uid or status.st_mode & OPEN_TO_OTHERS}
        looks = [seen for pid, (_, seen) in found.holders.items() if self._uid(pid) == uid]
        was_handed = any(not seen.is_clear or not seen.nodes or seen.nodes - own for seen in looks)
        return Unseen(uid, tuple(sorted(own)), is_any=was_handed)

    def _nodes(self) -> dict[str, os.stat_result] | None:
        """The nodes of the host, None if they cannot be listed. As PID 1 has them: our unit has a /dev of its own."""
        dev, found = f"{self._proc}/1/root/dev", {}
        try:
            there = [folder for folder in NODE_FOLDERS if not folder or os.path.isdir(dev + folder)]
            for name in (f"{folder}/{name}" for folder in there for name in os.listdir(dev + folder)):
                if NODE.search(name):
                    found[f"/dev{name}"] = os.lstat(dev + name)
        except OSError:
            return None
        return found

    def _holder(self, pid: str) -> Holder:
        name = self._bytes(f"{pid}/comm").decode(errors="replace").strip() or "a process"
        domain = QEMU_NAME.search(self._bytes(f"{pid}/cmdline")) if self._is_qemu(pid) else None
        return Holder(int(pid), name, domain[1].decode(errors="replace") if domain else "")

    def _is_qemu(self, pid: str) -> bool:
        """Whether it runs QEMU's own executable: a process can set its command line to anything."""
        try:
            link, status = os.readlink(f"{self._proc}/{pid}/exe"), status_of(f"{self._proc}/{pid}/exe")
        except OSError:
            return False
        return bool(QEMU.search(link)) and status.uid == 0 and not status.mode & WRITABLE_BY_OTHERS

    def _uid(self, pid: str) -> int:
        """Its real uid; root's if it cannot be read."""
        found = REAL_UID.search(self._bytes(f"{pid}/status"))
        return int(found[1]) if found else 0

    def _bytes(self, name: str) -> bytes:
        return content(f"{self._proc}/{name}", MAX_BYTES)
