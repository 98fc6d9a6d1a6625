"""What a kernel does when a number is written to sriov_numvfs of a HostTree: VFs come before the write returns."""

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

from fakes_host import HostTree
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.edges.pf_writes import PfWrites


@contextlib.contextmanager
def kernel_of(tree: HostTree, pf: str) -> Iterator[None]:
    """As long as the block lasts; only from no VFs to some, which is what a first apply needs."""
    write_num_vfs = PfWrites.write_num_vfs

    def write(self: PfWrites, action: SetNumVfs, guard: Callable[[], str]) -> Outcome:
        outcome = write_num_vfs(self, action, guard)
        if action.pci_address == pf and outcome is Outcome.CHANGED and not action.before:
            for index in range(action.after):
                tree.add_vf(pf, index)
        return outcome

    with mock.patch.object(PfWrites, "write_num_vfs", write):
        yield
