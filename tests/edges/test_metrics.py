"""State -> exposition text, compared whole with a golden file. UPDATE_GOLDEN=1 writes the file anew."""

import os
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from promtool import promtool
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.core.finding import Finding, Inspected
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState, VfReport
from sriov_bootstrap.core.state import Counters, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.edges.metrics import exposition, page_file, write_textfile
from sriov_bootstrap.exporter.page import own_metrics
from sriov_bootstrap.exporter.refusals import Refusal

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.txt"

OK = PfReport(
    rule="tenant-a",
    requested="3",
    state=PfState.OK,
    pci_address="0000:3b:00.0",
    netdev="ens1f0",
    driver="igb",
    vendor_id="8086",
    device_id="10c9",
    numa_node=0,
    physical_network="physnet2",
    desired=3,
    num_vfs=3,
    max_vfs=7,
    vfs=(
        VfReport(0, "0000:3b:10.0", driver="igbvf"),
        VfReport(1, "0000:3b:10.2", driver="vfio-pci", iommu_group="41", user="qemu-system-x86 (4711)"),
        VfReport(2, "0000:3b:10.4"),
    ),
)
REFUSED = PfReport(
    rule="tenant-b",
    requested="32",
    state=PfState.DEGRADED,
    pci_address="0000:3b:00.1",
    netdev="ens1f1",
    driver="igb",
    desired=32,
    max_vfs=7,
    reason=Reason.EXCEEDS_MAX,
)
ABSENT = PfReport(rule='say "hi"\\', requested="8", state=PfState.DEGRADED, desired=8, reason=Reason.ABSENT)

STATE = State(
    report=PassReport(
        started_at=1700000000.0,
        seconds=1.25,
        pfs=(OK, REFUSED, ABSENT),
        jam=Jam(812, "0000:3b:00.1", "set sriov_numvfs to 0", since=1699999990.5),
    ),
    last_success_at=1699999000.0,
    verified_at={OK.rule: 1699998000.0},
    pending=PendingRestart(12.0, ("0000:3b:00.0",)),
    counters=Counters(
        passes=5,
        pass_failures=2,
        duration_sum=45.5,
        duration_buckets=(1, 1, 2, 3, 3, 3, 3, 4, 4, 4),
        vf_losses={"0000:3b:00.0": 3, "0000:af:00.0": 9},
        contested={"0000:3b:00.1": 2},
        restarts={"nova-compute.service": 2},
        restart_failures={"neutron-sriov-agent.service": 1},
        udev_resyncs=1,
    ),
)
FOUND = Inspected((Finding("SB-E401", "a:1", ""), Finding("SB-E401", "a:2", "")), ("SB-E401", "SB-W301"))
UNITS = ("neutron-sriov-agent.service", "nova-compute.service")


TURNED_AWAY = {**dict.fromkeys(Refusal, 0), Refusal.WRONG: 4}


def page(state: State = STATE, *, config_valid: bool = True) -> str:
    """As it is scraped."""
    text = exposition(
        state, config_valid=config_valid, units=UNITS, inspected=FOUND, version="1.2.3", made_at=1700000002.5
    )
    return (text + own_metrics(TURNED_AWAY)).decode()


