import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriov_bootstrap.core.notices import Notice
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


READY, STATUS = (Notice.READY, 1), Notice.STATUS


def test_notices_reach_the_service_manager_in_one_message(manager: socket.socket, notifier: Notifier) -> None:
    assert notifier.notify((STATUS, "first pass"), (Notice.EXTEND_TIMEOUT_USEC, 90_000_000))
    assert manager.recv(4096) == b"STATUS=first pass\nEXTEND_TIMEOUT_USEC=90000000"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a\nSTOPPING=1", rb"STATUS=a\x0aSTOPPING=1"),
        ("a\r\x1b[2J\0\u2028", rb"STATUS=a\x0d\x1b[2J\x00\xe2\x80\xa8"),
        ("net\udcffdev", rb"STATUS=net\xffdev"),
        ("\U0001f600", "STATUS=\U0001f600".encode()),
    ],
)
def test_a_value_is_one_printable_line_whatever_is_in_it(
    manager: socket.socket, notifier: Notifier, value: str, line: bytes
) -> None:
    assert notifier.notify((STATUS, value))
    assert manager.recv(4096) == line


@pytest.mark.parametrize("character", ["x", "\n", "\udcff", "\U0001f600"])
def test_a_message_is_never_too_long_for_systemd(manager: socket.socket, notifier: Notifier, character: str) -> None:
    assert notifier.notify(*((variable, character * 10_000) for variable in (STATUS, Notice.WATCHDOG)))
    message = manager.recv(1 << 16)
    assert message.startswith(b"STATUS=")
    assert message.count(b"\n") == 1
    assert len(message) <= 4096  # NOTIFY_BUFFER_MAX


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel chooses an abstract name
        listener.settimeout(10)
        assert Notifier({"NOTIFY_SOCKET": "@" + listener.getsockname()[1:].decode()}).notify((Notice.WATCHDOG, 1))
        assert listener.recv(4096) == b"WATCHDOG=1"


def test_without_a_service_manager_there_is_nobody_to_tell() -> None:
    assert Notifier({}).notify(READY)


@pytest.mark.parametrize("path", ["/nonexistent/notify", "/" + "x" * 200, "vsock:2:1234", "@"])
def test_a_service_manager_out_of_reach_is_no_failure_of_ours(path: str) -> None:
    assert not Notifier({"NOTIFY_SOCKET": path}).notify(READY)


def test_a_full_queue_blocks_nobody(notifier: Notifier) -> None:
    assert not all(notifier.notify((Notice.WATCHDOG, 1)) for _ in range(100_000))


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
