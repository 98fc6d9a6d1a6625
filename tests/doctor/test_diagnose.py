import msgspec
import pytest

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.finding import Diagnosis, Finding, Inspected, Severity, load_inspected, record_inspection
from sriov_bootstrap.core.suspects import Suspect
from sriov_bootstrap.doctor import diagnose
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.doctor.survey import HostSurvey
from sriov_bootstrap.render.host import Host


def test_a_broken_config_is_a_finding_with_its_file() -> None:
    on_host = HostSurvey(config_problems=("/etc/a.toml: line 3: broken", "odd"), unseen=("a", "a"))
    found = diagnose.diagnose(Host(Config(), unseen=("b", "c")), on_host, OpenStackSurvey(unseen=("a", "b")))
    remedy = "correct it, then: sriov-bootstrap check-config"
    assert found == Diagnosis(
        (
            Finding("SB-E701", "/etc/a.toml", "line 3: broken", remedy=remedy),
            Finding("SB-E701", "host", "odd", remedy=remedy),
        ),
        ("a", "b", "c"),
    )


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"findings": [{"code": 1}]}', b"[" * 100_000])
def test_a_file_of_findings_that_is_none_counts_as_none(data: bytes) -> None:
    assert load_inspected(data) == Inspected()


def test_what_was_read_does_not_outlive_the_look() -> None:
    finding = Finding("SB-E402", "nova.conf:3", "is no option", evidence="password hunter2", remedy="x")
    suspects: dict[str, tuple[Suspect, ...]] = {"0000:3b:00.0": (Suspect("the script", "/etc/rc.local:1", (4,)),)}
    diagnosis = Diagnosis((finding,), suspects=suspects)
    assert record_inspection(diagnosis, Inspected(codes=("SB-E401",))) == Inspected(
        (Finding("SB-E402", "nova.conf:3", ""),), ("SB-E401", "SB-E402"), suspects
    )


def test_evidence_and_remedy_are_told_apart_by_name() -> None:
    with pytest.raises(TypeError):
        Finding("SB-E201", "host", "no NIC matches", "PFs here: none", "fix the match")  # type: ignore[call-arg]


def test_the_severity_is_in_the_code() -> None:
    assert [Finding(code, "", "").severity for code in ("SB-E101", "SB-W101")] == [Severity.ERROR, Severity.WARNING]


@pytest.mark.parametrize("code", ["SB-E701", "sb-e701", "e701", "701"])
def test_a_code_is_found_however_it_is_typed(code: str) -> None:
    assert diagnose.explain(code) is CODES["SB-E701"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [("SB-EE701", "did you mean SB-E701?"), ("x", "valid are those that sriov-bootstrap doctor prints")],
)
def test_an_unknown_code_is_answered_with_the_nearest(code: str, advice: str) -> None:
    with pytest.raises(UsageError, match=f'unknown code "{code}"') as caught:
        diagnose.explain(code)
    assert caught.value.problems[0].endswith(advice)


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_it_means_and_what_to_do(code: str) -> None:
    assert code[:4] in {"SB-E", "SB-W"}
    assert code[4:].isdigit()
    assert len(code) == 7
    assert "\n\nLooked at: " in CODES[code].text
    assert "\n\nWhat to do: " in CODES[code].text
    assert all(len(line) <= 120 for line in CODES[code].text.splitlines())


def test_no_number_is_used_twice() -> None:
    assert len({code[4:] for code in CODES}) == len(CODES)


def test_an_answer_has_a_bound_whatever_others_write() -> None:
    findings = tuple(Finding("SB-E531", f"/etc/nova/{number}", "x" * 1000) for number in range(2000))
    notes = tuple(f"{number}{'x' * 1000}" for number in range(1000))
    bounded = diagnose.within_limits(Diagnosis(findings, notes))
    assert len(msgspec.json.encode(bounded)) < 1_000_000
    assert bounded.findings == findings[: len(bounded.findings)]
    left = f"{2000 - len(bounded.findings)} more findings and {1001 - len(bounded.unseen)} more notes"
    assert bounded.unseen[-1] == f"{left} like these: too many to show"
    assert diagnose.within_limits(Diagnosis(findings[:3], notes[:3])) == Diagnosis(findings[:3], notes[:3])
