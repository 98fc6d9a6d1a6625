from typing import TypedDict, Unpack

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_config, make_pf, make_rule, make_vf
from sriov_bootstrap.core.config import Method
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState, VfReport
from sriov_bootstrap.core.state import Counters, FailedRestart, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.doctor.service.checks import check_service
from sriov_bootstrap.doctor.service.now import Now
from sriov_bootstrap.doctor.service.survey import HOLDERS_UNIT, LOAD_UNIT, RELOAD_UNIT, UNIT, ServiceSurvey
from sriov_bootstrap.render.host import Host

CONFIG = "/etc/sriov-bootstrap/config.toml"
RUNS = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
HOST = Host(make_config(make_rule()), resolve(make_config(make_rule()), (make_pf(),)), (make_pf(num_vfs=4),))
REPORT = PassReport(started_at=900.0, seconds=5.0, config_files=(CONFIG,), config_checksums=(7,))


FAILED = PendingRestart(1.0, (PF,), {"nova-compute.service": FailedRestart(2, 200.0)})
STOPPING = PendingRestart(1.0, (PF,), stopping={"nova-compute.service": 200.0})
NAMED = State(report=PassReport(config_files=("/root/a.toml",), config_checksums=(1,)))


class ReportValues(TypedDict, total=False):
    """Of a PfReport."""

    rule: str
    state: PfState
    pci_address: str
    message: str
    hint: str
    vfs: tuple[VfReport, ...]


class ServiceValues(TypedDict, total=False):
    """Of a ServiceSurvey and its Now."""

    switches: tuple[str, ...]
    has_udevd: bool
    jam: Jam
    jam_age: float
    pending: PendingRestart
    pending_age: float
    has_passed: bool
    pass_age: float | None
    state: State | None
    unit: dict[str, str]
    is_installed: bool
    is_wanted: bool
    masked: tuple[str, ...]
    config_files: dict[str, int] | None
    access_problems: tuple[str, ...]
    library: tuple[str, str]
    outdated: tuple[str, ...]
    not_loaded: tuple[str, ...]


def service(**values: Unpack[ServiceValues]) -> ServiceSurvey:
    """A service that is as it should be; its last pass ended 100 s ago."""
    of_now = {key: value for key, value in values.items() if key in Now.__struct_fields__}
    survey = ServiceSurvey(
        state=State(report=REPORT),
        now=replace(Now(has_passed=True, pass_age=100.0), **of_now),
        unit=RUNS,
        is_installed=True,
        is_wanted=True,
        config_files={CONFIG: 7},
    )
    return replace(survey, **{key: value for key, value in values.items() if key not in of_now})


def bad(reason: Reason, **values: Unpack[ReportValues]) -> PfReport:
    defaults: ReportValues = {"rule": "tenant-a", "state": PfState.DEGRADED, "pci_address": PF}
    return PfReport(requested="4", netdev="ens1f0", reason=reason, **(defaults | values))


def reported(*pfs: PfReport) -> State:
    return State(report=replace(REPORT, pfs=pfs))


@pytest.mark.parametrize(
    "survey",
    [
        pytest.param(service(), id="all is well"),
        pytest.param(ServiceSurvey(), id="nobody has looked"),
        pytest.param(service(unit={}, has_passed=False), id="an image: no systemd, no pass"),
        pytest.param(
            service(unit={**RUNS, "ActiveState": "activating"}, has_passed=False), id="the first pass is under way"
        ),
        pytest.param(service(pass_age=None), id="a pass, and nobody knows when"),
        pytest.param(service(has_udevd=False, unit={}, is_installed=True), id="an image has no udevd"),
        pytest.param(service(is_installed=False, is_wanted=False), id="installed in another way"),
        pytest.param(service(config_files=None), id="a config of its own"),
        pytest.param(service(state=State(report=PassReport(config_files=(CONFIG,)))), id="an older state.json"),
        pytest.param(service(state=NAMED), id="a pass with files by name"),
        pytest.param(service(pending=PendingRestart(1.0, (PF,)), pending_age=60.0), id="restarts are due"),
        pytest.param(service(pending=FAILED, pending_age=600.0), id="a restart that failed has its tries"),
        pytest.param(service(pending=STOPPING, pending_age=900.0), id="a unit takes its time to stop"),
        pytest.param(service(pending=PendingRestart(None, (PF,))), id="a write is under way"),
        pytest.param(service(jam=Jam(1, PF, "x", 0.0, is_overdue=False)), id="a write that may still end"),
        pytest.param(service(state=reported(bad(Reason.STUCK))), id="stuck in the last pass, and no more"),
        pytest.param(service(state=reported(bad(Reason.IN_USE, rule="gone"))), id="a rule that is gone"),
        pytest.param(service(state=reported(bad(Reason.IN_USE, state=PfState.OK))), id="a PF that is well"),
        pytest.param(service(masked=(HOLDERS_UNIT, RELOAD_UNIT, LOAD_UNIT)), id="helpers that nobody needs"),
        pytest.param(service(pass_age=9999.0, unit={**RUNS, "ActiveState": "reloading"}, state=None), id="no state"),
    ],
)
def test_a_healthy_service_has_no_findings(survey: ServiceSurvey) -> None:
    found = [one.code for one in check_service(HOST, survey)]
    assert found == (["SB-E708"] if survey.now.pass_age == 9999.0 else [])


