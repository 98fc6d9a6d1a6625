"""Our own service: does it run, will it at the next boot, has it read the config, and what is its work waiting for."""

from collections.abc import Iterator

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.followup import RESTART_RETRY_SECONDS, RUNNING, STOPPING_SECONDS
from sriov_bootstrap.core.ours import Ours, leftovers
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport
from sriov_bootstrap.core.state import State
from sriov_bootstrap.doctor.service.now import WITHOUT_UDEVD, Now
from sriov_bootstrap.doctor.service.survey import HOLDERS_UNIT, LOAD_UNIT, RELOAD_UNIT, UNIT, ServiceSurvey
from sriov_bootstrap.render.host import Host

OUR_FOLDER = "/sriov-bootstrap/"
JOURNAL = f"journalctl -b -u {UNIT}"
UDEVD = "systemd-udevd.service"
STATUS = "sriov-bootstrap status"


def check_service(host: Host, survey: ServiceSurvey) -> Iterator[Finding]:
    """On a host without a rule, the service has nothing to do except for what it left behind."""
    if host.config.pf:
        yield from _check_boot(survey)
        yield from _check_unit(survey)
        yield from _helpers(host, survey)
        yield from _passes(survey)
    yield from _stuck(survey)
    if survey.state:
        yield from _work(host, survey.state)
        yield from _restarts(host, survey.now)
        yield from _leftovers(host, survey.state.ours)
    yield from _library(survey)
    yield from _files(survey)


def _is_active(survey: ServiceSurvey) -> bool | None:
    """None where systemd could not be asked."""
    return survey.unit["ActiveState"] in RUNNING if "ActiveState" in survey.unit else None


def _check_boot(survey: ServiceSurvey) -> Iterator[Finding]:
    for text in survey.now.switches:
        problem = "is switched off: no VFs will be created at the next boot"
        remedy = f"remove {text}, then: systemctl start {UNIT}"
        if _is_active(survey):
            problem = "is switched off, but goes on until it is stopped"
            remedy = f"systemctl stop {UNIT}, or remove {text}"
        yield Finding("SB-E703", UNIT, problem, evidence=text, remedy=remedy)
    if UNIT in survey.masked or survey.unit.get("LoadState") == "masked":
        remedy = f"systemctl unmask {UNIT} && systemctl enable --now {UNIT}"
        yield Finding(
            "SB-E702", UNIT, "is masked, so it cannot be started", evidence="linked to /dev/null", remedy=remedy
        )
    elif survey.unit.get("LoadState") == "not-found":
        problem = "is not installed: no VFs will be created at the next boot"
        yield Finding(
            "SB-E702", UNIT, problem, evidence="LoadState=not-found", remedy="install the package, then enable the unit"
        )
    elif survey.is_installed and not survey.is_wanted:
        evidence = (
            f"no link to it in multi-user.target.wants, UnitFileState={survey.unit.get('UnitFileState', 'unknown')}"
        )
        problem = "is not enabled: no VFs will be created at the next boot"
        yield Finding("SB-E702", UNIT, problem, evidence=evidence, remedy=f"systemctl enable {UNIT}")


def _check_unit(survey: ServiceSurvey) -> Iterator[Finding]:
    if _is_active(survey) is False and not survey.now.switches and survey.unit.get("LoadState") == "loaded":
        state, result = survey.unit["ActiveState"], survey.unit.get("Result", "")
        evidence = f"ActiveState={state}" + (f" Result={result}" if result else "")
        problem = "has failed" if state == "failed" else "is not running: VFs that disappear will not be created again"
        yield Finding(
            "SB-E704",
            UNIT,
            problem,
            evidence=evidence,
            remedy=f"systemctl start {UNIT}; to see why it ended: {JOURNAL}",
        )
    if survey.unit.get("NeedDaemonReload") == "yes":
        problem = "or one of its drop-ins was changed, and systemd still has the old version"
        remedy = f"systemctl daemon-reload && systemctl restart {UNIT} (VFs stay)"
        yield Finding("SB-W716", UNIT, problem, evidence="NeedDaemonReload=yes", remedy=remedy)
    if _is_active(survey) and not survey.now.has_udevd:
        remedy = f"systemctl start {UDEVD}; why it ended: journalctl -b -u {UDEVD}"
        yield Finding("SB-W717", UDEVD, WITHOUT_UDEVD, evidence="no process of that name", remedy=remedy)


