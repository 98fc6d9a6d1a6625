"""`make bench`, as far as that goes without a VM: what it reckons, and what its programs for the guest read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import big_tree, host_files, host_files_tree, many_vfs
from lab.bench import base_lines, big_lines, config, lines
from lab.figures import Line, Seconds, collect, show
from lab.guest.bench import measure
from lab.guest.bench.kernel_trace import Events
from sources import ROOT
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.decode import ConfigFile, decode

TRACE = """\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
              sh-279     [001] .....   172.896609: probing: (sriov_drivers_autoprobe_store+0x4/0x80)
              sh-279     [001] .....   172.897394: count: (sriov_numvfs_store+0x4/0x180)
 sriov-bootstrap-3       [000] d..2.   174.359187: counted: (kernfs_fop_write_iter+0x14a/0x200 <- sriov_numvfs_store)
    a: count: 9-280      [001] .....   175.100000: bound: (driver_bound+0x4/0x120)
              sh-281     [000] .....   175.000000: bound: (driver_bound+0x4/0x120)
"""
SECONDS: Seconds = {
    "bind loop": [30.0, 10.0, 99.0],
    "bind shell": [12.0],
    "bind once": [12.0],
    "down loop": [10.0],
    "down shell": [6.0],
    "down once": [7.0],
    "none bare": [10.0],
    "none boot": [11.0],
    "none ready": [13.5],
    "start python": [1.0],
    "start once": [1.25],
    "idle python": [0.25],
    "idle once": [1.25],
    "idle spawned": [1.0],
    "attributes python": [0.25],
    "attributes once": [1.5],
    "daemon wake-ups": [0.0],
    "daemon MiB": [25.0],
    "daemon exporter wake-ups": [0.0],
    "daemon exporter MiB": [12.0],
}


def test_events_are_read_whatever_a_process_is_called() -> None:
    events = Events.parse(TRACE)
    assert (events.first, events.last) == (172.896609, 175.1)
    assert [events.count(name) for name in ("probing", "count", "counted", "bound", "up")] == [1, 1, 1, 2, 0]


def test_medians_are_judged_by_the_targets() -> None:
    told = {line.key: str(line).split()[-1] for line in lines(SECONDS)}
    assert {key for key, word in told.items() if word == "MISSED"} == {"down_loop", "none_ready", "idle", "spawned"}
    assert {key for key, word in told.items() if word == "met"} == {
        *("bind_loop", "bind_shell", "none_bare", "start", "attributes", "wake_ups", "pss", "metrics_wake_ups")
    }
    assert {line.key: line.value for line in lines(SECONDS)}["bind_loop"] == 0.4  # of the median, 30


def test_a_line_has_its_target_where_there_is_one() -> None:
    assert str(Line("key", "what", 1.5, 1.25)) == f"{'what':<76}    1.500 x     1.25  MISSED"
    assert str(Line("key", "what", 1.25, 1.25)).endswith("1.25  met")
    assert str(Line("key", "what", 7.0, unit="MiB")) == f"{'what':<76}    7.000 MiB"


def test_what_is_printed_ends_with_a_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    seconds: Seconds = {}
    collect(seconds, {"one": [1.0]}, "first ")
    collect(seconds, {"one": [2.0, 4.0]}, "first ")
    show(seconds, iter([Line("key", "what", 1.23456, 1.0)]))
    printed = capsys.readouterr().out
    assert "first one                    2.000   (1.000 to 4.000, 3 times)" in printed
    assert json.loads(printed.splitlines()[-1].removeprefix("bench ")) == {"key": 1.2346}


def test_ours_is_compared_with_the_base() -> None:
    seconds = {"once ours": [1.0, 9.0, 2.0], "once base": [4.0], "calls ours": [300.0], "calls base": [200.0]}
    assert [(line.key, line.value, line.target) for line in base_lines(seconds)] == [
        ("base_once", 0.5, 1.05),
        ("base_calls", 1.5, 1.0),
    ]


def test_many_vfs_are_compared_with_the_base_and_with_fewer() -> None:
    ours = {"ours 16 {}": [2.0], "ours 64 {}": [5.0], "ours {}": [29.0], "base {}": [58.0]}
    seconds = {name.format(verb): values for name, values in ours.items() for verb in many_vfs.VERBS}
    figures = {line.key: (line.value, line.target) for line in big_lines(seconds, 0.5)}
    assert figures["big_pass"] == figures["big_status"] == (0.5, 0.5)
    # 24 s for 192 more VFs of each PF, and before that 3 s for 48.
    assert figures["linear_pass"] == figures["linear_status"] == (2.0, 1.2)


def test_files_are_compared_with_the_base_with_half_of_them_and_with_none() -> None:
    ours = {"ours {}": [4.0], "ours half {}": [2.0], "ours none {}": [1.0], "base {}": [8.0], "base none {}": [2.0]}
    seconds = {name.format(verb): values for name, values in ours.items() for verb in host_files.VERBS}
    figures = {line.key: (line.value, line.target) for line in host_files.lines(seconds)}
    assert figures["files_migrate"] == figures["files_doctor"] == (0.5, 1.0)
    assert figures["each_file_migrate"] == figures["each_file_doctor"] == (0.5, 0.5)
    assert figures["linear_files_migrate"] == figures["linear_files_doctor"] == (2.0, 1.2)


def test_the_tree_with_files_has_scripts_that_set_vfs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tmp_path / "host")
    big_tree.make(root, pfs=5, vfs=3, has_netdevs=True)
    host_files_tree.add(root, units=24, scripts=12, vfs=3)
    assert main(["migrate", "--json"], root=root) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert sorted(line["place"] for line in lines) == [
        f"/usr/local/sbin/part{number}:27" for number in range(host_files_tree.SETTERS)
    ]


@pytest.mark.parametrize("has_netdevs", [False, True])
def test_the_big_tree_is_a_host_on_which_all_is_as_desired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, has_netdevs: bool
) -> None:
    root = tmp_path / "big"
    big_tree.make(str(root), pfs=3, vfs=9, has_netdevs=has_netdevs)
    assert main(["--once", "--json"], root=str(root)) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert [pf["num_vfs"] for pf in report["pfs"]] == [9, 9, 9]
    assert report["results"] == []
    vfs = [vf for pf in report["pfs"] for vf in pf["vfs"]]
    assert {vf["driver"] for vf in vfs} == {"madevf" if has_netdevs else ""}


def test_each_pf_gets_a_rule() -> None:
    text = config({"0000:01:00.0": 7, "0000:02:00.0": 0}, "none")
    rules = decode((ConfigFile("bench.toml", text.encode()),)).pf
    assert [(rule.match.pci_address, rule.num_vfs, rule.vf_driver) for rule in rules] == [
        ("0000:01:00.0", 7, "none"),
        ("0000:02:00.0", 0, "none"),
    ]


def test_a_build_is_started_from_its_folder_and_from_no_other(tmp_path: Path) -> None:
    package = tmp_path / "ours/usr/lib/python3/dist-packages/sriov_bootstrap"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n")
    argv = [sys.executable, *measure.started(str(tmp_path), "ours")[1:], "--once"]
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == "['--once']\n"


@pytest.mark.parametrize("errors", ["", "        57"])
def test_system_calls_are_those_of_all_lines(errors: str) -> None:
    summary = f"""\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.80    0.001000          10       100{errors} openat
 38.20    0.000618           6       103           read
