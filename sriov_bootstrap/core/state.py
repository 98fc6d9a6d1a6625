"""What outlives a pass: state.json as a value, and how a pass folds into it.

The counters live here and not in the daemon, so that `--once`, the daemon and its successor all count in one place.
"""

import contextlib
from collections.abc import Collection

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.actions import BindVfs, ReloadDriver, SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.former_links import FormerLinks
from sriov_bootstrap.core.ours import NOTHING, still_ours
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, PassReport, Result
from sriov_bootstrap.core.surroundings import RefusedMode, Short
from sriov_bootstrap.core.vf_settings import AttributeMemory

FORMAT = 1
LATE_SECONDS = 1300.0  # two safety nets: a daemon that runs has made a pass since `passed_at`
DURATION_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds; a first pass may take minutes


class FailedRestart(Struct, frozen=True):
    """A unit that did not come up when restarted: how many times in a row, and when the last time.

    `tries` 0: nobody could tell how its restart ended, and it may not have come up.
    """

    tries: int
    at: float


class PendingRestart(Struct, frozen=True):
    """VFs changed, and their consumers may not know. Times on CLOCK_MONOTONIC, the one that systemd's timestamps use.

    `changed_at` None: a write began and its end is not recorded yet; it only stays None if the pass died.
    `failed`: units whose restart is tried again; `stopping`: units that had not stopped when we ceased to wait for
    their restart, and when that began. `problem`: why the last round could not restart them, "" if it could.
    """

    changed_at: float | None = None
    pci_addresses: tuple[str, ...] = ()
    failed: dict[str, FailedRestart] = {}
    stopping: dict[str, float] = {}
    problem: str = ""


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

    `is_asked`: this pass was requested, by --once, a reload or a start, not just by an event or a timer. `had_events`:
    udev has told of some PF, VF or netdev, or may have.
    """

    udev_resyncs: int = 0
    failures: int = 0
    is_asked: bool = False
    had_events: bool = False

    def after_failure(self, given: "Handover") -> "Handover":
        """The same once a pass that was `given` that has failed: nobody has counted it, or done what was requested."""
        return Handover(
            self.udev_resyncs + given.udev_resyncs,
            self.failures + given.failures + 1,
            self.is_asked or given.is_asked,
            self.had_events or given.had_events,
        )


REQUESTED = Handover(is_asked=True)


class State(Struct, frozen=True):
    """state.json.

    `passed_at`: when the last pass ended, `changed_at`: when VFs last changed, 0 if never since boot; `saved_at`: when
    this was written, or could not be, which tells which of two is newer; all on CLOCK_MONOTONIC, which clock changes do
    not affect.
    `known`: the incarnations of each PF's VFs as the last pass left them; `incomplete`: PFs with VFs that we created
    and that still wait for their driver; `short`: PFs that created fewer VFs than asked for; `ours`: the VFs that we
    created, or that existed in the number that a rule asked for, until they are gone; `contests`: PFs whose number
    something else has overwritten; `placements`: which driver each PF's VFs have been given; `attributes`: what has
    been set for them; `former_links`: what the netdevs of PFs had before; `present_since`: since when each PF has been
    there at every look, and `vfs_changed_at`: when the VFs of each PF last changed; both on CLOCK_MONOTONIC;
    `mode_first`: PFs that have refused another eswitch mode because they had VFs; `refused_modes`: PFs that refuse one.
    `verified_at`: rule -> when `verify` last proved one of its VFs, in Unix time.
    """

    format: int = FORMAT
    boot_id: str = ""
    report: PassReport = PassReport()
    last_success_at: float = 0.0
    passed_at: float = 0.0
    saved_at: float = 0.0
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
    former_links: FormerLinks = {}
    present_since: dict[str, float] = {}
    vfs_changed_at: dict[str, float] = {}
    mode_first: tuple[str, ...] = ()
    refused_modes: dict[str, RefusedMode] = {}
    verified_at: dict[str, float] = {}
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
    except UNDECODABLE as error:
        return fresh, f"state.json was unreadable and has been reset: {error}"
    if len(saved.counters.duration_buckets) != len(DURATION_BUCKETS):
        counters = replace(saved.counters, duration_buckets=Counters().duration_buckets, duration_sum=0.0)
        saved, note = replace(saved, counters=counters), "state.json counts other durations: they have been reset"
    if saved.format != FORMAT:
        return fresh, f"state.json has format {saved.format} instead of {FORMAT} and has been reset"
    if saved.boot_id != boot_id:
        return fresh, ""
    return saved, note


def latest(kept: State, on_disk: State) -> State:
    """Of what could not be saved and what the file says the newer one, with the proofs that only the file has.

    Another process may have saved since; so may a pass that began with `kept` and died, of which nobody has heard. What
    `verify` adds makes the file no newer, as it says nothing of VFs.
    """
    if on_disk.saved_at > kept.saved_at:
        return on_disk
    verified_at = kept.verified_at | on_disk.verified_at
    return kept if verified_at == kept.verified_at else replace(kept, verified_at=verified_at)


def keep(kept: State | None, left: State, *, is_saved: bool) -> State | None:
    """What a process still has to keep, beside the file, once a job of it has ended; None: all is in the file.

    `kept`: what it kept before, `left`: the state as the job left it. A round of restarts that began before the pass
    that is kept ended does not know what that pass did, even if it saved later: all that counts of it is what becomes
    of the units.
    """
    if kept is None or (left.passed_at, left.saved_at) >= (kept.passed_at, kept.saved_at):
        return None if is_saved else left
    if left.passed_at == kept.passed_at:
        return kept
    units = left.pending or PendingRestart()
    pending = kept.pending and replace(kept.pending, failed=units.failed, stopping=units.stopping)
    return replace(kept, pending=pending, saved_at=max(kept.saved_at, left.saved_at))


def _decode_leniently(data: bytes) -> State:
    """What this version understands of another's: an unknown word in the report must not cost a restart."""
    kept = {}
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return State()
    for field in msgspec.structs.fields(State):
        with contextlib.suppress(*UNDECODABLE):
            kept[field.encode_name] = msgspec.json.decode(fields.get(field.encode_name, b"-"), type=field.type)
    return State(**kept)


