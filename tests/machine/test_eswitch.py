"""What a writer does about the switch of a NIC, on a tree, with a kernel that answers as it is told to."""

import errno
import os
from collections.abc import Iterable, Mapping

import pytest
from msgspec.structs import replace

from builders import PF
from fakes_host import HostTree
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.eswitch_config import (
    DevlinkParam,
    EncapMode,
    Eswitch,
    EswitchMode,
    InlineMode,
    ParamMode,
    ParamValue,
)
from sriov_bootstrap.core.facts import DevlinkQuestion, Eswitches, EswitchFacts, Representor
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch
from sriov_bootstrap.machine import eswitch
from sriov_bootstrap.machine.eswitch import SwitchAction
from sriov_bootstrap.machine.host_machine import HostMachine

SWITCHDEV = SetEswitchMode(PF, "legacy", EswitchMode.SWITCHDEV, 2)
SET_UP = SetUpEswitch(PF, Eswitch(EswitchMode.SWITCHDEV, InlineMode.LINK, EncapMode.NONE, hw_tc_offload=True), 2)
READY = EswitchFacts(
    "switchdev", "none", "basic", "0a", Representor("ens1f0", 2), {0: Representor("r0", 3), 1: Representor("r1", 4)}
)


class Hasty(HostMachine):
    """Its clock goes on with each pause."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


class Kernel:
    """An edge. `told`: what is read, in turn, the last one for good; `refuses`: what it does not do, and its words."""

    def __init__(self) -> None:
        self.told: list[EswitchFacts | None] = [EswitchFacts("legacy", uplink=Representor("ens1f0", 2))]
        self.refuses: dict[str, tuple[int, str]] = {}
        self.done: list[str] = []
        self.offloading: set[int] = set()
        self.fixed: set[int] = set()

    def read(self, questions: Iterable[DevlinkQuestion]) -> Eswitches:
        found = self._next()
        [question] = questions
        if found is None:
            return Eswitches(problem="it is asleep")
        if question.tc_offload:
            ports = {vf: self._offload(port) for vf, port in found.representors.items()}
            found = replace(found, representors=ports, uplink=found.uplink and self._offload(found.uplink))
        return Eswitches({PF: found})

    def _offload(self, port: Representor) -> Representor:
        return replace(port, has_tc_offload=port.ifindex in self.offloading)

    def mode(self, address: str) -> str:
        assert address == PF
        if (found := self._next()) is None:
            raise KernelError("Input/output error", errno=errno.EIO)
        return found.mode

    def _next(self) -> EswitchFacts | None:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]

    def set_eswitch(
        self,
        address: str,
        *,
        mode: EswitchMode | None = None,
        inline: InlineMode | None = None,
        encap: EncapMode | None = None,
    ) -> None:
        assert address == PF
        self._do(f"{mode or inline or encap}")

    def set_param(self, address: str, name: str, value: ParamValue, cmode: ParamMode) -> None:
        assert address == PF
        self._do(f"{name} {value} {cmode}")

    def set_functions(self, address: str, wishes: Mapping[int, PortFunction]) -> None:
        assert address == PF
        self._do("; ".join(f"VF {vf}: {wish}" for vf, wish in wishes.items()))

    def set_tc_offload(self, ifindex: int, *, enabled: bool) -> None:
        self._do(f"offload {ifindex} {enabled}")
        if ifindex not in self.fixed:
            self.offloading.add(ifindex)

    def _do(self, what: str) -> None:
        if refusal := self.refuses.get(what):
            raise KernelError(refusal[1], errno=refusal[0])
        self.done.append(what)


@pytest.fixture
def kernel(machine: Hasty, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    monkeypatch.setattr(machine, "devlink", found)
    return found


@pytest.fixture
def machine(tree: HostTree) -> Hasty:
    tree.add_pf(PF, driver="mlx5_core")
    tree.add_vf(PF, 0)
    tree.add_vf(PF, 1)
    return Hasty(root=str(tree.root))


def outcome(machine: HostMachine, action: SwitchAction, users: str = "") -> tuple[Outcome, str, str]:
    result = eswitch.work(machine, action, lambda: users)()
    return result.outcome, result.message, result.hint


def test_a_mode_is_set_once(machine: Hasty, kernel: Kernel) -> None:
    assert outcome(machine, SWITCHDEV)[0] is Outcome.CHANGED
    kernel.told = [READY]
    assert outcome(machine, SWITCHDEV)[0] is Outcome.UNCHANGED
    assert kernel.done == ["switchdev"]


def test_another_number_of_vfs_makes_the_plan_stale(machine: Hasty, kernel: Kernel) -> None:
    assert outcome(machine, replace(SWITCHDEV, num_vfs=3))[0] is Outcome.STALE
    assert kernel.done == []


def test_a_vf_that_is_used_by_now_keeps_the_mode(machine: Hasty, kernel: Kernel) -> None:
    found = outcome(machine, SWITCHDEV, "VF 0 is held by qemu")
    assert found[:2] == (Outcome.REFUSED, f"{PF}: the eswitch mode stays as it is: VF 0 is held by qemu")
    assert kernel.done == []
    assert outcome(machine, replace(SWITCHDEV, allow_in_use=True), "VF 0 is held")[0] is Outcome.CHANGED


def test_a_bond_that_was_made_meanwhile_keeps_the_mode(machine: Hasty, kernel: Kernel, tree: HostTree) -> None:
    master = tree.root / "sys/class/net/ens1f0/master"
    master.symlink_to("../bond0")
    assert outcome(machine, SWITCHDEV)[:2] == (
        Outcome.REFUSED,
        f"{PF}: the eswitch mode stays as it is: ens1f0 is part of another netdev",
    )
    assert outcome(machine, replace(SWITCHDEV, allow_in_use=True))[0] is Outcome.CHANGED
    kernel.done.clear()
    master.unlink()
    assert outcome(machine, SWITCHDEV)[0] is Outcome.CHANGED


def test_a_representor_in_a_bridge_keeps_the_mode_too(machine: Hasty, kernel: Kernel, tree: HostTree) -> None:
    back = replace(SWITCHDEV, before="switchdev", after=EswitchMode.LEGACY)
    kernel.told = [replace(READY, representors={0: Representor("r0", 3, has_master=True)})]
    assert outcome(machine, back)[:2] == (
        Outcome.REFUSED,
        f"{PF}: the eswitch mode stays as it is: r0 is part of another netdev",
    )
    kernel.told = [READY]
    assert outcome(machine, back)[0] is Outcome.CHANGED
    kernel.told = [READY, None]
    assert outcome(machine, back)[:2] == (Outcome.FAILED, f"{PF}: it is asleep")
    tree.remove(PF)
    kernel.told = [READY]
    assert outcome(machine, replace(back, num_vfs=0))[0] is Outcome.CHANGED


def test_a_mode_that_cannot_be_read_is_not_set(machine: Hasty, kernel: Kernel) -> None:
    kernel.told = [None]
    text = f"{PF}: cannot set the eswitch mode from legacy to switchdev: EIO (Input/output error)"
    assert outcome(machine, SWITCHDEV)[:2] == (Outcome.FAILED, text)
    assert kernel.done == []


def test_a_busy_switch_is_worth_another_try_and_the_kernels_words_are_shown(machine: Hasty, kernel: Kernel) -> None:
    kernel.refuses["switchdev"] = errno.EBUSY, "mlx5_core: Can't change mode, E-Switch is busy"
    result = eswitch.work(machine, SWITCHDEV, str)()
    assert (result.outcome, result.is_transient) == (Outcome.FAILED, True)
    assert result.message == (
        f"{PF}: cannot set the eswitch mode from legacy to switchdev: EBUSY: the kernel refuses and says"
        ' "mlx5_core: Can\'t change mode, E-Switch is busy": flows are offloaded, or another change is under way'
    )
    assert "Open vSwitch" in result.hint


def test_parameters_are_set_although_one_is_refused(machine: Hasty, kernel: Kernel) -> None:
    params = {"a": DevlinkParam(1), "b": DevlinkParam(value=True, cmode=ParamMode.PERMANENT)}
    kernel.refuses["a 1 runtime"] = errno.ENOENT, "unknown by this driver"
    result = outcome(machine, SetDevlinkParams(PF, params))
    assert kernel.done == ["b True permanent"]
    assert result[0] is Outcome.FAILED
    assert result[1].startswith(f'{PF}: cannot set a: ENOENT: the kernel refuses and says "unknown by this driver"')
    assert outcome(machine, SetDevlinkParams(PF, {"b": params["b"]}))[0] is Outcome.CHANGED


def test_the_rest_waits_for_the_representors(machine: Hasty, kernel: Kernel) -> None:
    early = replace(READY, representors={0: Representor("r0", 3)})
    kernel.told = [None, early, early, READY]
    assert outcome(machine, SET_UP)[0] is Outcome.CHANGED
    assert kernel.done == ["link", "none", "offload 2 True", "offload 3 True", "offload 4 True"]
    kernel.told = [replace(READY, inline_mode="link", encap_mode="none")]
    assert outcome(machine, SET_UP)[0] is Outcome.UNCHANGED


def test_late_representors_are_given_up_and_the_rest_is_set(machine: Hasty, kernel: Kernel) -> None:
    kernel.told = [replace(READY, representors={})]
    assert outcome(machine, SET_UP)[:2] == (
        Outcome.FAILED,
        f"{PF}: 2 of 2 representors did not appear: VF 0, VF 1",
    )
    assert kernel.done == ["link", "none", "offload 2 True"]


def test_a_switch_that_cannot_be_read_any_more_is_looked_at_again(machine: Hasty, kernel: Kernel) -> None:
    kernel.told = [None]
    assert outcome(machine, SET_UP)[0] is Outcome.STALE


def test_in_legacy_mode_there_is_nothing_to_wait_for(machine: Hasty, kernel: Kernel) -> None:
    action = SetUpEswitch(PF, Eswitch(EswitchMode.LEGACY, encap_mode=EncapMode.BASIC), 2)
    kernel.told = [replace(READY, mode="legacy", representors={}, encap_mode="none")]
    assert (outcome(machine, action)[0], kernel.done, machine.now) == (Outcome.CHANGED, ["basic"], 0.0)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("link", "cannot set inline_mode to link: EOPNOTSUPP"),
        ("none", "cannot set encap_mode to none: EOPNOTSUPP"),
        ("offload 3 True", "r0: cannot set hw-tc-offload: EOPNOTSUPP"),
    ],
)
def test_what_is_refused_of_the_rest_is_named(machine: Hasty, kernel: Kernel, what: str, text: str) -> None:
    kernel.told = [READY]
    kernel.refuses[what] = errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP)
    result = outcome(machine, SET_UP)
    assert (result[0], text in result[1]) == (Outcome.FAILED, True)


def test_a_netdev_that_takes_no_offload_is_named(machine: Hasty, kernel: Kernel) -> None:
    kernel.told, kernel.fixed = [READY], {4}
    assert outcome(machine, SET_UP)[1] == f"{PF}: hw-tc-offload stays as it is: r1"
    kernel.told, kernel.offloading = [READY, None], set()
    assert outcome(machine, SET_UP)[0] is Outcome.CHANGED


def test_a_pf_that_is_gone_is_a_refusal_like_any_other(machine: Hasty, kernel: Kernel, tree: HostTree) -> None:
    tree.remove(PF)
    kernel.refuses["a 1 runtime"] = errno.ENODEV, "No such device"
    assert outcome(machine, SetDevlinkParams(PF, {"a": DevlinkParam(1)}))[0] is Outcome.FAILED


def test_it_is_read_in_a_process_of_its_own(machine: HostMachine) -> None:
    question = DevlinkQuestion("ffff:ff:1f.7")
    assert machine.read_eswitches((question,)).by_address == {question.pci_address: EswitchFacts()}


def test_the_state_of_a_bond_is_read_where_it_is_asked_for(tree: HostTree) -> None:
    tree.write(f"sys/kernel/debug/mlx5/{PF}/lag/state", "disabled\n")
    told = Eswitches({PF: READY})
    for asks in (False, True):
        found = eswitch.add_lags(
            told, (DevlinkQuestion(PF, lag=asks), DevlinkQuestion("0000:5e:00.0", lag=True)), str(tree.root)
        )
        assert found == Eswitches({PF: replace(READY, lag="disabled" if asks else "")})


def test_port_functions_that_are_not_so_are_set_and_a_refusal_is_told(machine: Hasty, kernel: Kernel) -> None:
    kernel.told = [replace(READY, functions={0: PortFunction(roce=False)})]
    wanted = {0: PortFunction(roce=False, max_io_eqs=8), 1: PortFunction(roce=False)}
    action = SetUpEswitch(PF, Eswitch(EswitchMode.SWITCHDEV), 2, wanted)
    assert outcome(machine, action)[0] is Outcome.CHANGED
    said = "VF 0: max_io_eqs 8; VF 1: roce off"
    assert kernel.done == [said]
    kernel.refuses[said] = (errno.EOPNOTSUPP, "Device doesn't support VHCA management")
    result, message, hint = outcome(machine, action)
    assert result is Outcome.FAILED
    assert message.startswith(f"{PF}: cannot set port functions of its VFs: EOPNOTSUPP")
    assert hint
    kernel.told = [replace(READY, functions=wanted)]
    kernel.done.clear()
    assert (outcome(machine, action)[0], kernel.done) == (Outcome.UNCHANGED, [])
    kernel.told = [READY, None]  # what they say now cannot be read: all of it is asked for
    assert outcome(machine, action)[0] is Outcome.CHANGED
