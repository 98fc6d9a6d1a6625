"""`ovs-vsctl`: whether Open vSwitch offloads flows. Only asked, never set."""

import re

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.edges import child

SECONDS = 10.0
COMMAND = ["ovs-vsctl", "--timeout=5", "get", "Open_vSwitch", ".", "other_config"]
HW_OFFLOAD = re.compile(rb'"?hw-offload"?="?([a-zA-Z0-9]{1,8})"?')


def read_hw_offload(command: list[str] = COMMAND) -> str | None:
    """The value of other_config:hw-offload in lower case, "" if it is not set; None if there is nobody to ask."""
    try:
        done = child.run(command, timeout_seconds=SECONDS)
    except SriovBootstrapError:
        return None
    if done.returncode:
        return None
    found = HW_OFFLOAD.search(done.stdout)
    return found[1].decode().lower() if found else ""
