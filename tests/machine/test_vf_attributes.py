"""What a writer does about attributes of VFs, on a tree, with a PF that answers as it is told to."""

import errno
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.actions import SetPfLink, SetVfAttributes
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.vf_attributes import (
    PfLink,
    PfLinks,
    RefusedSetting,
    Request,
    VfAttributes,
    VfTable,
    fingerprint,
    stable_mac,
)
from sriov_bootstrap.core.vf_settings import Before
from sriov_bootstrap.machine import vf_attributes
from sriov_bootstrap.machine.host_machine import HostMachine

MAC = "02:00:00:00:00:01"
NEW = VfAttributes(mac="00:00:00:00:00:00", vlan=0, trust=False)
ACTION = SetVfAttributes(PF, "ens1f0", (VfTable(vfs="all", vlan=100),), 2)


class Hasty(HostMachine):
    """Waits for nothing."""

    def pause(self, seconds: float) -> None:
        assert seconds > 0


class Nic:
    """An edge: `link` is what it tells, `refuses` what it does not do, how often; `done` what it was asked for.

    `look` is called before each, and what it gives is kept.
    """

    def __init__(self) -> None:
        self.link: PfLink | None = PfLink(2, vfs={0: NEW, 1: NEW}, has_carrier=True)
        self.problem = ""
        self.refuses: dict[tuple[int, Request], list[int]] = {}
        self.done: list[tuple[int, VfAttributes]] = []
        self.look: Callable[[], object] = lambda: None
        self.looks: list[object] = []
        self.set_links: list[tuple[int, int, bool | None]] = []

    def read(self, netdevs: tuple[str, ...]) -> PfLinks:
        return PfLinks(dict.fromkeys(netdevs, self.link) if self.link else {}, self.problem)

    def set(self, ifindex: int, wishes: Mapping[int, VfAttributes]) -> tuple[RefusedSetting, ...]:
        assert self.link
        assert ifindex == self.link.ifindex
        return tuple(self._set(wishes))

    def _set(self, wishes: Mapping[int, VfAttributes]) -> Iterator[RefusedSetting]:
        for vf, wish in wishes.items():
            self.looks.append(self.look())
            self.done.append((vf, wish))
            for request in wish.requests:
                if numbers := self.refuses.get((vf, request)):
                    yield RefusedSetting(vf, request, wish.only(request), numbers.pop())

    def set_link(self, ifindex: int, *, mtu: int, promisc: bool | None) -> None:
        self.set_links.append((ifindex, mtu, promisc))


@pytest.fixture
def nic(monkeypatch: pytest.MonkeyPatch) -> Nic:
    nic = Nic()
    for name, call in {"read_pf_links": nic.read, "set_vf_attributes": nic.set, "set_link": nic.set_link}.items():
        monkeypatch.setattr(vf_attributes, name, call)
    return nic


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    tree.add_pf(num_vfs=2)
    return tree


@pytest.fixture
def machine(tree: HostTree) -> HostMachine:
    return Hasty(root=str(tree.root))


def do(machine: HostMachine, action: SetVfAttributes | SetPfLink, guard: Callable[[], str] = lambda: "") -> Result:
    return vf_attributes.work(machine, action, guard)()


def of_first(nic: Nic, **values: Any) -> SetVfAttributes:  # noqa: ANN401
    """The action for the first VF, as it is now."""
    assert nic.link
    before = Before(fingerprint(nic.link.vfs[0], "igbvf 10"), is_given=False)
    return replace(ACTION, **{"vfs": {0: before}, **values})


def unbound(tree: HostTree) -> str:
    return tree.read("sys/bus/pci/drivers/igbvf/unbind")


def test_each_vf_gets_what_it_lacks(machine: HostMachine, nic: Nic) -> None:
    nic.link = PfLink(2, vfs={0: replace(NEW, vlan=100, vlan_qos=0), 1: NEW})
    assert do(machine, ACTION) == Result(ACTION, Outcome.CHANGED)
    ((number, asked),) = nic.done
    assert (number, asked.vlan, asked.requests) == (1, 100, ("vlan",))


def test_equal_means_that_nothing_is_asked_for(machine: HostMachine, nic: Nic) -> None:
    nic.link = PfLink(2, vfs=dict.fromkeys(range(2), replace(NEW, vlan=100)))
    assert (do(machine, ACTION).outcome, nic.done) == (Outcome.UNCHANGED, [])


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        pytest.param({"num_vfs": 3}, "", id="another count"),
        pytest.param({"vfs": {0: Before(7, is_given=False)}}, "", id="other attributes"),
        pytest.param({"vfs": {0: Before(fingerprint(NEW, ""), is_given=False)}}, "", id="another driver"),
        pytest.param({}, "VF 0 is held by qemu", id="in use"),
    ],
)
def test_of_vfs_that_are_others_by_now_nothing_is_written(
    machine: HostMachine, tree: HostTree, nic: Nic, change: dict[str, Any], guard: str
) -> None:
    action = replace(of_first(nic, tables=(VfTable(vfs="all", mac=MAC),)), **change)
    assert do(machine, action, lambda: guard) == Result(action, Outcome.STALE)
    assert (nic.done, unbound(tree)) == ([], "")


