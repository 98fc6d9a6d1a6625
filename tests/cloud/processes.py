"""Processes of the control plane: each leads a group of its own, and all end with whoever started them."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cloud.configs import ADDRESS

LOGS = Path(__file__).parents[2] / "build" / "cloud" / "run" / "log"
START_SECONDS = 180.0  # of one service, on a busy machine
STOP_SECONDS = 20.0
RUN_SECONDS = 600.0
POLL_SECONDS = 0.2


class ServiceFailure(Exception):  # noqa: N818 - it is what happened
    """Something did not start or end; with the end of its log."""


def wait_until(is_so: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise ServiceFailure(f"{what}: not within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), timeout=1):
        return True
    return False


def tail(name: str, lines: int = 20) -> str:
    """The end of what it said."""
    return "\n".join((LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])


class Processes:
    """What was started, by name. The kernel ends their leaders if this program is killed (setpriv --pdeathsig)."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str | Path) -> None:
        bound = ("setpriv", "--pdeathsig", "KILL", *command)
        with (LOGS / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                bound, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def await_port(self, name: str, port: int) -> None:
        self.await_start(name, lambda: accepts(port))

    def await_start(self, name: str, is_ready: Callable[[], bool]) -> None:
        def is_ready_or_ended() -> bool:
            if self._running[name].poll() is not None:
                raise ServiceFailure(f"{name} ended: {tail(name)}")
            return is_ready()

        wait_until(is_ready_or_ended, name)

    def stop(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Its whole group. What it has written is of no use to anybody, except with another signal than KILL."""
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.wait(STOP_SECONDS)

    def send(self, name: str, number: signal.Signals) -> None:
        """To its whole group."""
        os.killpg(self._running[name].pid, number)

    def stop_all(self) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def run(self, *command: str | Path) -> None:
        """To its end, which has to be a success."""
        ended = subprocess.run(
            command,
            check=False,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        if ended.returncode:
            said = ended.stdout[-2000:] + ended.stderr[-2000:]
            raise ServiceFailure(f"{' '.join(map(str, command))}: {ended.returncode}: {said}")
