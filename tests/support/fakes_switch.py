"""The switch in a simulated NIC: it answers as the functions of the kernel that are named here, or wrong on purpose.

mlx5_devlink_eswitch_mode_set (mlx5/core/eswitch_offloads.c) takes any mode that it is not in; a VF with a driver makes
it slow, which counts as a mistake here. ice_eswitch_mode_set (ice/ice_eswitch.c) refuses while there are VFs, and does
nothing if the mode is there already. bnxt_dl_eswitch_mode_set (bnxt/bnxt_vfr.c) refuses the mode that it is in.
nsim_esw_legacy_enable (netdevsim/dev.c) is what netdevsim's nsim_drv_configure_vfs does when its VFs go.
"""

import errno
import os
from collections.abc import Callable

from msgspec.structs import replace

from sriov_bootstrap.base.errors import InUseError, KernelError
from sriov_bootstrap.core.eswitch import lacks, masters_of, without_offload
from sriov_bootstrap.core.eswitch_config import EswitchMode
from sriov_bootstrap.core.eswitch_refusals import explain, find_refusal
from sriov_bootstrap.core.facts import DevlinkQuestion, EswitchFacts, PfFacts, Representor
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch

UPLINK = 2
SwitchAction = SetDevlinkParams | SetEswitchMode | SetUpEswitch


class FakeSwitch:
    """Of one PF.

    `late`: representors come so many seconds after the mode or the VFs. `forgets`: without VFs it is in legacy mode.
    `refuses_with_vfs`: as some firmware does. `refusals`: errnos of the next changes of the mode. `lost`: VFs whose
    representor never comes. `masters`: netdevs of it that are part of another one. `fixed`: netdevs that offload
    nothing, whatever they are asked. `lag`: what debugfs says of its bond. `is_busy`: that is why it refused last.
    """

    def __init__(self, mode: str = EswitchMode.LEGACY, *, forgets: bool = False) -> None:
        """In this mode."""
        self.facts = EswitchFacts(mode, "none", "basic")
        self.forgets = forgets
        self.late = 0.0
        self.refuses_with_vfs = False
        self.refusals: list[int] = []
        self.lost: set[int] = set()
        self.masters: set[str] = set()
        self.fixed: set[str] = set()
        self.offloading: set[str] = set()
        self.lag = ""
        self.functions: dict[int, PortFunction] = {}
        self.complete_at = 0.0
        self.mistakes: list[str] = []
        self.is_busy = False

    def note_vfs(self, num_vfs: int, now: float) -> None:
        """Their number has changed."""
        self.complete_at = now + self.late
        self.functions.clear()
        self.offloading = {name for name in self.offloading if name == "ens1f0"}
        if self.forgets and not num_vfs:
            self.facts = replace(self.facts, mode=EswitchMode.LEGACY)

    def tell(self, pf: PfFacts, question: DevlinkQuestion, now: float) -> EswitchFacts:
        """What devlink and rtnetlink say of it."""
        is_switch = self.facts.mode == EswitchMode.SWITCHDEV
        there = [vf.index for vf in pf.vfs if is_switch and now >= self.complete_at and vf.index not in self.lost]
        ports = {number: self._port(f"{pf.netdev}_{number}", 100 + number, question) for number in there}
        return replace(
            self.facts,
            switch_id="0a0b0c" if is_switch else "",
            uplink=self._port(pf.netdev, UPLINK, question),
            representors=ports,
            params={name: values for name, values in self.facts.params.items() if name in question.params},
            lag=self.lag if question.lag else "",
            functions={vf: told for vf, told in self.functions.items() if vf in ports} if question.functions else {},
        )

    def _port(self, netdev: str, ifindex: int, question: DevlinkQuestion) -> Representor:
        offloads = netdev in self.offloading if question.tc_offload else None
        return Representor(netdev, ifindex, netdev in self.masters, offloads)

    def change(
        self, pf: PfFacts, action: SwitchAction, guard: Callable[[], str], clock: Callable[[float], float]
    ) -> Outcome:
        """As machine/eswitch.py, its edge and the kernel do it together. `clock` advances the time and tells it."""
        match action:
            case SetDevlinkParams(params=params):
                values = {name: {param.cmode.value: param.value} for name, param in params.items()}
                self.facts = replace(self.facts, params=self.facts.params | values)
                return Outcome.CHANGED
            case SetEswitchMode():
                return self._set_mode(pf, action, guard, clock(0.0))
            case SetUpEswitch():
                return self._set_up(pf, action, clock)

    def _set_mode(self, pf: PfFacts, action: SetEswitchMode, guard: Callable[[], str], now: float) -> Outcome:
        if self.facts.mode == action.after:
            return Outcome.UNCHANGED
        if pf.num_vfs != action.num_vfs:
            return Outcome.STALE
        users = guard() or masters_of(pf, self.tell(pf, DevlinkQuestion(pf.pci_address), now))
        if users and not action.allow_in_use:
            raise InUseError(f"{pf.pci_address}: the eswitch mode stays as it is: {users}", hint="wait")
        if pf.driver == "mlx5_core" and any(vf.driver for vf in pf.vfs):
            self.mistakes.append("the mode was changed while VFs had a driver")
        number = self.refusals.pop(0) if self.refusals else 0
        if pf.num_vfs and (self.refuses_with_vfs or pf.driver == "ice"):
            number = errno.EOPNOTSUPP
        self.is_busy = find_refusal("", number, pf.driver).is_transient
        if number:
            message, hint = explain(f"{pf.pci_address}: cannot {action}", os.strerror(number), number, pf.driver)
            raise KernelError(message, hint=hint)
        self.facts = replace(self.facts, mode=action.after.value)
        self.complete_at = now + self.late
        return Outcome.CHANGED

    def _set_up(self, pf: PfFacts, action: SetUpEswitch, clock: Callable[[float], float]) -> Outcome:
        wish, question = action.wish, DevlinkQuestion(pf.pci_address, (), tc_offload=True)
        now = clock(max(0.0, self.complete_at - clock(0.0)))
        if not lacks(wish, self.tell(pf, question, now)) and not self.lost and not action.functions:
            return Outcome.UNCHANGED
        found = {"inline_mode": wish.inline_mode, "encap_mode": wish.encap_mode}
        self.facts = replace(self.facts, **{name: value.value for name, value in found.items() if value})
        for port in without_offload(wish, self.tell(pf, question, now)):
            if port.netdev not in self.fixed:
                self.offloading ^= {port.netdev}
        for vf, function in action.functions.items():
            if any(there.index == vf and there.driver for there in pf.vfs):
                self.mistakes.append("a port function was set although its VF had a driver")
            self.functions[vf] = replace(self.functions.get(vf, PortFunction()), **function.said)
        missing = [vf.index for vf in pf.vfs if vf.index in self.lost and wish.mode is EswitchMode.SWITCHDEV]
        if missing or without_offload(wish, self.tell(pf, question, now)):
            raise KernelError(f"{pf.pci_address}: representors or their offload: not there: {missing}", hint="wait")
        return Outcome.CHANGED
