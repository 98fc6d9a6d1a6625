"""The netdevs of this host, without waiting for ever for the lock that the kernel lists them under.

A driver may hold that lock (rtnl) for good, during a write of ours (igb, bnxt_en) or of anybody else, and no signal
ends the wait.
"""

from collections.abc import Callable

import msgspec

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.netlink import READ_SECONDS
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core.facts import Links
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.rtnetlink import read_links

WHAT = "the kernel's list of netdevs"


def read_in_child(read: Callable[[], Links] = read_links, *, timeout_seconds: float = READ_SECONDS) -> Links:
    """In a process of its own, which is given up after `timeout_seconds`."""
    try:
        line = child.call(lambda send: send(to_json(read())), what=WHAT, timeout_seconds=timeout_seconds)
        return msgspec.json.decode(line, type=Links)
    except SriovBootstrapError as error:
        return Links(problem=error.message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Links(problem=f"{WHAT}: the process that reads it ended without an answer")
