"""What one look leaves in memory for the next: which VFs are ours, what fell short, drivers, attributes, contests."""

from msgspec.structs import replace

from sriov_bootstrap.core import contest
from sriov_bootstrap.core.actions import BindVfs, ReloadDriver, SetAutoprobe, SetNumVfs, SetVfAttributes
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.ours import NOTHING
from sriov_bootstrap.core.placing import Placement, VfRefusal, lacks
from sriov_bootstrap.core.report import Outcome, PfState, Result
from sriov_bootstrap.core.settled import have_drivers
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import RefusedMode, Short
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.core.vf_settings import AttributeMemory, AttributeRefusal, Seen

MODE_TRIES = 3  # of a mode for which VFs have to be made again


def remember(saved: State, results: tuple[Result, ...], pfs: tuple[PfFacts, ...], begun: State | None = None) -> State:
    """What the next look must know of what was done: `pfs` are the facts after it. `begun`: see begin_write()."""
    here = {pf.pci_address: pf for pf in pfs}
    incomplete = {
        address
        for address in saved.incomplete
        if address in here and _waits_for_drivers(here[address], saved.placements.get(address, Placement()))
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
        mode_first=_remember_orders(saved, results, here),
        refused_modes=_remember_modes(saved, results, here),
    )


def _remember_orders(saved: State, results: tuple[Result, ...], here: dict[str, PfFacts]) -> tuple[str, ...]:
    """The PFs whose mode has to be set before they have VFs, as one has been refused with them."""
    refused = {result.action.pci_address for result in results if refuses_mode_with_vfs(result)}
    return tuple(sorted({*saved.mode_first, *refused} & here.keys()))


def refuses_mode_with_vfs(result: Result) -> bool:
    """Whether another eswitch mode was refused, and that may be for the VFs: some firmware of ConnectX-6 Lx does so."""
    action = result.action
    is_early = isinstance(action, SetEswitchMode) and action.may_precede_count and action.num_vfs > 0
    return is_early and refuses_mode(result) and not result.is_transient


def refuses_mode(result: Result) -> bool:
    """Whether another eswitch mode was refused; one that is only busy has been asked several times by then."""
    return isinstance(result.action, SetEswitchMode) and result.outcome is Outcome.FAILED


def _remember_modes(saved: State, results: tuple[Result, ...], here: dict[str, PfFacts]) -> dict[str, RefusedMode]:
    """The modes that PFs refuse, also without VFs: nothing is left to be tried but time."""
    found = {
        address: refused
        for address, refused in saved.refused_modes.items()
        if address in here and not _has_mode(here[address], refused.mode)
    }
    for result in results:
        action = result.action
        if not isinstance(action, SetEswitchMode) or action.pci_address not in here:
            continue
        earlier = found.pop(action.pci_address, None)
        if refuses_mode(result) and not refuses_mode_with_vfs(result):
            times = earlier.times + 1 if earlier and earlier.mode == action.after else 1
            found[action.pci_address] = RefusedMode(action.after.value, times, result.message, result.hint)
        elif earlier and not result.is_done:
            found[action.pci_address] = earlier
    return found


def _has_mode(pf: PfFacts, mode: str) -> bool:
    return pf.eswitch is not None and pf.eswitch.mode == mode


def ask_for_modes_again(saved: State, pfs: tuple[PfFacts, ...]) -> State:
    """When a pass begins: modes that were refused are due again, where no VF has to go for it or not often yet."""
    if not saved.refused_modes:
        return saved
    from sriov_bootstrap.core.eswitch import remakes_vfs  # only where a rule asks for a mode

    here = {pf.pci_address: pf for pf in pfs}
    modes = {
        address: replace(refused, is_due=refused.times < MODE_TRIES or not remakes_vfs(here[address], saved.mode_first))
        for address, refused in saved.refused_modes.items()
        if address in here
    }
    return replace(saved, refused_modes=modes)


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
                if VfDriver.KERNEL in binding.drivers.kinds and here[address].autoprobe:
                    autoprobe_off.discard(address)
    return placements, autoprobe_off


