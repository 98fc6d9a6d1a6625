"""What to do: one PF's facts and the rule's wish -> the steps between them, or the reason why there are none.

Two rules for this file:

1. Whatever a pass writes is decided here, or in plan_max_vfs.py, and nowhere else. An edge compares once more right
   before it writes, and refuses if something has changed; it never picks another value.
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
hang, unkillable, until they let go. Nearly all of the rules follow from that. Each says when a count is *not* written:

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

max_vfs is different: it is a parameter of the module, so the count of one PF is that of all PFs of its driver. They
are planned together in plan_max_vfs.py, with the rules of this file.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    LoadModule,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    SetVfAttributes,
    Stage,
    stage_of,
)
from sriov_bootstrap.core.config import PfRule, Switch, VfBinding, VfDriver, WhenInUse
from sriov_bootstrap.core.contest import Contest, pause_seconds
from sriov_bootstrap.core.desired import DesiredPf, ports_of
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.facts import NAMED, PfFacts, Routes, VfFacts
from sriov_bootstrap.core.placing import (
    BINDS_LATE,
    NAMES_FOLLOW_PROBES,
    Moves,
    Placement,
    binds_late,
    former_name,
    moves,
)
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.vf_settings import BEFORE_BINDING, AttributeMemory, Settings, settings
from sriov_bootstrap.core.vf_users import UseKind


class Verdict(Struct, frozen=True):
    """A refusal or a failure: why, in words, and what to do."""

    reason: Reason
    message: str
    hint: str = ""


class Plan(Struct, frozen=True):
    """The steps for one PF, in the order of their stages; `verdict` says why they fall short, None when they do not.

    `carrier` is the PCI address of the PF whose plan has the steps for this one too, "" where there is no such PF.
    `held`: VFs in use that keep another driver until they are released. `remark`: what an operator may want to know
    about how it is done. `settings`: what becomes of the attributes of its VFs.
    """

    desired: DesiredPf
    actions: tuple[Action, ...] = ()
    verdict: Verdict | None = None
    carrier: str = ""
    held: tuple[VfFacts, ...] = ()
    remark: str = ""
    settings: Settings = Settings()

    @property
    def pci_address(self) -> str:
        """Of its PF, "" where its rule has taken none."""
        return self.desired.pf.pci_address if self.desired.pf else ""

    @property
    def changes_vfs(self) -> bool:
        """Whether VFs will come or go."""
        return any(stage_of(action) is Stage.COUNT for action in self.actions)

    @property
    def moves_vfs(self) -> bool:
        """Whether VFs that exist will get another driver."""
        return any(isinstance(action, BindVfs) and action.concerns_consumers for action in self.actions)

    @property
    def takes_drivers(self) -> bool:
        """Whether VFs will lose their driver for a moment."""
        return any(isinstance(action, BindVfs) and action.returns for action in self.actions)


class Jam(Struct, frozen=True):
    """A write in progress since `since` (Unix seconds, for people); process `pid` is in the kernel with it.

    `is_overdue`: longer than `limit_seconds`, so it counts as stuck and is no longer waited for. That is decided on
    CLOCK_MONOTONIC, where it began at `began_at`: Unix time jumps. `users`: who holds its VFs, "" if not known.
    """

    pid: int
    pci_address: str
    action: str
    since: float
    limit_seconds: float = 0.0
    is_overdue: bool = True
    began_at: float = 0.0
    users: str = ""

    def __str__(self) -> str:
        """For people."""
        how = "has not returned" if self.is_overdue else "is in progress"
        users = f": {self.users}" if self.users else ""
        return f"{self.pci_address}: {self.action} {how} (process {self.pid} is waiting in the kernel){users}"


class Short(Struct, frozen=True):
    """A write that the kernel accepted but that created another number of VFs: for `target`, `incarnations`.

    `is_proven`: they are what the write left, not the result of another write since. An older version that did not
    check left entries without it, which are tried once more.
    """

    target: int
    incarnations: frozenset[int]
    is_proven: bool = False


class ModuleFacts(Struct, frozen=True):
    """What is known of one driver's module: its modprobe.d file as it is, and whether it takes max_vfs."""

    modprobe_text: str = ""
    has_max_vfs: bool = False


