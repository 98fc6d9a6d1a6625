"""What a pass and its lines say of themselves."""

import pytest

from builders import PF
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState, Result, VfReport

WRITE = SetNumVfs(PF, 0, 4)


@pytest.mark.parametrize(
    ("pf", "text"),
    [
        (PfReport("a", "4", PfState.OK, pci_address=PF, netdev="ens1f0"), f"{PF} (ens1f0)"),
        (PfReport("a", "4", PfState.OK, pci_address=PF), PF),
        (PfReport("a", "4", PfState.OPTIONAL), 'rule "a"'),
    ],
)
def test_a_line_has_a_name(pf: PfReport, text: str) -> None:
    assert str(pf) == text


def line(state: PfState, reason: Reason | None = None, *, required: bool = True, is_final: bool = False) -> PassReport:
    """A pass over one PF, of which one VF is in use."""
    vfs = (VfReport(0, "0000:3b:02.0", user="bond0"), VfReport(1, "0000:3b:02.1"))
    return PassReport(pfs=(PfReport("a", "4", state, reason=reason, required=required, is_final=is_final, vfs=vfs),))


@pytest.mark.parametrize(
    ("report", "is_degraded", "is_settled"),
    [
        (PassReport(), False, True),
        (line(PfState.OK), False, True),
        (line(PfState.OPTIONAL), False, True),
        (line(PfState.PENDING), False, False),
        (line(PfState.DEGRADED, Reason.ABSENT), True, False),
        (line(PfState.DEGRADED, Reason.ABSENT, required=False), True, True),
        (line(PfState.DEGRADED, Reason.EXCEEDS_MAX), True, True),
        (line(PfState.DEGRADED, Reason.ABSENT, is_final=True), True, True),
    ],
)
def test_a_boot_waits_only_where_waiting_helps(report: PassReport, *, is_degraded: bool, is_settled: bool) -> None:
    assert (report.is_degraded, report.is_settled) == (is_degraded, is_settled)
    assert [pf.vfs_in_use for pf in report.pfs] == [1] * len(report.pfs)


@pytest.mark.parametrize(
    ("pfs", "status"),
    [
        ((), "nothing to do: no rule in the config"),
        (
            (PfReport("a", "4", PfState.OK, num_vfs=4), PfReport("b", "1", PfState.OK, num_vfs=1)),
            "5 VFs on 2 PFs as desired",
        ),
        ((PfReport("a", "4", PfState.OK), PfReport("b", "4", PfState.DEGRADED, message="held")), "degraded: held"),
    ],
)
def test_a_pass_has_a_line_for_systemctl_status(pfs: tuple[PfReport, ...], status: str) -> None:
    assert PassReport(pfs=pfs).status == status


@pytest.mark.parametrize(
    ("outcome", "is_done", "has_failed"),
    [
        (Outcome.CHANGED, True, False),
        (Outcome.UNCHANGED, True, False),
        (Outcome.STALE, False, False),
        (Outcome.FAILED, False, True),
        (Outcome.REFUSED, False, True),
        (Outcome.STUCK, False, True),
    ],
)
def test_an_outcome_is_done_or_failed_or_planned_anew(outcome: Outcome, *, is_done: bool, has_failed: bool) -> None:
    report = PassReport(results=(Result(WRITE, outcome, is_transient=True),))
    assert (report.results[0].is_done, report.has_failed) == (is_done, has_failed)
    assert report.has_transient_failure is not is_done
