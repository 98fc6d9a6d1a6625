"""units/ against the tables of the code, and against what systemd says of its sandbox."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from sriov_bootstrap.commands.await_bond import MOST_SECONDS
from sriov_bootstrap.commands.metrics_config import ACCESS, DEFAULT, FOLDER
from sriov_bootstrap.core.config import Metrics
from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS
from sriov_bootstrap.core.validate import parse_listen
from sriov_bootstrap.edges.files import FOLDERS, Files
from sriov_bootstrap.edges.locks import EARLIER
from sriov_bootstrap.exporter.addresses import host_and_port
from sriov_bootstrap.exporter.credential import NAME as CREDENTIAL

UNITS = Path(__file__).parents[2] / "units"
UNIT = UNITS / "sriov-bootstrap.service"
HOLDERS_UNIT = UNITS / "sriov-bootstrap-holders.service"
RELOAD_UNIT = UNITS / "sriov-bootstrap-reload@.service"
LOAD_UNIT = UNITS / "sriov-bootstrap-load@.service"
CLOUD_INIT_UNIT = UNITS / "sriov-bootstrap-cloud-init.service"
BOND_UNIT = UNITS / "sriov-bootstrap-bond.service"
METRICS_UNIT = UNITS / "sriov-bootstrap-metrics.service"
METRICS_SOCKET = UNITS / "sriov-bootstrap-metrics.socket"
METRICS_CONFIG_UNIT = UNITS / "sriov-bootstrap-metrics-config.service"
METRICS_CONFIG_PATH = UNITS / "sriov-bootstrap-metrics-config.path"


SWITCHES = (
    "openvswitch-switch.service",
    "ovs-vswitchd.service",
    "openvswitch.service",
    "ovn-controller.service",
    "ovn-host.service",
    "kolla-openvswitch_vswitchd-container.service",
    "kolla-ovn_controller-container.service",
    "edpm_ovn_controller.service",
)


def _values(key: str, unit: Path = UNIT) -> set[str]:
    lines = unit.read_text().splitlines()
    return {word for line in lines if line.startswith(f"{key}=") for word in line.removeprefix(f"{key}=").split()}


@pytest.mark.parametrize("consumer", KNOWN_CONSUMERS)
def test_the_unit_comes_before_every_known_consumer(consumer: str) -> None:
    assert consumer in _values("Before")


def test_whoever_waits_for_the_vfs_waits_for_those_of_cloud_init_as_well() -> None:
    """But for the network, which cloud-init itself waits for, and Open vSwitch, which may be part of it."""
    others = {"shutdown.target", "network-pre.target", *SWITCHES}
    assert _values("Before", CLOUD_INIT_UNIT) == _values("Before") - others
    assert {UNIT.name, "cloud-init-network.service", "cloud-init.service"} == _values("After", CLOUD_INIT_UNIT)


def test_only_nova_compute_and_the_agent_wait_for_a_bond_and_only_where_one_is_awaited(tmp_path: Path) -> None:
    """The network makes it, so it cannot wait for it; nor need libvirt."""
    assert _values("Before", BOND_UNIT) == {*KNOWN_CONSUMERS}
    assert _values("After", BOND_UNIT) == {UNIT.name, CLOUD_INIT_UNIT.name}
    assert BOND_UNIT.name in _values("Wants")
    [path] = _values("ConditionPathExists", BOND_UNIT)
    files = Files(str(tmp_path))
    for is_awaited in (True, False):
        files.mark_bond(is_awaited=is_awaited)
        assert (tmp_path / path.lstrip("/")).exists() is is_awaited
    [limit] = _values("TimeoutStartSec", BOND_UNIT)
    assert int(limit) > MOST_SECONDS


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_unit_comes_before_what_takes_representors(switch: str) -> None:
    assert switch in _values("Before")


def test_the_unit_comes_after_what_loads_another_driver() -> None:
    assert "openibd.service" in _values("After")


def test_the_unit_is_wanted_by_what_boots_and_ordered_before_the_network() -> None:
    assert _values("WantedBy") == {"multi-user.target"}
    assert "network-pre.target" in _values("Before") & _values("Wants")


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        pytest.param(UNIT, 1.7, id="the service"),
        pytest.param(METRICS_UNIT, 0.5, id="who serves the metrics"),
        pytest.param(METRICS_CONFIG_UNIT, 1.7, id="who hands over"),
        pytest.param(HOLDERS_UNIT, 1.5, id="the looker"),
        pytest.param(RELOAD_UNIT, 2.8, id="modprobe"),
        pytest.param(LOAD_UNIT, 1.6, id="modprobe of a driver that is not there yet"),
        pytest.param(CLOUD_INIT_UNIT, 0.9, id="cloud-init"),
        pytest.param(BOND_UNIT, 0.9, id="who waits for a bond"),
    ],
)
def test_a_unit_is_exposed_to_little(unit: Path, most: float) -> None:
    """The figures are those of systemd 252 and 257."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+) ", said.stdout)
    assert found, said.stderr
    assert float(found[1]) <= most, said.stdout


