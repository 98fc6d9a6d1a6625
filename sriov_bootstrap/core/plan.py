"""What to do: one PF's facts and the rule's wish -> the steps between them, or the reason why there are none.

Two rules for this file:

1. Whatever a pass writes is decided here, with vf_steps.py and eswitch.py, in plan_max_vfs.py, or in ours.py for PFs
   without a rule, and nowhere else. An edge compares once more right before it writes, and refuses if something has
   changed; it never picks another value.
2. A plan is a function of its arguments. Clock, memory of earlier passes and the other PFs come in as `Surroundings`,
   so each row of the tables in tests/core is the whole truth about one case.

Theory of operation
-------------------

A plan is a difference. If facts and wish are equal it is empty; that is what makes a pass idempotent, and no other
part of the program has to be. It is good for one look only: once it has been carried out, or has gone stale on the
way, the facts are read again and the next plan is made from scratch. Nothing here repairs a plan or picks up where one
stopped.

The kernel knows two ways to write sriov_numvfs: from 0 to N, and from N to 0. Anything else is EBUSY
(drivers/pci/iov.c, sriov_numvfs_store). So changing a count destroys every VF of the PF and creates new ones, whoever
was using the old ones, and no driver protects them: pci_vfs_assigned() does not see vfio users, and the write would
hang, unkillable, until they let go. Nearly all of the rules follow from that. Each says when a count
is *not* written; verdicts.py has the words:

- More than the device offers is refused, not clamped: a silent 7 for 32 is found months later, by the scheduler. It is
  judged only with a driver bound, because igb offers 8 VFs before it binds and 7 after.
- VFs in use stay, unless the rule says `when_in_use = "replace"` or an operator says `--force`.
- A device that was asked for 64 VFs and created 32 keeps its 32 (`Short`): asking again would destroy them every time.
- A number that something else overwrites says nothing about the device. It is written again, later (contest.py).
- While an earlier write has not returned (`Jam`), nothing is written to any PF: it would queue up behind the first
  one in the kernel.

When several of these hold, the first that `plan_pf` asks about is reported. A refusal may still have steps: the PF is
brought up and autoprobe set even if the count has to wait, because these touch no VF that exists. They come before the
count, as they only affect VFs created later; actions.py has the stages. Steps and refusal travel together in `Plan`,
so that a report can say what was done and what was not.

The switch of a NIC has a mode, which is part of this: it is set between two counts, or between a count and the drivers
of its VFs, as the driver of the PF needs it, and it is held off by what holds off a count. eswitch.py has the rules.

max_vfs is different: it is a parameter of the module, so the count of one PF is that of all PFs of its driver. They
are planned together in plan_max_vfs.py, with the rules of this file.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core import vf_mtus
from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    Stage,
    stage_of,
)
from sriov_bootstrap.core.config import PfRule, Switch, VfBinding, WhenInUse
from sriov_bootstrap.core.desired import DesiredPf, ports_of
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.placing import BINDS_LATE, NAMES_FOLLOW_PROBES, binds_late
from sriov_bootstrap.core.reasons import Verdict
from sriov_bootstrap.core.surroundings import Surroundings
from sriov_bootstrap.core.switch_actions import SetEswitchMode, SwitchSteps
from sriov_bootstrap.core.verdicts import (
    binding_verdict,
    blocked_verdict,
    contested_verdict,
    in_use_verdict,
    short_verdict,
    unfit_verdict,
)
from sriov_bootstrap.core.vf_settings import Settings
from sriov_bootstrap.core.vf_steps import (
    attribute_steps,
    attributes_of_new_vfs,
    bind_steps,
    binding_of_new_vfs,
    binding_of_vfs,
    mtu_steps,
)

NO_SWITCH = SwitchSteps()


class Plan(Struct, frozen=True):
    """The steps for one PF, in the order of their stages; `verdict` says why they fall short, None when they do not.

    `carrier` is the PCI address of the PF whose plan has the steps for this one too, "" where there is no such PF.
    `held`: VFs in use that keep another driver until they are released. `remark`: what an operator may want to know
    about how it is done. `settings`: what becomes of the attributes of its VFs. `holds_drivers`: its VFs get their
    driver in a later pass. `victims`: what loses its traffic by another mode of its switch, beside VFs that go.
    `refused_mode`: why its switch stays in another mode, beside which all else is as the rule says.
    """

    desired: DesiredPf
    actions: tuple[Action, ...] = ()
    verdict: Verdict | None = None
    carrier: str = ""
    held: tuple[VfFacts, ...] = ()
    remark: str = ""
    settings: Settings = Settings()
    holds_drivers: bool = False
    victims: tuple[str, ...] = ()
    refused_mode: Verdict | None = None

    @property
    def pci_address(self) -> str:
        """Of its PF, "" where its rule has taken none."""
        return self.desired.pf.pci_address if self.desired.pf else ""

    @property
    def changes_vfs(self) -> bool:
        """Whether VFs will come or go."""
        counts = (action for action in self.actions if not isinstance(action, SetEswitchMode))
        return any(stage_of(action) is Stage.COUNT for action in counts)

    @property
    def changes_mode(self) -> bool:
        """Whether VFs that nova may have read will be ports of a switch, or cease to be."""
        modes = (action for action in self.actions if isinstance(action, SetEswitchMode))
        return any(action.num_vfs and action.before != action.after for action in modes)

    @property
    def moves_vfs(self) -> bool:
        """Whether VFs that exist will get another driver."""
        return any(isinstance(action, BindVfs) and action.concerns_consumers for action in self.actions)

    @property
    def takes_drivers(self) -> bool:
        """Whether VFs will lose their driver for a moment."""
        return any(isinstance(action, BindVfs) and action.returns for action in self.actions)


def plan_pf(desired: DesiredPf, around: Surroundings) -> Plan:
    """The plan for a PF that is set through sriov_numvfs."""
    if verdict := around.absent.get(desired.rule.name) or unfit_verdict(desired):
        return Plan(desired, verdict=verdict)
    pf, target = desired.pf, desired.target
    if pf is None or target is None:  # an optional PF that is missing: nothing to do, and that is fine
        return Plan(desired)
    if around.jam and around.jam.pci_address == pf.pci_address:
        return Plan(desired, verdict=blocked_verdict(pf, around.jam))
    if binding := around.bindings.get(pf.pci_address):
        return Plan(desired, verdict=binding_verdict(pf, binding))
    switch = _switch_steps(desired, pf, target, around)
    verdict = None
    if pf.num_vfs != target:
        verdict = (
            in_use_verdict(desired, pf, target, around)
            or short_verdict(pf, target, around)
            or contested_verdict(pf, target, around)
        )
    verdict = verdict or switch.verdict
    if verdict:
        plan = keep_count(desired, pf, target, around, replace(switch, mode=(), after=()))
    elif pf.num_vfs == target and not switch.remakes:
        plan = keep_count(desired, pf, target, around, switch)
    else:
        plan = _change_count(desired, pf, target, around, switch)
    if around.jam and plan.actions:
        return Plan(desired, verdict=verdict or blocked_verdict(pf, around.jam))
    remark = (plan.actions and switch.remark) or plan.remark
    victims = () if verdict else switch.victims
    return replace(
        plan,
        verdict=verdict,
        remark=remark,
        holds_drivers=switch.holds_drivers,
        victims=victims,
        refused_mode=switch.refused,
    )


def _switch_steps(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> SwitchSteps:
    """Most rules say nothing of it, and import nothing for it."""
    if not desired.rule.asks_devlink:
        return NO_SWITCH
    from sriov_bootstrap.core.eswitch import plan_switch

    return plan_switch(desired, pf, target, around)


def _change_count(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings, switch: SwitchSteps) -> Plan:
    """What has to be set before, the count, and then the VFs' drivers."""
    rule, drivers = desired.rule, desired.rule.drivers(target)
    wants_kernels = VfDriver.KERNEL in drivers.kinds
    waits_for_switch = wants_kernels and (switch.binds_late or switch.holds_drivers)
    is_late = waits_for_switch or binds_late(rule, target, names_follow_probes=around.names_follow_probes)
    is_late = is_late and target > 0 and around.may_probe(pf)
    steps = list(preparations(desired, pf, target, around, binds_late=is_late, remakes=True))
    steps += (*switch.before, *_count_steps(desired, pf, target, around, switch), *switch.after)
    attributes = attributes_of_new_vfs(desired, pf, target, around, is_late=is_late)
    steps += attributes
    takes_drivers = wants_kernels and any(not step.keeps_drivers for step in attributes)
    needs_binding = is_late or (target and (drivers.names or drivers.others or takes_drivers))
    if needs_binding and not switch.holds_drivers:
        are_probed = bool(drivers.others) and wants_kernels and not is_late and around.may_probe(pf)
        steps += bind_steps(pf, around, binding_of_new_vfs(pf, drivers, around, are_probed=are_probed))
    steps += mtu_steps(pf, rule.vf_mtus(target), target)
    wants_late = target and wants_kernels and rule.vf_binding is VfBinding.AUTO
    remark = BINDS_LATE if is_late else NAMES_FOLLOW_PROBES if wants_late and around.names_follow_probes else ""
    return Plan(desired, tuple(sorted(steps, key=stage_of)), remark=remark)


