"""packaging/prometheus: rendered as the mixin says, run by promtool, of metrics that exist, each with a runbook."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from promtool import promtool
from sriov_bootstrap.core.reasons import Reason

ROOT = Path(__file__).parents[2]
HERE = ROOT / "packaging" / "prometheus"
RULE_FILES = sorted(HERE.glob("*.yaml"))
RULE_TESTS = sorted((HERE / "tests").glob("*.yaml"))
DASHBOARD = json.loads((ROOT / "packaging" / "grafana" / "sriov-bootstrap.json").read_text())
RUNBOOKS = ROOT / "docs" / "runbooks"
KINDS = ("fires", "does not fire", "resolves", "survives a scrape gap", "survives a reboot")
INSTALLED = "file:///usr/share/sriov-bootstrap/runbooks/"

NAME = re.compile(r"\b[a-z_]*:?sriov_[a-z_]+(?::[a-z]+)?")
LABELS = re.compile(r"(?:\b(?:by|without|on|group_left) \(([^)]*)\))|\{([^{}]*)\}")


def rules_of(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for path in RULE_FILES for rule in rules_of(path) if "alert" in rule}
RECORDED = {rule["record"]: rule for path in RULE_FILES for rule in rules_of(path) if "record" in rule}


def exported() -> dict[str, set[str]]:
    """Every series name of the exporter, and its labels: from the page that test_metrics.py compares whole."""
    page = (ROOT / "tests" / "golden" / "metrics.txt").read_text()
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def unknown_words(expression: str) -> set[str]:
    """Metrics and labels that nobody exports, records or puts on a target."""
    names = exported()
    bare = re.sub(r'"[^"]*"', '""', expression)
    listed = [word for match in LABELS.findall(bare) for word in re.split(r"[,\s]+", match[0] or match[1])]
    labels = {re.split(r"[=!~]", word)[0] for word in listed} - {""}
    known = {label for some in names.values() for label in some} | {"job", "instance", "rack"}
    return {name for name in NAME.findall(bare) if name not in {*names, *RECORDED}} | (labels - known)


def test_the_files_are_what_the_mixin_renders(tmp_path: Path) -> None:
    """Compared as values: versions of jsonnet differ in how they quote and indent."""
    shutil.copytree(ROOT / "packaging", tmp_path / "packaging")
    shipped = {path: yaml.safe_load(path.read_text()) for path in rendered_below(tmp_path)}
    for path in shipped:
        path.unlink()
    commands = subprocess.run(
        ["make", "--dry-run", "--file", ROOT / "Makefile", "mixin"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    script = commands[commands.index("jsonnet ") :]
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True, timeout=50)
    assert {path: yaml.safe_load(path.read_text()) for path in rendered_below(tmp_path)} == shipped


def rendered_below(root: Path) -> list[Path]:
    return [*root.glob("packaging/prometheus/*.yaml"), *root.glob("packaging/grafana/*.json")]


def test_the_mixin_is_formatted() -> None:
    assert shutil.which("jsonnetfmt")
    subprocess.run(["jsonnetfmt", "--test", *HERE.glob("*sonnet")], check=True, timeout=30)


def test_a_site_configures_the_mixin(tmp_path: Path) -> None:
    config = "{ selector: 'cluster=\"a\"', groupLabels: ['zone', 'row'], runbookUrl: 'https://wiki/%s' }"
    site = tmp_path / "site.jsonnet"
    site.write_text(f"""
        local mixin = (import 'mixin.libsonnet') + {{ _config+:: {config} }};
        {{ groups: mixin.prometheusAlerts.groups + mixin.prometheusRules.groups }}
    """)
    command = ["jsonnet", "-J", str(HERE), str(site)]
    rendered = tmp_path / "rules.yaml"
    rendered.write_bytes(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
    assert promtool("check", "rules", str(rendered)).returncode == 0
    rules = rules_of(rendered)
    for rule in rules:
        after = re.findall(r"(?<![:a-z_])sriov_[a-z_]+(?![:a-z_])(.{0,13})", rule["expr"])
        assert all(text.startswith('{cluster="a"') for text in after), rule["expr"]
    assert {"zone:sriov_pf_vfs_free:sum", "row:sriov_pf_vfs_free:sum"} <= {rule.get("record") for rule in rules}
    assert rules[0]["annotations"]["runbook_url"] == "https://wiki/SriovVfLoss"


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_prometheus_takes_the_rules(path: Path) -> None:
    ended = promtool("check", "rules", str(path))
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules(path: Path) -> None:
    ended = promtool("test", "rules", str(path))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_shown_in_every_kind_of_case(alert: str) -> None:
    """What each kind says is so: an alert that fires nowhere, or never ends, would pass promtool as well."""
    groups = {group["name"]: group for group in yaml.safe_load((HERE / "tests" / f"{alert}.yaml").read_text())["tests"]}
    assert list(groups) == [f"{alert}: {kind}" for kind in KINDS]
    checks = {kind: groups[f"{alert}: {kind}"]["alert_rule_test"] for kind in KINDS}
    assert {check["alertname"] for some in checks.values() for check in some} == {alert}
    firing = {kind: [bool(check["exp_alerts"]) for check in some] for kind, some in checks.items()}
    assert any(firing["fires"])
    assert len(firing["does not fire"]) > 1
    assert not any(firing["does not fire"])
    assert any(firing["resolves"])
    assert not firing["resolves"][-1]
    assert any(firing["survives a scrape gap"])
    for kind in ("survives a scrape gap", "survives a reboot"):
        values = " ".join(series["values"] for series in groups[f"{alert}: {kind}"]["input_series"])
        assert re.search(r"_x\d", values), f"{kind}: no sample is missing"


@pytest.mark.parametrize("name", [*ALERTS, *RECORDED])
def test_rules_are_of_metrics_and_labels_that_exist(name: str) -> None:
    rule = ALERTS.get(name) or RECORDED[name]
    assert unknown_words(rule["expr"]) == set()
    texts = " ".join(rule.get("annotations", {}).values())
    queried = set(re.findall(r'printf "(sriov_[a-z_]+)\{', texts))
    assert queried <= exported().keys()
    known = {label for some in exported().values() for label in some} | {"instance"}
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= known


def test_a_word_that_nobody_exports_is_seen() -> None:
    assert unknown_words('sum by (rack, shelf) (sriov_pf_vf{rulle="x"}) + instance:sriov_pf_vfs:max') == {
        *("shelf", "sriov_pf_vf", "rulle", "instance:sriov_pf_vfs:max"),
    }


def test_every_reason_has_exactly_one_alert() -> None:
    """By the matchers of sriov_pf_degraded; `blocked` is what follows from a write that is under way, or stuck."""
    told: dict[str, set[str]] = {}
    for name, rule in ALERTS.items():
        for operator, pattern in re.findall(r'sriov_pf_degraded\{reason(!?[=~]+)"([^"]+)"', rule["expr"]):
            if name in {"SriovPassFailing", "SriovDoctorFinds"}:  # leave out what others tell
                continue
            for reason in Reason:
                if bool(re.fullmatch(pattern, reason.value)) != operator.startswith("!"):
                    told.setdefault(reason.value, set()).add(name)
    assert {reason.value for reason in Reason} - told.keys() == {"blocked"}
    assert all(len(names) == 1 for names in told.values()), told
    assert (told["absent"], told["stuck"]) == ({"SriovPfMissing"}, {"SriovWriteStuck"})


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_it_is_about_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert "{{ $labels.instance }}" in rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == f"{INSTALLED}{alert}.md"
    assert f"]({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_there_is_a_runbook_for_each_alert_and_no_other() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {"README", *ALERTS}


PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_panels_ask_what_prometheus_understands_of_what_exists(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for expression in expressions:
        assert unknown_words(expression) == set()
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m").replace("$instance", "a|b")}
        for number, text in enumerate(expressions)
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    ended = promtool("check", "rules", str(path))
    assert ended.returncode == 0, ended.stderr
    assert not any("$" in rule["expr"] for rule in rules)


def test_the_panels_have_the_data_source_that_is_chosen_and_no_other() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    asked = [variables["instance"], *PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert {one["datasource"]["uid"] for one in asked} == {"${datasource}"}
    assert unknown_words(re.sub(r"label_values\((\w+), \w+\)", r"\1", variables["instance"]["query"]["query"])) == set()


def test_no_panel_is_above_another_one_or_beside_the_page() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
                assert x < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_a_panel_never_makes_a_zero_out_of_nothing() -> None:
    """No data must not look like a fleet without trouble."""
    assert not any("vector" in target["expr"] for panel in PANELS for target in panel["targets"])