class Surroundings(Struct, frozen=True):
    """What a plan depends on beyond its own PF. `now` on CLOCK_MONOTONIC.

    `bindings`: PCI address of a PF -> VFs of it that are being bound in another process. `absent_drivers`: drivers that
    rules name and the kernel does not have. `absent`: rule without a PF -> why, as far as that is known.
    `names_follow_probes`: netdevs are called eth0, eth1 in the order in which they are created.
    """

    pfs: tuple[PfFacts, ...] = ()
    jam: Jam | None = None
    modules: dict[str, ModuleFacts] = {}
    routes: Routes = Routes()
    autoprobe_off_by_us: frozenset[str] = frozenset()
    short: dict[str, Short] = {}
    contests: dict[str, Contest] = {}
    now: float = 0.0
    force: bool = False
    placements: dict[str, Placement] = {}
    bindings: dict[str, Jam] = {}
    absent_drivers: frozenset[str] = frozenset()
    absent: dict[str, Verdict] = {}
    names_follow_probes: bool = False
    attributes: dict[str, AttributeMemory] = {}
    machine_id: str = ""

    def placement(self, pci_address: str) -> Placement:
        """What is remembered of this PF's VFs and their driver."""
        return self.placements.get(pci_address, Placement())

    def moves(self, rule: PfRule, pf: PfFacts) -> Moves:
        """Which of its VFs need another driver than they have."""
        return moves(rule, pf, self.placement(pf.pci_address), may_probe=self.may_probe(pf))

    def settings(self, rule: PfRule, pf: PfFacts) -> Settings:
        """Which of its VFs need other attributes than they have."""
        memory = self.attributes.get(pf.pci_address, AttributeMemory())
        is_unfinished = self.placement(pf.pci_address).is_unfinished
        return settings(rule, pf, memory, self.machine_id, now=self.now, is_unfinished=is_unfinished)

    def may_probe(self, pf: PfFacts) -> bool:
        """Whether VFs may get the kernel's driver: probing that something else has disabled stays so."""
        return pf.autoprobe or pf.pci_address in self.autoprobe_off_by_us


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
    verdict = None
    if pf.num_vfs != target:
        verdict = (
            _in_use_verdict(desired, pf, target, around)
            or _short_verdict(pf, target, around)
            or contested_verdict(pf, target, around)
        )
    if pf.num_vfs == target or verdict:
        plan = keep_count(desired, pf, target, around)
    else:
        plan = _change_count(desired, pf, target, around)
    if around.jam and plan.actions:
        return Plan(desired, verdict=verdict or blocked_verdict(pf, around.jam))
    return replace(plan, verdict=verdict)


