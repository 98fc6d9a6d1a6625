"""What must not change, beside files in tests/golden/api: `make golden` writes these anew.

A difference there breaks somebody's program, dashboard or config, whatever the reason: it is for the changelog, and
rarely right. Exit codes are in test_cli.py, the page of metrics with its help texts in edges/test_metrics.py.
"""

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

import sriov_bootstrap
from builders import PF, PF2
from fakes_host import HostTree, rule
from shapes import answer_lines, schema_lines
from sriov_bootstrap.cli import main
from sriov_bootstrap.core import state
from sriov_bootstrap.core.events import findings_event, follow_up_events, pass_events
from sriov_bootstrap.core.followup import FollowUpReport, UnitOutcome, UnitResult
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.edges.log import Log

TESTS = Path(__file__).parent
API = TESTS / "golden" / "api"
OLD_STATE = (TESTS / "golden" / "old-state.json").read_bytes()  # never written anew: hosts have it
STATE = "run/sriov-bootstrap/state/state.json"

AT_ONCE = "[boot]\nwait_for_pf_seconds = 0\n"
Shell = Callable[..., Any]


def assert_golden(name: str, lines: Iterable[str]) -> None:
    made = tuple(lines)
    text = "".join(f"{line}\n" for line in made)
    if os.environ.get("UPDATE_GOLDEN"):
        (API / name).write_text(text)
    kept = (API / name).read_text()
    new = [line for line in made if line not in kept.splitlines()]
    gone = [line for line in kept.splitlines() if line not in made]
    assert gone == [], f"this breaks whoever relies on it; if that is meant: make golden. New instead: {new}"
    assert kept == text, f"nothing is gone: make golden enters what is new: {new}"


