"""What keeps a unit test away from the real host, and finds what it leaves behind."""

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys

import pytest

REAL_BUSES = ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket", "/run/systemd/private")
KILL_SECONDS = 10.0


class HostGuard:
    """An audit hook: it sees every open, listing and change of a file and every connection that Python makes.

    It cannot be removed, so it stays for the whole run and acts while `is_armed`. stat and readlink are not audited.
    """

    def __init__(self) -> None:
        self.is_armed = False
        self.saw_socket = False

    def install(self) -> None:
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if event == "socket.__new__":
            self.saw_socket = True
        if not self.is_armed:
            return
        if event == "open" or event.startswith("os."):
            for path in args[:2]:
                if isinstance(path, str | bytes) and f"{os.fsdecode(path)}/".startswith("/sys/"):
                    pytest.fail(f"a unit test touches the real {os.fsdecode(path)} ({event}): pass a temporary root")
        elif event == "socket.connect" and args[1] in REAL_BUSES:
            pytest.fail(f"a unit test talks to the real bus at {args[1]}: start a private dbus-daemon")


def children() -> set[str]:
    """Return the PIDs of this process's children; also of those that have ended and nobody has waited for."""
    found: set[str] = set()
    for task in os.listdir("/proc/self/task"):
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),  # a thread that ends while we look
            open(f"/proc/self/task/{task}/children", encoding="ascii") as file,
        ):
            found.update(file.read().split())
    return found


def was_killed(pid: int) -> bool:
    """Whether a SIGKILL ends this child, and reap it then; a busy machine may take longer than `child.end` waits."""
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select([descriptor], [], [], KILL_SECONDS)[0]:
            return False
    finally:
        os.close(descriptor)
    status = os.waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def pending_tasks() -> list[asyncio.Task[object]]:
    return [thing for thing in gc.get_objects() if isinstance(thing, asyncio.Task) and not thing.done()]