@pytest.mark.parametrize(
    ("survey", "code", "place", "words"),
    [
        pytest.param(service(is_wanted=False), "SB-E702", UNIT, "is not enabled", id="not enabled"),
        pytest.param(service(is_wanted=False, unit={}), "SB-E702", UNIT, "is not enabled", id="nor in an image"),
        pytest.param(service(masked=(UNIT,)), "SB-E702", UNIT, "is masked", id="masked"),
        pytest.param(
            service(unit={"LoadState": "masked", "ActiveState": "inactive"}),
            "SB-E702",
            UNIT,
            "is masked",
            id="masked, says systemd",
        ),
        pytest.param(
            service(unit={"LoadState": "not-found", "ActiveState": "inactive"}),
            "SB-E702",
            UNIT,
            "is not installed",
            id="not installed",
        ),
        pytest.param(service(has_udevd=False), "SB-W717", "systemd-udevd.service", "10 minutes late", id="no udevd"),
        pytest.param(
            service(switches=("/etc/sriov-bootstrap/disabled",), unit={**RUNS, "ActiveState": "inactive"}),
            "SB-E703",
            UNIT,
            "is switched off",
            id="switched off",
        ),
        pytest.param(
            service(switches=("/etc/sriov-bootstrap/disabled",), unit=RUNS),
            "SB-E703",
            UNIT,
            "is switched off, but goes on until it is stopped",
            id="switched off, still running",
        ),
        pytest.param(
            service(unit={**RUNS, "ActiveState": "failed", "Result": "exit-code"}),
            "SB-E704",
            UNIT,
            "has failed",
            id="failed",
        ),
        pytest.param(
            service(unit={**RUNS, "ActiveState": "inactive"}), "SB-E704", UNIT, "is not running", id="stopped"
        ),
        pytest.param(
            service(unit={**RUNS, "NeedDaemonReload": "yes"}),
            "SB-W716",
            UNIT,
            "still has the old version",
            id="old unit",
        ),
        pytest.param(service(has_passed=False), "SB-E707", UNIT, "no pass since boot", id="no pass"),
        pytest.param(
            service(pass_age=1320.0),
            "SB-E708",
            UNIT,
            "22 minutes ago",
            id="late",
        ),
        pytest.param(
            service(config_files={CONFIG: 8}),
            "SB-W706",
            CONFIG,
            "was changed after the last pass",
            id="newer config",
        ),
        pytest.param(service(config_files={}), "SB-W706", CONFIG, "no longer exists", id="config that is gone"),
        pytest.param(
            service(config_files={CONFIG: 7, "/run/sriov-bootstrap/config.d/a.toml": 1}),
            "SB-W706",
            "/run/sriov-bootstrap/config.d/a.toml",
            "did not exist",
            id="new file",
        ),
        pytest.param(
            service(jam=Jam(4711, PF, "set it", 0.0), jam_age=90.0), "SB-E711", PF, "has not returned", id="stuck"
        ),
        pytest.param(
            service(jam=Jam(4711, "", "a write", 0.0)),
            "SB-E711",
            "host",
            "has not returned",
            id="stuck, of whom nobody knows",
        ),
        pytest.param(
            service(
                state=reported(
                    bad(
                        Reason.IN_USE, message=f"{PF}: 4 VFs stay", vfs=(VfReport(0, "0000:3b:02.0", user="held by x"),)
                    )
                )
            ),
            "SB-E710",
            PF,
            "4 VFs stay",
            id="blocked",
        ),
        pytest.param(
            service(state=reported(bad(Reason.BLOCKED, pci_address=""))),
            "SB-E710",
            'rule "tenant-a"',
            "",
            id="blocked, no PF",
        ),
        pytest.param(
            service(state=reported(bad(Reason.ABSENT))),
            "SB-E712",
            "host",
            "1 PF is not as its rule asks",
            id="degraded",
        ),
        pytest.param(
            service(state=reported(bad(Reason.ABSENT), bad(Reason.FEWER_VFS))),
            "SB-E712",
            "host",
            "2 PFs are not",
            id="several",
        ),
        pytest.param(
            service(
                state=reported(bad(Reason.CONTESTED, message=f"{PF}: something else sets 1 VF: probably a script"))
            ),
            "SB-E718",
            PF,
            "something else sets 1 VF: probably a script",
            id="contested",
        ),
        pytest.param(
            service(pending=PendingRestart(1.0, (PF,)), pending_age=600.0),
            "SB-W709",
            "host",
            "nova-compute or the agent has not been restarted yet, although VFs changed 10 minutes ago",
            id="restart",
        ),
        pytest.param(
            service(pending=FAILED, pending_age=1500.0),
            "SB-W709",
            "host",
            "nova-compute.service has not been restarted yet, although VFs changed 25 minutes ago",
            id="restart that failed",
        ),
        pytest.param(
            service(pending=STOPPING, pending_age=960.0),
            "SB-W709",
            "host",
            "nova-compute.service has not been restarted yet, although VFs changed 16 minutes ago",
            id="unit that does not stop",
        ),
        pytest.param(
            service(library=("dbus-next cannot be loaded: no", "install it")),
            "SB-E719",
            "dbus-next",
            "cannot be loaded: VFs are kept",
            id="library",
        ),
        pytest.param(
            service(access_problems=("/etc/w.yaml: broken",)), "SB-E714", "/etc/w.yaml", "broken", id="web config"
        ),
        pytest.param(
            service(access_problems=("broken",)), "SB-E714", "host", "broken", id="web config without a place"
        ),
        pytest.param(
            service(outdated=("/etc/a.conf",)), "SB-W715", "/etc/a.conf", "is older than the config", id="rendered"
        ),
    ],
)
def test_what_is_wrong_has_its_code(survey: ServiceSurvey, code: str, place: str, words: str) -> None:
    (one,) = check_service(HOST, survey)
    assert (one.code, one.place) == (code, place)
    assert words in one.problem
    assert not one.problem.startswith((f"{place}:", ":"))


