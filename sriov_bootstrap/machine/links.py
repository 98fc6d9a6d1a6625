"""The netdevs of this host, without waiting for ever for the lock that the kernel lists them under.

A driver may hold that lock (rtnl) for good, during a write of ours (igb, bnxt_en) or of anybody else, and no signal
ends the wait. Several such reads of one pass take longer than a job of the daemon may be silent: so each says that it
waits.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.netlink import READ_SECONDS
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.facts import Eswitches, Links
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.rtnetlink import read_links

if TYPE_CHECKING:
    from sriov_bootstrap.core.vf_attributes import PfLinks

WHAT = "the kernel's list of netdevs"
Told = TypeVar("Told", Links, Eswitches, "PfLinks")


def read_in_child(
    read: Callable[[], Links] = read_links, *, say: Callable[[str], None], timeout_seconds: float = READ_SECONDS
) -> Links:
    """In a process of its own, which is given up after `timeout_seconds`. `say` gets progress every two seconds."""
    return answer_of_child(read, Links, what=WHAT, say=say, timeout_seconds=timeout_seconds)


def answer_of_child(
    read: Callable[[], Told], kind: type[Told], *, what: str, say: Callable[[str], None], timeout_seconds: float
) -> Told:
    """What `read` returns in a process of its own; a `kind` with a problem if that gives no answer."""
    try:
        line = child.call(
            lambda send: send(to_json(read())),
            what=what,
            timeout_seconds=timeout_seconds,
            waiting=child.progress(say, what),
        )
        return msgspec.json.decode(line, type=kind)
    except SriovBootstrapError as error:
        return kind(problem=error.message)
    except UNDECODABLE:
        return kind(problem=f"{what}: the process that reads it ended without an answer")
