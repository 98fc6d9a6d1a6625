"""What a kernel does when a number is written to sriov_numvfs of a HostTree: VFs come, in a process of its own."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from fakes_host import HostTree

LOOK_SECONDS = 0.01  # a file of a tree wakes nobody


@contextlib.contextmanager
def kernel_of(tree: HostTree, pf: str) -> Iterator[None]:
    """As long as the block lasts; only from no VFs to some, which is what a first apply needs."""
    pid = os.fork()
    if pid == 0:
        try:
            _serve(tree, pf)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(tree: HostTree, pf: str) -> None:
    folder, parent = tree.device(pf), os.getppid()
    while not (wanted := int((folder / "sriov_numvfs").read_text() or 0)):
        if os.getppid() != parent:  # a test run that was ended
            return
        time.sleep(LOOK_SECONDS)
    for index in range(wanted):
        tree.add_vf(pf, index)