def test_new_vfs_are_nobodys_and_nobody_is_asked(machine: HostMachine, nic: Nic) -> None:
    assert do(machine, ACTION, lambda: "VF 0 is held by qemu").outcome is Outcome.CHANGED
    assert len(nic.done) == 2


@pytest.mark.parametrize("action", [ACTION, SetPfLink(PF, "ens1f0", 9000)])
def test_a_netdev_that_has_another_name_by_now_calls_for_another_look(
    machine: HostMachine, nic: Nic, action: SetVfAttributes | SetPfLink
) -> None:
    nic.link = None
    assert do(machine, action) == Result(action, Outcome.STALE)
    nic.problem = "ens1f0: EPERM: Operation not permitted"
    result = do(machine, action)
    assert (result.outcome, result.message) == (Outcome.FAILED, f"{PF}: {nic.problem}")


def test_what_the_pf_has_of_its_own_is_set(machine: HostMachine, nic: Nic) -> None:
    action = SetPfLink(PF, "ens1f0", 9000, promisc=True)
    assert do(machine, action) == Result(action, Outcome.CHANGED)
    assert nic.set_links == [(2, 9000, True)]


def test_a_vf_leaves_its_driver_and_gets_its_vectors_before_the_rest(
    machine: HostMachine, tree: HostTree, nic: Nic
) -> None:
    count = tree.device(vf_address(PF, 0)) / "sriov_vf_msix_count"
    count.touch()
    nic.look = lambda: (unbound(tree), count.read_text())
    action = of_first(nic, tables=(VfTable(vfs="all", mac=MAC, msix_vectors=8),))
    assert do(machine, action).outcome is Outcome.CHANGED
    assert nic.looks == [(vf_address(PF, 0), "8")]


@pytest.mark.parametrize(
    ("tables", "keeps_drivers"),
    [((VfTable(vfs="all", mac=MAC),), True), ((VfTable(vfs="all", vlan=7),), False)],
    ids=["not allowed", "not needed"],
)
def test_otherwise_it_keeps_its_driver(
    machine: HostMachine, tree: HostTree, nic: Nic, tables: tuple[VfTable, ...], *, keeps_drivers: bool
) -> None:
    do(machine, of_first(nic, tables=tables, keeps_drivers=keeps_drivers))
    assert (unbound(tree), len(nic.done)) == ("", 1)


def test_a_vf_that_cannot_leave_its_driver_gets_nothing(machine: HostMachine, tree: HostTree, nic: Nic) -> None:
    unbind = tree.root / "sys/bus/pci/drivers/igbvf/unbind"
    unbind.unlink()
    unbind.mkdir()
    result = do(machine, of_first(nic, tables=(VfTable(vfs="all", mac=MAC),)))
    assert (result.outcome, nic.done) == (Outcome.FAILED, [])
    assert "igbvf" in result.message


def test_each_refusal_has_its_cause_and_the_first_its_remedy(machine: HostMachine, nic: Nic) -> None:
    nic.refuses = {(0, "trust"): [errno.EOPNOTSUPP], (1, "vlan"): [errno.EINVAL], (1, "trust"): [errno.EOPNOTSUPP]}
    result = do(machine, replace(ACTION, tables=(VfTable(vfs="all", vlan=100, trust=True),)))
    assert (result.outcome, result.refused) == (Outcome.FAILED, {"trust": (0, 1), "vlan": (1,)})
    assert result.message.startswith(f"{PF}: attributes of 2 of 2 VFs not set: {PF}: VF 0: cannot set trust on: ")
    assert "VF 1: cannot set vlan 100" in result.message
    assert result.hint


def test_vectors_that_are_refused_keep_no_vf_from_the_rest(machine: HostMachine, nic: Nic) -> None:
    """The tree has no sriov_vf_msix_count, as an older kernel."""
    result = do(machine, replace(ACTION, tables=(VfTable(vfs="all", vlan=100, msix_vectors=8),)))
    assert (result.outcome, result.refused) == (Outcome.FAILED, {"msix": (0, 1)})
    assert [asked.requests for _, asked in nic.done] == [("vlan",)] * 2


def test_what_a_driver_is_too_busy_for_is_asked_for_again(machine: HostMachine, nic: Nic) -> None:
    nic.refuses = {
        (0, "vlan"): [errno.EAGAIN] * 3,
        (0, "trust"): [errno.EBUSY],
        (1, "trust"): [errno.EOPNOTSUPP],
    }
    result = do(machine, replace(ACTION, tables=(VfTable(vfs="all", vlan=100, trust=True),)))
    assert (result.outcome, result.refused) == (Outcome.FAILED, {"trust": (1,)})
    assert [(vf, asked.requests) for vf, asked in nic.done] == [
        (0, ("vlan", "trust")),
        (1, ("vlan", "trust")),
        (0, ("vlan", "trust")),
        (0, ("vlan",)),
        (0, ("vlan",)),
    ]


