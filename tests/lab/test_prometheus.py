"""Debian's Prometheus on the guest's own metrics, with our rules: alerts fire and end, and every expression has data.

Two things differ from what ships, and `SHORT` is both: `for` and the windows are seconds, not minutes and hours.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from prometheus import Prometheus, running_prometheus, selectors

from .answers import METRICS_PORT
from .host import BOTH_PFS, CONFIG_FILE, METRICS_UNITS, PF1, SERVICES, UNIT, Guest, address_rule

PACKAGING: Final = Path(__file__).parents[2] / "packaging"
MIXIN: Final = PACKAGING / "prometheus"
WINDOW_SECONDS: Final = 15
HISTORY_SECONDS: Final = 600.0

SHORT: Final = f"""
local mixin = (import 'mixin.libsonnet') + {{
  _config+:: {{ lossWindow: '{WINDOW_SECONDS}s', scrapeGap: '10s' }},
}};
local soon(rule) = rule + (if 'for' in rule then {{ 'for': '3s' }} else {{}});
local all = mixin.prometheusAlerts.groups + mixin.prometheusRules.groups;
{{ groups: [group {{ rules: [soon(rule) for rule in group.rules] }} for group in all] }}
"""

NO_NIC: Final = "0000:7f:00.0"
GHOST: Final = address_rule(NO_NIC, 4) + "[boot]\nwait_for_pf_seconds = 0\n"

# Nothing of that kind happens here. What they ask for is there all the same, and only the condition is not met.
QUIET: Final = {
    "Restarts of services B",
    "VFs lost, numbers overwritten B",
    "SriovPfDegraded",
    "SriovPfContested",
    "SriovEswitchMode",
    "SriovPassFailing",
    "SriovConfigInvalid",
    "SriovWriteStuck",
    "SriovVfsBlockedByVm",
}
# Whether doctor finds something is the guest's matter, and so is whether restarts take three seconds, and whether the
# page is there at the first scrape, or still that of before the service was stopped.
EITHER_WAY: Final = {
    "SriovDoctorFinds",
    "SriovRestartFailing",
    "Findings of doctor",
    "Pages with problems, by reason",
    "Silent hosts",
}
FINDINGS: Final = "sriov_bootstrap_findings"


@pytest.fixture
def prometheus(guest: Guest, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the guest's service and evaluates our rules, once a second."""
    command = ["jsonnet", "--jpath", str(MIXIN), "--exec", SHORT]
    rules = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    (tmp_path / "rules.json").write_bytes(rules)  # JSON is YAML
    guest.make_pass()  # to an alert, the one before is as old as the snapshot
    with guest.vm.forwarded(METRICS_PORT) as port:
        target = {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": "compute-1", "rack": "r7"}}
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.json"],
            "scrape_configs": [{"job_name": "sriov-bootstrap", "static_configs": [target]}],
        }
        with running_prometheus(tmp_path, config) as prometheus:
            yield prometheus


def test_vfs_that_go_while_the_service_is_stopped_have_their_alerts(guest: Guest, prometheus: Prometheus) -> None:
    def fires(alert: str) -> list[dict[str, Any]]:
        return prometheus.firing().get(alert, [])

    def has_ended(alert: str) -> bool:
        return not fires(alert)

    guest.until(lambda: prometheus.value("instance:sriov_pf_vfs:sum") == 14, "a first scrape, and a recording rule")
    guest.until(lambda: not prometheus.firing(), "a host without an alert")

    guest.check(f"systemctl stop {UNIT} {METRICS_UNITS}")  # as where the host is down
    guest.set_num_vfs(PF1, 0)
    (stopped,) = guest.until(lambda: fires("SriovNotRunning"), "SriovNotRunning")
    assert stopped["annotations"]["summary"] == "compute-1: sriov-bootstrap is not running or not answering"
    assert has_ended("SriovVfLoss")  # nobody looks, so nobody can say it
    # Longer than increase() looks back: the loss must be told all the same.
    gone = f"max_over_time(up[{WINDOW_SECONDS}s]) == 0"
    guest.until(lambda: prometheus.query(gone), "a gap that is longer than the window")

    guest.vm.write(CONFIG_FILE, BOTH_PFS + GHOST + SERVICES)
    guest.check(f"systemctl start {UNIT}")
    (lost,) = guest.until(lambda: fires("SriovVfLoss"), "SriovVfLoss")
    assert (lost["labels"]["pci_address"], lost["labels"]["rule"]) == (PF1, "tenant")
    assert lost["annotations"]["description"].startswith("About 7 VFs disappeared")
    assert lost["annotations"]["description"].endswith("VFs: 7 present, 7 desired, 0 in use.")
    assert guest.vfs()[PF1] == 7
    guest.until(lambda: has_ended("SriovNotRunning"), "the end of SriovNotRunning")
    (missing,) = guest.until(lambda: fires("SriovPfMissing"), "SriovPfMissing")
    assert missing["annotations"]["summary"] == f'compute-1: no NIC matches rule "{NO_NIC}"'

    restarted = "increase(sriov_bootstrap_service_restarts_total[10m]) > 0"
    guest.until(lambda: prometheus.query(restarted), "restarts of who has to see the new VFs")
    guest.configure(BOTH_PFS)
    for alert in ("SriovPfMissing", "SriovVfLoss"):
        guest.until(lambda alert=alert: has_ended(alert), f"the end of {alert}")  # type: ignore[misc]

    assert_that_every_expression_has_data(prometheus)


def assert_that_every_expression_has_data(prometheus: Prometheus) -> None:
    """Now or at some second of the test; where a condition was never met, what it is about is there."""

    def has_shown(expression: str) -> bool:
        return prometheus.has_shown(expression, seconds=HISTORY_SECONDS)

    rules = [rule for group in prometheus.groups() for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    asked = {rule["name"]: rule["query"] for rule in rules} | of_panels()
    assert {name for name, text in asked.items() if not has_shown(text)} - EITHER_WAY == QUIET
    used = {selector for text in asked.values() for selector in selectors(text) if FINDINGS not in selector}
    assert {selector for selector in used if not has_shown(selector)} == set()


def of_panels() -> dict[str, str]:
    """Every expression of the dashboard, as Grafana would ask it here."""
    dashboard = json.loads((PACKAGING / "grafana" / "sriov-bootstrap.json").read_text())
    asked: dict[str, str] = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            name = panel["title"] if target["refId"] == "A" else f"{panel['title']} {target['refId']}"
            expression = target["expr"].replace("$__rate_interval", "10m").replace("$instance", "compute-1")
            asked[f"host: {name}" if name in asked else name] = expression
    return asked