@pytest.fixture
def asked(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> Shell:
    """What a command answers as JSON."""

    def run(*words: str) -> object:
        main([*words, "--json"], root=str(tree.root))
        return json.loads(capsys.readouterr().out)

    return run


# -- what people write --


def test_the_keys_and_words_of_the_config_are_api() -> None:
    (path,) = Path(sriov_bootstrap.__file__).parent.rglob("config.schema.json")
    assert_golden("config.txt", schema_lines(json.loads(path.read_text())))


# -- what programs read --


def test_the_names_types_and_labels_of_the_metrics_are_api() -> None:
    """The page is compared with the program in edges/test_metrics.py; here without its help texts."""
    page = (TESTS / "golden" / "metrics.txt").read_text()
    lines = []
    for family in text_string_to_metric_families(page):
        for name in dict.fromkeys(sample.name for sample in family.samples):
            labels: dict[str, dict[str, None]] = {}
            for sample in (one for one in family.samples if one.name == name):
                for label, value in sample.labels.items():
                    labels.setdefault(label, {})[value if label in {"reason", "severity", "le"} else "..."] = None
            lines.append(f"{name} {family.type}")
            lines += [f"    {label}: {' '.join(sorted(values))}" for label, values in sorted(labels.items())]
    assert_golden("metrics.txt", lines)


def test_the_codes_of_doctor_and_their_severities_are_api(asked: Shell) -> None:
    page = (TESTS.parent / "docs" / "doctor.md").read_text()
    severities = dict(re.findall(r"^### (SB-[EW]\d{3}): .*\n\n(\w+)\. ", page, re.MULTILINE))
    assert set(severities) == set(asked("doctor", "explain"))
    assert_golden("doctor_codes.txt", (f"{code} {severities[code].lower()}" for code in sorted(severities)))


def test_where_doctor_finds_something_is_api(tree: HostTree, asked: Shell) -> None:
    """A host with many mistakes, one that was set up by an old tutorial: see commands/test_old_tutorial.py."""
    set_up_by_an_old_tutorial(tree)
    found = {f"{one['code']} {one['severity']} {one['place']}" for one in asked("doctor")["findings"]}
    assert_golden("doctor_places.txt", sorted(found))


def set_up_by_an_old_tutorial(tree: HostTree) -> None:
    tree.add_pf(PF, netdev="ens1f0", num_vfs=7)
    tree.add_pf(PF2, netdev="ens1f1")
    tree.write("sys/firmware/acpi/tables/DMAR", "")
    tree.write("sys/firmware/acpi/tables/APIC", "")
    tree.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: vmx\n\n")
    (tree.root / "sys/kernel/iommu_groups").mkdir(parents=True)
    tree.write("usr/sbin/update-grub", "")
    shutil.copytree(TESTS / "data" / "old_tutorial", tree.root, dirs_exist_ok=True)


def test_the_keys_and_words_of_every_json_answer_are_api(tree: HostTree, asked: Shell) -> None:
    """What each verb prints on hosts of many kinds. All that a report may hold is in report.txt."""
    answers: dict[str, list[object]] = {}

    def note(*words: str) -> None:
        name = " ".join(word for word in words if word not in {PF, "SB-E101"})
        answers.setdefault(name, []).append(asked(*words))

    note("doctor", "explain", "SB-E101")
    tree.configure("")
    note("status")
    for step in (as_desired, to_do, in_use, too_many_and_absent, broken):
        step(tree)
        for words in (("status",), ("--once", "--dry-run"), ("--once",)):
            if step is not broken or words == ("status",):  # the others say on stderr what is wrong
                note(*words)
    note("doctor")
    tree.configure("")
    note("status")
    note("release", "--dry-run", PF)
    note("release", PF)
    note("verify", "vf", PF)
    lines = [f"{name} --json: {line}" for name, some in sorted(answers.items()) for line in answer_lines(some)]
    assert_golden("json.txt", lines)


def as_desired(tree: HostTree) -> None:
    tree.add_pf(num_vfs=1)
    tree.configure(rule(1) + AT_ONCE)


def to_do(tree: HostTree) -> None:
    tree.configure(rule(1, more='vf_driver = "none"\n') + AT_ONCE)


def in_use(tree: HostTree) -> None:
    (tree.device("0000:3b:02.0") / "driver").unlink()
    tree.bind("0000:3b:02.0", "vfio-pci")
    tree.add_process(4711, "/dev/vfio/17")
    tree.configure(rule(4) + AT_ONCE)


def too_many_and_absent(tree: HostTree) -> None:
    absent = rule(1, address="0000:5e:00.0").replace("tenant-a", "absent")
    optional = rule(1, address="0000:5f:00.0", more="required = false\n").replace("tenant-a", "optional")
    tree.configure(rule(32) + absent + optional + AT_ONCE)


def broken(tree: HostTree) -> None:
    tree.configure("[[pf\n")


def test_all_that_a_report_may_hold_is_api() -> None:
    """`report` is in state.json, and in the answer of --once and release; `restarts` is in the latter."""
    saved, restarts = msgspec.json.schema(state.State), msgspec.json.schema(FollowUpReport)
    lines = [f"state.json {line}" for line in schema_lines(saved)]
    lines += [f"restarts {line}" for line in schema_lines(restarts)]
    assert_golden("report.txt", lines)


def test_the_fields_of_the_log_are_api() -> None:
    """As `--log-format json` writes them: a line for each kind of event. What `event` says is for people."""
    report, nothing = state.load(OLD_STATE, boot_id="b007")[0].report, PassReport()
    restarts = (UnitResult("nova-compute.service", UnitOutcome.DONE), UnitResult("a.service", UnitOutcome.FAILED))
    (finding, *_) = get_args(get_type_hints(findings_event)["findings"])
    found = (finding("SB-E101", "host", ""), finding("SB-W102", "host", ""))
    kinds = {
        "pass": pass_events(report, nothing),
        "as desired again": pass_events(replace(nothing, pfs=report.pfs[:1]), nothing),
        "not as desired": pass_events(replace(nothing, pfs=report.pfs[1:]), nothing),
        "restarts": follow_up_events(FollowUpReport(restarts, problem="no bus", pci_addresses=(PF,)), FollowUpReport()),
        "doctor": [findings_event(found, ()), findings_event(found[:1], found[1:]), findings_event((), found)],
    }
    lines = []
    for kind, events in kinds.items():
        stream = io.StringIO()
        Log("json", stream=stream).emit(filter(None, events))
        said = map(json.loads, stream.getvalue().splitlines())
        lines += [f"{kind}, {line.pop('level')}: {' '.join(sorted(line))}" for line in said]
    assert_golden("log.txt", dict.fromkeys(lines))


# -- what a host has on disk --


def test_an_old_state_is_loaded_with_all_that_is_in_it() -> None:
    """An upgrade runs on what the version before has left in /run: a restart that is pending there is still owed."""
    loaded, note = state.load(OLD_STATE, boot_id="b007")
    assert note == ""
    assert subset(json.loads(OLD_STATE), json.loads(state.dump(loaded))) == []


def subset(old: object, new: object, path: str = "") -> list[str]:
    """Where `new` lacks what `old` has; more than that it may have."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key in old for line in (subset(old[key], new[key], f"{path}.{key}") if key in new else [path])]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for one, two in zip(old, new, strict=True) for line in subset(one, two, f"{path}[]")]
    return [] if old == new else [f"{path}: {old} became {new}"]


def test_the_old_state_has_something_in_every_field() -> None:
    """Else the test above says nothing of that one. What has been added since is not there."""
    old = json.loads(OLD_STATE)
    assert [key for key, value in old.items() if not value] == []
    assert [key for part in ("report", "counters", "pending") for key, value in old[part].items() if not value] == []


def test_a_restart_that_an_old_version_has_left_pending_is_still_owed(tree: HostTree, asked: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    tree.write(STATE, OLD_STATE)
    before = asked("status")
    assert before["pending_restart"] is True
    assert any(PF in note for note in before["notes"])
    assert any("nova-compute.service" in note for note in before["notes"])
    after = asked("--once")
    assert PF in after["restarts"]["pci_addresses"]  # no bus here: nobody could be restarted
    assert json.loads(tree.read(STATE))["pending"]["failed"] == {"nova-compute.service": {"tries": 2, "at": 40.0}}
