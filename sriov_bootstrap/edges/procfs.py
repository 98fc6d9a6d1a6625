"""/proc: the only module that reads it. Who holds a vfio node open, where the default routes leave, what runs.

Closing a file sends no event, so this is looked up anew in each pass that may need it.
"""

import os
import re

from sriov_bootstrap.core.facts import Holder, Holders

# Where libvirt gives QEMU a /dev of its own, the link still ends like this; a node that was removed can still be open.
VFIO_NODE = r"/vfio/((?:devices/vfio|noiommu-)?\d+)(?: \(deleted\))?$"
UDEVD_NAMES = ("systemd-udevd", "udevd")
IDLE_STATES = "TtZX"  # proc_pid_stat(5): stopped, traced, dead
# linux/capability.h
CAP_DAC_READ_SEARCH, CAP_SYS_MODULE, CAP_SYS_PTRACE = 2, 16, 19
QEMU_NAME = rb"(?:^|\0)-name\0(?:guest=)?([^,\0]+)"


class Procfs:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/proc") -> None:
        """Reads nothing yet."""
        self._root = root

    def holders(self) -> Holders:
        """Every process with a vfio node open. To see other users' files: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH."""
        found: dict[str, Holder] = {}
        unseen = 0
        for pid in filter(str.isdigit, os.listdir(self._root)):
            try:
                nodes = self._vfio_nodes(pid)
            except PermissionError:
                unseen += 1
                continue
            except OSError:  # it ended while we looked
                continue
            if nodes:
                holder = self._holder(pid)
                found |= dict.fromkeys(nodes, holder)
        return Holders(found, f"{unseen} processes could not be looked at: run as root" if unseen else "")

    def is_root_without(self, *capabilities: int) -> bool:
        """Whether we are root and one of these was taken away, as in the sandbox of the service's unit."""
        status = self._text("self/status")
        is_root = re.search(r"^Uid:\s+\d+\s+0\s", status, re.MULTILINE)  # the second one is the effective one
        effective = re.search(r"^CapEff:\s+([0-9a-f]+)$", status, re.MULTILINE)
        if not is_root or not effective:
            return False
        return not all(int(effective[1], 16) >> one & 1 for one in capabilities)

    def default_route_netdevs(self) -> frozenset[str]:
        """Netdevs of the default routes, IPv4 and IPv6."""
        ipv4 = [line.split() for line in self._text("net/route").splitlines()]
        ipv6 = [line.split() for line in self._text("net/ipv6_route").splitlines()]
        return frozenset(
            [row[0] for row in ipv4 if row[1:2] == ["00000000"] and row[7:8] == ["00000000"]]  # destination, mask
            + [row[-1] for row in ipv6 if row[:2] == ["0" * 32, "00"] and row[-1] != "lo"]  # destination, prefix length
        )

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

    def kernel_command_line(self) -> tuple[str, ...]:
        """The words of the kernel's command line."""
        return tuple(self._text("cmdline").split())

    def _vfio_nodes(self, pid: str) -> list[str]:
        folder = f"{self._root}/{pid}/fd"
        nodes = []
        for name in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            if node := re.search(VFIO_NODE, target):
                nodes.append(f"/dev/vfio/{node[1]}")
        return nodes

    def _holder(self, pid: str) -> Holder:
        domain = re.search(QEMU_NAME, self._bytes(f"{pid}/cmdline"))
        name = self._text(f"{pid}/comm").strip() or "a process"
        return Holder(int(pid), name, domain[1].decode(errors="replace") if domain else "")

    def _text(self, name: str) -> str:
        return self._bytes(name).decode(errors="replace")

    def _bytes(self, name: str) -> bytes:
        try:
            with open(f"{self._root}/{name}", "rb") as file:
                return file.read()
        except OSError:
            return b""
