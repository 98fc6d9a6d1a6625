"""A fleet in Prometheus: discovered by file and HTTP, rolled up by rack, its targets made from what the site knows."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from fleet.hosts import HOSTS_PER_RACK, SILENT, Host
from fleet.server import Fleet, serving
from prometheus import Prometheus, running_prometheus
from promtool import promtool
from waiting import until

ROOT: Final = Path(__file__).parents[2]
PACKAGING: Final = ROOT / "packaging" / "prometheus"
INVENTORY: Final = Path(__file__).parents[1] / "data" / "inventory"
NUMBERS: Final = (*range(2 * HOSTS_PER_RACK + 4), SILENT - 1)
NUM_HOSTS: Final = len(NUMBERS)
START_SECONDS: Final = 40.0
# May be empty: nothing bad happens in the first seconds of these hosts. Passes have no rate before there were two.
EMPTY_PANELS: Final = {
    "PFs not as desired, by reason",
    "VFs lost, by host",
    "Hosts missing the most VFs",
    "Not as desired, by PF and reason",
    "VFs lost, numbers overwritten",
    "Restarts of services",
    "Duration of passes",
    "Findings of doctor",
    "Pages with problems, by reason",
}


def scrape_config(folder: Path) -> dict[str, Any]:
    """What ships, with paths of this machine, and in a hurry."""
    config: dict[str, Any] = yaml.safe_load((PACKAGING / "scrape.yml").read_text())
    config["global"] = {"evaluation_interval": "1s"}
    config["rule_files"] = [str(path) for path in PACKAGING.glob("sriov-bootstrap.*.yaml")]
    (job,) = config["scrape_configs"]
    job |= {"scrape_interval": "1s", "file_sd_configs": [{"files": [str(folder / "*.json")], "refresh_interval": "1s"}]}
    return config


@pytest.fixture
def fleet() -> Fleet:
    return Fleet([Host(number, num_pfs=2, num_vfs=2) for number in NUMBERS])


@pytest.fixture
def prometheus(fleet: Fleet, tmp_path: Path) -> Iterator[Prometheus]:
    """One that finds half of the fleet by file and the other by HTTP discovery."""
    with serving(fleet) as address:
        config = scrape_config(tmp_path)
        by_http = {"job_name": "by-http", "scrape_interval": "1s"}
        config["scrape_configs"].append(by_http | {"http_sd_configs": [{"url": f"http://{address}/targets"}]})
        (tmp_path / "targets.json").write_text(json.dumps(fleet.targets(address)))
        with running_prometheus(tmp_path, config) as prometheus:
            yield prometheus


@pytest.mark.timeout(3 * START_SECONDS)
def test_both_kinds_of_discovery_find_the_fleet_and_rules_roll_it_up(prometheus: Prometheus) -> None:
    racks = {"r00": HOSTS_PER_RACK, "r01": HOSTS_PER_RACK, "r02": NUM_HOSTS - 2 * HOSTS_PER_RACK - 1, "r09": 1}
    expected = {  # of two jobs, and two PFs with two VFs
        "rack:sriov_bootstrap_hosts:count": {rack: 2 * hosts for rack, hosts in racks.items()},
        "rack:sriov_pf_vfs_desired:sum": {rack: 2 * hosts * 2 * 2 for rack, hosts in racks.items()},
        "rack:sriov_bootstrap_hosts_unreachable:count": dict.fromkeys(racks, 0),
        "rack:sriov_bootstrap_hosts_silent:count": dict.fromkeys(racks, 0) | {"r09": 2},
    }

    def by(label: str, expression: str) -> dict[str, float]:
        return {one["metric"][label]: float(one["value"][1]) for one in prometheus.query(expression)}

    def has_come() -> bool:
        found = by("job", "sum by (job) (up)") == {"sriov-bootstrap": NUM_HOSTS, "by-http": NUM_HOSTS}
        return found and {name: by("rack", name) for name in expected} == expected

    until(has_come, deadline_seconds=START_SECONDS, what=f"all hosts, found in two ways, and {expected}")
    assert {rule["health"] for group in prometheus.groups() for rule in group["rules"]} == {"ok"}
    until(
        lambda: panels_without_data(prometheus) <= EMPTY_PANELS,
        deadline_seconds=START_SECONDS,
        what=f"data in all panels but {EMPTY_PANELS}",
    )


def panels_without_data(prometheus: Prometheus) -> set[str]:
    """Return titles of panels that picture.py drew empty."""
    command = [
        sys.executable,
        str(ROOT / "packaging" / "picture.py"),
        prometheus.url,
        "--instance",
        "compute-0000:10049",
    ]
    page = subprocess.run(command, capture_output=True, text=True, check=True, timeout=40).stdout
    return set(re.findall(r"<div class=t>([^<]*)</div><div class=none>", page))


@pytest.mark.parametrize("number", [0, 149, 399])
def test_a_simulated_host_has_the_exporters_own_page(number: int) -> None:
    host = Host(number)
    first, second = host.make_pass(1700000000.0), host.make_pass(1700000600.0)
    assert promtool("check", "metrics", text=second.decode()).returncode == 0
    assert first != second
    degraded = [
        line for line in second.decode().splitlines() if line.startswith("sriov_pf_degraded") and "} 1.0" in line
    ]
    assert len(degraded) == (number != 0)
    assert Host(number).make_pass(1700000000.0) == first


def make_targets(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    script = str(PACKAGING / "targets.py")
    return subprocess.run(
        [sys.executable, "-I", script, *options], input=text, capture_output=True, text=True, check=False, timeout=30
    )


def target(address: str, **labels: str) -> dict[str, object]:
    return {"targets": [address], "labels": labels}


# Both were printed by the real commands, ansible-core 2.19 and python-openstackclient 10.5.
MADE: Final = {
    "ansible": (
        ("--group", "compute", "--label", "rack", "--label", "zone=aggregate", "--port", "9"),
        [
            target("192.0.2.11:9", instance="compute-1.example", rack="r7"),
            target("compute-2.example:9", instance="compute-2.example", rack="r7"),
            target("compute-3.example:9", instance="compute-3.example", rack="r8", zone="sriov-25g"),
            target("[2001:db8::14]:9", instance="compute-4.example"),
        ],
    ),
    "aggregates": (
        ("--label", "rack"),
        [
            target("compute-1:10049", instance="compute-1", aggregate="pinned,sriov-25g", zone="az1", rack="r7"),
            target("compute-2:10049", instance="compute-2", aggregate="sriov-25g", zone="az1", rack="r7"),
        ],
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_targets_are_made_from_an_inventory(kind: str, tmp_path: Path) -> None:
    options, expected = MADE[kind]
    made = make_targets((INVENTORY / f"{kind}.json").read_text(), *options)
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout) == expected
    (tmp_path / "made.json").write_text(made.stdout)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(scrape_config(tmp_path)))
    checked = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", (), "not JSON"),
        ("[1]", (), "neither output of"),
        ('[{"Name": "a"}]', (), "neither output of"),
        ('{"all": {}}', (), "neither output of"),
        ("[]", (), "no hosts in the inventory"),
        ('{"_meta": {}, "all": {"children": ["all"]}}', (), "no hosts in the inventory"),
        ('{"_meta": {}}', ("--group", "compute"), 'there is no group "compute"'),
    ],
)
def test_what_is_no_inventory_makes_no_targets(text: str, options: tuple[str, ...], said: str) -> None:
    made = make_targets(text, *options)
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr.startswith("targets: ")
    assert said in made.stderr


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_in_the_manual_are_configs_of_prometheus(number: int, tmp_path: Path) -> None:
    blocks = (ROOT / "docs" / "fleet.md").read_text().split("```yaml\n")[1:]
    assert len(blocks) == 2
    path = tmp_path / "prometheus.yml"
    path.write_text(blocks[number].partition("```")[0])
    checked = promtool("check", "config", str(path))
    if "field openstack_sd_configs not found" in checked.stderr:
        pytest.skip("this Prometheus is built without discovery by OpenStack, as Debian's 3.5 is")
    assert checked.returncode == 0, checked.stderr
