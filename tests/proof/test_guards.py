"""The guards bite: one that lets everything through looks like one that never had to act."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guards import children, pending_tasks, was_killed


@pytest.mark.parametrize(
    "touch",
    [
        pytest.param(lambda: Path("/sys/kernel/uevent_seqnum").read_text(), id="read"),
        pytest.param(lambda: list(Path("/sys").iterdir()), id="list"),
        pytest.param(lambda: list(os.scandir("/sys/bus/pci")), id="scan"),
    ],
)
def test_the_real_sys_is_out_of_reach(touch: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="touches the real /sys"):
        touch()


def test_the_system_bus_is_out_of_reach() -> None:
    with (
        socket.socket(socket.AF_UNIX) as connection,
        pytest.raises(pytest.fail.Exception, match="talks to the real bus"),
    ):
        connection.connect("/run/dbus/system_bus_socket")


def test_a_child_that_is_still_there_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert str(child.pid) in children()
        child.kill()


@pytest.mark.parametrize(("text", "is_killed"), [("exec sleep 600", True), ("exit 0", False)])
def test_a_child_that_ends_otherwise_than_by_our_kill_is_seen(text: str, *, is_killed: bool) -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", text], {"PATH": "/usr/bin:/bin"})
    if is_killed:
        os.kill(pid, signal.SIGKILL)
    assert was_killed(pid) is is_killed
    assert str(pid) not in children()


def test_a_task_that_is_still_there_is_seen() -> None:
    async def leave_one() -> None:
        task = asyncio.ensure_future(asyncio.sleep(3600))
        assert task in pending_tasks()
        task.cancel()

    asyncio.run(leave_one())
    assert not pending_tasks()