def values(state: State) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of the label names) -> value; fails where two series are the same."""
    series: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(page(state)):
        for sample in family.samples:
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in series
            series[key] = sample.value
    return series


def with_pfs(*pfs: PfReport) -> State:
    return replace(STATE, report=replace(STATE.report, pfs=pfs))


def test_the_page_is_the_golden_file() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(page())
    assert page() == GOLDEN.read_text()


@pytest.mark.parametrize("state", [STATE, State()], ids=["full", "before the first pass"])
def test_promtool_finds_nothing_to_criticise(state: State) -> None:
    ended = promtool("check", "metrics", text=page(state))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_every_metric_is_documented_and_no_other() -> None:
    exported = {family.name for family in text_string_to_metric_families(page())}
    documented = re.findall(r"^\| `(sriov_\w+)[`{]", DOCS.read_text(), flags=re.MULTILINE)
    assert sorted(name.removesuffix("_total") for name in documented) == sorted(exported)


def test_the_documented_way_to_render_rules_makes_rules_that_prometheus_takes(tmp_path: Path) -> None:
    (command,) = re.findall(r"^    (jsonnet .*)$", DOCS.read_text(), flags=re.MULTILINE)
    mixin = DOCS.parents[1] / "packaging" / "prometheus"
    rules = tmp_path / "rules.yml"
    rules.write_text(subprocess.run(shlex.split(command), cwd=mixin, capture_output=True, text=True, check=True).stdout)
    ended = promtool("check", "rules", str(rules))
    assert ended.returncode == 0, ended.stderr
    assert "SUCCESS" in ended.stdout
    assert "aggregate:sriov_pf_vfs_free:sum" in rules.read_text()


def test_the_page_says_nothing_that_an_unprivileged_user_of_the_host_could_not_read() -> None:
    """Labels are those below and no other, and who holds a VF (a process, a VM) is in none of them.

    Addresses, ids, drivers, netdevs and IOMMU groups are world-readable in /sys; a rule's name and its network are the
    operator's own labels, units and the version are what systemctl and dpkg show to everybody.
    """
    held = replace(
        OK,
        message="0000:3b:00.0: VF 1 is in use: held by qemu-system-x86 pid 4711 (instance-0000002a)",
        vfs=(
            VfReport(
                1, "0000:3b:10.2", driver="vfio-pci", iommu_group="41", user="qemu-system-x86 (instance-0000002a)"
            ),
        ),
    )
    text = page(with_pfs(replace(held, state=PfState.DEGRADED, reason=Reason.IN_USE)))
    labels = {
        label for family in text_string_to_metric_families(text) for one in family.samples for label in one.labels
    }
    assert labels == {
        *("pci_address", "netdev", "rule", "driver", "vendor_id", "device_id", "numa_node", "physical_network"),
        *("pf_pci_address", "vf", "iommu_group", "in_use", "reason", "version", "unit", "le", "code", "severity"),
    }
    assert 'in_use="1"' in text
    assert not any(word in text for word in ("qemu", "4711", "instance-"))


def test_the_textfile_says_nothing_of_the_endpoint() -> None:
    assert b"http_refused" not in exposition(STATE, config_valid=True)


def test_the_series_of_each_vf_can_be_left_out_and_nothing_else_goes_with_them() -> None:
    whole = exposition(STATE, config_valid=True, made_at=0.0).decode().splitlines()
    without = exposition(STATE, config_valid=True, made_at=0.0, per_vf=False).decode().splitlines()
    assert [line for line in whole if "sriov_vf_info" not in line] == without
    assert len(whole) == len(without) + 2 + len(OK.vfs)


def test_a_page_in_a_file_is_one_to_prometheus_as_well() -> None:
    ended = promtool("check", "metrics", text=page_file(exposition(STATE, config_valid=True)).decode())
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_no_series_says_when_it_was_created() -> None:
    assert "_created" not in page()


def test_a_page_shows_no_vf_that_is_gone() -> None:
    assert "0000:3b:10.4" in page()
    assert "0000:3b:10.4" not in page(with_pfs(replace(OK, vfs=OK.vfs[:2])))


def test_every_pf_has_one_series_for_each_reason() -> None:
    degraded = {key: value for key, value in values(STATE).items() if key[0] == "sriov_pf_degraded"}
    assert len(degraded) == 3 * len(Reason)
    assert {(key[2], key[3]) for key, value in degraded.items() if value} == {
        ("0000:3b:00.1", "exceeds_max"),
        ("", "absent"),
    }


def test_a_rule_without_a_nic_has_its_series() -> None:
    series = values(with_pfs(PfReport(rule="spare", requested="8", state=PfState.OPTIONAL, required=False, desired=8)))
    assert series["sriov_pf_present", "", "", "spare"] == 0
    assert series["sriov_pf_vfs_desired", "", "", "spare"] == 8
    assert series["sriov_pf_vf_losses_total", "", "", "spare"] == 0
    assert series["sriov_pf_contested_total", "", "", "spare"] == 0
    assert not any(value for key, value in series.items() if key[0] == "sriov_pf_degraded")


@pytest.mark.parametrize("pfs", [(ABSENT, replace(ABSENT, state=PfState.OPTIONAL)), (OK, REFUSED, OK, OK)])
def test_lines_with_the_same_labels_make_one_series(pfs: tuple[PfReport, ...]) -> None:
    assert values(with_pfs(*pfs)) == values(with_pfs(*dict.fromkeys(pfs[:2] if OK in pfs else pfs[:1])))


def test_of_lines_with_the_same_labels_the_degraded_one_speaks() -> None:
    fine, bad = replace(ABSENT, state=PfState.OPTIONAL, reason=None), ABSENT
    assert values(with_pfs(fine, bad)) == values(with_pfs(bad, fine)) == values(with_pfs(bad))


def test_a_netdev_whose_name_is_no_text_does_not_break_the_page() -> None:
    assert r'netdev="ens\\xff"' in page(with_pfs(replace(OK, netdev="ens\udcff")))


@pytest.mark.parametrize(
    ("buckets", "passes"),
    [((1, 1, 2, 3, 3, 3, 3, 4, 4, 4), 9), ((9, 1, 0, 3, 3, 3, 3, 4, 4, 4), 2), ((1, 2), 2), ((), 0), ((1,) * 20, 3)],
    ids=["failures handed over", "nonsense", "too few", "none", "too many"],
)
def test_the_histogram_is_cumulative_whatever_state_json_says(buckets: tuple[int, ...], passes: int) -> None:
    state = replace(STATE, counters=replace(STATE.counters, duration_buckets=buckets, passes=passes))
    lines = [line for line in page(state).splitlines() if line.startswith("sriov_bootstrap_pass_duration_seconds_")]
    counts = [float(line.split()[-1]) for line in lines if "_bucket" in line]
    assert counts == sorted(counts)
    assert f"sriov_bootstrap_pass_duration_seconds_count {counts[-1]}" in lines
    assert counts[-1] >= passes


def test_a_write_that_merely_takes_its_time_is_not_stuck() -> None:
    busy = Jam(812, "0000:3b:00.1", "set sriov_numvfs to 7", since=1699999990.5, is_overdue=False)
    series = values(replace(STATE, report=replace(STATE.report, jam=busy)))
    assert series["sriov_bootstrap_write_stuck_since_timestamp_seconds",] == 0
    assert values(STATE)["sriov_bootstrap_write_stuck_since_timestamp_seconds",] == 1699999990.5


def test_an_invalid_config_is_told() -> None:
    assert "\nsriov_bootstrap_config_valid 0.0\n" in page(config_valid=False)


def test_the_textfile_is_readable_for_all_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "sriov-bootstrap.prom"
    path.write_text("old")
    before = os.umask(0o077)
    try:
        write_textfile(path, b"new\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_textfile_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "sriov-bootstrap.prom"
    path.mkdir()
    with pytest.raises(SriovBootstrapError) as caught:
        write_textfile(path, b"new\n")
    assert str(caught.value) == f"{path}: cannot write the metrics textfile: Is a directory"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "sriov-bootstrap.prom"
    with pytest.raises(SriovBootstrapError) as caught:
        write_textfile(path, b"")
    assert str(caught.value) == f"{path}: cannot write the metrics textfile: No such file or directory"
    assert caught.value.hint == f"make {path.parent} writable for sriov-bootstrap, or change metrics.textfile"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to a service's user")
def test_a_textfile_is_not_written_by_way_of_a_link_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "prometheus").mkdir()
    (tmp_path / "prometheus/node-exporter").symlink_to(tmp_path / "outside")
    os.chown(tmp_path / "prometheus", 65534, 65534)
    with pytest.raises(SriovBootstrapError, match="which is owned by user 65534: not followed"):
        write_textfile(tmp_path / "prometheus/node-exporter/x.prom", b"new\n")
    assert list((tmp_path / "outside").iterdir()) == []
