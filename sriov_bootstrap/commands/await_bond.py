"""helper bond: what sriov-bootstrap-bond.service runs, so that nova-compute starts when VFs of a bond are bound."""

import time
from collections.abc import Callable

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import write_stderr
from sriov_bootstrap.edges.files import Files

MOST_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.2


def await_bond(
    root: str = "", *, clock: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep
) -> int:
    """Waits until no VF waits for a bond, for a bounded time, and ends well in any case: nova-compute has to start."""
    files, deadline = Files(root), clock() + MOST_SECONDS
    while files.is_bond_awaited:
        if clock() >= deadline:
            write_stderr("sriov-bootstrap: the bond of PFs is not offloaded yet: sriov-bootstrap status\n")
            break
        pause(LOOK_AGAIN_SECONDS)
    return ExitCode.OK
