"""/proc: where the default routes leave, what runs, what we may do. What holds a device open is in holders/."""

import os
import re

from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.base.reading import read_file
from sriov_bootstrap.base.vanishing import content
from sriov_bootstrap.core.facts import Routes

MAX_BYTES = 256 << 20  # a route table of the whole Internet; what a tree below `render --root` has may be anything
MAX_CONFIG_BYTES = 4 << 20
GZIP = 16  # zlib: with a gzip header
UDEVD_NAMES = ("systemd-udevd", "udevd")
IDLE_STATES = "TtZX"  # proc_pid_stat(5): stopped, traced, dead
# linux/capability.h
CAP_DAC_READ_SEARCH, CAP_SYS_MODULE, CAP_SYS_PTRACE = 2, 16, 19
NOWHERE = {b"*", b"lo"}  # routes that refuse: net/ipv4/fib_trie.c, fib_route_seq_show; net/ipv6/route.c, rt6_info_route


class Procfs:
    """The tree below `root`; tests give another one."""

    def __init__(self, root: str = "/proc") -> None:
        """Reads nothing yet."""
        self._root = root

    def is_root_without(self, *capabilities: int) -> bool:
        """Whether we are root without one of these, as in the sandbox of the service's unit."""
        status = self._text("self/status")
        is_root = re.search(r"^Uid:\s+\d+\s+0\s", status, re.MULTILINE)  # the second one is the effective one
        effective = re.search(r"^CapEff:\s+([0-9a-f]+)$", status, re.MULTILINE)
        if not is_root or not effective:
            return False
        return not all(int(effective[1], 16) >> capability & 1 for capability in capabilities)

    def default_routes(self) -> Routes:
        """Where they leave, IPv4 and IPv6. In bytes: a name may contain what only str.split() takes for a space."""
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
        """Whether a udevd is running, or may be: without one no event ever comes."""
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
        """A process's command line; () if it has ended."""
        return tuple(self._text(f"{pid}/cmdline").rstrip("\0").split("\0")) if pid else ()

    def kernel_command_line(self) -> tuple[str, ...]:
        """The words of the kernel's command line."""
        return tuple(self._text("cmdline").split())

    def kernel_release(self) -> str:
        """As `uname -r` says it."""
        return self._text("sys/kernel/osrelease").strip()

    def cpu_vendor(self) -> str:
        """Such as GenuineIntel; "" if it is not x86."""
        found = re.search(r"^vendor_id\s*:\s*(\S+)", self._text("cpuinfo"), re.MULTILINE)
        return found[1] if found else ""

    def is_guest(self) -> bool:
        """Whether this is a VM, if its hypervisor says so (x86). Xen's first domain has the devices themselves."""
        flags = re.search(r"^flags\s*:(.*)$", self._text("cpuinfo"), re.MULTILINE)
        is_told = "hypervisor" in (flags[1].split() if flags else ())
        return is_told and "control_d" not in self._text("xen/capabilities")

    def kernel_config(self) -> str:
        """Of the running kernel, if it has it in itself (CONFIG_IKCONFIG_PROC); "" if not."""
        packed = self._bytes("config.gz")
        if not packed:
            return ""
        import zlib

        try:
            text = zlib.decompressobj(wbits=zlib.MAX_WBITS | GZIP).decompress(packed, MAX_CONFIG_BYTES)
        except zlib.error:
            return ""
        return text.decode(errors="replace")

    def _text(self, name: str) -> str:
        return self._bytes(name).decode(errors="replace")

    def _bytes(self, name: str) -> bytes:
        return content(f"{self._root}/{name}", MAX_BYTES)

    def _read(self, name: str) -> bytes:
        return read_file(f"{self._root}/{name}", MAX_BYTES)