def dump(saved: State) -> bytes:
    """The text of state.json."""
    return to_json(saved) + b"\n"


def begin_write(saved: State, pci_addresses: tuple[str, ...], plans: Collection[Plan] = ()) -> State:
    """Before the first VF write: what must be remembered if this process dies in the middle.

    Of `plans` that is whose probing will be off, and which VFs will wait to be bound.
    """
    actions = tuple(action for plan in plans for action in plan.actions)
    off = {action.pci_address for action in actions if isinstance(action, SetAutoprobe) and not action.enabled}
    late = {action.pci_address for action in actions if isinstance(action, BindVfs) and not action.vfs}
    late |= {plan.pci_address for plan in plans if plan.holds_drivers}
    made = {action.pci_address for action in actions if isinstance(action, SetNumVfs)}
    made = made.union(*(action.pci_addresses for action in actions if isinstance(action, ReloadDriver)))
    placements = saved.placements | {address: Placement(is_unfinished=address in late) for address in made}
    for address in {action.pci_address for action in actions if isinstance(action, BindVfs) and action.returns}:
        placements[address] = replace(placements.get(address, Placement()), is_unfinished=True)
    return replace(
        saved,
        pending=add_change(saved.pending, None, pci_addresses),
        autoprobe_off=tuple(sorted({*saved.autoprobe_off, *off})),
        placements=placements,
    )


def add_change(pending: PendingRestart | None, changed_at: float | None, addresses: tuple[str, ...]) -> PendingRestart:
    """What is pending once VFs of these PFs have changed as well; a unit that an earlier change stopped stays in it."""
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
    # A rule by driver lets go of a PF while its driver goes, with the VFs half gone: what follows is the same loss.
    counted = {pf.pci_address for pf in saved.report.pfs}.union(saved.counters.vf_losses) - set(our_doing)
    losses = {address: len(saved.known.get(address, NOTHING) - incarnations_at(address, pfs)) for address in counted}
    return {address: count for address, count in losses.items() if count}


def lost_in_round(
    before: tuple[PfFacts, ...], after: tuple[PfFacts, ...], results: tuple[Result, ...]
) -> dict[str, int]:
    """The same for one round of actions: a pass may begin while VFs are still being removed by something else."""
    our_doing = {address for result in results for address in _emptied_pfs(result)}
    others = [pf for pf in before if pf.pci_address not in our_doing]
    losses = {pf.pci_address: len(pf.incarnations - incarnations_at(pf.pci_address, after)) for pf in others}
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
    return next((pf.incarnations for pf in pfs if pf.pci_address == address), NOTHING)


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
        pending = add_change(pending, now_monotonic, changed)
    elif pending and pending.changed_at is None:  # the pass that began it died: now is the latest possible time
        pending = replace(pending, changed_at=now_monotonic)
    here = {pf.pci_address for pf in pfs}
    return replace(
        saved,
        report=report,
        last_success_at=saved.last_success_at if report.is_degraded else report.started_at + report.seconds,
        passed_at=now_monotonic,
        changed_at=pending.changed_at if pending and pending.changed_at else saved.changed_at,
        pending=pending,
        known={pf.pci_address: pf.incarnations for pf in pfs},
        present_since={address: saved.present_since.get(address, now_monotonic) for address in sorted(here)},
        vfs_changed_at={address: at for address, at in saved.vfs_changed_at.items() if address in here}
        | dict.fromkeys(changed, now_monotonic),
        ours=still_ours(saved.ours, pfs, adopted={pf.pci_address for pf in report.pfs if pf.num_vfs == pf.desired}),
        counters=_count_pass(saved.counters, report, handover),
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