def _takes_drivers(result: Result) -> bool:
    """Whether VFs may have lost their driver for it."""
    action = result.action
    return isinstance(action, SetVfAttributes) and not action.keeps_drivers and result.outcome is not Outcome.STALE


def _placement(placed: Placement, binding: BindVfs, result: Result, pf: PfFacts) -> Placement:
    """After VFs were given a driver: those without it that nobody uses have been refused, if that failed."""
    drivers = binding.drivers
    if result.is_transient or (not result.is_done and result.outcome is not Outcome.FAILED):
        return placed
    if not binding.driver:  # what an earlier rule has left is gone, or is nobody's business any more
        return Placement()
    given = [vf for vf in pf.vfs if vf.pci_address in binding.vfs or not binding.vfs]
    back = frozenset(vf.incarnation for vf in given if drivers.wish_for(vf.index) == placed.drivers.wish_for(vf.index))
    moved = placed.moved.union(vf.incarnation for vf in given) - back
    after = replace(placed, is_unfinished=False, refusal=None, moved=moved)
    if result.outcome is Outcome.FAILED:
        vfs = frozenset(vf.incarnation for vf in given if lacks(vf, drivers.wish_for(vf.index)))
        after = replace(after, refusal=VfRefusal(drivers.usual, vfs, result.message, result.hint, drivers.others))
    return _with_drivers(after, drivers) if pf.incarnations <= moved else after


def _with_drivers(placed: Placement, drivers: DriverWishes) -> Placement:
    return replace(placed, applied=drivers.usual, others=drivers.others, moved=frozenset())


def ask_again(saved: State) -> State:
    """An operator who requests a pass is assumed to have done something about what was refused."""
    asked = {
        address: replace(placed, refusal=None, is_unfinished=placed.is_unfinished or bool(placed.refusal))
        for address, placed in saved.placements.items()
    }
    attributes = {address: memory.without_refusal for address, memory in saved.attributes.items()}
    return replace(saved, placements=asked, attributes=attributes, refused_modes={})


def forget_seen(saved: State) -> State:
    """The quiet time of all VFs begins anew.

    Who takes VFs and gives them back, always in the same way, may be in the middle of it whenever its events make us
    look, and every look would see the same.
    """
    attributes = {address: replace(memory, seen={}) for address, memory in saved.attributes.items()}
    return replace(saved, attributes=attributes)


def note_seen(saved: State, seen: dict[str, dict[int, Seen]]) -> State:
    """`seen`: PCI address -> the VFs of that PF that differ from its rule, as they are now."""
    attributes = forget_seen(saved).attributes
    for address, vfs in seen.items():
        attributes[address] = replace(attributes.get(address, AttributeMemory()), seen=vfs)
    return replace(saved, attributes={address: memory for address, memory in attributes.items() if memory.is_needed})


def note_placed(saved: State, placed: dict[str, DriverWishes]) -> State:
    """`placed`: PCI address -> the drivers that all VFs of that PF have by now."""
    placements = dict(saved.placements)
    for address, drivers in placed.items():
        placements[address] = _with_drivers(replace(placements.get(address, Placement()), is_unfinished=False), drivers)
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


def _waits_for_drivers(pf: PfFacts, placed: Placement) -> bool:
    return pf.autoprobe and not have_drivers(pf, placed.drivers)


def _written_pfs(result: Result) -> tuple[tuple[str, ...], int, frozenset[int]]:
    """PFs whose VFs an action made, the count it asked for, and the counts after which it may be asked again.

    A write that created no VFs destroys none the next time; a reload takes every PF of the driver down again.
    """
    if result.outcome is not Outcome.CHANGED:
        return (), 0, NOTHING
    match result.action:
        case SetNumVfs(pci_address=address, after=after):
            return (address,), after, frozenset({0, after})
        case ReloadDriver(pci_addresses=addresses, expected=expected):
            return addresses, expected, frozenset({expected})
        case _:
            return (), 0, NOTHING
