"""The switch of a NIC: read in a process of its own, set in a writer.

The kernel does both under a lock of the device, which its driver may hold for long.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sriov_bootstrap.base.errors import InUseError, KernelError
from sriov_bootstrap.base.netlink import READ_SECONDS
from sriov_bootstrap.core.eswitch import masters_of, masters_text, without_offload
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.eswitch_refusals import explain, find_refusal
from sriov_bootstrap.core.facts import (
    NAMED,
    DevlinkQuestion,
    Eswitches,
    EswitchFacts,
    Links,
)
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.port_functions import NOTHING_SAID
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.settled import settle_deadline_seconds
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.edges.debugfs import read_lag_state
from sriov_bootstrap.edges.devlink import Devlink
from sriov_bootstrap.machine.links import answer_of_child
from sriov_bootstrap.passes.apply import apply
from sriov_bootstrap.passes.settle import pauses

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

WHAT = "what devlink tells of eswitches"
LATE_HINT = "journalctl -k shows the driver's messages; the next pass looks again"
OFFLOAD_HINT = "ethtool -k NETDEV shows it as fixed where the driver does not offer it: leave hw_tc_offload out"
SwitchAction = SetDevlinkParams | SetEswitchMode | SetUpEswitch


def read_in_child(
    questions: tuple[DevlinkQuestion, ...],
    bus: str,
    root: str = "",
    *,
    say: Callable[[str], None],
    timeout_seconds: float = READ_SECONDS,
) -> Eswitches:
    """Of these PFs; the process is given up after `timeout_seconds`. `say` gets progress every two seconds."""
    read = partial(_read, questions, bus, root)
    return answer_of_child(read, Eswitches, what=WHAT, say=say, timeout_seconds=timeout_seconds)


def _read(questions: tuple[DevlinkQuestion, ...], bus: str, root: str) -> Eswitches:
    with Devlink(bus=bus) as devlink:
        found = devlink.read(questions)
    return add_lags(found, questions, root)


def add_lags(found: Eswitches, questions: tuple[DevlinkQuestion, ...], root: str) -> Eswitches:
    """The same, with whether bonds are offloaded, where that is asked for."""
    asked = [
        question.pci_address for question in questions if question.lag and question.pci_address in found.by_address
    ]
    lags = {address: replace(found.by_address[address], lag=read_lag_state(root, address)) for address in asked}
    return replace(found, by_address=found.by_address | lags)


def work(machine: "HostMachine", action: SwitchAction, guard: Callable[[], str]) -> Callable[[], Result]:
    """What a writer has to do for this action."""
    return _Switching(machine, action, guard).run


class _Switching:
    """One of these actions, carried out."""

    def __init__(self, machine: "HostMachine", action: SwitchAction, guard: Callable[[], str]) -> None:
        self._machine = machine
        self._action = action
        self._guard = guard
        self._is_transient = False

    def run(self) -> Result:
        result = apply(self._action, self._do)
        return replace(result, is_transient=self._is_transient and not result.is_done)

    def _do(self) -> Outcome:
        devlink = self._machine.devlink
        match self._action:
            case SetDevlinkParams() as action:
                return self._set_params(devlink, action)
            case SetEswitchMode() as action:
                return self._set_mode(devlink, action)
            case SetUpEswitch() as action:
                return self._set_up(devlink, action)

    def _set_params(self, devlink: Devlink, action: SetDevlinkParams) -> Outcome:
        """One that is refused keeps no other from its value."""
        problems = []
        for name, param in action.params.items():
            try:
                devlink.set_param(action.pci_address, name, param.value, param.cmode)
            except KernelError as error:
                problems.append(self._refusal(f"cannot set {name}", error))
        if problems:
            text = shortlist([problem.message for problem in problems], NAMED, "; ")
            raise KernelError(f"{action.pci_address}: {text}", hint=problems[0].hint)
        return Outcome.CHANGED

    def _set_mode(self, devlink: Devlink, action: SetEswitchMode) -> Outcome:
        """Whatever was planned is compared once more with what is there now."""
        address, machine = action.pci_address, self._machine
        mode = devlink.mode(address)
        if mode == action.after:
            return Outcome.UNCHANGED
        if machine.count_vfs(address) != action.num_vfs:
            return Outcome.STALE
        if not action.allow_in_use and (users := self._guard() or self._masters(devlink, mode)):
            raise InUseError(
                f"{address}: the eswitch mode stays as it is: {users}",
                hint="this is applied automatically once they are released",
            )
        try:
            devlink.set_eswitch(address, mode=action.after)
        except KernelError as error:
            raise self._refusal(f"{address}: cannot {action}", error) from error
        return Outcome.CHANGED

    def _masters(self, devlink: Devlink, mode: str) -> str:
        """In legacy mode only the PF itself has one: no list of all netdevs, for which udev may make us wait."""
        address = self._action.pci_address
        raws = self._machine.read_pfs((address,))
        if not raws:
            return ""
        pf = parse_pf(raws[0], Links(), Holders())
        if mode == EswitchMode.LEGACY:
            return masters_text(pf, [dev.name for dev in pf.netdevs if self._machine.netdevs.has_master(dev.name)])
        told = devlink.read((DevlinkQuestion(address, modes=False),))
        actual = told.by_address.get(address)
        if actual is None:
            raise KernelError(f"{address}: {told.problems.get(address, told.problem)}", hint=LATE_HINT)
        return masters_of(pf, actual)

    def _set_up(self, devlink: Devlink, action: SetUpEswitch) -> Outcome:
        address, wish = action.pci_address, action.wish
        actual, missing = self._await_representors(devlink, action)
        if actual is None:
            return Outcome.STALE
        has_changed = False
        for wanted, found, name in (
            (wish.inline_mode, actual.inline_mode, "inline"),
            (wish.encap_mode, actual.encap_mode, "encap"),
        ):
            if wanted not in {None, found}:
                has_changed = True
                try:
                    devlink.set_eswitch(address, **{name: wanted})  # type: ignore[arg-type]
                except KernelError as error:
                    raise self._refusal(f"{address}: cannot set {name}_mode to {wanted}", error) from error
        has_changed |= self._offload(devlink, wish, actual)
        has_changed |= self._set_functions(devlink, action)
        if missing:
            lead = f"{address}: {len(missing)} of {quantity(action.num_vfs, 'representor')} did not appear"
            vfs = shortlist([f"VF {number}" for number in missing], NAMED)
            raise KernelError(f"{lead}: {vfs}", hint=LATE_HINT)
        return Outcome.CHANGED if has_changed else Outcome.UNCHANGED

    def _set_functions(self, devlink: Devlink, action: SetUpEswitch) -> bool:
        """Whether something was set at VFs' ports: what they say already is left alone. KernelError."""
        if not action.functions:
            return False
        address = action.pci_address
        question = DevlinkQuestion(address, functions=True)
        now = devlink.read((question,)).by_address.get(address)
        known = now.functions if now else {}
        lacking = {vf: wish.difference(known.get(vf, NOTHING_SAID)) for vf, wish in action.functions.items()}
        lacking = {vf: left for vf, left in lacking.items() if left.said}
        if not lacking:
            return False
        try:
            devlink.set_functions(address, lacking)
        except KernelError as error:
            raise self._refusal(f"{address}: cannot set port functions of its VFs", error) from error
        return True

    def _await_representors(
        self, devlink: Devlink, action: SetUpEswitch
    ) -> tuple[EswitchFacts | None, tuple[int, ...]]:
        """The switch, None if it cannot be read, and the VFs that have no representor by the deadline."""
        wish = action.wish
        has_modes = wish.inline_mode is not None or wish.encap_mode is not None
        question = DevlinkQuestion(action.pci_address, (), wish.hw_tc_offload is not None, modes=has_modes)
        wanted = range(action.num_vfs) if wish.is_switchdev else range(0)
        deadline = self._machine.monotonic() + settle_deadline_seconds(action.num_vfs)
        for pause in pauses():
            actual = devlink.read((question,)).by_address.get(action.pci_address)
            missing = tuple(number for number in wanted if actual is None or number not in actual.representors)
            if not missing or self._machine.monotonic() > deadline:
                return actual, missing
            self._machine.pause(pause)
        raise AssertionError  # pragma: no cover (the pauses never end)

    def _offload(self, devlink: Devlink, wish: Eswitch, actual: EswitchFacts) -> bool:
        """Whether hw-tc-offload was set. KernelError for netdevs that do not take it."""
        ports = without_offload(wish, actual)
        for port in ports:
            try:
                devlink.set_tc_offload(port.ifindex, enabled=bool(wish.hw_tc_offload))
            except KernelError as error:
                raise self._refusal(f"{port.netdev}: cannot set hw-tc-offload", error) from error
        if ports:
            address = self._action.pci_address
            now = devlink.read((DevlinkQuestion(address, (), tc_offload=True),)).by_address.get(address)
            if now and (left := without_offload(wish, now)):
                names = shortlist([port.netdev for port in left], NAMED)
                raise KernelError(f"{address}: hw-tc-offload stays as it is: {names}", hint=OFFLOAD_HINT)
        return bool(ports)

    def _refusal(self, what: str, error: KernelError) -> KernelError:
        """In words, with the errno only in them: the table that apply() would ask is another one's."""
        drivers = [raw.driver for raw in self._machine.read_pfs((self._action.pci_address,))]
        driver = drivers[0] if drivers else ""
        message, hint = explain(what, error.message, error.errno, driver)
        self._is_transient = find_refusal(error.message, error.errno, driver).is_transient
        return KernelError(message, hint=hint)