------ ----------- ----------- --------- --------- ----------------
100.00    0.001618           7       203{errors} total
"""
    assert measure.total_calls(summary) == 203


def test_the_shell_asks_for_a_probe_of_each_vf(tmp_path: Path) -> None:
    pf, vf = "0000:01:00.0", "0000:01:10.1"
    for address in (pf, vf):
        (tmp_path / "devices" / address).mkdir(parents=True)
    (tmp_path / "devices" / pf / "virtfn0").symlink_to(f"../{vf}")
    script = measure.probing([pf], enabled=False) + measure.loop([pf]) + measure.probe_at_once([pf])
    subprocess.run(measure.shell(script.replace(str(measure.PCI), str(tmp_path))), check=True)
    written = [tmp_path / "devices" / pf / name for name in ("sriov_drivers_autoprobe", "sriov_numvfs")]
    assert [path.read_text() for path in [*written, tmp_path / "drivers_probe"]] == ["0\n", "7\n", f"{vf}\n"]


def test_the_memory_of_each_process_is_told() -> None:
    found = measure.daemon(0.0, [os.getpid()] * 2)
    assert [len(values) for values in found.values()] == [2, 2]
    assert all(kib > 0 for kib in found["pss"])


def test_make_hands_the_commit_on() -> None:
    command = ["make", "--dry-run", *(f"-o{name}" for name in ("setup", "lab-setup", "wheel", "deb")), "bench"]
    for words, wanted in (([], "bench.py"), (["BASE=796f9ed"], "bench.py --base 796f9ed")):
        said = subprocess.run([*command, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert said.rstrip().endswith(wanted)
