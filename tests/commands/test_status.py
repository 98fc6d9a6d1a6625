import json
import os
import time

import pytest

from builders import PF, PF2, vf_address
from fakes_host import HostTree, rule
from sriov_bootstrap import __version__
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.state import Counters, FailedRestart, PendingRestart, State, dump
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks

NEVER_RUN = "note: no pass since boot: systemctl status sriov-bootstrap, or sriov-bootstrap --once\n"
TWO_RULES = (
    rule("50%")
    + '[[pf]]\nname = "gone"\nmatch = { pci_address = "0000:5e:00.0" }\nnum_vfs = 4\n'
    + '[[pf]]\nname = "other"\nmatch = { pci_address = "0000:3b:00.1" }\nnum_vfs = 32\nrequired = false\n'
)
TABLE = """\
RULE      PF            NETDEV  DRIVER  DESIRED  VFS  MAX  IN USE  STATE
tenant-a  0000:3b:00.0  ens1f0  igb     3 (50%)  3    7    1       ok
gone      -             -       -       4        -    -    -       degraded: absent
other     0000:3b:00.1  -       -       32       0    7    0       degraded: driver_missing

no PF matches rule "gone" (pci_address 0000:5e:00.0)
  hint: check that the NIC is seated and its name has not changed: sriov-bootstrap init lists this host's PFs

0000:3b:00.1: no driver is bound, so it cannot have VFs
  hint: load its driver: modprobe $(cat /sys/bus/pci/devices/0000:3b:00.1/modalias)

note: no pass since boot: systemctl status sriov-bootstrap, or sriov-bootstrap --once
"""


def status(tree: HostTree, *words: str) -> int:
    return main(["status", *words], root=str(tree.root))


