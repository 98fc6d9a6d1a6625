"""What a writer does about the MTU of VFs' netdevs, on a tree."""

import errno
import shutil
from collections.abc import Callable

import pytest

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.actions import SetVfMtus
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.machine import vf_mtus
from sriov_bootstrap.machine.host_machine import HostMachine

ACTION = SetVfMtus(PF, {0: 9000, 1: 9000}, 3)


class Kernel:
    """Sets what it is asked for, or refuses it: ifindex -> errno."""

    def __init__(self) -> None:
        self.refuses: dict[int, int] = {}
        self.done: list[tuple[int, int]] = []

    def set_link(self, ifindex: int, *, mtu: int) -> None:
        if number := self.refuses.get(ifindex):
            raise KernelError(f"netdev {ifindex}: cannot set mtu to {mtu}", errno=number)
        self.done.append((ifindex, mtu))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(vf_mtus, "set_link", made.set_link)
    return made


@pytest.fixture
def host(tree: HostTree) -> HostTree:
    """Three VFs with netdevs 10, 11 and 12."""
    tree.add_pf(num_vfs=3)
    for number, mtu in enumerate((1500, 9000, 1500)):
        tree.write(f"sys/class/net/ens1f0v{number}/mtu", f"{mtu}\n")
    return tree


def run(tree: HostTree, action: SetVfMtus = ACTION, guard: Callable[[], str] = str) -> Result:
    return vf_mtus.work(HostMachine(root=str(tree.root)), action, guard)()


def test_only_what_differs_is_set(host: HostTree, kernel: Kernel) -> None:
    assert run(host) == Result(ACTION, Outcome.CHANGED)
    assert kernel.done == [(10, 9000)]
    host.write("sys/class/net/ens1f0v0/mtu", "9000\n")
    assert run(host) == Result(ACTION, Outcome.UNCHANGED)


def test_a_vf_without_a_netdev_is_left_out(host: HostTree, kernel: Kernel) -> None:
    shutil.rmtree(host.device(vf_address(PF, 0)) / "net")
    assert run(host).outcome is Outcome.UNCHANGED
    assert kernel.done == []


def test_other_vfs_than_were_meant_are_not_touched(host: HostTree, kernel: Kernel) -> None:
    assert run(host, SetVfMtus(PF, {0: 9000}, 4)).outcome is Outcome.STALE
    assert run(host, guard=lambda: "VF 0 is in use").outcome is Outcome.STALE
    assert kernel.done == []


def test_each_vf_that_refuses_is_named_and_keeps_no_other_from_its_mtu(host: HostTree, kernel: Kernel) -> None:
    kernel.refuses = {10: errno.EINVAL}
    action = SetVfMtus(PF, {0: 9000, 2: 9000}, 3)
    result = run(host, action)
    assert (result.outcome, kernel.done) == (Outcome.FAILED, [(12, 9000)])
    assert result.message == f"{PF}: VF 0: netdev 10: cannot set mtu to 9000"
    assert result.hint == vf_mtus.HINT


def test_a_netdev_that_is_gone_by_now_is_no_problem(host: HostTree, kernel: Kernel) -> None:
    kernel.refuses = {10: errno.ENODEV}
    host.write("sys/class/net/ens1f0v2/ifindex", "\n")
    assert run(host, SetVfMtus(PF, {0: 9000, 2: 9000}, 3)).outcome is Outcome.CHANGED
    assert kernel.done == []