JOURNAL = f"journalctl -b -u {UNIT}"
SEEN_AND_TO_DO = {
    "SB-E702": (
        service(is_wanted=False),
        "no link to it in multi-user.target.wants, UnitFileState=enabled",
        f"systemctl enable {UNIT}",
    ),
    "SB-E703": (
        service(switches=("/etc/sriov-bootstrap/disabled",), unit={}),
        "/etc/sriov-bootstrap/disabled",
        f"remove /etc/sriov-bootstrap/disabled, then: systemctl start {UNIT}",
    ),
    "SB-E704": (
        service(unit={**RUNS, "ActiveState": "failed", "Result": "exit-code"}),
        "ActiveState=failed Result=exit-code",
        f"systemctl start {UNIT}; to see why it ended: {JOURNAL}",
    ),
    "SB-W706": (
        service(config_files={CONFIG: 8}),
        "config_files in state.json",
        "systemctl reload sriov-bootstrap starts a pass now, as does: sriov-bootstrap --once",
    ),
    "SB-E707": (service(has_passed=False), "no pass in state.json", f"{JOURNAL}, or: sriov-bootstrap --once"),
    "SB-E708": (service(pass_age=1320.0), "passed_at in state.json", f"{JOURNAL}, then: systemctl restart {UNIT}"),
    "SB-W709": (
        service(pending=PendingRestart(1.0, (PF,)), pending_age=600.0),
        f"a restart is pending for changes of {PF}",
        f"sriov-bootstrap --once, or: {JOURNAL}",
    ),
    "SB-E711": (
        service(jam=Jam(4711, PF, "set it", 0.0), jam_age=90.0),
        "process 4711 has held write.lock for 90 s",
        "end the VM or process that holds one of its VFs, or see journalctl -k; the write then completes",
    ),
    "SB-E712": (
        service(state=reported(bad(Reason.ABSENT), bad(Reason.FEWER_VFS))),
        f"{PF} (ens1f0): absent; {PF} (ens1f0): fewer_vfs",
        "sriov-bootstrap status",
    ),
    "SB-E718": (
        service(
            state=replace(reported(bad(Reason.CONTESTED, hint="remove the line")), counters=Counters(contested={PF: 3}))
        ),
        "overwritten 3 times since boot",
        "remove the line",
    ),
    "SB-E719": (service(library=("it is absent", "install it")), "it is absent", "install it"),
    "SB-W715": (
        service(outdated=("/etc/a.conf",)),
        "sriov-bootstrap render all --diff shows it",
        "sriov-bootstrap render all --write",
    ),
    "SB-W716": (
        service(unit={**RUNS, "NeedDaemonReload": "yes"}),
        "NeedDaemonReload=yes",
        f"systemctl daemon-reload && systemctl restart {UNIT} (VFs stay)",
    ),
    "SB-W717": (
        service(has_udevd=False),
        "no process of that name",
        "systemctl start systemd-udevd.service; why it ended: journalctl -b -u systemd-udevd.service",
    ),
}


