"""One pass: read -> decide -> act -> look again -> report. Knows nothing of when, and nothing of how.

Runs where it may block: in the `--once` process itself, or in a child of the daemon that can be left behind.
"""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sriov_bootstrap.core import ours, state
from sriov_bootstrap.core.actions import BindVfs, ReloadDriver, SetNumVfs, addresses_of
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.former_links import with_former
from sriov_bootstrap.core.memory import (
    ask_again,
    ask_for_modes_again,
    forget_seen,
    note_contests,
    note_placed,
    note_seen,
    notice_contests,
    refuses_mode,
    remember,
)
from sriov_bootstrap.core.pf_report import report_pf
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, Result
from sriov_bootstrap.core.state import Handover, State
from sriov_bootstrap.core.suspects import name_breakers
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.passes.decision import HostSnapshot, decide
from sriov_bootstrap.passes.read import Loaded, read_facts, read_users

if TYPE_CHECKING:
    from sriov_bootstrap.passes.protocols import PassMachine  # loaded for no pass: it only names types

MAX_ROUNDS = 3  # a stale plan is made again, but not for ever against something that keeps writing


class Mode(StrEnum):
    """APPLY does the work, OBSERVE only looks: it takes no lock and writes nothing, state.json included."""

    APPLY = "apply"
    OBSERVE = "observe"


def run_pass(
    machine: "PassMachine", loaded: Loaded, *, mode: Mode, force: bool = False, handover: Handover | None = None
) -> PassReport:
    """One pass with a config that load_config gave. `force` destroys even VFs in use; `handover`: see state.py."""
    if mode is Mode.APPLY:
        with machine.pass_lock():
            return _apply_pass(machine, loaded, force=force, handover=handover or Handover())
    saved, note = machine.load_state()
    pfs = read_facts(machine, loaded.config, saved.pf_addresses)
    is_asked = force or (handover or Handover()).is_asked
    saved, _ = _begin_memory(machine, saved, pfs, is_asked=is_asked)
    seen = decide(machine, loaded.config, pfs, saved, force=force)
    return _report(loaded, seen, (), saved, note, started_at=machine.time())


def _report(
    loaded: Loaded, seen: HostSnapshot, results: tuple[Result, ...], memory: State, note: str, *, started_at: float
) -> PassReport:
    """What was seen last and what was done; `note` is what was wrong with state.json."""
    return PassReport(
        started_at=started_at,
        pfs=report_pfs(seen, results, memory),
        results=results,
        config_problems=loaded.problems,
        config_files=loaded.files,
        config_checksums=loaded.checksums,
        jam=seen.jam,
        notes=(note,) if note else (),
        # Not while the config is broken: its rules may ask for them.
        leftovers=() if loaded.problems else ours.leftovers(memory.ours, seen.pfs, loaded.config),
        table_problems=loaded.table_problems,
    )


def make_plans(machine: "PassMachine", config: Config) -> tuple[Plan, ...]:
    """What a pass would do at this moment that waits for no pause: one that does has not come so far."""
    saved = machine.load_state()[0]
    pfs = read_facts(machine, config, saved.pf_addresses)
    saved, _ = _begin_memory(machine, saved, pfs, is_asked=True)
    return decide(machine, config, pfs, saved, force=False).plans


def _apply_pass(machine: "PassMachine", loaded: Loaded, *, force: bool, handover: Handover) -> PassReport:
    began, started_at = machine.monotonic(), machine.time()
    saved, note = machine.load_state()
    pfs = read_facts(machine, loaded.config, saved.pf_addresses)
    saved = forget_seen(saved) if handover.had_events else saved
    saved, contested = _begin_memory(machine, saved, pfs, is_asked=force or handover.is_asked)
    first = decide(machine, loaded.config, pfs, saved, force=force)
    seen, memory, results, losses, contested_since = rounds(machine, loaded.config, first, saved, force=force)
    losses = state.add_losses(state.lost_vfs(saved, first.pfs), losses)
    report = replace(
        _report(loaded, seen, results, memory, note, started_at=started_at),
        seconds=machine.monotonic() - began,
        losses=losses,
        loss_suspects=name_breakers(machine.read_suspects(), losses) if losses else {},
        contested=state.add_losses(contested, contested_since),
    )
    memory = state.fold(
        note_seen(note_placed(memory, seen.placed), seen.differing),
        report,
        seen.pfs,
        now_monotonic=machine.monotonic(),
        changed=(*state.changed_pfs(saved, first.pfs, seen.pfs_with_rule), *_moved_pfs(results)),
        handover=handover,
    )
    unsaved = machine.save_state(memory)
    return replace(report, notes=(*report.notes, unsaved)) if unsaved else report


