"""release: removes the VFs of a PF that are ours and that no rule asks for any more."""

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.commands.consent import has_consent
from sriov_bootstrap.commands.once import print_json, print_plan, print_report, restart_all
from sriov_bootstrap.commands.terminal import progress_printer
from sriov_bootstrap.core.release import parse_address
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import load_config
from sriov_bootstrap.passes.reconcile import Mode
from sriov_bootstrap.passes.release import run_release


def release(machine: HostMachine, pci_address: str, *, dry_run: bool, force: bool, as_json: bool) -> int:
    """0 if no VF is left, 3 if they are in use or the kernel did not remove them."""
    if not dry_run:
        machine.require_root("release")
    machine.say = progress_printer()
    address = parse_address(pci_address)
    loaded = load_config(machine, None)
    if dry_run or force:
        plan = run_release(machine, loaded.config, address, mode=Mode.OBSERVE, force=force)
        if dry_run:
            return print_plan(machine, loaded, plan, as_json=as_json)
        if not has_consent(plan):
            return ExitCode.DEGRADED
    report = run_release(machine, loaded.config, address, mode=Mode.APPLY, force=force)
    follow_up = restart_all(machine, loaded) if machine.has_pending_restart else None
    machine.say("")
    if as_json:
        print_json(report, follow_up)
    elif _had_nothing(report):
        print(f"{report.pfs[0]}: nothing to do: it has no VFs")
    else:
        print_report(report, follow_up)
    return ExitCode.DEGRADED if report.is_degraded else ExitCode.OK


def _had_nothing(report: PassReport) -> bool:
    return not report.results and not report.is_degraded
