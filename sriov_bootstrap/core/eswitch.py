"""The switch in a NIC: what its rule asks for and is not so, in which order its driver takes it, and what forbids it.

Theory of operation
-------------------

No kernel keeps the mode over a reboot, and each driver has an order of its own (drivers.py):

- `mode_before_count` (ice): the mode is set while there are no VFs. A PF that has some loses them first.
- `mode_before_binding` (mlx5): VFs are made, then the mode is set, then they are bound. VFs that have a driver already
  are made again, because taking 60 of them from their driver costs more than that.
- all others: the VFs that exist stay as they are.

A change of mode removes or makes the netdevs that stand for VFs, and whoever uses a VF loses its traffic. So it is held
off by whatever holds off another count, and by a bond, a bridge or Open vSwitch on the uplink or a representor. Only a
VF without a driver whose VM is shut off is in nobody's way, as long as it is not to be made again: after a reboot, and
between count and mode, that is what a host full of VMs looks like.

Some drivers go back to legacy when the count becomes 0. Wherever a count passes through 0 the mode is set once more
afterwards, which does nothing if it is still right: setting the mode that is there is an error to bnxt_en, and has
broken hosts with mlx5.

With `vf_lag` VFs stay without a driver until the bond of their PFs is offloaded: one whose VFs are bound first never
is. What makes the bond waits for this service, so that comes in a later pass, and no boot waits for it.

A mode that the kernel refuses keeps no VF from its driver: they are made, and bound, in the mode that there
is, and the PF is degraded. It is asked for again in later passes as long as no VF has to go for that, and else in the
next two passes alone, or when somebody asks: VFs that come and go for ever would be worse than the wrong mode.

What follows the mode (representors, inline mode, encapsulation, hw-tc-offload) is one action, as each of these needs
the netdevs that the mode makes.
"""

from collections.abc import Collection, Iterable, Iterator

from sriov_bootstrap.core.config import PfRule, WhenInUse
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.eswitch_config import STEERING, DevlinkParam, Eswitch, EswitchMode
from sriov_bootstrap.core.facts import NAMED, DevlinkQuestion, EswitchFacts, PfFacts, Representor
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.port_functions import NOTHING_SAID, PortFunction
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.surroundings import Surroundings
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch, SwitchSteps


def made_anew(pf: str = "the PF") -> str:
    """How VFs are made once more, from the mode that was found: nothing is released that a rule still asks for."""
    return (
        f"take its rule out of the config, sriov-bootstrap release {pf}, put the rule back, and sriov-bootstrap --once;"
        " or reboot"
    )


LAG_ACTIVE = "active"  # mlx5/core/lag/debugfs.c, state_show
LAG_HINT = "make the bond of both PFs, with both in switchdev mode: VFs get their driver as soon as it is offloaded"
LAG_BOUND_HINT = (
    "free the VFs of both PFs, take the rules of both out of the config, sriov-bootstrap release each of them, put the"
    " rules back, and sriov-bootstrap --once before the bond is made; or reboot"
)
LAG_UNKNOWN_HINT = "mount debugfs: systemctl start sys-kernel-debug.mount; a locked down kernel may not show it"
FUNCTIONS_HINT = (
    f"a VF's driver reads it while it binds, so it is set for new VFs: once they are free, {made_anew()}; devlink port"
    " show says whether the device has it at all"
)
LATER_HINT = "this is applied automatically once they are released"
MASTER_HINT = (
    "take it out of that bond or bridge, or of Open vSwitch, and it is applied automatically; at boot this service"
    " comes before all of them"
)
READ_HINT = "journalctl -k shows the driver's messages; sriov-bootstrap --once asks again"
UNSUPPORTED_HINT = (
    "remove [pf.eswitch] from the rule, or use a NIC, a driver and firmware that have one: docs/offload.md lists them"
)
STEERING_HINT = f"the driver takes it only in legacy mode: free its VFs, {made_anew()}"