def _begin_memory(
    machine: "PassMachine", saved: State, pfs: tuple[PfFacts, ...], *, is_asked: bool
) -> tuple[State, dict[str, int]]:
    """What is known when a pass begins, and which PFs' numbers something else has overwritten since the last one."""
    saved = ask_for_modes_again(ask_again(saved) if is_asked else saved, pfs)
    return notice_contests(remember(saved, (), pfs), pfs, now=machine.monotonic(), is_asked=is_asked)


def rounds(
    machine: "PassMachine",
    config: Config,
    seen: HostSnapshot,
    memory: State,
    *,
    force: bool,
    is_release: bool = False,
) -> tuple[HostSnapshot, State, tuple[Result, ...], dict[str, int], dict[str, int]]:
    """Acts until nothing is stale: the last look, the memory of what was done, all results, lost, contested."""
    results: tuple[Result, ...] = ()
    losses: dict[str, int] = {}
    contested: dict[str, int] = {}
    for number in range(1, MAX_ROUNDS + 1):
        before, memory = memory, replace(memory, former_links=with_former(memory.former_links, seen.plans))
        if not any(plan.actions for plan in seen.all_plans):
            break
        from sriov_bootstrap.passes import execute  # most passes do nothing

        begun = state.begin_write(memory, tuple(pf.pci_address for pf in seen.pfs_with_rule), seen.plans)
        if any(plan.changes_vfs or plan.changes_mode or plan.moves_vfs or plan.takes_drivers for plan in seen.plans):
            machine.save_state(begun)
        elif begun.autoprobe_off != memory.autoprobe_off or memory.former_links != before.former_links:
            machine.save_state(replace(memory, autoprobe_off=begun.autoprobe_off))  # no restart: no VF changes
        guard = partial(read_users, machine, config)
        acted = execute.carry_out(seen.all_plans, machine, guard=guard)
        results += acted
        pfs = read_facts(machine, config, memory.pf_addresses)
        memory = remember(memory, acted, pfs, begun)
        memory, new = note_contests(
            memory, acted, seen.targets, pfs, now=machine.monotonic(), is_last=number == MAX_ROUNDS
        )
        contested = state.add_losses(contested, new)
        losses = state.add_losses(losses, state.lost_in_round(seen.pfs_with_rule, pfs, acted))
        seen = decide(machine, config, pfs, memory, force=force, is_release=is_release)
        if not any(_calls_for_another_look(result) for result in acted):
            break
    return seen, memory, results, losses, contested


def _moved_pfs(results: tuple[Result, ...]) -> tuple[str, ...]:
    """PFs with VFs that were there before and have another driver now, or are ports of a switch."""
    tried = [result.action for result in results if result.outcome in {Outcome.CHANGED, Outcome.FAILED}]
    switched = (act.pci_address for act in tried if isinstance(act, SetEswitchMode) and act.num_vfs)
    moved = (act.pci_address for act in tried if isinstance(act, BindVfs) and act.concerns_consumers)
    return (*moved, *switched)


def _calls_for_another_look(result: Result) -> bool:
    """Whether the machine is no longer the one that was planned for: a reload makes new netdevs, and they are down.

    Or somebody has come to use a VF, or the kernel refuses a mode: what was set for it is taken back.
    """
    reloaded = isinstance(result.action, ReloadDriver) and result.is_done
    waits = isinstance(result.action, SetNumVfs | SetEswitchMode) and result.outcome is Outcome.REFUSED
    return reloaded or waits or result.outcome is Outcome.STALE or refuses_mode(result)


def report_pfs(seen: HostSnapshot, results: tuple[Result, ...], memory: State) -> tuple[PfReport, ...]:
    """A line for each plan of the last look."""
    lines = []
    for plan in seen.plans:
        address = plan.pci_address
        involved = {address, plan.carrier}
        own = tuple(result for result in results if not involved.isdisjoint(addresses_of(result.action)))
        lines.append(
            report_pf(
                plan,
                plan.desired.pf,
                own,
                is_incomplete=address in memory.incomplete,
                refusal=memory.placements.get(address, Placement()).refusal,
                attributes=memory.attributes.get(address),
                machine_id=seen.machine_id,
            )
        )
    return tuple(lines)
