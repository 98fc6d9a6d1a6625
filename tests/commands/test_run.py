"""The daemon whole, as a process: real jobs, real netlink, real signals, on a tree that looks like a host."""

import os
import select
import signal
import time
from pathlib import Path

import pytest

from builders import PF
from fakes_host import HostTree, rule
from service import ENOUGH, QUIET, free_port, running, scrape
from sriov_bootstrap.edges.files import Files


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def test_it_is_ready_after_its_first_pass_and_stops_when_told(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET)
    with running(tree) as service:
        assert service.wait_for("READY=1") == "READY=1\nSTATUS=4 VFs on 1 PFs as desired"
        assert (tree.root / "run/sriov-bootstrap/state.json").exists()
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
        service.wait_for("STATUS=degraded: 0000:3b:00.0: cannot make 32 VFs: the device offers 7")
        tree.configure("[[pf\n")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("RELOADING=1")
        service.wait_for("STATUS=degraded: 0000:3b:00.0: cannot make 32 VFs: the device offers 7")
        code, log, _ = service.stop()
    assert code == 0
    assert "<4>config is not valid, the last good one stays in force: " in log


def test_it_lives_on_without_any_valid_config(tree: HostTree) -> None:
    tree.configure("[[pf\n")
    with running(tree) as service:
        assert service.wait_for("READY=1") == "READY=1\nSTATUS=nothing to do: no rule in the config"
        tree.add_pf(num_vfs=4)
        tree.configure(rule(4) + QUIET)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("STATUS=4 VFs on 1 PFs as desired")
        assert service.stop()[0] == 0


def test_a_write_that_hangs_stops_neither_ready_nor_a_scrape_nor_the_stop(tree: HostTree) -> None:
    path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
    path.unlink()
    os.mkfifo(path)  # reading it waits, as on a device whose VFs somebody holds
    port = free_port()
    tree.configure(rule(0) + f'[metrics]\nlisten = "127.0.0.1:{port}"\n[boot]\nwait_for_pf_seconds = 0\n')
    with running(tree) as service:
        service.wait_for("READY=1")
        files = Files(str(tree.root))
        while not ((jam := files.read_jam(time.time())) and jam.pid):
            time.sleep(0.01)
        assert b"sriov_bootstrap_build_info" in scrape(port)
        pids = [jam.pid, *children_of(service.process.pid)]
        ends = [os.pidfd_open(pid) for pid in pids]
        code, log, seconds = service.stop()
        assert code == 0
        assert seconds < 2.0
        assert "was at work: it ends by itself" in log
    assert not select.select(ends, [], [], 0)[0]  # the pass and its write go on
    with path.open("wb", buffering=0) as kernel:
        kernel.write(b"0\n")
    for end in ends:
        assert select.select([end], [], [], ENOUGH)[0]
        os.close(end)
    assert files.read_jam(time.time()) is None
    assert (tree.root / "run/sriov-bootstrap/state.json").exists()


def children_of(pid: int) -> list[int]:
    return [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]
