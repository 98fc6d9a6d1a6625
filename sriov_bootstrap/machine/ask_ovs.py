"""`ovs-vsctl`: whether Open vSwitch offloads flows, and which ports it has lost. Only asked, never set."""

import re

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.printable import one_line
from sriov_bootstrap.edges import child

SECONDS = 10.0
ASK = ["ovs-vsctl", "--timeout=5"]
OPTIONS = [*ASK, "get", "Open_vSwitch", ".", "other_config"]
ERRORS = [*ASK, "--format=csv", "--no-headings", "--columns=error", "list", "Interface"]
HW_OFFLOAD = re.compile(rb'"?hw-offload"?="?([a-zA-Z0-9]{1,8})"?')
LOST = re.compile(rb"could not open network device (\S{1,15}) \(No such device\)")  # lib/netdev-linux.c, IFNAMSIZ


def read_hw_offload(command: list[str] = OPTIONS) -> str | None:
    """The value of other_config:hw-offload in lower case, "" if it is not set; None if there is nobody to ask."""
    said = _answer(command)
    if said is None:
        return None
    found = HW_OFFLOAD.search(said)
    return found[1].decode().lower() if found else ""


def read_lost_ports(command: list[str] = ERRORS) -> tuple[str, ...]:
    """Netdevs that ports name and that are not on this host; () also if there is nobody to ask."""
    return tuple(sorted({one_line(name) for name in LOST.findall(_answer(command) or b"")}))


def _answer(command: list[str]) -> bytes | None:
    """None if there is none."""
    try:
        done = child.run(command, timeout_seconds=SECONDS)
    except SriovBootstrapError:
        return None
    return None if done.returncode else done.stdout
