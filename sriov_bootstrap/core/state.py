"""What outlives a pass: state.json as a value, and how a pass folds into it.

The counters live here and not in the daemon, so that `--once`, the daemon and its successor count the same things.
"""

import contextlib

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core import contest
from sriov_bootstrap.core.actions import ReloadDriver, SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.ours import still_ours
from sriov_bootstrap.core.plan import Jam, Short
from sriov_bootstrap.core.report import Outcome, PassReport, PfState, Result

FORMAT = 1
LATE_SECONDS = 1300.0  # two safety nets: a daemon that runs has made a pass since `passed_at`
DURATION_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds; a first pass may take minutes


class FailedRestart(Struct, frozen=True):
    """A unit that did not come up when it was restarted: how often in a row, and when the last time."""

    tries: int
    at: float


class PendingRestart(Struct, frozen=True):
    """VFs changed and their consumers may not know. Times on CLOCK_MONOTONIC, the one that systemd's timestamps use.

    `changed_at` None: a write was begun and its end not yet noted; it stays None only if the pass died.
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

    `is_asked`: somebody wants this pass, by --once, a reload or a start, and not only an event or a timer.
    """

    udev_resyncs: int = 0
    failures: int = 0
    is_asked: bool = False


class State(Struct, frozen=True):
    """state.json.

    `passed_at`: when the last pass ended, `changed_at`: when VFs last changed, 0 if never since boot; both on
    CLOCK_MONOTONIC, which no change of the clock moves.
    `known`: the incarnations of each PF's VFs as the last pass left them; `incomplete`: PFs with VFs of our making
    that still wait for their driver; `short`: PFs that made fewer VFs than they were asked for; `ours`: the VFs that we
    made, or that were there in the number that a rule asked for, until they go; `contests`: PFs whose number somebody
    else has written over.
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
    counters: Counters = Counters()


def load(data: bytes, *, boot_id: str) -> tuple[State, str]:
    """The state and a note about what was wrong with the text, "" when nothing was. Never raises."""
    fresh = State(boot_id=boot_id)
    if not data:
        return fresh, ""
    note = ""
    try:
        saved = msgspec.json.decode(data, type=State)
    except msgspec.ValidationError as error:
        saved, note = _understood(data), f"state.json is of another version, not all of it was understood: {error}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return fresh, f"state.json is not readable and was started anew: {error}"
    if len(saved.counters.duration_buckets) != len(DURATION_BUCKETS):
        counters = replace(saved.counters, duration_buckets=Counters().duration_buckets, duration_sum=0.0)
        saved, note = replace(saved, counters=counters), "state.json counts other durations: they were started anew"
    if saved.format != FORMAT:
        return fresh, f"state.json has format {saved.format}, not {FORMAT}, and was started anew"
    if saved.boot_id != boot_id:
        return fresh, ""
    return saved, note


def _understood(data: bytes) -> State:
    """What this version understands of another one's: a word that it does not know in the report costs no restart."""
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


def begin_write(saved: State, pci_addresses: tuple[str, ...]) -> State:
    """Before the first VF write: what must be remembered if this process dies in the middle."""
    return replace(saved, pending=_with_change(saved.pending, None, pci_addresses))


def _with_change(
    pending: PendingRestart | None, changed_at: float | None, addresses: tuple[str, ...]
) -> PendingRestart:
    """A unit that an earlier change has cost its life stays one to be tried again."""
    earlier = pending or PendingRestart()
    both = tuple(sorted({*earlier.pci_addresses, *addresses}))
    return replace(earlier, changed_at=changed_at, pci_addresses=both)


def lost_vfs(saved: State, pfs: tuple[PfFacts, ...]) -> dict[str, int]:
    """PCI address -> VFs of a PF with a rule that the last pass left there and that are gone: not by our hand.

    Where the last pass died during its own write, or left one behind, what is missing may be its doing and is not
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
    """The same for one round of actions: a pass may begin while somebody's removal of VFs is only half done."""
    our_doing = {address for result in results for address in _emptied(result)}
    now = {pf.pci_address: pf.incarnations for pf in after}
    nothing: frozenset[int] = frozenset()
    ours = [pf for pf in before if pf.pci_address not in our_doing]
    losses = {pf.pci_address: len(pf.incarnations - now.get(pf.pci_address, nothing)) for pf in ours}
    return {address: count for address, count in losses.items() if count}


def _emptied(result: Result) -> tuple[str, ...]:
    """PFs whose VFs an action has destroyed, or may have."""
    if result.outcome in {Outcome.UNCHANGED, Outcome.REFUSED, Outcome.STALE}:
        return ()
    match result.action:
        case SetNumVfs(pci_address=address, before=before) if before:
            return (address,)
        case ReloadDriver(pci_addresses=addresses):
            return addresses
        case _:
            return ()


