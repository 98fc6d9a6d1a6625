"""What outlives a pass: state.json as a value, and how a pass folds into it.

The counters live here and not in the daemon, so that `--once`, the daemon and its successor all count in one place.
"""

import contextlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core import contest
from sriov_bootstrap.core.actions import BindVfs, ReloadDriver, SetAutoprobe, SetNumVfs, SetVfAttributes
from sriov_bootstrap.core.config import VfDriver
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.ours import still_ours
from sriov_bootstrap.core.placing import Placement, VfRefusal, lacks
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, PassReport, PfState, Result
from sriov_bootstrap.core.surroundings import Jam, Short
from sriov_bootstrap.core.vf_settings import AttributeMemory, AttributeRefusal, Seen

FORMAT = 1
LATE_SECONDS = 1300.0  # two safety nets: a daemon that runs has made a pass since `passed_at`
DURATION_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds; a first pass may take minutes


class FailedRestart(Struct, frozen=True):
    """A unit that did not come up when restarted: how many times in a row, and when the last time."""

    tries: int
    at: float


class PendingRestart(Struct, frozen=True):
    """VFs changed, and their consumers may not know. Times on CLOCK_MONOTONIC, the one that systemd's timestamps use.

    `changed_at` None: a write began and its end is not recorded yet; it only stays None if the pass died.
    `failed`: units whose restart is tried again.
    """

    changed_at: float | None = None
    pci_addresses: tuple[str, ...] = ()
    failed: dict[str, FailedRestart] = {}


class Counters(Struct, frozen=True):
    """Everything that only grows, since boot."""

    passes: int = 0
    pass_failures: int = 0
    duration_sum: float = 0.0
    duration_buckets: tuple[int, ...] = (0,) * len(DURATION_BUCKETS)
    vf_losses: dict[str, int] = {}
    restarts: dict[str, int] = {}
    restart_failures: dict[str, int] = {}
    udev_resyncs: int = 0
    contested: dict[str, int] = {}


class Handover(Struct, frozen=True):
    """What happened in the daemon between two passes; counted with the next, as only passes write state.json.

    `is_asked`: this pass was requested, by --once, a reload or a start, not just by an event or a timer.
    """

    udev_resyncs: int = 0
    failures: int = 0
    is_asked: bool = False


class State(Struct, frozen=True):
    """state.json.

    `passed_at`: when the last pass ended, `changed_at`: when VFs last changed, 0 if never since boot; both on
    CLOCK_MONOTONIC, which clock changes do not affect.
    `known`: the incarnations of each PF's VFs as the last pass left them; `incomplete`: PFs with VFs that we created
    and that still wait for their driver; `short`: PFs that created fewer VFs than asked for; `ours`: the VFs that we
    created, or that existed in the number that a rule asked for, until they are gone; `contests`: PFs whose number
    something else has overwritten; `placements`: which driver each PF's VFs have been given; `attributes`: what has
    been set for them.
    """

    format: int = FORMAT
    boot_id: str = ""
    report: PassReport = PassReport()
    last_success_at: float = 0.0
    passed_at: float = 0.0
    changed_at: float = 0.0
    pending: PendingRestart | None = None
    known: dict[str, frozenset[int]] = {}
    incomplete: tuple[str, ...] = ()
    short: dict[str, Short] = {}
    autoprobe_off: tuple[str, ...] = ()
    ours: dict[str, frozenset[int]] = {}
    contests: dict[str, Contest] = {}
    placements: dict[str, Placement] = {}
    attributes: dict[str, AttributeMemory] = {}
    counters: Counters = Counters()

    @property
    def pf_addresses(self) -> frozenset[str]:
        """PFs that something is remembered of. A pass reads them even if they are no NICs and no rule names them."""
        return frozenset((*self.ours, *self.short, *self.contests, *self.incomplete, *self.autoprobe_off))


