"""ONE RELEASE: the VFs of one PF that are ours and no longer asked for go away, by the road of a pass.

What we have set of the PF's own netdev becomes what it was before.
"""

from msgspec.structs import replace

from sriov_bootstrap.core import release, state
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import rule_of
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.former_links import FormerLink
from sriov_bootstrap.core.plan_max_vfs import modprobe_path
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.passes.decision import HostSnapshot, decide
from sriov_bootstrap.passes.protocols import PassMachine
from sriov_bootstrap.passes.read import read_facts
from sriov_bootstrap.passes.reconcile import Mode, report_pfs, rounds


def run_release(machine: PassMachine, config: Config, address: str, *, mode: Mode, force: bool = False) -> PassReport:
    """Removes them, or with OBSERVE says what that would do. NotOursError where it is not ours to do."""
    if mode is Mode.APPLY:
        with machine.pass_lock():
            return _apply_release(machine, config, address, force=force)
    seen, saved, _ = _read_host(machine, config, address, force=force)
    return _report_release(machine, seen, (), saved)


def _read_host(
    machine: PassMachine, config: Config, address: str, *, force: bool
) -> tuple[HostSnapshot, State, Config]:
    """Also the config that a release amounts to. What a rule still says of the PF's own netdev is not put back."""
    saved = machine.load_state()[0]
    others = {pf: contest for pf, contest in saved.contests.items() if pf != address}  # this one is asked for: no pause
    saved = replace(saved, contests=others)
    rule = release.rule_for(address, saved.former_links.get(address, FormerLink()))
    pfs = read_facts(machine, replace(config, pf=(*config.pf, rule)), (*saved.pf_addresses, address))
    pf = _find_pf(pfs, address)
    release.refuse_unless_ours(address, pf, config, saved.ours)
    if pf and rule_of(config, pf):
        rule = release.rule_for(address, FormerLink())
    config = replace(config, pf=(rule,))
    return decide(machine, config, pfs, saved, force=force, is_release=True), saved, config


def _apply_release(machine: PassMachine, config: Config, address: str, *, force: bool) -> PassReport:
    seen, saved, config = _read_host(machine, config, address, force=force)
    if any(plan.verdict or not plan.actions for plan in seen.plans):
        return _report_release(machine, seen, (), saved)
    before = seen.pfs
    seen, memory, results, *_ = rounds(machine, config, seen, saved, force=force, is_release=True)
    report = _report_release(machine, seen, results, memory)
    # A write that has not returned may still do it, when nothing compares any more: the restart waits for its end.
    is_stuck = any(result.outcome is Outcome.STUCK for result in results)
    changed = is_stuck or state.incarnations_at(address, before) != state.incarnations_at(address, seen.pfs)
    memory = release.fold_into(
        memory, address, seen.pfs, jam=seen.jam, changed_at=machine.monotonic() if changed else None
    )
    if not report.is_degraded:
        former_links = {pf: former for pf, former in memory.former_links.items() if pf != address}
        memory = replace(memory, former_links=former_links)
    unsaved = machine.save_state(memory)
    return replace(report, notes=(*report.notes, unsaved)) if unsaved else report


def _find_pf(pfs: tuple[PfFacts, ...], address: str) -> PfFacts | None:
    return next((pf for pf in pfs if pf.pci_address == address), None)


def _report_release(machine: PassMachine, seen: HostSnapshot, results: tuple[Result, ...], memory: State) -> PassReport:
    return PassReport(
        started_at=machine.time(),
        pfs=tuple(_with_release_hint(pf) for pf in report_pfs(seen, results, memory)),
        results=results,
        jam=seen.jam,
        notes=tuple(
            _module_note(pf.driver) for pf in seen.pfs_with_rule if machine.read_module(pf.driver).modprobe_text
        ),
    )


def _with_release_hint(pf: PfReport) -> PfReport:
    """Nothing does it later: a release is requested once."""
    hints = {Reason.IN_USE: release.IN_USE_HINT, Reason.CONTESTED: release.CONTESTED_HINT}
    return replace(pf, hint=hints[pf.reason]) if pf.reason in hints else pf


def _module_note(driver: str) -> str:
    return f"{modprobe_path(driver)} creates VFs again when {driver} is loaded: remove it"