def sum_of(losses: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Both."""
    return {address: losses.get(address, 0) + more.get(address, 0) for address in (losses | more)}


def changed_pfs(saved: State, before: tuple[PfFacts, ...], after: tuple[PfFacts, ...]) -> tuple[str, ...]:
    """PFs of `after` whose VFs are not the ones that consumers may have seen, whoever changed them.

    A PF that no pass has seen counts as new, with no VFs, except in the first pass since boot (`before` is that look).
    """
    first_look = {pf.pci_address: pf.incarnations for pf in before} if not saved.counters.passes else {}
    return tuple(
        pf.pci_address
        for pf in after
        if pf.incarnations != saved.known.get(pf.pci_address, first_look.get(pf.pci_address, frozenset()))
    )


def incarnations_at(address: str, pfs: tuple[PfFacts, ...]) -> frozenset[int]:
    """Which VFs the PF of this address has; none when it is not there."""
    return next((pf.incarnations for pf in pfs if pf.pci_address == address), frozenset())


def remember(saved: State, results: tuple[Result, ...], pfs: tuple[PfFacts, ...]) -> State:
    """What the next look must know of what was done: `pfs` are the facts after it."""
    here = {pf.pci_address: pf for pf in pfs}
    incomplete = {one for one in saved.incomplete if one in here and _waits_for_drivers(here[one])}
    short, autoprobe_off, ours = dict(saved.short), set(saved.autoprobe_off), dict(saved.ours)
    for result in results:
        address = result.action.pci_address
        if isinstance(result.action, SetAutoprobe) and result.is_done:
            autoprobe_off = autoprobe_off - {address} if result.action.enabled else autoprobe_off | {address}
        addresses, target, good = _written(result)
        for pf in (here[one] for one in addresses if one in here):
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
    )


def notice_contests(
    saved: State, pfs: tuple[PfFacts, ...], *, now: float, is_asked: bool
) -> tuple[State, dict[str, int]]:
    """What has become of each contest until a pass begins, and how often it has happened to each PF since the last.

    A number that a pass has left as desired, and that is another one now, was written over. Who asks for a try has seen
    to the other one, as far as we know: what was is forgotten.
    """
    placed = {pf.pci_address: pf.desired for pf in saved.report.pfs if pf.state is PfState.OK}
    contests, new = contest.noticed({} if is_asked else saved.contests, placed, pfs, now=now)
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

    What is stale is planned anew at once, and stays undone only if `is_last`, or if he has written over this target
    before: whoever got in between us twice would do so a third time.
    """
    here, contests, new = {pf.pci_address: pf for pf in pfs}, dict(saved.contests), set()
    for result in results:
        is_stale = result.outcome is Outcome.STALE and isinstance(result.action, SetNumVfs)
        for address in (result.action.pci_address,) if is_stale else result.contested:
            target, found = targets.get(address, -1), here[address].num_vfs if address in here else -1
            if found in {-1, target} or (is_stale and not found and not is_last):  # the last one: a loss
                continue
            one = contest.once_more(contests.get(address), target, found, now=now)
            contests[address] = replace(one, due_at=now) if is_stale and not is_last and one.times == 1 else one
            new.add(address)
    return replace(saved, contests=contests), dict.fromkeys(new, 1)


def _waits_for_drivers(pf: PfFacts) -> bool:
    return pf.autoprobe and not all(vf.is_ready for vf in pf.vfs)


def _written(result: Result) -> tuple[tuple[str, ...], int, frozenset[int]]:
    """PFs whose VFs an action made, the count it asked for, and the counts after which it may be asked again.

    A write that made no VFs destroys none the next time; a reload takes every PF of the driver down once more.
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
        pending = _with_change(pending, now_monotonic, changed)
    elif pending and pending.changed_at is None:  # the pass that began it died: now is the latest it can have been
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
        counters=_counted(saved.counters, report, handover),
    )


def fold_release(
    saved: State, address: str, pfs: tuple[PfFacts, ...], *, jam: Jam | None, changed_at: float | None
) -> State:
    """The state after a release. It is no pass: of the other PFs it says nothing, and what they lost is not forgotten.

    `changed_at`: when its VFs went (CLOCK_MONOTONIC), None if they did not.
    """
    now = incarnations_at(address, pfs)
    leftovers = tuple(one for one in saved.report.leftovers if one.pci_address != address or now)
    return replace(
        saved,
        report=replace(saved.report, jam=jam, leftovers=leftovers),
        changed_at=saved.changed_at if changed_at is None else changed_at,
        pending=saved.pending if changed_at is None else _with_change(saved.pending, changed_at, (address,)),
        known=saved.known | {address: now},
        ours=still_ours(saved.ours, pfs),
    )


def _counted(counters: Counters, report: PassReport, handover: Handover) -> Counters:
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
        vf_losses=sum_of(counters.vf_losses, report.losses),
        contested=sum_of(counters.contested, report.contested),
    )
