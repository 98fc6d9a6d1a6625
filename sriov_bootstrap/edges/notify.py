"""$NOTIFY_SOCKET: the only module that reports to the service manager, as sd_notify(3) would."""

import os
import socket
from collections.abc import Mapping

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.notices import STATUS_LIMIT, Notice


class Notifier:
    """Without $NOTIFY_SOCKET every call silently does nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._watchdog_seconds = _watchdog_seconds(environ)

    def notify(self, *notices: tuple[Notice, str | int]) -> bool:
        """Sends these in one message. Never raises or blocks.

        Each is one short line, whatever its value: a line break would be another variable, and of a message of more
        than 4096 bytes systemd takes none (NOTIFY_BUFFER_MAX, src/core/manager.c).
        False: the service manager did not take it, its queue is full for instance, and will not ask for it.
        """
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(map(_line, notices)).encode(), self._address)
        except OSError:
            return False
        return True

    def watchdog_interval_seconds(self) -> float | None:
        """How often to send WATCHDOG=1: half of WatchdogSec= as sd_watchdog_enabled(3) advises; None: never."""
        return self._watchdog_seconds and self._watchdog_seconds / 2


def _line(notice: tuple[Notice, str | int]) -> str:
    variable, value = notice
    return f"{variable}={printable(str(value), STATUS_LIMIT)}"


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    pid, microseconds = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    if pid and pid != str(os.getpid()):  # meant for the process that started us
        return None
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