def keep_count(
    desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings, switch: SwitchSteps = NO_SWITCH
) -> Plan:
    """The VFs that exist stay; those that are free may get another driver."""
    rule = desired.rule
    wrong, found = around.moves(rule, pf), around.settings(rule, pf)
    wrong = replace(wrong, now=()) if switch.holds_drivers else wrong
    binding = binding_of_vfs(pf, rule, wrong.now, around) if wrong.now else None
    is_late = binding is not None and VfDriver.KERNEL in binding.drivers.kinds
    steps = [*preparations(desired, pf, target, around, binds_late=is_late or switch.holds_drivers)]
    steps += (*switch.before, *switch.mode, *switch.after)
    steps += bind_steps(pf, around, binding) if binding else ()
    steps += attribute_steps(desired, pf, found, around, binds_others=bool(wrong.now))
    bound = {vf for step in steps if isinstance(step, BindVfs) for vf in step.vfs}
    steps += mtu_steps(pf, vf_mtus.to_set(rule, pf, bound), pf.num_vfs)
    return Plan(desired, tuple(sorted(steps, key=stage_of)), held=wrong.later, settings=found)


def preparations(
    desired: DesiredPf,
    pf: PfFacts,
    target: int,
    around: Surroundings,
    *,
    binds_late: bool = False,
    remakes: bool = False,
) -> tuple[Action, ...]:
    """What has to be set before VFs are created, or beside those that exist, and is not yet.

    If none are to be created: probing that we disabled is enabled again for whatever creates the next ones.
    `binds_late`: it is enabled when the VFs are bound. `remakes`: the count follows.
    """
    rule, steps = desired.rule, list[Action]()
    needs_link = target or (remakes and driver_of(pf.driver).up_first)  # which would keep its VFs as well
    if needs_link and rule.pf_up and pf.are_ports_known:
        is_first = remakes and _comes_up_first(rule, pf, target, around)
        down = (dev.name for dev in ports_of(rule.match, pf) if not dev.is_up)
        steps += (SetLinkUp(pf.pci_address, name, precedes_count=is_first) for name in down)
    steps += _link_steps(desired, pf)
    numbers = (target,) if remakes else (target, pf.num_vfs)  # those that stay for now may have other drivers
    wants_probe = any(VfDriver.KERNEL in rule.drivers(number).kinds for number in numbers)
    creates_late = binds_late and remakes
    if target and pf.autoprobe and (creates_late or not wants_probe):
        steps.append(SetAutoprobe(pf.pci_address, enabled=False))
    if wants_probe and not pf.autoprobe and not binds_late and pf.pci_address in around.autoprobe_off_by_us:
        steps.append(SetAutoprobe(pf.pci_address, enabled=True))
    return tuple(steps)