def test_who_serves_the_metrics_may_be_nice_and_nothing_else_of_the_kind() -> None:
    """serve_metrics.py:start_check; nice(3) is setpriority(2). systemd-analyze names one call that it finds allowed."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(METRICS_UNIT)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    allowed = re.findall(r"SystemCallFilter=~@(\w+).*\(e\.g\. (\w+) is allowed\)", said.stdout)
    assert allowed == [("resources", "setpriority")]


def _writable(unit: Path) -> set[str]:
    """What a unit may write of all that ProtectSystem=strict makes read-only."""
    assert _values("ProtectSystem", unit) == {"strict"}
    assert "/run" in _values("ReadOnlyPaths", unit)  # "strict" leaves it out: see the unit
    folders = {f"/run/{one}" for one in _values("RuntimeDirectory", unit)}
    return {one.lstrip("-+") for one in _values("ReadWritePaths", unit)} | folders


def _answers() -> set[str]:
    lines = [line for unit in UNITS.iterdir() for line in unit.read_text().splitlines()]
    return {line.partition("truncate:")[2] for line in lines if line.startswith("StandardOutput=truncate:")}


def _meets(one: str, other: str) -> bool:
    """Whether whoever may write one of them may write the other, or a part of it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_no_unit_writes_what_another_of_ours_obeys(unit: Path) -> None:
    """Config, answers, what modprobe reads: whoever took over the daemon could tell its helpers what to do."""
    obeyed = {f"/{folder}/{name}" for folder in FOLDERS for name in ("config.toml", "config.d", "templates")}
    obeyed |= {"/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/run/systemd", "/etc/systemd", *_answers()}
    # What is root's own will is written by two, from the config alone.
    written = {one for one in obeyed if any(_meets(one, path) for path in _writable(unit))}
    theirs = {
        RELOAD_UNIT: {"/etc/modprobe.d"},
        METRICS_CONFIG_UNIT: {"/run/systemd"},
    }
    assert written == theirs.get(unit, set())


def test_all_that_is_written_in_run_is_in_one_folder_of_ours() -> None:
    in_run = {path for unit in UNITS.glob("*.service") for path in _writable(unit) if _meets(path, "/run")}
    assert in_run == {"/run/sriov-bootstrap/state", "/run/sriov-bootstrap-metrics", "/run/systemd/system"}
    in_run = {path for path in _writable(UNIT) if _meets(path, "/run")}
    assert {f"/{lock.rpartition('/')[0]}" for lock in EARLIER} == in_run
    assert _values("RuntimeDirectoryPreserve") == {"yes"}


def test_what_a_helper_answers_is_where_it_is_looked_for(tmp_path: Path) -> None:
    names = ("holders", "reload-%i", "load-%i")
    assert _answers() == {f"/run/sriov-bootstrap/{name}.answer" for name in names}
    for answer in _answers():
        (tmp_path / answer.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / answer.lstrip("/")).write_text("told")
    files = Files(str(tmp_path))
    assert [files.read_answer(name) for name in names] == [b"told"] * 3


def test_whoever_loads_a_module_can_do_nothing_else() -> None:
    assert _values("CapabilityBoundingSet", LOAD_UNIT) == {"CAP_SYS_MODULE"}
    assert _writable(LOAD_UNIT) == set()
    assert _values("PrivateNetwork", LOAD_UNIT) == {"yes"}


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_a_unit_takes_neither_the_memory_nor_the_processes_of_the_host(unit: Path) -> None:
    """And what is ended for it is one process: not the daemon with it."""
    assert _values("MemoryMax", unit) & {"64M", "256M", "512M", "2G"}
    assert _values("MemorySwapMax", unit) == {"0"}
    assert _values("TasksMax", unit) & {"8", "256", "4096"}
    assert _values("OOMPolicy", unit) == {"continue"}


def test_no_unit_runs_a_shell() -> None:
    commands = [line for unit in UNITS.iterdir() for line in unit.read_text().splitlines() if line.startswith("Exec")]
    assert len(commands) == 10
    assert not [line for line in commands if re.search(r"\bsh\b", line)]


def test_the_socket_listens_where_the_config_does_by_default() -> None:
    addresses, port = parse_listen(Metrics().listen) or ((), 0)
    assert _values("ListenStream", METRICS_SOCKET) == {host_and_port(one, port) for one in addresses} == set(DEFAULT)


def test_the_daemon_listens_on_nothing_and_starts_what_does() -> None:
    assert _values("RestrictAddressFamilies") == {"AF_UNIX", "AF_NETLINK"}
    assert _values("IPAddressAllow") == set()
    assert {METRICS_CONFIG_UNIT.name, METRICS_CONFIG_PATH.name} <= _values("Wants")


@pytest.mark.parametrize("unit", [METRICS_UNIT, METRICS_SOCKET])
def test_both_kill_switches_stop_the_metrics_as_well(unit: Path) -> None:
    for key in ("ConditionKernelCommandLine", "ConditionPathExists"):
        assert _values(key, unit) == _values(key)


def test_the_credential_is_what_is_handed_over() -> None:
    assert _values("LoadCredential", METRICS_UNIT) == {f"{CREDENTIAL}:{ACCESS}"}
    assert f"/run/{_values('RuntimeDirectory', METRICS_CONFIG_UNIT).pop()}" == FOLDER


def test_every_folder_of_the_config_is_watched() -> None:
    folders = {f"/{folder}/config.d" for folder in FOLDERS}
    assert _values("PathChanged", METRICS_CONFIG_PATH) == folders | {"/etc/sriov-bootstrap"}