def test_the_table_says_what_is_what_should_be_and_why_not(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=2)
    tree.add_vf(PF, 2, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/19")
    tree.add_pf(PF2, netdev="", driver="")
    tree.configure(TWO_RULES)
    assert status(tree) == 3
    assert capsys.readouterr() == (TABLE, "")


def test_a_host_that_is_as_desired_exits_0(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    assert main(["--once"], root=str(tree.root)) == 0
    capsys.readouterr()
    assert status(tree) == 0
    assert capsys.readouterr() == (
        (
            "RULE      PF            NETDEV  DRIVER  DESIRED  VFS  MAX  IN USE  STATE\n"
            "tenant-a  0000:3b:00.0  ens1f0  igb     4        4    7    0       ok\n"
        ),
        "",
    )


def test_what_is_still_to_be_done_is_not_yet_as_desired(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf()
    tree.configure(rule(4))
    assert status(tree) == 3
    out = capsys.readouterr().out
    assert " pending\n" in out
    steps = "set sriov_drivers_autoprobe to 0, then set sriov_numvfs from 0 to 4, then bind its VFs"
    assert f"\n{PF} (ens1f0): to do: {steps}\n" in out


def test_waiting_ends_at_its_deadline(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf()
    tree.configure(rule(4))
    assert status(tree, "--wait=0.01") == 3
    assert " pending\n" in capsys.readouterr().out


def test_without_a_config_there_is_nothing_to_do(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = "nothing to do: no rule in the config (sriov-bootstrap init prints one for this host)\n"
    assert status(tree) == 0
    assert capsys.readouterr() == (f"{nothing}\n{NEVER_RUN}", "")


def test_looking_leaves_no_trace(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf()
    tree.configure(rule(4))
    status(tree)
    capsys.readouterr()
    assert list((tree.root / "run").iterdir()) == []


def test_a_broken_config_is_a_finding_and_the_rest_stands(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure("[[pf]\n")
    assert status(tree) == 3
    out, err = capsys.readouterr()
    path = tree.root / "etc/sriov-bootstrap/config.toml"
    assert f"note: config: {path}: not TOML: " in out
    assert NEVER_RUN in out
    assert err == ""


@pytest.mark.parametrize(
    ("file", "text", "note"),
    [
        pytest.param(
            "etc/sriov-bootstrap/disabled",
            "",
            "switched off: /etc/sriov-bootstrap/disabled keeps the unit from starting",
            id="file",
        ),
        pytest.param(
            "proc/cmdline",
            "root=/dev/vda sriov_bootstrap=0\n",
            "switched off: sriov_bootstrap=0 on the kernel command line keeps the unit from starting",
            id="kernel command line",
        ),
    ],
)
def test_a_kill_switch_is_named(
    tree: HostTree, capsys: pytest.CaptureFixture[str], file: str, text: str, note: str
) -> None:
    tree.write(file, text)
    assert status(tree) == 0
    assert f"note: {note}\n" in capsys.readouterr().out


def test_a_stuck_write_is_shown_with_its_age(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(2))
    locks = Locks(str(tree.root))
    lock = locks.begin_write()
    locks.note_writer(lock, Jam(4711, PF, "set sriov_numvfs from 4 to 0", since=0.0, limit_seconds=80.0))
    try:
        assert status(tree) == 3
    finally:
        os.close(lock)
    out = capsys.readouterr().out
    stuck = f"{PF}: set sriov_numvfs from 4 to 0 has not returned (process 4711 is waiting in the kernel)"
    assert "degraded: stuck" in out
    assert f"note: {stuck}, for " in out


def test_a_unit_that_did_not_come_up_is_named(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    pending = PendingRestart(1.0, ("0000:3b:00.0",), {"nova-compute.service": FailedRestart(1, 2.0)})
    Files(str(tree.root)).save_state(dump(State(boot_id="b007", pending=pending, counters=Counters(passes=3))))
    assert status(tree) == 0
    out = capsys.readouterr().out
    assert "note: restarts are pending, because VFs changed on: 0000:3b:00.0\n" in out
    assert "note: nova-compute.service: its restart failed, and will be tried again\n" in out


@pytest.mark.parametrize(
    ("state", "is_said"),
    [
        pytest.param("S", False, id="at work"),
        pytest.param("T", True, id="stopped by a signal"),
        pytest.param("", True, id="not there"),
    ],
)
def test_a_udevd_that_does_not_run_is_said(
    tree: HostTree, capsys: pytest.CaptureFixture[str], state: str, *, is_said: bool
) -> None:
    tree.add_process(1, comm="systemd")
    if state:
        tree.add_process(300, comm="systemd-udevd")
        tree.write("proc/300/stat", f"300 (systemd-udevd) {state} 1 300 300 0 -1")
    assert status(tree) == 0
    assert ("note: systemd-udevd is down: " in capsys.readouterr().out) is is_said


def test_a_daemon_that_makes_no_passes_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """By a clock that no administrator and no NTP moves."""
    uptime = time.monotonic()
    for passed_at, is_said in ((uptime, False), (uptime - 1310.0, True)):
        saved = State(boot_id="b007", passed_at=passed_at, counters=Counters(passes=3))
        Files(str(tree.root)).save_state(dump(saved))
        assert status(tree) == 0
        assert ("the last pass was 22 minutes ago" in capsys.readouterr().out) is is_said


def test_vfs_that_are_bound_to_vfio_and_free_are_one_line(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf()
    for index in range(6):
        tree.add_vf(PF, index, driver="igbvf" if index == 1 else "vfio-pci")
    tree.add_process(4711, "/dev/vfio/20")
    tree.configure(rule(6))
    assert status(tree) == 0
    assert f"note: {PF} (ens1f0): VF 0, 2, 4-5 bound to vfio, but not in use\n" in capsys.readouterr().out
    assert status(tree, "--json") == 0
    vfs = json.loads(capsys.readouterr().out)["pfs"][0]["vfs"]
    assert [vf["note"] for vf in vfs[:2]] == ["bound to vfio-pci, but not in use", ""]


def test_json_has_it_all(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf()
    tree.add_vf(PF, 0, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/17")
    tree.configure(rule(2))
    assert status(tree, "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    (pf,) = answer.pop("pfs")
    assert answer == {
        "version": __version__,
        "state": "degraded",
        "config_files": [str(tree.root / "etc/sriov-bootstrap/config.toml")],
        "config_problems": [],
        "last_pass_at": 0.0,
        "last_success_at": 0.0,
        "pending_restart": False,
        "leftovers": [],
        "stuck_write": None,
        "notes": [NEVER_RUN.removeprefix("note: ").strip()],
    }
    user = "held by qemu-system-x86 pid 4711"
    assert pf["vfs"] == [
        {
            "index": 0,
            "pci_address": vf_address(PF, 0),
            "driver": "vfio-pci",
            "iommu_group": "17",
            "user": user,
            "note": "",
            "attributes": None,
            "differs": "",
            "mtu": 0,
        }
    ]
    assert (pf["state"], pf["reason"], pf["vfs_in_use"], pf["max_vfs"]) == ("degraded", "in_use", 1, 7)
