"""What a restart is for, and which nova can do without."""

import pytest

from builders import PF, PF2, vf_address
from sriov_bootstrap.core.config import NovaRestart
from sriov_bootstrap.core.followup import Need, UnitPlan, UnitState
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.report import PassReport, PfReport, PfState, VfReport
from sriov_bootstrap.core.restart_reasons import AGENT_HABIT, give_reasons, novas_in
from sriov_bootstrap.core.state import FailedRestart, PendingRestart, State

NOVA, AGENT, OWN = "nova-compute.service", "neutron-sriov-agent.service", "own.service"
ALWAYS, WHEN_NEEDED = NovaRestart.ALWAYS, NovaRestart.WHEN_NEEDED
HERE = {PF: 10.0, PF2: 10.0}
CHANGE = PendingRestart(100.0, (PF,))
NO_REPORT = PassReport()
MAY = "it may read PCI devices only when it starts, as nova does since 34 (2026.2)"


def reasoned(
    version: str,
    nova_restart: NovaRestart,
    *,
    need: Need = Need.RESTART,
    present_since: dict[str, float] = HERE,
    pending: PendingRestart = CHANGE,
    report: PassReport = NO_REPORT,
) -> UnitPlan:
    """nova-compute's plan; it started at 50."""
    unit = UnitState(NOVA, "loaded", "active", 50.0)
    versions = {NOVA: NovaVersion(version, "dpkg" if version else "")}
    saved = State(present_since=present_since, report=report)
    (plan,) = give_reasons([UnitPlan(NOVA, need)], [unit], versions, nova_restart, saved, pending)
    return plan


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("34.0.0", "nova 34.0.0 (dpkg) reads PCI devices only when it starts"),
        ("35.0.0", "nova 35.0.0 (dpkg) reads PCI devices only when it starts"),
        ("", f"{MAY}: its version is not known"),
        ("33.1.0.dev5", f"{MAY}: 33.1.0.dev5 (dpkg) is no release"),
        ("31.3.1", "nova 31.3.1 (dpkg) keeps what it knew of VFs that were created again"),
    ],
)
@pytest.mark.parametrize("nova_restart", [ALWAYS, WHEN_NEEDED])
def test_every_version_but_two_restarts_whatever_is_asked_for(
    version: str, why: str, nova_restart: NovaRestart
) -> None:
    assert reasoned(version, nova_restart) == UnitPlan(NOVA, Need.RESTART, why=why)


@pytest.mark.parametrize("version", ["32.0.0", "33.0.2"])
def test_a_version_that_finds_new_vfs_restarts_only_if_that_is_asked_for(version: str) -> None:
    finds = f"nova {version} (dpkg) finds new VFs itself"
    assert reasoned(version, ALWAYS) == UnitPlan(NOVA, Need.RESTART, why=f'{finds}, but nova_restart is "always"')
    text = f'{NOVA}: not restarted (nova_restart = "when_needed"): {finds}'
    assert reasoned(version, WHEN_NEEDED) == UnitPlan(NOVA, Need.FINDS_VFS, why=text)
    assert reasoned(version, WHEN_NEEDED, need=Need.WAIT).need is Need.FINDS_VFS


@pytest.mark.parametrize(
    ("version", "mode", "user", "is_said"),
    [
        ("34.0.0", "switchdev", "VM a", True),
        ("", "switchdev", "VM a", True),
        ("33.0.2", "switchdev", "VM a", False),
        ("34.0.0", "legacy", "VM a", False),
        ("34.0.0", "switchdev", "", False),
    ],
)
def test_what_a_restart_costs_vfs_in_use_is_said(version: str, mode: str, user: str, *, is_said: bool) -> None:
    vfs = (VfReport(0, vf_address(PF, 0), user=user),)
    report = PassReport(pfs=(PfReport("a", "1", PfState.OK, PF, eswitch_mode=mode, vfs=vfs),))
    plan = reasoned(version, ALWAYS, report=report)
    assert plan.why.endswith("until it starts with them free") is is_said


@pytest.mark.parametrize("present_since", [{PF: 50.0, PF2: 10.0}, {PF2: 10.0}, {}])
def test_nova_that_started_before_a_pf_was_there_restarts(present_since: dict[str, float]) -> None:
    plan = reasoned("33.0.2", WHEN_NEEDED, present_since=present_since)
    assert plan == UnitPlan(NOVA, Need.RESTART, why="nova 33.0.2 (dpkg) may have started before a PF was there")


def test_a_restart_that_failed_is_tried_again() -> None:
    pending = PendingRestart(100.0, (PF,), {NOVA: FailedRestart(1, 120.0)})
    assert reasoned("33.0.2", WHEN_NEEDED, need=Need.START, pending=pending).need is Need.START


def test_a_preview_asks_of_every_pf() -> None:
    anything = PendingRestart(100.0)
    assert reasoned("33.0.2", WHEN_NEEDED, pending=anything).need is Need.FINDS_VFS
    late = {PF: 10.0, PF2: 60.0}
    assert reasoned("33.0.2", WHEN_NEEDED, pending=anything, present_since=late).need is Need.RESTART


def test_only_novas_that_restart_are_asked_for_their_version() -> None:
    plans = [
        UnitPlan(NOVA, Need.RESTART),
        UnitPlan("edpm_nova_compute.service", Need.STARTED_SINCE),
        UnitPlan("openstack-nova-compute.service", Need.WAIT, 10.0),
        UnitPlan(AGENT, Need.RESTART),
    ]
    assert novas_in(plans) == (NOVA, "openstack-nova-compute.service")


def test_the_agent_always_restarts_and_of_other_units_nothing_is_known() -> None:
    plans = (UnitPlan(AGENT, Need.RESTART), UnitPlan(OWN, Need.RESTART), UnitPlan(AGENT, Need.STARTED_SINCE))
    assert give_reasons(plans, [], {}, WHEN_NEEDED, State(), PendingRestart(100.0, (PF,))) == (
        UnitPlan(AGENT, Need.RESTART, why=AGENT_HABIT),
        *plans[1:],
    )