def load(data: bytes, *, boot_id: str) -> tuple[State, str]:
    """The state and a note about what was wrong with the text, "" when nothing was. Never raises."""
    fresh = State(boot_id=boot_id)
    if not data:
        return fresh, ""
    note = ""
    try:
        saved = msgspec.json.decode(data, type=State)
    except msgspec.ValidationError as error:
        saved, note = (
            _decode_leniently(data),
            f"state.json is from another version and was only partly understood: {error}",
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return fresh, f"state.json was unreadable and has been reset: {error}"
    if len(saved.counters.duration_buckets) != len(DURATION_BUCKETS):
        counters = replace(saved.counters, duration_buckets=Counters().duration_buckets, duration_sum=0.0)
        saved, note = replace(saved, counters=counters), "state.json counts other durations: they have been reset"
    if saved.format != FORMAT:
        return fresh, f"state.json has format {saved.format} instead of {FORMAT} and has been reset"
    if saved.boot_id != boot_id:
        return fresh, ""
    return saved, note


def _decode_leniently(data: bytes) -> State:
    """What this version understands of another's: an unknown word in the report must not cost a restart."""
    kept = {}
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return State()
    for field in msgspec.structs.fields(State):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kept[field.encode_name] = msgspec.json.decode(fields.get(field.encode_name, b"-"), type=field.type)
    return State(**kept)


def dump(saved: State) -> bytes:
    """The text of state.json."""
    return to_json(saved) + b"\n"


def begin_write(saved: State, pci_addresses: tuple[str, ...], plans: Iterable[Plan] = ()) -> State:
    """Before the first VF write: what must be remembered if this process dies in the middle.

    Of `plans` that is whose probing will be off, and which VFs will wait to be bound.
    """
    actions = tuple(action for plan in plans for action in plan.actions)
    off = {action.pci_address for action in actions if isinstance(action, SetAutoprobe) and not action.enabled}
    late = {action.pci_address for action in actions if isinstance(action, BindVfs) and not action.vfs}
    made = {action.pci_address for action in actions if isinstance(action, SetNumVfs)}
    made = made.union(*(action.pci_addresses for action in actions if isinstance(action, ReloadDriver)))
    placements = saved.placements | {address: Placement(is_unfinished=address in late) for address in made}
    for address in {action.pci_address for action in actions if isinstance(action, BindVfs) and action.returns}:
        placements[address] = replace(placements.get(address, Placement()), is_unfinished=True)
    return replace(
        saved,
        pending=_add_change(saved.pending, None, pci_addresses),
        autoprobe_off=tuple(sorted({*saved.autoprobe_off, *off})),
        placements=placements,
    )


def _add_change(pending: PendingRestart | None, changed_at: float | None, addresses: tuple[str, ...]) -> PendingRestart:
    """A unit that an earlier change stopped will still be tried again."""
    earlier = pending or PendingRestart()
    both = tuple(sorted({*earlier.pci_addresses, *addresses}))
    return replace(earlier, changed_at=changed_at, pci_addresses=both)


def lost_vfs(saved: State, pfs: tuple[PfFacts, ...]) -> dict[str, int]:
    """PCI address -> VFs of a PF with a rule that the last pass left and that are gone, not by us.

    If the last pass died during its own write, or left one behind, it may have removed them itself, so they are not
    counted.
    """
    our_doing = saved.pending.pci_addresses if saved.pending and saved.pending.changed_at is None else ()
    our_doing = (*our_doing, saved.report.jam.pci_address) if saved.report.jam else our_doing
    now = {pf.pci_address: pf.incarnations for pf in pfs}
    # A rule by driver lets go of a PF while its driver goes, with the VFs half gone: what follows is the same loss.
    counted = {pf.pci_address for pf in saved.report.pfs}.union(saved.counters.vf_losses) - set(our_doing)
    nothing: frozenset[int] = frozenset()
    losses = {address: len(saved.known.get(address, nothing) - now.get(address, nothing)) for address in counted}
    return {address: count for address, count in losses.items() if count}


def lost_in_round(
    before: tuple[PfFacts, ...], after: tuple[PfFacts, ...], results: tuple[Result, ...]
) -> dict[str, int]:
    """The same for one round of actions: a pass may begin while VFs are still being removed by something else."""
    our_doing = {address for result in results for address in _emptied_pfs(result)}
    now = {pf.pci_address: pf.incarnations for pf in after}
    nothing: frozenset[int] = frozenset()
    others = [pf for pf in before if pf.pci_address not in our_doing]
    losses = {pf.pci_address: len(pf.incarnations - now.get(pf.pci_address, nothing)) for pf in others}
    return {address: count for address, count in losses.items() if count}


def _emptied_pfs(result: Result) -> tuple[str, ...]:
    """PFs whose VFs an action destroyed, or may have."""
    if result.outcome in {Outcome.UNCHANGED, Outcome.REFUSED, Outcome.STALE}:
        return ()
    match result.action:
        case SetNumVfs(pci_address=address, before=before) if before:
            return (address,)
        case ReloadDriver(pci_addresses=addresses):
            return addresses
        case _:
            return ()


def add_losses(losses: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Both."""
    return {address: losses.get(address, 0) + more.get(address, 0) for address in (losses | more)}


def changed_pfs(saved: State, before: tuple[PfFacts, ...], after: tuple[PfFacts, ...]) -> tuple[str, ...]:
    """PFs of `after` whose VFs are not the ones that consumers may have seen, whatever changed them.

    A PF that no pass has seen counts as new, with no VFs, except in the first pass since boot (`before` is that look).
    """
    first_look = {pf.pci_address: pf.incarnations for pf in before} if not saved.counters.passes else {}
    return tuple(
        pf.pci_address
        for pf in after
        if pf.incarnations != saved.known.get(pf.pci_address, first_look.get(pf.pci_address, frozenset()))
    )


def incarnations_at(address: str, pfs: tuple[PfFacts, ...]) -> frozenset[int]:
    """Which VFs the PF at this address has; none if it does not exist."""
    return next((pf.incarnations for pf in pfs if pf.pci_address == address), frozenset())


def remember(saved: State, results: tuple[Result, ...], pfs: tuple[PfFacts, ...], begun: State | None = None) -> State:
    """What the next look must know of what was done: `pfs` are the facts after it. `begun`: see begin_write()."""
    here = {pf.pci_address: pf for pf in pfs}
    incomplete = {
        pf_address for pf_address in saved.incomplete if pf_address in here and _waits_for_drivers(here[pf_address])
    }
    short, ours = dict(saved.short), dict(saved.ours)
    placements, autoprobe_off = _remember_drivers(saved, results, here, begun)
    last = {address: result for result in results for address in _written_pfs(result)[0]}
    for result in results:
        written, target, good = _written_pfs(result)
        addresses = (pf for pf in written if pf in here and last[pf] is result)  # a 0 before N: nothing
        for pf in map(here.__getitem__, addresses):
            short.pop(pf.pci_address, None)
            incomplete.discard(pf.pci_address)
            if pf.num_vfs != target and pf.pci_address in result.contested:
                continue  # these are not what the write left
            ours[pf.pci_address] = pf.incarnations
            if pf.num_vfs not in good:
                short[pf.pci_address] = Short(target, pf.incarnations, is_proven=True)
            elif not result.is_settled:
                incomplete.add(pf.pci_address)
    return replace(
        saved,
        incomplete=tuple(sorted(incomplete)),
        short=short,
        autoprobe_off=tuple(sorted(autoprobe_off)),
        ours=ours,
        placements=placements,
        attributes=_remember_attributes(saved, results, here),
    )


def _remember_attributes(
    saved: State, results: tuple[Result, ...], here: dict[str, PfFacts]
) -> dict[str, AttributeMemory]:
    """What was set for VFs that are still there, and what was refused."""
    found = {address: memory for address, memory in saved.attributes.items() if address in here}
    for result in results:
        action = result.action
        if not isinstance(action, SetVfAttributes) or action.pci_address not in here:
            continue
        if result.is_done or result.refused:
            pf = here[action.pci_address]
            found[pf.pci_address] = _attributes_given(found.get(pf.pci_address, AttributeMemory()), action, result, pf)
    return {address: _without_gone(memory, here[address].incarnations) for address, memory in found.items()}


def _attributes_given(memory: AttributeMemory, action: SetVfAttributes, result: Result, pf: PfFacts) -> AttributeMemory:
    is_same = memory.tables == action.tables
    incarnation = {vf.index: vf.incarnation for vf in pf.vfs}
    meant = frozenset(incarnation[number] for number in action.vfs or incarnation if number in incarnation)
    refused = {
        request: frozenset(incarnation[number] for number in numbers if number in incarnation)
        for request, numbers in result.refused.items()
    }
    earlier = memory.refusal.requests if memory.refusal and is_same else {}
    kept = {request: vfs - meant for request, vfs in earlier.items() if vfs - meant}
    both = {request: kept.get(request, frozenset()) | refused.get(request, frozenset()) for request in kept | refused}
    said = result if refused or not memory.refusal else memory.refusal
    return AttributeMemory(
        tables=action.tables,
        given=(memory.given if is_same else frozenset()) | meant,
        seen={vf: seen for vf, seen in memory.seen.items() if vf not in meant},
        refusal=AttributeRefusal(both, said.message, said.hint) if both else None,
    )


def _without_gone(memory: AttributeMemory, there: frozenset[int]) -> AttributeMemory:
    """VFs that are gone were set for nothing."""
    return replace(
        memory,
        given=memory.given & there,
        seen={vf: seen for vf, seen in memory.seen.items() if vf in there},
        refusal=memory.refusal.among(there) if memory.refusal else None,
    )


def _remember_drivers(
    saved: State, results: tuple[Result, ...], here: dict[str, PfFacts], begun: State | None
) -> tuple[dict[str, Placement], set[str]]:
    """The placements of VFs, and the PFs whose probing we have switched off."""
    planned = begun.placements if begun else {}
    written = {address for result in results for address in _written_pfs(result)[0]}  # other VFs than before
    stuck = {result.action.pci_address for result in results if result.outcome is Outcome.STUCK}  # they may still come
    placements = {pf: placed for pf, placed in saved.placements.items() if pf in here and pf not in written}
    took = {result.action.pci_address for result in results if _takes_drivers(result)}  # until a binding has ended well
    placements |= {pf: planned[pf] for pf in written | stuck | took if pf in planned and pf in here}
    autoprobe_off = set(saved.autoprobe_off)
    for result in results:
        address = result.action.pci_address
        match result.action:
            case SetAutoprobe(enabled=enabled) if result.is_done:
                autoprobe_off = autoprobe_off - {address} if enabled else autoprobe_off | {address}
            case BindVfs() as binding if address in here:
                placements[address] = _placement(placements.get(address, Placement()), binding, result, here[address])
                if binding.driver == VfDriver.KERNEL and here[address].autoprobe:
                    autoprobe_off.discard(address)
    return placements, autoprobe_off


def _takes_drivers(result: Result) -> bool:
    """Whether VFs may have lost their driver for it."""
    action = result.action
    return isinstance(action, SetVfAttributes) and not action.keeps_drivers and result.outcome is not Outcome.STALE


def _placement(placed: Placement, binding: BindVfs, result: Result, pf: PfFacts) -> Placement:
    """After VFs were given a driver: those without it that nobody uses have been refused, if that failed."""
    driver = binding.driver
    if result.is_transient or (not result.is_done and result.outcome is not Outcome.FAILED):
        return placed
    if not driver:  # what an earlier rule has left is gone, or is nobody's business any more
        return Placement()
    given = frozenset(vf.incarnation for vf in pf.vfs if vf.pci_address in binding.vfs or not binding.vfs)
    moved = placed.moved - given if driver == placed.applied else placed.moved | given
    after = replace(placed, is_unfinished=False, refusal=None, moved=moved)
    if result.outcome is Outcome.FAILED:
        vfs = frozenset(vf.incarnation for vf in pf.vfs if lacks(vf, driver))
        after = replace(after, refusal=VfRefusal(driver, vfs, result.message, result.hint))
    return replace(after, applied=driver, moved=frozenset()) if pf.incarnations <= moved else after


def ask_again(saved: State) -> State:
    """An operator who requests a pass is assumed to have done something about what was refused."""
    asked = {
        address: replace(placed, refusal=None, is_unfinished=placed.is_unfinished or bool(placed.refusal))
        for address, placed in saved.placements.items()
    }
    attributes = {address: memory.without_refusal for address, memory in saved.attributes.items()}
    return replace(saved, placements=asked, attributes=attributes)


def note_seen(saved: State, seen: dict[str, dict[int, Seen]]) -> State:
    """`seen`: PCI address -> the VFs of that PF that differ from its rule, as they are now."""
    attributes = {address: replace(memory, seen={}) for address, memory in saved.attributes.items()}
    for address, vfs in seen.items():
        attributes[address] = replace(attributes.get(address, AttributeMemory()), seen=vfs)
    return replace(saved, attributes={address: memory for address, memory in attributes.items() if memory.is_needed})


def note_placed(saved: State, placed: dict[str, str]) -> State:
    """`placed`: PCI address -> the vf_driver that all VFs of that PF have by now."""
    placements = dict(saved.placements)
    for address, driver in placed.items():
        known = placements.get(address, Placement())
        placements[address] = replace(known, applied=driver, is_unfinished=False, moved=frozenset())
    return replace(saved, placements=placements)


def notice_contests(
    saved: State, pfs: tuple[PfFacts, ...], *, now: float, is_asked: bool
) -> tuple[State, dict[str, int]]:
    """The contests at the beginning of a pass, and how often each PF was overwritten since the last one.

    A number that a pass left as desired, and that is different now, was overwritten. An operator who requests a pass
    is assumed to have stopped the other writer: the past is forgotten.
    """
    placed = {pf.pci_address: pf.desired for pf in saved.report.pfs if pf.state is PfState.OK}
    contests, new = contest.find_contests({} if is_asked else saved.contests, placed, pfs, now=now)
    return replace(saved, contests=contests), dict.fromkeys(new, 1)


def note_contests(
    saved: State,
    results: tuple[Result, ...],
    targets: dict[str, int],
    pfs: tuple[PfFacts, ...],
    *,
    now: float,
    is_last: bool,
) -> tuple[State, dict[str, int]]:
    """The same for a round of actions. `targets`: what the rules ask for.

    Stale actions are planned again at once, and stay undone only if `is_last`, or if this target was overwritten
    before: what interfered twice would do so a third time.
    """
    here, contests, new = {pf.pci_address: pf for pf in pfs}, dict(saved.contests), set()
    for result in results:
        is_stale = result.outcome is Outcome.STALE and isinstance(result.action, SetNumVfs)
        for address in (result.action.pci_address,) if is_stale else result.contested:
            target, found = targets.get(address, -1), here[address].num_vfs if address in here else -1
            if found in {-1, target} or (is_stale and not found and not is_last):  # the last one: a loss
                continue
            latest = contest.next_contest(contests.get(address), target, found, now=now)
            contests[address] = (
                replace(latest, due_at=now) if is_stale and not is_last and latest.times == 1 else latest
            )
            new.add(address)
    return replace(saved, contests=contests), dict.fromkeys(new, 1)


def _waits_for_drivers(pf: PfFacts) -> bool:
    return pf.autoprobe and not all(vf.is_ready for vf in pf.vfs)


def _written_pfs(result: Result) -> tuple[tuple[str, ...], int, frozenset[int]]:
    """PFs whose VFs an action made, the count it asked for, and the counts after which it may be asked again.

    A write that created no VFs destroys none the next time; a reload takes every PF of the driver down again.
    """
    nothing: frozenset[int] = frozenset()
    if result.outcome is not Outcome.CHANGED:
        return (), 0, nothing
    match result.action:
        case SetNumVfs(pci_address=address, after=after):
            return (address,), after, frozenset({0, after})
        case ReloadDriver(pci_addresses=addresses, expected=expected):
            return addresses, expected, frozenset({expected})
        case _:
            return (), 0, nothing


def fold(
    saved: State,
    report: PassReport,
    pfs: tuple[PfFacts, ...],
    *,
    now_monotonic: float,
    changed: tuple[str, ...],
    handover: Handover,
) -> State:
    """The state after a pass. `pfs` are all PFs as they are now; `changed` those with a rule whose VFs changed."""
    pending = saved.pending
    if changed:
        pending = _add_change(pending, now_monotonic, changed)
    elif pending and pending.changed_at is None:  # the pass that began it died: now is the latest possible time
        pending = replace(pending, changed_at=now_monotonic)
    return replace(
        saved,
        report=report,
        last_success_at=saved.last_success_at if report.is_degraded else report.started_at + report.seconds,
        passed_at=now_monotonic,
        changed_at=pending.changed_at if pending and pending.changed_at else saved.changed_at,
        pending=pending,
        known={pf.pci_address: pf.incarnations for pf in pfs},
        ours=still_ours(saved.ours, pfs, adopted={pf.pci_address for pf in report.pfs if pf.num_vfs == pf.desired}),
        counters=_count_pass(saved.counters, report, handover),
    )


def fold_release(
    saved: State, address: str, pfs: tuple[PfFacts, ...], *, jam: Jam | None, changed_at: float | None
) -> State:
    """The state after a release. It is not a pass: it says nothing about other PFs, and their losses are not forgotten.

    `changed_at`: when its VFs were removed (CLOCK_MONOTONIC), None if they did not.
    """
    now = incarnations_at(address, pfs)
    leftovers = tuple(leftover for leftover in saved.report.leftovers if leftover.pci_address != address or now)
    return replace(
        saved,
        report=replace(saved.report, jam=jam, leftovers=leftovers),
        changed_at=saved.changed_at if changed_at is None else changed_at,
        pending=saved.pending if changed_at is None else _add_change(saved.pending, changed_at, (address,)),
        known=saved.known | {address: now},
        ours=still_ours(saved.ours, pfs),
    )


def _count_pass(counters: Counters, report: PassReport, handover: Handover) -> Counters:
    return replace(
        counters,
        passes=counters.passes + 1 + handover.failures,
        udev_resyncs=counters.udev_resyncs + handover.udev_resyncs,
        pass_failures=counters.pass_failures + handover.failures + report.has_failed,
        duration_sum=counters.duration_sum + report.seconds,
        duration_buckets=tuple(
            count + (report.seconds <= bound)
            for count, bound in zip(counters.duration_buckets, DURATION_BUCKETS, strict=True)
        ),
        vf_losses=add_losses(counters.vf_losses, report.losses),
        contested=add_losses(counters.contested, report.contested),
    )
