"""status: the machine as it is now, beside what the last pass left behind."""

import msgspec

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.commands.once import NOTHING_TO_DO
from sriov_bootstrap.commands.terminal import in_colour, progress_printer, table_cells
from sriov_bootstrap.core.facts import NAMED
from sriov_bootstrap.core.finding import load_inspected
from sriov_bootstrap.core.plurals import quantity, ranges
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import State
from sriov_bootstrap.doctor.service.now import notes, now_of
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load
from sriov_bootstrap.passes.reconcile import Mode, run_pass

WAIT_POLL_SECONDS = 0.5
COLUMNS = ("RULE", "PF", "NETDEV", "DRIVER", "DESIRED", "VFS", "MAX", "IN USE", "STATE")
COLOURS = {PfState.OK: "32", PfState.PENDING: "33", PfState.DEGRADED: "31", PfState.OPTIONAL: "2"}


def status(machine: HostMachine, *, as_json: bool, wait_seconds: float | None) -> int:
    """0 if every PF is as desired, 3 if not; `wait_seconds` is how long to wait for that."""
    machine.say = say = progress_printer()
    deadline = machine.monotonic() + (wait_seconds or 0.0)
    while True:
        loaded = load(machine, None)  # a broken config is part of the answer
        report = run_pass(machine, loaded, mode=Mode.OBSERVE)
        if _is_as_desired(report) or machine.monotonic() >= deadline:
            break
        say(next((pf.message for pf in report.pfs if pf.message), "waiting"))
        machine.pause(WAIT_POLL_SECONDS)
    say("")
    saved = machine.load_state()[0]
    said = (*_notes(machine, report, saved), *_vf_notes(report))
    if as_json:
        _print_json(report, saved, said)
    else:
        _print_table(report, said)
    return ExitCode.OK if _is_as_desired(report) else ExitCode.DEGRADED


def _is_as_desired(report: PassReport) -> bool:
    is_whole = not report.config_problems and not report.table_problems
    return is_whole and all(pf.state in {PfState.OK, PfState.OPTIONAL} for pf in report.pfs)


def _word(report: PassReport) -> str:
    if report.config_problems:
        return "config_invalid"
    if not report.pfs:
        return "nothing_to_do"
    if report.is_short_of_config:
        return "degraded"
    return "ok" if _is_as_desired(report) else "pending"


def _notes(machine: HostMachine, report: PassReport, saved: State) -> tuple[str, ...]:
    """What an operator should know that is not about a single PF."""
    switches, has_udevd = machine.switches(), machine.procfs.has_udevd()
    now = now_of(saved, machine.monotonic(), jam=report.jam, switches=switches, has_udevd=has_udevd)
    said = [*(f"config: {problem}" for problem in (*report.config_problems, *report.table_problems)), *notes(now)]
    if findings := load_inspected(machine.files.read_findings()).findings:
        said.append(f"doctor had {quantity(len(findings), 'finding')} when the daemon looked: sriov-bootstrap doctor")
    return tuple(said)


def _vf_notes(report: PassReport) -> tuple[str, ...]:
    """What looks wrong but is not, and what is ours but no longer asked for."""
    idle = [
        f"{pf}: VF {', '.join(ranges(sorted(vf.index for vf in pf.vfs if vf.note)))} bound to vfio, but not in use"
        for pf in report.pfs
        if any(vf.note for vf in pf.vfs)
    ]
    differ = [
        f"{pf}: VF {vf.index} differs from the rule: {vf.differs}" + (f" ({vf.user})" if vf.user else "")
        for pf in report.pfs
        for vf in pf.vfs
        if vf.differs
    ]
    shown = [*differ[:NAMED], *([f"{len(differ) - NAMED} more such VFs: --json names each"] if differ[NAMED:] else [])]
    left = [f"{leftover}: {leftover.hint}" for leftover in report.leftovers]
    return (*idle, *shown, *left)


def _print_json(report: PassReport, saved: State, said: tuple[str, ...]) -> None:
    answer = {
        "version": __version__,
        "state": _word(report),
        "pfs": [{**msgspec.to_builtins(pf), "vfs_in_use": pf.vfs_in_use} for pf in report.pfs],
        "config_files": report.config_files,
        "config_problems": (*report.config_problems, *report.table_problems),
        "last_pass_at": saved.report.started_at,
        "last_success_at": saved.last_success_at,
        "pending_restart": saved.pending is not None,
        "stuck_write": report.jam,
        "leftovers": report.leftovers,
        "notes": said,
    }
    print(to_json(answer).decode())


def _print_table(report: PassReport, said: tuple[str, ...]) -> None:
    if not report.pfs and not report.config_problems:
        print(NOTHING_TO_DO)
    has_switches = any(pf.eswitch_desired for pf in report.pfs)
    rows = [COLUMNS, *(_row(pf) for pf in report.pfs)]
    if has_switches:
        modes = ("ESWITCH", *(_switch_cell(pf) for pf in report.pfs))
        rows = [(*row[:-1], mode, row[-1]) for row, mode in zip(rows, modes, strict=True)]
    for number, cells in enumerate(table_cells(rows) if report.pfs else ()):
        if number:
            cells[-1] = in_colour(cells[-1], COLOURS[report.pfs[number - 1].state])
        print("  ".join(cells).rstrip())
    for pf in report.pfs:
        _print_reason(pf)
    if said:
        print()
    for note in said:
        print(f"note: {printable(note)}")


def _print_reason(pf: PfReport) -> None:
    if not pf.message:
        return
    lead = f"{pf}: " if pf.state is PfState.PENDING else ""  # others name their PF, or have none
    print(f"\n{lead}{pf.message}")
    if pf.hint:
        print(f"  hint: {pf.hint}")
    for vf in pf.vfs:
        if vf.user and vf.user not in pf.message:
            print(f"  VF {vf.index} {vf.pci_address}: {printable(vf.user)}")


def _switch_cell(pf: PfReport) -> str:
    """The mode that there is, and how many representors of those that there should be."""
    if not pf.eswitch_desired or not pf.pci_address:
        return "-"
    count = f" {pf.representors}/{pf.representors_desired}" if pf.representors_desired else ""
    return f"{pf.eswitch_mode or 'none'}{count}"


def _row(pf: PfReport) -> tuple[str, ...]:
    there = bool(pf.pci_address)
    state = f"{pf.state}: {pf.reason}" if pf.reason else str(pf.state)
    return (
        pf.rule,
        pf.pci_address or "-",
        pf.netdev or "-",
        pf.driver or "-",
        pf.requested if pf.requested == str(pf.desired) or not there else f"{pf.desired} ({pf.requested})",
        str(pf.num_vfs) if there else "-",
        str(pf.max_vfs) if there else "-",
        str(pf.vfs_in_use) if there else "-",
        state,
    )