def question_of(pci_address: str, rule: PfRule) -> DevlinkQuestion:
    """What is to be read for this rule."""
    wish = rule.eswitch
    wants_offload = wish is not None and (wish.is_switchdev or wish.hw_tc_offload is not None)
    has_lag = wish is not None and wish.vf_lag
    return DevlinkQuestion(pci_address, tuple(rule.params), wants_offload, has_lag, rule.asks_port_functions)


def plan_switch(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> SwitchSteps:
    """What its switch takes, beside `target` VFs."""
    rule, wish, actual = desired.rule, desired.rule.eswitch, pf.eswitch
    holds = awaits_lag(rule, pf)
    if actual is None:
        lack = pf.eswitch_problem or "devlink has not been asked"
        verdict = Verdict(Reason.ESWITCH_MODE, f"{pf.pci_address}: {lack}", READ_HINT)
        return SwitchSteps(holds_drivers=holds, verdict=verdict)
    params = _params_to_set(rule, actual)
    before = (SetDevlinkParams(pf.pci_address, params),) if params else ()
    if wish is None or not actual.mode:
        return SwitchSteps(before, remark=f"{no_eswitch(pf)}: its VFs are made without" if rule.wants_switchdev else "")
    changes = wish.mode != actual.mode
    if changes and (refused := around.refused_modes.get(pf.pci_address)) and refused.is_about(wish.mode):
        return SwitchSteps(before, refused=Verdict(Reason.ESWITCH_MODE, refused.message, refused.hint))
    remakes = changes and remakes_vfs(pf, around.mode_first)
    makes = pf.num_vfs != target or remakes
    allow = around.force or rule.when_in_use is WhenInUse.REPLACE
    step = _mode_step(pf, (actual.mode, wish.mode), target, around.mode_first, allow=allow)
    functions = rule.port_functions(target) if makes or changes else functions_to_set(rule, pf)
    needs_set_up = makes or changes or bool(functions) or lacks(wish, actual)
    return SwitchSteps(
        before,
        (step,) if changes or (makes and pf.num_vfs) else (),
        (SetUpEswitch(pf.pci_address, wish, target, functions),) if needs_set_up and _has_more(wish, target) else (),
        remakes=remakes,
        binds_late=changes and step.may_precede_count,
        holds_drivers=holds,
        verdict=_held_verdict(pf, wish, actual, remakes=remakes) if changes and not allow else None,
        victims=_victims(pf, actual, remakes=remakes) if changes and allow else (),
    )


def _mode_step(
    pf: PfFacts, modes: tuple[str, EswitchMode], target: int, mode_first: Collection[str], *, allow: bool
) -> SetEswitchMode:
    """From one mode to the other, with no VFs or with `target`, as the driver takes it."""
    is_first = _comes_first(pf, mode_first)
    return SetEswitchMode(
        pf.pci_address,
        *modes,
        0 if is_first else target,
        allow_in_use=allow,
        precedes_count=is_first,
        may_precede_count=driver_of(pf.driver).mode_before_binding and not is_first,
    )


def _comes_first(pf: PfFacts, mode_first: Collection[str]) -> bool:
    return driver_of(pf.driver).mode_before_count or pf.pci_address in mode_first


def remakes_vfs(pf: PfFacts, mode_first: Collection[str]) -> bool:
    """Whether its VFs have to go for another mode. `mode_first`: PFs that have refused one because they had VFs."""
    is_late = driver_of(pf.driver).mode_before_binding and any_bound(pf)
    return pf.num_vfs > 0 and (_comes_first(pf, mode_first) or is_late)


def awaits_lag(rule: PfRule, pf: PfFacts) -> bool:
    """Whether VFs without a driver have to wait for the bond of their PFs."""
    wish, actual = rule.eswitch, pf.eswitch
    asks = wish is not None and wish.vf_lag and driver_of(pf.driver).tells_lag
    return asks and (actual is None or actual.lag != LAG_ACTIVE)


def functions_to_set(rule: PfRule, pf: PfFacts) -> dict[int, PortFunction]:
    """VF number -> what its port does not say yet; none that has a driver, which would not look again."""
    free = {vf.index for vf in pf.vfs if not vf.driver}
    return {number: wish for number, wish in differing_functions(rule, pf).items() if number in free}


def differing_functions(rule: PfRule, pf: PfFacts) -> dict[int, PortFunction]:
    """VF number -> what is asked for of its port function and is not so."""
    if pf.eswitch is None or not rule.asks_port_functions:
        return {}
    known = pf.eswitch.functions
    found = {
        number: wish.difference(known.get(number, NOTHING_SAID))
        for number, wish in rule.port_functions(pf.num_vfs).items()
    }
    return {number: left for number, left in found.items() if left.said}


def any_bound(pf: PfFacts) -> bool:
    """Whether a VF has a driver."""
    return any(vf.driver for vf in pf.vfs)


def lacks(wish: Eswitch, actual: EswitchFacts) -> bool:
    """Whether something of the rest is not as it says."""
    pairs = ((wish.inline_mode, actual.inline_mode), (wish.encap_mode, actual.encap_mode))
    return any(wanted not in {None, found} for wanted, found in pairs) or bool(without_offload(wish, actual))


def without_offload(wish: Eswitch, actual: EswitchFacts) -> tuple[Representor, ...]:
    """The netdevs whose hw-tc-offload is not as it says."""
    if wish.hw_tc_offload is None:
        return ()
    return tuple(port for port in ports_of_switch(actual) if port.has_tc_offload is not wish.hw_tc_offload)


def ports_of_switch(actual: EswitchFacts) -> Iterator[Representor]:
    """The uplink, then the representors."""
    if actual.uplink:
        yield actual.uplink
    yield from actual.representors.values()


def missing_representors(pf: PfFacts, wish: Eswitch | None) -> tuple[int, ...]:
    """The numbers of VFs that should have one and have none."""
    if wish is None or not wish.is_switchdev or pf.eswitch is None:
        return ()
    return tuple(vf.index for vf in pf.vfs if vf.index not in pf.eswitch.representors)


def desired_representors(rule: PfRule, num_vfs: int) -> int:
    """How many there should be."""
    return num_vfs if rule.wants_switchdev else 0


def _has_more(wish: Eswitch, target: int) -> bool:
    waits = wish.is_switchdev and target > 0
    return waits or any(said is not None for said in (wish.inline_mode, wish.encap_mode, wish.hw_tc_offload))


def _params_to_set(rule: PfRule, actual: EswitchFacts) -> dict[str, DevlinkParam]:
    """Not the steering while the mode is switchdev, when its driver would refuse it."""
    wanted = rule.params
    if actual.mode == EswitchMode.SWITCHDEV:
        wanted.pop(STEERING, None)
    return {name: param for name, param in wanted.items() if not _has_param(actual, name, param)}


def _has_param(actual: EswitchFacts, name: str, param: DevlinkParam) -> bool:
    return actual.params.get(name, {}).get(param.cmode) == param.value


def _held_verdict(pf: PfFacts, wish: Eswitch, actual: EswitchFacts, *, remakes: bool) -> Verdict | None:
    """Who would lose something by another mode."""
    lead = f"{pf.pci_address}: the eswitch mode stays {actual.mode} instead of {wish.mode}"
    if used := pf.vfs_in_use if remakes else pf.vfs_at_work:
        users = shortlist([vf.refusal for vf in used], NAMED, "; ")
        return Verdict(Reason.IN_USE, f"{lead}: {users}", LATER_HINT)
    if masters := masters_of(pf, actual):
        return Verdict(Reason.IN_USE, f"{lead}: {masters}", MASTER_HINT)
    return None


def _victims(pf: PfFacts, actual: EswitchFacts, *, remakes: bool) -> tuple[str, ...]:
    """The same where nothing holds it off. VFs that are made again are a count's victims."""
    return (*(() if remakes else (vf.refusal for vf in pf.vfs_at_work)), *_netdevs_with_master(pf, actual))


def masters_of(pf: PfFacts, actual: EswitchFacts) -> str:
    """Which netdevs of the switch are part of another one, "" if none is."""
    return shortlist(_netdevs_with_master(pf, actual), NAMED, "; ")


def _netdevs_with_master(pf: PfFacts, actual: EswitchFacts) -> list[str]:
    return _master_texts(pf, [port.netdev for port in ports_of_switch(actual) if port.has_master])


def masters_text(pf: PfFacts, names: Iterable[str]) -> str:
    """The same where these netdevs are known to be part of another one."""
    return shortlist(_master_texts(pf, names), NAMED, "; ")


def _master_texts(pf: PfFacts, names: Iterable[str]) -> list[str]:
    uppers = {dev.name: ", ".join(dev.uppers) for dev in pf.netdevs}
    return [f"{name} is part of {uppers.get(name) or 'another netdev'}" for name in names]


def lack_verdict(pf: PfFacts, rule: PfRule) -> Verdict | None:
    """Why what the rule says of the switch is not so, once the count is right."""
    wish, actual = rule.eswitch, pf.eswitch
    if actual is None:
        return None
    if wish and wish.mode != (actual.mode or EswitchMode.LEGACY):
        return _mode_verdict(pf, wish, actual.mode)
    if missing := missing_representors(pf, wish):
        vfs = shortlist([f"VF {number}" for number in missing], NAMED)
        lead = f"{pf.pci_address}: {len(missing)} of {quantity(pf.num_vfs, 'representor')} missing"
        return Verdict(Reason.REPRESENTORS_MISSING, f"{lead}: {vfs}", READ_HINT)
    if pf.vfs and awaits_lag(rule, pf):
        return _lag_verdict(pf, actual.lag)
    if steering := wrong_steering(rule, actual):
        found, wanted = steering
        message = f"{pf.pci_address}: {STEERING} is {found} instead of {wanted}"
        return Verdict(Reason.ESWITCH_UNSUPPORTED, message, STEERING_HINT)
    return None


def functions_verdict(pf: PfFacts, rule: PfRule) -> Verdict | None:
    """The same of the functions behind VFs' ports, once the mode is right."""
    if not rule.wants_switchdev or not (wrong := differing_functions(rule, pf)):
        return None
    texts = shortlist([f"VF {number} lacks {left}" for number, left in wrong.items()], NAMED, "; ")
    return Verdict(Reason.ATTRIBUTES_REFUSED, f"{pf.pci_address}: {texts}", FUNCTIONS_HINT)


def _mode_verdict(pf: PfFacts, wish: Eswitch, mode: str) -> Verdict:
    if not mode:
        return Verdict(Reason.ESWITCH_UNSUPPORTED, f"{pf.pci_address}: {no_eswitch(pf)}", UNSUPPORTED_HINT)
    message = f"{pf.pci_address}: the eswitch mode is {mode} instead of {wish.mode}"
    return Verdict(Reason.ESWITCH_MODE, message, READ_HINT)


def _lag_verdict(pf: PfFacts, state: str) -> Verdict:
    lead = f"{pf.pci_address}: the bond of this PF is not offloaded"
    if not state:
        return Verdict(
            Reason.LAG_INACTIVE,
            f"{pf.pci_address}: cannot tell whether the bond of this PF is offloaded: debugfs does not say",
            LAG_UNKNOWN_HINT,
        )
    if bound := [vf for vf in pf.vfs if vf.driver]:
        text = f"{lead}, and {quantity(len(bound), 'VF has', 'VFs have')} a driver already, which keeps it so"
        return Verdict(Reason.LAG_INACTIVE, text, LAG_BOUND_HINT)
    return Verdict(Reason.LAG_INACTIVE, f"{lead}, and its VFs get their driver only then", LAG_HINT)


def no_eswitch(pf: PfFacts) -> str:
    """In words, for a PF whose driver tells of no mode."""
    return f"{pf.driver or 'its driver'} has no eswitch mode that can be set"


def wrong_steering(rule: PfRule, actual: EswitchFacts) -> tuple[str, str] | None:
    """The steering mode that there is, and the one that the rule asks for; None where it asks for no other."""
    steering = rule.params.get(STEERING)
    if not steering or _has_param(actual, STEERING, steering):
        return None
    return str(actual.params.get(STEERING, {}).get(steering.cmode, "unknown")), str(steering.value)
