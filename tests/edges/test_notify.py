import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriov_bootstrap.edges.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def notifier(manager: socket.socket) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname()})


def test_lines_reach_the_service_manager_in_one_message(manager: socket.socket, notifier: Notifier) -> None:
    assert notifier.notify("READY=1\nSTATUS=2 of 2 PFs as desired")
    assert manager.recv(4096) == b"READY=1\nSTATUS=2 of 2 PFs as desired"


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel chooses an abstract name
        listener.settimeout(10)
        assert Notifier({"NOTIFY_SOCKET": "@" + listener.getsockname()[1:].decode()}).notify("WATCHDOG=1")
        assert listener.recv(4096) == b"WATCHDOG=1"


def test_without_a_service_manager_there_is_nobody_to_tell() -> None:
    assert Notifier({}).notify("READY=1")


@pytest.mark.parametrize("path", ["/nonexistent/notify", "/" + "x" * 200, "vsock:2:1234", "@"])
def test_a_service_manager_out_of_reach_is_no_failure_of_ours(path: str) -> None:
    assert not Notifier({"NOTIFY_SOCKET": path}).notify("READY=1")


def test_a_full_queue_blocks_nobody(notifier: Notifier) -> None:
    assert not all(notifier.notify("WATCHDOG=1") for _ in range(100_000))


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_pinged_at_half_its_time(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_interval_seconds() == seconds