def _link_steps(desired: DesiredPf, pf: PfFacts) -> Iterator[SetPfLink]:
    """What the rule says of the PF's own netdev and is not so."""
    rule = desired.rule
    if pf.link is None or not desired.netdev:
        return
    mtu = rule.mtu if rule.mtu != pf.link.mtu else 0
    wanted = None if rule.promisc is None else rule.promisc is Switch.ON
    promisc = None if wanted == pf.link.is_promiscuous else wanted
    if mtu or promisc is not None:
        yield SetPfLink(pf.pci_address, desired.netdev, mtu, promisc)


def _comes_up_first(rule: PfRule, pf: PfFacts, target: int, around: Surroundings) -> bool:
    """igb closes and opens a netdev that is up whenever its count changes, so most come up after it."""
    is_kernels_way = VfDriver.KERNEL in rule.drivers(target).kinds and not binds_late(
        rule, target, names_follow_probes=around.names_follow_probes
    )
    return rule.uses_max_vfs or is_kernels_way or driver_of(pf.driver).up_first


def _count_steps(
    desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings, switch: SwitchSteps
) -> Iterator[Action]:
    """With the mode of the switch, in the order that its driver takes: the sort by stage keeps it."""
    allow = around.force or desired.rule.when_in_use is WhenInUse.REPLACE
    if pf.num_vfs:
        yield SetNumVfs(pf.pci_address, pf.num_vfs, 0, allow_in_use=allow)
    yield from switch.mode
    if target:
        yield SetNumVfs(pf.pci_address, 0, target, allow_in_use=allow)