def _helpers(host: Host, survey: ServiceSurvey) -> Iterator[Finding]:
    """Masking one is a way to forbid what it does; the operator should know what that costs here."""
    vfs = [vf for wish in host.wishes if wish.pf for vf in wish.pf.vfs]
    if HOLDERS_UNIT in survey.masked and any(vf.is_vfio for vf in vfs):
        problem = "is masked: every VF bound to vfio counts as in use, and their number is never changed"
        yield Finding(
            "SB-W705", HOLDERS_UNIT, problem, evidence="linked to /dev/null", remedy=f"systemctl unmask {HOLDERS_UNIT}"
        )
    if RELOAD_UNIT in survey.masked and any(rule.uses_max_vfs and rule.reload_driver for rule in host.config.pf):
        problem = "is masked: the driver reload that a rule allows never happens"
        yield Finding(
            "SB-W705", RELOAD_UNIT, problem, evidence="linked to /dev/null", remedy=f"systemctl unmask {RELOAD_UNIT}"
        )
    if LOAD_UNIT in survey.masked and survey.not_loaded:
        problem = f"is masked, so VFs do not get the driver {' or '.join(survey.not_loaded)}, which a rule names"
        yield Finding(
            "SB-W705", LOAD_UNIT, problem, evidence="linked to /dev/null", remedy=f"systemctl unmask {LOAD_UNIT}"
        )


def _passes(survey: ServiceSurvey) -> Iterator[Finding]:
    is_active = _is_active(survey)
    if not survey.now.has_passed:
        if survey.unit.get("ActiveState") == "active" and survey.state:
            remedy = f"{JOURNAL}, or: sriov-bootstrap --once"
            yield Finding(
                "SB-E707",
                UNIT,
                "is running, but finished no pass since boot",
                evidence="no pass in state.json",
                remedy=remedy,
            )
        return
    if survey.now.late and is_active is not False:
        problem = f"{survey.now.late}, but one is due every ten"
        yield Finding(
            "SB-E708",
            UNIT,
            problem,
            evidence="passed_at in state.json",
            remedy=f"{JOURNAL}, then: systemctl restart {UNIT}",
        )
    if survey.state and survey.config_files is not None:
        yield from _newer_config(survey.config_files, survey.state.report)


def _newer_config(files: dict[str, int], report: PassReport) -> Iterator[Finding]:
    """By the contents of the files, not by their times: touching one changes nothing."""
    read = dict(zip(report.config_files, report.config_checksums, strict=False))
    if len(read) < len(report.config_files):  # a state.json of an older version
        return
    if any(OUR_FOLDER not in path for path in read):  # that pass was given its files on the command line
        return
    remedy = "systemctl reload sriov-bootstrap starts a pass now, as does: sriov-bootstrap --once"
    for path in sorted(file for file in files.keys() | read.keys() if files.get(file) != read.get(file)):
        problem = "was changed after the last pass read it"
        problem = problem if path in files else "no longer exists, but the last pass read it"
        problem = problem if path in read else "did not exist or was empty when the last pass ran"
        yield Finding("SB-W706", path, problem, evidence="config_files in state.json", remedy=remedy)


def _stuck(survey: ServiceSurvey) -> Iterator[Finding]:
    jam = survey.now.jam
    if jam and jam.is_overdue:
        remedy = "end the VM or process that holds one of its VFs, or see journalctl -k; the write then completes"
        evidence = f"process {jam.pid} has held write.lock for {survey.now.jam_age:.0f} s"
        yield Finding(
            "SB-E711",
            jam.pci_address or "host",
            _without_address(jam.pci_address, str(jam)),
            evidence=evidence,
            remedy=remedy,
        )


