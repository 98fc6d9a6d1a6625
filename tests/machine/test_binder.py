"""VFs get their driver in a process of its own, on a tree: a probe that hangs is a FIFO that nobody reads."""

import os
import signal
import time
from pathlib import Path

import pytest

from builders import PF, PF3, vf_address
from fakes_host import HostTree
from sriov_bootstrap.core.actions import Action, BindVfs
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.machine.host_machine import HostMachine

VF = vf_address(PF, 0)
UNBIND = BindVfs(PF, "none")
ENOUGH = 30.0


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    tree.add_pf(num_vfs=1)
    (tree.device(VF) / "driver").unlink()
    return tree


def machine_on(tree: HostTree, *, limit_seconds: float = ENOUGH) -> HostMachine:
    return HostMachine(root=str(tree.root), deadline_seconds=lambda _: limit_seconds)


def nobody() -> str:
    return ""


def binding_of(machine: HostMachine) -> Jam:
    """What is under way, once its process has said who it is."""
    deadline = time.monotonic() + ENOUGH
    while not (jam := machine.read_bindings().get(PF)) or not jam.pid:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return jam


class Hanging:
    """A VF whose driver_override does not answer."""

    def __init__(self, tree: HostTree) -> None:
        self.path = tree.device(VF) / "driver_override"
        os.mkfifo(self.path)

    def answer(self, pid: int) -> None:
        process = os.pidfd_open(pid)
        os.close(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))
        os.waitid(os.P_PIDFD, process, os.WEXITED)
        os.close(process)


def test_its_result_comes_back_and_its_lock_is_gone(tree: HostTree) -> None:
    machine = machine_on(tree)
    assert machine.act(UNBIND, guard=nobody) == Result(UNBIND, Outcome.CHANGED)
    assert machine.has_written
    assert list((tree.root / "run/sriov-bootstrap/state").iterdir()) == []


def test_its_own_work_excuses_no_vf_that_looks_used(tree: HostTree) -> None:
    """While VFs are probed, a driver without a netdev is no use; until then it may be one in another namespace."""
    machine = machine_on(tree)
    action = BindVfs(PF, "none", (VF,))
    result = machine.act(action, guard=lambda: "a container" if PF not in machine.read_bindings() else "")
    assert result.outcome is Outcome.STALE


def test_what_it_does_is_waited_for_later(tree: HostTree) -> None:
    hanging = Hanging(tree)
    machine = machine_on(tree)
    end = machine.begin(BindVfs(PF, "vfio-pci"), guard=nobody)
    jam = binding_of(machine)
    assert (jam.action, jam.is_overdue, machine.read_jam()) == ("bind its VFs to vfio-pci", False, None)
    reader = os.open(hanging.path, os.O_RDONLY | os.O_NONBLOCK)
    result = end()
    os.close(reader)
    assert result.outcome is Outcome.FAILED  # the tree binds nothing
    assert machine.read_bindings() == {}


def test_a_probe_that_hangs_is_left_behind_and_is_in_nobody_elses_way(tree: HostTree) -> None:
    tree.add_pf(PF3, netdev="ens3f0")
    hanging = Hanging(tree)
    hasty = machine_on(tree, limit_seconds=0.05)
    action = BindVfs(PF, "vfio-pci")
    result = hasty.act(action, guard=nobody)
    assert (result.outcome, result.message) == (
        Outcome.STUCK,
        f"{PF}: bind its VFs to vfio-pci: no answer after 0.05 s",
    )
    jam = binding_of(hasty)
    again = hasty.act(action, guard=nobody)
    assert (again.outcome, again.message) == (Outcome.STUCK, str(hasty.read_bindings()[PF]))
    other = machine_on(tree)
    assert other.act(BindVfs(PF3, "none"), guard=nobody).outcome is Outcome.CHANGED  # it has no VFs
    with other.pass_lock():  # an overdue one is not waited for
        pass
    hanging.answer(jam.pid)
    assert hasty.read_bindings() == {}


def test_it_has_as_long_as_all_its_vfs_may_take(tree: HostTree) -> None:
    seen: list[BindVfs] = []

    def limit(action: Action) -> float:
        assert isinstance(action, BindVfs)
        seen.append(action)
        return ENOUGH

    HostMachine(root=str(tree.root), deadline_seconds=limit).act(UNBIND, guard=nobody)
    assert seen == [BindVfs(PF, "none", (VF,))]


def test_a_process_that_dies_has_refused_no_vf(tree: HostTree) -> None:
    def die() -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    result = machine_on(tree).act(BindVfs(PF, "none", (VF,)), guard=die)
    assert (result.outcome, result.is_transient) == (Outcome.FAILED, True)


def test_a_driver_that_the_kernel_knows(tree: HostTree) -> None:
    machine = machine_on(tree)
    assert (machine.has_driver("igb"), machine.has_driver("dpdk")) == (True, False)


def test_pfs_of_one_kind_ask_modprobe_once(tree: HostTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads all aliases of the kernel each time, in a process of its own."""
    tree.add_pf(PF3, netdev="ens3f0")
    tree.add_vf(PF3, 0, driver="")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "modprobe").write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexit 1\n")
    (programs / "modprobe").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    machine = machine_on(tree)
    for pf in (PF, PF3):
        machine.act(BindVfs(pf, "kernel"), guard=nobody)
    assert not machine.expects_driver("pci:v00008086d000010CA")
    assert (tmp_path / "asked").read_text() == "asked\n"


@pytest.mark.parametrize(
    ("words", "masked", "is_plain"),
    [
        ("quiet", "", False),
        ("quiet net.ifnames=0", "", True),
        ("net.ifnames=off", "", True),
        ("net.ifnames=1", "", False),
        ("quiet", "etc/systemd/network/99-default.link", True),
        ("quiet", "etc/udev/rules.d/80-net-setup-link.rules", True),
    ],
)
def test_netdevs_are_named_in_the_order_of_their_probes(
    tree: HostTree, words: str, masked: str, *, is_plain: bool
) -> None:
    tree.write("proc/cmdline", f"{words}\n")
    if masked:
        (tree.root / masked).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / masked).symlink_to("/dev/null")
    assert machine_on(tree).names_follow_probes() is is_plain