@pytest.mark.parametrize("code", sorted(SEEN_AND_TO_DO))
def test_a_finding_has_what_was_seen_and_what_to_do(code: str) -> None:
    survey, evidence, remedy = SEEN_AND_TO_DO[code]
    assert [(one.code, one.evidence, one.remedy) for one in check_service(HOST, survey)] == [(code, evidence, remedy)]


def test_who_blocks_is_named() -> None:
    vfs = (VfReport(0, "0000:3b:02.0", user="held by qemu pid 1"), VfReport(1, "0000:3b:02.1"))
    (one,) = check_service(HOST, service(state=reported(bad(Reason.IN_USE, vfs=vfs, hint="end it"))))
    assert (one.evidence, one.remedy) == ("VF 0 0000:3b:02.0: held by qemu pid 1", "end it")


def test_a_host_without_rules_needs_no_service() -> None:
    survey = service(is_wanted=False, has_passed=False, switches=("x",), unit={}, state=State())
    assert not list(check_service(Host(make_config()), survey))


def test_vfs_that_no_rule_asks_for_are_said_as_long_as_they_are_there() -> None:
    pf = make_pf(pci_address=PF2, num_vfs=2)
    survey = service(state=State(report=REPORT, ours={PF2: pf.incarnations}))
    (one,) = check_service(replace(HOST, pfs=(*HOST.pfs, pf)), survey)
    assert (one.code, one.place) == ("SB-W713", PF2)
    assert one.remedy.startswith(f"sriov-bootstrap release {PF2} ")
    assert not list(check_service(HOST, survey))


@pytest.mark.parametrize(
    ("unit", "is_needed"),
    [(unit, is_needed) for unit in (HOLDERS_UNIT, RELOAD_UNIT, LOAD_UNIT) for is_needed in (True, False)],
)
def test_a_masked_helper_is_said_where_it_is_needed(unit: str, *, is_needed: bool) -> None:
    rule = make_rule(method=Method.MAX_VFS, reload_driver=is_needed)
    pf = make_pf(vfs=(make_vf(driver="vfio-pci" if is_needed else "igbvf"),))
    host = Host(make_config(rule), resolve(make_config(rule), (pf,)), (pf,))
    survey = service(masked=(unit,), not_loaded=("vfio-pci",) if is_needed else ())
    found = [(one.code, one.place) for one in check_service(host, survey)]
    assert found == ([("SB-W705", unit)] if is_needed else [])


def test_an_overdue_restart_says_why_it_could_not_be_made() -> None:
    pending = PendingRestart(1.0, (PF,), problem="no bus")
    (finding,) = check_service(HOST, service(pending=pending, pending_age=600.0))
    assert finding.evidence == f"a restart is pending for changes of {PF}; no bus"
