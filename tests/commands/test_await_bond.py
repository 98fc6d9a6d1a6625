"""helper bond: nova-compute waits for the bond of VFs, and for nothing else."""

import contextlib

import pytest

from builders import PF
from fakes_host import HostTree
from full_disk import FullDisk
from sriov_bootstrap.cli import main
from sriov_bootstrap.commands.await_bond import MOST_SECONDS, await_bond
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import State
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.machine.host_machine import HostMachine


class Clock:
    """Goes on with each pause; `then` is done at the third."""

    def __init__(self, files: Files, *, then: bool) -> None:
        self.now, self.pauses, self._files, self._then = 0.0, 0, files, then

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now, self.pauses = self.now + seconds, self.pauses + 1
        if self._then and self.pauses == 3:
            self._files.mark_bond(is_awaited=False)


def state(reason: Reason | None) -> State:
    line = PfReport("a", "4", PfState.DEGRADED if reason else PfState.OK, pci_address=PF, reason=reason)
    return State(report=PassReport(pfs=(line,)))


def test_a_host_without_a_bond_to_wait_for_is_left_at_once(tree: HostTree) -> None:
    assert main(["helper", "bond"], root=str(tree.root)) == 0


def test_it_ends_when_the_bond_is_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(str(tree.root))
    files.mark_bond(is_awaited=True)
    clock = Clock(files, then=True)
    assert await_bond(str(tree.root), clock=clock, pause=clock.pause) == 0
    assert (clock.pauses, capsys.readouterr().err) == (3, "")


def test_it_does_not_wait_for_ever_and_says_so(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(str(tree.root))
    files.mark_bond(is_awaited=True)
    clock = Clock(files, then=False)
    assert await_bond(str(tree.root), clock=clock, pause=clock.pause) == 0
    assert clock.now == pytest.approx(MOST_SECONDS, abs=1.0)
    assert capsys.readouterr().err == "sriov-bootstrap: the bond of PFs is not offloaded yet: sriov-bootstrap status\n"


def test_it_ends_well_where_it_cannot_say_so(tree: HostTree) -> None:
    """nova-compute has to start, whatever has become of journald."""
    files = Files(str(tree.root))
    files.mark_bond(is_awaited=True)
    clock = Clock(files, then=False)
    with contextlib.redirect_stderr(FullDisk()):
        assert await_bond(str(tree.root), clock=clock, pause=clock.pause) == 0


def test_a_pass_says_whether_one_is_awaited(tree: HostTree) -> None:
    machine, files = HostMachine(root=str(tree.root)), Files(str(tree.root))
    found = []
    for reason in (Reason.ABSENT, Reason.LAG_INACTIVE, Reason.LAG_INACTIVE, None):
        machine.save_state(state(reason))
        found.append(files.is_bond_awaited)
    assert found == [False, True, True, False]
