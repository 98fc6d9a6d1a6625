"""The daemon whole, as a process: real jobs, real netlink, real signals, on a tree that looks like a host."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import PF
from fakes_host import HostTree, rule
from service import ENOUGH, HURRIED, QUIET, RUN, running
from sriov_bootstrap.cli import main
from sriov_bootstrap.edges.locks import PASS_LOCK, Locks


def test_it_is_ready_after_its_first_pass_and_stops_when_told(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree) as service:
        assert service.wait_for("READY=1") == "READY=1"
        service.wait_for("STATUS=4 VFs on 1 PF as desired")
        assert (tree.root / "run/sriov-bootstrap/state/state.json").exists()
        code, log, _ = service.stop()
        assert (code, log) == (0, f"<6>{PF} (ens1f0): 4 VFs, as desired | pci_address={PF} rule=tenant-a\n")
        service.wait_for("STOPPING=1")


def test_a_new_config_is_read_on_sighup(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree) as service:
        service.wait_for("READY=1")
        tree.configure(rule(32) + QUIET)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("RELOADING=1")
        service.wait_for("STATUS=degraded: 0000:3b:00.0: cannot create 32 VFs: the device offers 7")
        tree.configure("[[pf\n")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_log("<4>config is not valid, the last valid one stays in force: ")
        code, *_ = service.stop()
    assert code == 0


FULL_DISK = f"import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 2); {RUN.replace('sys.exit', 'os._exit')}"


def test_a_log_that_cannot_be_written_costs_its_lines_and_nothing_else(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree, program=FULL_DISK) as service:
        service.wait_for("READY=1")
        tree.configure(rule(32) + QUIET)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("STATUS=degraded: 0000:3b:00.0: cannot create 32 VFs: the device offers 7")
        tree.configure(rule(4) + QUIET)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("STATUS=4 VFs on 1 PF as desired")
        code, log, _ = service.stop()
    assert (code, log) == (0, "")


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 10)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _half_written(path: Path) -> None:
    path.write_text(rule(2)[:-8])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _open_to_all(path: Path) -> None:
    path.write_text(rule(2) + QUIET)
    path.chmod(0o666)


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("break_it", [_binary, _huge, _half_written, _folder, _fifo, _open_to_all, _gone])
def test_whatever_becomes_of_the_config_the_last_good_one_stays(
    tree: HostTree, break_it: Callable[[Path], None]
) -> None:
    folder = tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree) as service:
        service.wait_for("READY=1")
        break_it(tree.root / "etc/sriov-bootstrap/config.toml")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_log("<4>config is not valid, the last valid one stays in force: ")
        code, log, _ = service.stop()
    assert code == 0
    assert "config.toml" in log or "every config file is gone" in log
    assert (folder / "sriov_numvfs").read_text() == "4\n"


def test_a_full_run_is_said_and_costs_no_pass(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    (tree.root / "run/sriov-bootstrap/state/state.json").mkdir(parents=True)  # nothing can take its place
    with running(tree) as service:
        service.wait_for("READY=1")
        service.wait_for("STATUS=4 VFs on 1 PF as desired")
        code, log, _ = service.stop()
    assert code == 0
    assert "state.json could not be saved: Is a directory: a restart of the service will reset its counters" in log


MOMENTS = 12


def test_sigterm_at_any_moment_ends_it_within_two_seconds(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    for number, moment in moments(tree):
        with running(tree) as service:
            service.pass_by(moment)
            code, log, seconds = service.stop()
        assert code in {0, -signal.SIGTERM}, (number, log)
        assert "Traceback" not in log
        assert seconds < 2.0 + 20 * seconds_to_start_and_end()
    wait_for_leftovers(tree)


def seconds_to_start_and_end() -> float:
    """What an interpreter takes on this machine now: hundredths of a second on one that is idle."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", ""], check=True)
    return time.monotonic() - began


def test_sighup_at_any_moment_is_survived(tree: HostTree) -> None:
    """From the first line of ours on; before that it ends the interpreter, and systemd starts another."""
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    for number, moment in moments(tree):
        with running(tree) as service:
            service.wait_until_it_minds(signal.SIGHUP)
            service.pass_by(moment)
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("READY=1")
            code, log, _ = service.stop()
        assert (code, "Traceback" in log) == (0, False), (number, log)
    wait_for_leftovers(tree)


def moments(tree: HostTree) -> Iterator[tuple[int, float]]:
    """Moments from a start to some time after READY=1, as long as a start takes here and now."""
    began = time.monotonic()
    with running(tree) as service:
        service.wait_for("READY=1")
        step = 1.3 * (time.monotonic() - began) / MOMENTS
        service.stop()
    yield from ((number, number * step) for number in range(MOMENTS))


def wait_for_leftovers(tree: HostTree) -> None:
    """A pass whose daemon has died ends by itself, and then its lock is free."""
    with Locks(str(tree.root)).hold(PASS_LOCK, timeout_seconds=ENOUGH, waiting=lambda _: None):
        pass


def test_it_lives_on_without_any_valid_config(tree: HostTree) -> None:
    tree.configure("[[pf\n")
    with running(tree) as service:
        assert service.wait_for("READY=1") == "READY=1"
        service.wait_for("STATUS=nothing to do: no rule in the config")
        tree.add_pf(num_vfs=4)
        tree.configure(rule(4) + QUIET)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("STATUS=4 VFs on 1 PF as desired")
        assert service.stop()[0] == 0


def test_a_write_that_hangs_stops_neither_ready_nor_the_stop(tree: HostTree) -> None:
    path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
    path.unlink()
    os.mkfifo(path)  # reading it waits, as on a device whose VFs somebody holds
    tree.configure(rule(0) + "[boot]\nwait_for_pf_seconds = 0\n")
    with running(tree) as service:
        service.wait_for("READY=1")
        locks = Locks(str(tree.root))
        while not ((jam := locks.read_jam(time.monotonic())) and jam.pid):
            time.sleep(0.01)
        pids = [jam.pid, parent_of(jam.pid)]
        ends = [os.pidfd_open(pid) for pid in pids]
        code, log, seconds = service.stop()
        assert code == 0
        assert seconds < 2.0 + 20 * seconds_to_start_and_end()
        assert "was at work: it will end on its own" in log
    assert not select.select(ends, [], [], 0)[0]  # the pass and its write go on
    with path.open("wb", buffering=0) as kernel:
        kernel.write(b"0\n")
    for end in ends:
        assert select.select([end], [], [], ENOUGH)[0]
        os.close(end)
    assert locks.read_jam(time.monotonic()) is None
    assert (tree.root / "run/sriov-bootstrap/state/state.json").exists()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_doctor_finds_is_in_the_log_the_metrics_and_status(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tree.root / "run/sriov-bootstrap/state/metrics.prom"
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    with running(tree, program=HURRIED) as service:
        service.wait_for("READY=1")
        tree.configure("[[pf\n")
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + ENOUGH
        found = b'sriov_bootstrap_findings{code="SB-E701",severity="error"} 1.0'
        while not page.exists() or found not in page.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert main(["status"], root=str(tree.root)) == 3
        assert "note: doctor had 1 finding when the daemon looked: sriov-bootstrap doctor\n" in capsys.readouterr().out
        _, log, _ = service.stop()
    assert '<4>doctor has 1 finding: see sriov-bootstrap doctor | new="SB-E701 ' in log