def _work(host: Host, state: State) -> Iterator[Finding]:
    """What the last pass could not do."""
    names = {rule.name for rule in host.config.pf}
    bad = [pf for pf in state.report.pfs if pf.is_degraded and pf.rule in names and pf.reason is not Reason.STUCK]
    for pf in (pf for pf in bad if pf.reason and pf.reason.traits.awaits_user):
        place = pf.pci_address or f'rule "{pf.rule}"'
        yield Finding(
            "SB-E710", place, _without_address(pf.pci_address, pf.message), evidence=_vf_users(pf), remedy=pf.hint
        )
    contested = [pf for pf in bad if pf.reason is Reason.CONTESTED]
    for pf in contested:
        evidence = f"overwritten {quantity(state.counters.contested.get(pf.pci_address, 0), 'time')} since boot"
        message = _without_address(pf.pci_address, pf.message)
        yield Finding("SB-E718", pf.pci_address, message, evidence=evidence, remedy=pf.hint)
    if others := [pf for pf in bad if pf not in contested and not (pf.reason and pf.reason.traits.awaits_user)]:
        evidence = "; ".join(f"{pf}: {pf.reason}" for pf in others)
        problem = quantity(len(others), "PF is not as its rule asks", "PFs are not as their rules ask")
        yield Finding("SB-E712", "host", problem, evidence=evidence, remedy=STATUS)


def _without_address(pci_address: str, message: str) -> str:
    """A PF's message without its address, which is already shown as the place."""
    return message.removeprefix(f"{pci_address}: ")


def _restarts(host: Host, now: Now) -> Iterator[Finding]:
    services, pending, age = host.config.services, now.pending, now.pending_age
    patience = services.restart_seconds
    if pending and pending.failed:
        patience += sum(RESTART_RETRY_SECONDS) + len(RESTART_RETRY_SECONDS) * services.job_timeout_seconds
    if pending and pending.stopping:
        patience += services.job_timeout_seconds + STOPPING_SECONDS
    if pending and age is not None and age > patience:
        who = " and ".join([*pending.failed, *pending.stopping]) or "nova-compute or the agent"
        problem = f"{who} has not been restarted yet, although VFs changed {age / 60:.0f} minutes ago"
        evidence = f"a restart is pending for changes of {', '.join(pending.pci_addresses)}"
        evidence += f"; {pending.problem}" if pending.problem else ""
        yield Finding("SB-W709", "host", problem, evidence=evidence, remedy=f"sriov-bootstrap --once, or: {JOURNAL}")


def _library(survey: ServiceSurvey) -> Iterator[Finding]:
    if survey.library:
        evidence, remedy = survey.library
        problem = "cannot be loaded: VFs are kept, but no service is restarted after they change"
        yield Finding("SB-E719", "dbus-next", problem, evidence=evidence, remedy=remedy)


def _leftovers(host: Host, ours: Ours) -> Iterator[Finding]:
    for leftover in leftovers(ours, host.pfs, host.config):
        yield Finding(
            "SB-W713", leftover.pci_address, leftover.words, evidence="ours in state.json", remedy=leftover.hint
        )


def _vf_users(pf: PfReport) -> str:
    return "; ".join(f"VF {vf.index} {vf.pci_address}: {vf.user}" for vf in pf.vfs if vf.user)


def _files(survey: ServiceSurvey) -> Iterator[Finding]:
    for problem in survey.access_problems:
        place, separator, rest = problem.partition(": ")
        remedy = "correct it, then: sriov-bootstrap check-config"
        yield Finding("SB-E714", place if separator else "host", rest or problem, evidence="", remedy=remedy)
    for path in survey.outdated:
        problem = "is older than the config: `render` would now write something else"
        evidence = "sriov-bootstrap render all --diff shows it"
        yield Finding("SB-W715", path, problem, evidence=evidence, remedy="sriov-bootstrap render all --write")