def test_a_driver_that_stays_busy_has_refused_nothing_for_good(machine: HostMachine, nic: Nic) -> None:
    nic.refuses = {(0, "vlan"): [errno.EAGAIN] * 99}
    result = do(machine, ACTION)
    assert (result.outcome, result.refused, len(nic.done)) == (Outcome.FAILED, {}, 7)
    assert "EAGAIN" in result.message


def test_a_stable_mac_is_that_of_this_machine(machine: HostMachine, tree: HostTree, nic: Nic) -> None:
    action = replace(ACTION, tables=(VfTable(vfs="1", mac="stable"),))
    assert (do(machine, action).outcome, nic.done) == (Outcome.UNCHANGED, [])
    machine_id = "0123456789abcdef0123456789abcdef"
    tree.write("etc/machine-id", f"{machine_id}\n")
    do(machine, action)
    assert nic.done == [(1, VfAttributes(mac=stable_mac(machine_id, PF, 1)))]


@pytest.mark.parametrize("text", ["", "uninitialized\n", "0" * 32, "0123456789ABCDEF", "g" * 32, b"\xff" * 32])
def test_what_is_no_machine_id_is_none(machine: HostMachine, tree: HostTree, text: str | bytes) -> None:
    tree.write("etc/machine-id", text)
    assert machine.machine_id() == ""


def test_rates_are_left_out_while_there_is_no_carrier(machine: HostMachine, nic: Nic) -> None:
    assert nic.link
    nic.link = replace(nic.link, has_carrier=False)
    do(machine, replace(ACTION, tables=(VfTable(vfs="all", vlan=100, max_tx_rate=10),)))
    assert [asked.requests for _, asked in nic.done] == [("vlan",)] * 2


def test_rates_that_are_refused_as_the_carrier_has_gone_meanwhile_wait_for_it(machine: HostMachine, nic: Nic) -> None:
    nic.refuses = {(vf, "rate"): [errno.EINVAL] for vf in range(2)}
    action = replace(ACTION, tables=(VfTable(vfs="all", max_tx_rate=10),))
    assert do(machine, action).refused == {"rate": (0, 1)}
    for link in (PfLink(2, vfs={0: NEW, 1: NEW}), None):
        nic.link = PfLink(2, vfs={0: NEW, 1: NEW}, has_carrier=True)
        nic.refuses = {(0, "rate"): [errno.EINVAL]}
        nic.look = lambda link=link: setattr(nic, "link", link)  # type: ignore[misc]
        result = do(machine, replace(action, tables=(VfTable(vfs="0", max_tx_rate=10),)))
        assert (result.outcome, result.refused) == (Outcome.CHANGED, {})


@pytest.mark.usefixtures("nic")
def test_a_kernel_that_says_why_it_does_nothing_is_quoted(
    machine: HostMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_ifindex: int, _wishes: object) -> None:
        raise KernelError("ens1f0: cannot set attributes of its VFs: EPERM", errno=errno.EPERM, hint="root")

    monkeypatch.setattr(vf_attributes, "set_vf_attributes", refuse)
    result = do(machine, ACTION)
    message = f"{PF}: ens1f0: cannot set attributes of its VFs: EPERM"
    assert (result.outcome, result.message, result.hint, result.is_transient) == (
        Outcome.FAILED,
        message,
        "root",
        False,
    )


# -- reading, in a process of its own --


def test_what_was_read_comes_back_as_it_was(nic: Nic) -> None:
    nic.problem = "größe"
    assert vf_attributes.read_in_child(("ens1f0", "e2"), say=lambda _: None) == nic.read(("ens1f0", "e2"))


def test_a_kernel_that_holds_its_lock_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_netdevs: object) -> PfLinks:
        while True:
            signal.pause()

    monkeypatch.setattr(vf_attributes, "read_pf_links", hang)
    said: list[str] = []
    found = vf_attributes.read_in_child(("ens1f0",), say=said.append, timeout_seconds=0.1)
    assert found == PfLinks(problem="the kernel's list of VF attributes: no answer after 0.1 s")
    assert re.fullmatch(r"the kernel's list of VF attributes: \d+ s so far", said[0])


@pytest.mark.parametrize(
    ("status", "problem"), [(0, "the process that reads it ended without an answer"), (None, "RuntimeError: broken")]
)
def test_a_read_that_breaks_is_a_problem(status: int | None, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_netdevs: object) -> PfLinks:
        if status is None:
            raise RuntimeError("broken")
        os._exit(status)

    monkeypatch.setattr(vf_attributes, "read_pf_links", die)
    found = vf_attributes.read_in_child(("ens1f0",), say=lambda _: None)
    assert found.by_name == {}
    assert problem in found.problem
