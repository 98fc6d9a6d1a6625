"""docs/runbooks: what the pages say that a command prints is what it prints, on a host that has the trouble."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from builders import PF
from fakes_host import HostTree, rule
from fakes_openstack import add_unit
from fakes_systemd import FakeUnit, fake_systemd
from service import QUIET, running
from sriov_bootstrap.base.processes import SILENT_SECONDS
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.events import follow_up_events
from sriov_bootstrap.core.facts import Eswitches, EswitchFacts
from sriov_bootstrap.core.followup import FollowUpReport, UnitResult, retry_failed
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.core.state import Counters, PendingRestart, State, dump
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks
from sriov_bootstrap.edges.systemd.units import restart_units
from sriov_bootstrap.machine.host_machine import HostMachine
from troubles import VM, in_use

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
NOVA = "nova-compute.service"


def page(name: str) -> str:
    return (RUNBOOKS / f"{name}.md").read_text()


class StateValues(TypedDict, total=False):
    """Of State."""

    report: PassReport
    passed_at: float
    pending: PendingRestart
    contests: dict[str, Contest]


def saved(tree: HostTree, **values: Unpack[StateValues]) -> None:
    """state.json of a daemon whose last pass was just now."""
    defaults: StateValues = {"passed_at": time.monotonic()}
    state = State(boot_id="b007", counters=Counters(passes=3), **(defaults | values))
    Files(str(tree.root)).save_state(dump(state))


def healthy(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    saved(tree)


def without_nic(tree: HostTree) -> None:
    tree.configure(rule(4))
    saved(tree)


def too_many(tree: HostTree) -> None:
    tree.add_pf()
    tree.configure(rule(32))
    saved(tree)


def contested(tree: HostTree) -> None:
    tree.add_pf(num_vfs=1)
    tree.configure(rule(4))
    saved(tree, contests={PF: Contest(4, 1, times=3, due_at=time.monotonic() + 30.0)})


def without_driver(tree: HostTree) -> None:
    tree.add_pf(netdev="", driver="")
    tree.configure(rule(4))
    saved(tree)


def late(tree: HostTree) -> None:
    healthy(tree)
    saved(tree, passed_at=time.monotonic() - 1310.0)


def pending(tree: HostTree) -> None:
    healthy(tree)
    saved(tree, pending=PendingRestart(12.0, (PF,)))


def disabled(tree: HostTree) -> None:
    tree.add_pf()
    tree.configure(rule(4, more="pf_up = false\n"))
    tree.write("etc/sriov-bootstrap/disabled", "")


def misspelt(tree: HostTree) -> None:
    tree.configure(rule(4).replace("num_vfs", "numvfs"))
    saved(tree)


def small_letters(tree: HostTree) -> None:
    healthy(tree)
    read = (str(tree.root / "etc/sriov-bootstrap/config.toml"),)
    saved(tree, report=PassReport(started_at=time.time() + 1, config_files=read))
    add_unit(tree, "nova-compute", "/usr/bin/nova-compute --config-file=/etc/nova/nova.conf")
    tree.write("etc/nova/nova.conf", "[default]\ndebug = true\n")


def held_in_legacy_mode(tree: HostTree) -> None:
    """By a VM. The tree has no devlink: what that would say is given."""
    tree.add_pf(num_vfs=3, driver="mlx5_core")
    tree.add_vf(PF, 3, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/20", cmdline=VM)
    tree.configure(rule(4) + '[pf.eswitch]\nmode = "switchdev"\n')
    saved(tree)


@pytest.fixture(autouse=True)
def devlink(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of every PF."""
    told = EswitchFacts("legacy")
    monkeypatch.setattr(
        HostMachine, "read_eswitches", lambda _, asked: Eswitches({one.pci_address: told for one in asked})
    )


CASES = [
    ("SriovVfLoss", healthy, "status"),
    ("SriovPfMissing", without_nic, "status"),
    ("SriovPfDegraded", too_many, "status"),
    ("SriovPfDegraded", without_driver, "status"),
    ("SriovPfContested", contested, "status"),
    ("SriovEswitchMode", held_in_legacy_mode, "status"),
    ("SriovPassFailing", late, "status"),
    ("SriovNotRunning", disabled, "status"),
    ("SriovNotRunning", healthy, "status"),
    ("SriovRestartFailing", pending, "status"),
    ("SriovConfigInvalid", misspelt, "check-config"),
    ("SriovConfigInvalid", healthy, "check-config"),
    ("SriovVfsBlockedByVm", in_use, "status"),
    ("SriovDoctorFinds", small_letters, "doctor"),
]


@pytest.mark.parametrize(("name", "trouble", "command"), CASES)
def test_what_a_command_prints_is_what_the_page_says(
    tree: HostTree, capsys: pytest.CaptureFixture[str], name: str, trouble: Callable[[HostTree], None], command: str
) -> None:
    trouble(tree)
    main([command], root=str(tree.root))
    out, err = capsys.readouterr()
    assert_said(name, f"# sriov-bootstrap {command}\n{out}{err}".replace(str(tree.root), ""))


def assert_said(name: str, text: str) -> None:
    """As a block of code, which may leave out empty lines."""
    said = re.sub(r"\n+", "\n", "\n".join(line.removeprefix("    ") for line in page(name).splitlines()))
    lines = re.sub(r"\n+", "\n", text).strip()
    assert lines in said, f"{name}.md does not say:\n{text}"


def test_a_stuck_write_and_its_age(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    in_use(tree)
    locks = Locks(str(tree.root))
    lock = locks.begin_write()
    locks.note_writer(lock, Jam(812, PF, "set sriov_numvfs from 4 to 0", since=0.0, limit_seconds=80.0))
    try:
        main(["status"], root=str(tree.root))
    finally:
        os.close(lock)
    out = re.sub(r"for \d+ s", "for 340 s", capsys.readouterr().out)
    assert_said("SriovWriteStuck", f"# sriov-bootstrap status\n{out}")


def test_what_the_log_says_of_a_loss(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree) as service:
        service.wait_for("READY=1")
        for index in range(4):
            (tree.device() / f"virtfn{index}").unlink()
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("STATUS=degraded")
        log = service.stop()[1]
    (line,) = [one for one in log.splitlines() if "disappeared" in one]
    assert_said("SriovVfLoss", line.removeprefix("<4>"))


def test_what_the_log_says_of_a_restart_that_failed(tmp_path: Path) -> None:
    results: list[UnitResult] = []
    with fake_systemd(tmp_path, {NOVA: FakeUnit(job="failed")}) as (fake, _):
        restart_units([NOVA], job_timeout_seconds=10.0, on_result=results.append, bus_address=fake.address)
    report, _ = retry_failed(FollowUpReport(tuple(results)), (), PendingRestart(1.0), now=2.0)
    (event,) = follow_up_events(report, FollowUpReport())
    assert_said("SriovRestartFailing", event.text)
    (stays,) = follow_up_events(FollowUpReport(problem="no bus"), FollowUpReport())
    assert stays.text.startswith("restarts stay pending: ")


def test_what_the_log_says_of_passes_that_do_not_end() -> None:
    assert f"a pass hung for {SILENT_SECONDS:g} s and was abandoned (process" in page("SriovPassFailing")