def _change_count(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> Plan:
    """What has to be set before, the count, and then the VFs' drivers."""
    rule, is_late = desired.rule, binds_late(desired.rule, names_follow_probes=around.names_follow_probes)
    is_late = is_late and target > 0 and around.may_probe(pf)
    steps = list(preparations(desired, pf, target, around, binds_late=is_late, remakes=True))
    steps += _count_steps(desired, pf, target, around)
    attributes = _new_attributes(desired, pf, target, around)
    steps += attributes
    takes_drivers = rule.vf_driver == VfDriver.KERNEL and any(not step.keeps_drivers for step in attributes)
    if is_late or (target and (rule.driver_name or takes_drivers)):
        steps += _bind_steps(pf, rule, around, BindVfs(pf.pci_address, rule.vf_driver))
    wants_late = target and rule.vf_driver == VfDriver.KERNEL and rule.vf_binding is VfBinding.AUTO
    remark = BINDS_LATE if is_late else NAMES_FOLLOW_PROBES if wants_late and around.names_follow_probes else ""
    return Plan(desired, tuple(sorted(steps, key=stage_of)), remark=remark)


def _new_attributes(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> tuple[SetVfAttributes, ...]:
    """For VFs that the count is going to make. Those that the kernel binds meanwhile may have to be bound again."""
    rule = desired.rule
    if not target or not rule.vf or not desired.ports:
        return ()
    is_late = binds_late(rule, names_follow_probes=around.names_follow_probes)
    is_bound = rule.vf_driver == VfDriver.KERNEL and not is_late and around.may_probe(pf)
    needs_rebinding = is_bound and any(BEFORE_BINDING & {*table.requests} for table in rule.vf)
    keeps_drivers = not needs_rebinding or around.names_follow_probes  # parallel probes would shuffle the names
    step = SetVfAttributes(pf.pci_address, desired.ports[0].name, rule.vf, target, keeps_drivers=keeps_drivers)
    return (step,)


def keep_count(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> Plan:
    """The VFs that exist stay; those that are free may get another driver."""
    rule, placed = desired.rule, around.placement(pf.pci_address)
    wrong, found = around.moves(rule, pf), around.settings(rule, pf)
    steps = list(preparations(desired, pf, target, around, binds_late=bool(wrong.now)))
    if wrong.now:
        vfs = tuple(vf.pci_address for vf in wrong.now)
        former = former_name(rule.vf_driver, placed)
        is_off = rule.vf_driver == VfDriver.KERNEL and not around.may_probe(pf)  # by something else: it stays so
        driver = VfDriver.NONE if is_off else rule.vf_driver
        steps += _bind_steps(pf, rule, around, BindVfs(pf.pci_address, driver, vfs, former))
    steps += _attribute_steps(desired, pf, found, around, binds_others=bool(wrong.now))
    return Plan(desired, tuple(sorted(steps, key=stage_of)), held=wrong.later, settings=found)


def _attribute_steps(
    desired: DesiredPf, pf: PfFacts, found: Settings, around: Surroundings, *, binds_others: bool
) -> Iterator[Action]:
    """For VFs that exist. VFs that lose their driver for it wait for a pass in which no others are bound."""
    rule, rebound = desired.rule, {vf.index: vf.pci_address for vf in found.rebound}
    keeps_drivers = around.names_follow_probes or (rule.vf_driver == VfDriver.KERNEL and not around.may_probe(pf))
    now = {vf: before for vf, before in found.now.items() if not binds_others or vf not in rebound}
    if not now or not desired.ports:
        return
    is_rebound = bool(rebound) and not binds_others and not keeps_drivers
    netdev = desired.ports[0].name
    yield SetVfAttributes(pf.pci_address, netdev, rule.vf, pf.num_vfs, now, keeps_drivers=not is_rebound)
    if is_rebound:
        yield BindVfs(pf.pci_address, rule.vf_driver, tuple(rebound.values()), returns=True)


def _bind_steps(pf: PfFacts, rule: PfRule, around: Surroundings, binding: BindVfs) -> Iterator[Action]:
    """The VFs' driver, and its module before it where a rule names one that the kernel does not have."""
    if rule.driver_name in around.absent_drivers:
        yield LoadModule(pf.pci_address, rule.driver_name)
    yield binding


def unfit_verdict(desired: DesiredPf) -> Verdict | None:
    """Why no count can be applied to this PF, whatever the method."""
    rule, pf = desired.rule, desired.pf
    if pf is None:
        if desired.lost and rule.required:
            return _lost_verdict(desired, *desired.lost)
        message = f'no PF matches rule "{rule.name}" ({rule.match})'
        hint = "check that the NIC is seated and its name has not changed: sriov-bootstrap init lists this host's PFs"
        if rule.match.serial_number:
            hint = (
                "compare with lspci -vv, Device Serial Number: only root can read it, and Linux before 7.3 has no file"
            )
        return Verdict(Reason.ABSENT, message, hint) if rule.required else None
    if not pf.driver:
        message = f"{pf.pci_address}: no driver is bound, so it cannot have VFs"
        hint = f"load its driver: modprobe $(cat /sys/bus/pci/devices/{pf.pci_address}/modalias)"
        return Verdict(Reason.DRIVER_MISSING, message, hint)
    if desired.target is not None and desired.target > pf.total_vfs:
        message = f"{pf.pci_address}: cannot create {quantity(desired.target, 'VF')}: the device offers {pf.total_vfs}"
        return Verdict(Reason.EXCEEDS_MAX, message, f'lower num_vfs in rule "{rule.name}" to {pf.total_vfs} or "max"')
    return None


def _lost_verdict(desired: DesiredPf, address: str, first: str) -> Verdict:
    rule = desired.rule
    message = f'{address}: rule "{first}" comes before rule "{rule.name}" ({rule.match}), which matches it as well'
    hint = "a PF has one number of VFs, whichever of its netdevs a rule names: keep one of the two rules"
    return Verdict(Reason.ABSENT, message, hint)


def blocked_verdict(pf: PfFacts, jam: Jam) -> Verdict:
    """The PF that a write is stuck on, or one that has to wait because of it."""
    reason = Reason.STUCK if jam.is_overdue and jam.pci_address == pf.pci_address else Reason.BLOCKED
    hint = "end the VM or process that holds one of its VFs; the kernel log may name the cause: journalctl -k"
    return Verdict(reason, str(jam), hint)


def binding_verdict(pf: PfFacts, binding: Jam) -> Verdict:
    """The same for VFs that are being bound, which no VM holds up."""
    hint = "see journalctl -k if it takes long: a VF's driver, or its firmware, may not answer"
    return replace(blocked_verdict(pf, binding), hint=hint)


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
    if needs_link and rule.pf_up:
        is_first = remakes and _comes_up_first(rule, pf, around)
        down = (dev.name for dev in ports_of(rule.match, pf) if not dev.is_up)
        steps += (SetLinkUp(pf.pci_address, name, precedes_count=is_first) for name in down)
    steps += _link_steps(desired, pf)
    wants_probe = rule.vf_driver == VfDriver.KERNEL
    creates_late = binds_late and remakes
    if target and pf.autoprobe and (creates_late or not wants_probe):
        steps.append(SetAutoprobe(pf.pci_address, enabled=False))
    if wants_probe and not pf.autoprobe and not binds_late and pf.pci_address in around.autoprobe_off_by_us:
        steps.append(SetAutoprobe(pf.pci_address, enabled=True))
    return tuple(steps)


def _link_steps(desired: DesiredPf, pf: PfFacts) -> Iterator[SetPfLink]:
    """What the rule says of the PF's own netdev and is not so."""
    rule = desired.rule
    if pf.link is None or not desired.ports:
        return
    mtu = rule.mtu if rule.mtu != pf.link.mtu else 0
    wanted = None if rule.promisc is None else rule.promisc is Switch.ON
    promisc = None if wanted == pf.link.is_promiscuous else wanted
    if mtu or promisc is not None:
        yield SetPfLink(pf.pci_address, desired.ports[0].name, mtu, promisc)


def _comes_up_first(rule: PfRule, pf: PfFacts, around: Surroundings) -> bool:
    """igb closes and opens a netdev that is up whenever its count changes, so most come up after it."""
    is_kernels_way = rule.vf_driver == VfDriver.KERNEL and not binds_late(
        rule, names_follow_probes=around.names_follow_probes
    )
    return rule.uses_max_vfs or is_kernels_way or driver_of(pf.driver).up_first


def _in_use_verdict(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    if around.force or desired.rule.when_in_use is WhenInUse.REPLACE or not pf.vfs_in_use:
        return None
    users = shortlist([vf.refusal for vf in pf.vfs_in_use], NAMED, "; ")
    message = f"{pf.pci_address}: {vfs_stay(pf.num_vfs, target)}: {users}"
    hint = "this is applied automatically once they are released"
    if any(vf.use and vf.use.kind is UseKind.NO_NIC for vf in pf.vfs):
        hint = f"unbind the driver of those that are free, /sys/bus/pci/devices/VF/driver/unbind: {hint}"
    return Verdict(Reason.IN_USE, message, hint)


def vfs_stay(number: int, wanted: int) -> str:
    """What a refusal says about them, before it names their users."""
    return quantity(number, f"VF stays instead of {wanted}", f"VFs stay instead of {wanted}")


def _short_verdict(pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    """The device created these VFs for exactly this number: destroying them and asking again would never end."""
    made = around.short.get(pf.pci_address)
    same = made == Short(target, pf.incarnations, is_proven=True)
    return fewer_vfs_verdict(pf, target) if same and pf.num_vfs and not around.force else None


def fewer_vfs_verdict(pf: PfFacts, target: int) -> Verdict:
    """The kernel accepted a number, but there are more or fewer VFs."""
    message = (
        f"{pf.pci_address}: asked for {quantity(target, 'VF')} but got {pf.num_vfs}, and the kernel reported no error"
    )
    hint = "check the eswitch mode, the NIC's firmware settings and the driver's messages: journalctl -k"
    return Verdict(Reason.FEWER_VFS, message, hint)


def kept_vfs_verdict(pf: PfFacts, target: int) -> Verdict:
    """The kernel accepted 0, the way to another number, but VFs stay."""
    message = f"{pf.pci_address}: {vfs_stay(pf.num_vfs, target)}: the kernel accepted 0 and reported no error"
    hint = "its driver may have found them when it was loaded, and keeps them until the next boot: journalctl -k"
    return Verdict(Reason.FEWER_VFS, message, hint)


def contested_verdict(pf: PfFacts, target: int, around: Surroundings) -> Verdict | None:
    """Something else also writes this number, and the pause before our next attempt is not over."""
    contest = around.contests.get(pf.pci_address)
    if contest is None or contest.target != target or around.now >= contest.due_at:
        return None
    often = f", {contest.times} times so far" if contest.times > 1 else ""
    message = (
        f"{pf.pci_address}: something else sets {quantity(contest.found, 'VF')} where {target} are asked for{often}"
    )
    pause = f"it is written again after {pause_seconds(contest.times):g} s, and less and less often"
    hint = f"{pause}; sriov-bootstrap doctor names what else sets VFs if a file does: let only one of them do it"
    return Verdict(Reason.CONTESTED, message, hint)


def _count_steps(desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings) -> tuple[Action, ...]:
    allow = around.force or desired.rule.when_in_use is WhenInUse.REPLACE
    steps: list[Action] = []
    if pf.num_vfs:
        steps.append(SetNumVfs(pf.pci_address, pf.num_vfs, 0, allow_in_use=allow))
    if target:
        steps.append(SetNumVfs(pf.pci_address, 0, target, allow_in_use=allow))
    return tuple(steps)


def is_settled(pf: PfFacts | None, target: int, *, expects_driver: bool) -> bool:
    """Whether a write has taken effect: the VFs exist and, if a driver binds, it has finished."""
    if pf is None or pf.num_vfs != target:
        return False
    return not expects_driver or not pf.autoprobe or all(vf.is_ready for vf in pf.vfs)
