"""QMP: the control socket of one QEMU process."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

COMMAND_SECONDS: Final = 30.0


class QmpError(Exception):
    """QEMU refused a command; the text is QEMU's own."""


class Qmp:
    """Blocking; for one thread. Events that arrive in between are kept until somebody asks for them."""

    def __init__(self, path: Path) -> None:
        """Wait for QEMU's greeting. OSError, TimeoutError and ConnectionError among them, when there is none."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._buffer = b""
        self._events: list[dict[str, Any]] = []
        self._asked = 0
        try:
            self._socket.connect(str(path))
            self._read(time.monotonic() + COMMAND_SECONDS)
            self.command("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def command(
        self, name: str, arguments: dict[str, Any] | None = None, *, deadline_seconds: float = COMMAND_SECONDS
    ) -> Any:  # noqa: ANN401 - each command has its own
        self._asked += 1
        request = {"execute": name, "arguments": arguments or {}, "id": self._asked}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + deadline_seconds
        while True:
            message = self._read(deadline)
            if "event" in message:
                self._events.append(message)
            elif message["id"] == self._asked:  # not the answer to an earlier one, which came too late
                if "error" in message:
                    raise QmpError(f"{name}: {message['error']['desc']}")
                return message["return"]

    def forget_events(self) -> None:
        self._events.clear()

    def wait_for_event(self, is_wanted: Callable[[dict[str, Any]], bool], *, deadline_seconds: float) -> dict[str, Any]:
        """Return the first event, seen or coming, that is wanted; TimeoutError when none came."""
        deadline = time.monotonic() + deadline_seconds
        while True:
            while self._events:
                event = self._events.pop(0)
                if is_wanted(event):
                    return event
            message = self._read(deadline)
            if "event" in message:
                self._events.append(message)

    def close(self) -> None:
        self._socket.close()

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionError("QEMU has closed its control socket")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
