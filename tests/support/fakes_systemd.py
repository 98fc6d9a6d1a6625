"""A private bus with a fake systemd on it, and a forked child to call it from, as the daemon does."""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageType
from dbus_next.errors import DBusError
from dbus_next.message import Message
from dbus_next.signature import Variant
from msgspec import Struct

SYSTEMD, MANAGER_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MANAGER = f"{SYSTEMD}.Manager"
# As `systemd --bus-introspect` prints them, which a test compares.
METHODS = {"ListUnitsByNames": ("as", "a(ssssssouso)"), "RestartUnit": ("ss", "o"), "Subscribe": ("", "")}
JOB_REMOVED = "uoss"
PROPERTIES = {"Unit": "InactiveExitTimestampMonotonic", "Service": "ExecMainStartTimestampMonotonic"}
BUS_CONFIG = """<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" send_requested_reply="false"/>
<allow receive_sender="*" receive_requested_reply="false"/><allow own="*"/></policy>
</busconfig>"""


class FakeUnit(Struct):
    """`job`: the word that ends its restart, None for never. `error`: the name and text that refuse it instead."""

    active_state: str = "active"
    load_state: str = "loaded"
    left_inactive: int = 0  # microseconds, as systemd has it
    process_began: int = 0
    job: str | None = "done"
    error: tuple[str, str] | None = None
    aliases: tuple[str, ...] = ()


class PrivateBus:
    """A dbus-daemon of our own."""

    def __init__(self, folder: Path) -> None:
        config = folder / "bus.conf"
        config.write_text(BUS_CONFIG.format(path=folder / "bus"))
        argv = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self._process.stdout
        self.address = self._process.stdout.readline().decode().strip()

    def freeze(self) -> None:
        """It stays connected and does not answer."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()


class FakeSystemd:
    """org.freedesktop.systemd1 as far as we use it, in a thread of its own.

    `calls` has each call that changes something. `on_look` runs before ListUnitsByNames is answered, and `on_restart`
    before RestartUnit is. `is_hasty`: jobs end before the answer that names them. `forge` is given each RestartUnit,
    and what it returns comes from another peer, before anything else. `moves`: after RestartUnit it takes another
    connection, to which nobody has subscribed.
    """

    def __init__(self, address: str, units: dict[str, FakeUnit]) -> None:
        self.address = address
        self.units = units
        self.calls: list[tuple[str, ...]] = []
        self.on_look: Callable[[], None] = lambda: None
        self.on_restart: Callable[[], None] = lambda: None
        self.is_hasty = False
        self.forge: Callable[[Message], list[Message]] = lambda _call: []
        self.moves = False
        self._untold: list[Message] = []
        self._jobs = 0
        self._subscribers: set[str] = set()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> None:
        self._thread.start()
        assert self._is_ready.wait(10), "the fake systemd has not come up"

    def join(self) -> None:
        """It ends with its bus."""
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._bus = _Bus(self.address)
        await self._bus.connect()
        await self._bus.request_name(SYSTEMD)
        self._bus.add_message_handler(self._on_message)
        self._stranger = _Bus(self.address)
        await self._stranger.connect()
        self._is_ready.set()
        both = (bus.wait_for_disconnect() for bus in (self._bus, self._stranger))  # type: ignore[no-untyped-call]
        await asyncio.gather(*both, return_exceptions=True)
        self._bus.close()
        self._stranger.close()

    async def _move(self) -> None:
        self._subscribers.clear()
        before, self._bus, self._stranger = self._bus, self._stranger, self._bus
        self._bus.add_message_handler(self._on_message)
        await before.release_name(SYSTEMD)
        await self._bus.request_name(SYSTEMD)

    def _on_message(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == "org.freedesktop.DBus.Properties":
            return Message.new_method_return(message, "v", [self._read_property(message)])
        signature, answer = METHODS[message.member]
        assert (message.interface, message.path, message.signature) == (MANAGER, MANAGER_PATH, signature)
        value = getattr(self, f"_{message.member}")(message, *message.body)
        return Message.new_method_return(message, answer, [value] if answer else [])

    def _read_property(self, message: Message) -> Variant:
        interface, name = message.body
        unit = self.units[bytes.fromhex(message.path.rpartition("/u")[2]).decode()]
        kind = interface.removeprefix(f"{SYSTEMD}.")
        if PROPERTIES[kind] != name or (kind == "Service" and unit.process_began < 0):
            raise DBusError("org.freedesktop.DBus.Error.UnknownInterface", f"Unknown interface {interface}")  # type: ignore[no-untyped-call]
        return Variant("t", unit.left_inactive if kind == "Unit" else unit.process_began)

    def _ListUnitsByNames(self, _: Message, names: list[str]) -> list[list[Any]]:  # noqa: N802 - systemd's name
        self.on_look()
        return [self._row(name) for name in names]

    def _row(self, name: str) -> list[Any]:
        for unit_id, unit in self.units.items():
            if name in {unit_id, *unit.aliases}:
                path = f"{MANAGER_PATH}/unit/u{unit_id.encode().hex()}"
                return [unit_id, "", unit.load_state, unit.active_state, "running", "", path, 0, "", "/"]
        return [name, "", "not-found", "inactive", "dead", "", f"{MANAGER_PATH}/unit/none", 0, "", "/"]

    def _Subscribe(self, message: Message) -> None:  # noqa: N802 - systemd's name
        self._subscribers.add(message.sender)
        untold, self._untold = self._untold, []
        for signal_ in untold:
            self._bus.send(signal_)

    def _RestartUnit(self, message: Message, name: str, mode: str) -> str:  # noqa: N802 - systemd's name
        self.calls.append(("RestartUnit", name, mode))
        self.on_restart()
        for forged in self.forge(message):
            forged.destination = message.sender
            self._stranger.send(forged)
        unit = self.units[name]
        if unit.error:
            raise DBusError(*unit.error)  # type: ignore[no-untyped-call]
        self._jobs += 1
        job = f"{MANAGER_PATH}/job/{self._jobs}"
        if unit.job and message.sender in self._subscribers:
            signature, body = JOB_REMOVED, [self._jobs, job, name, unit.job]
            signal_ = Message.new_signal(MANAGER_PATH, MANAGER, "JobRemoved", signature, body)
            if self.moves:
                self._untold.append(signal_)
                self._moving = self._loop.create_task(self._move())
                return job
            _ = self._bus.send(signal_) if self.is_hasty else self._loop.call_soon(self._bus.send, signal_)
        return job


class _Bus(MessageBus):
    """dbus-next leaves the socket open."""

    def close(self) -> None:
        self._stream.close()
        self._sock.close()


@contextlib.contextmanager
def fake_systemd(folder: Path, units: dict[str, FakeUnit]) -> Iterator[tuple[FakeSystemd, PrivateBus]]:
    bus = PrivateBus(folder)
    try:
        systemd = FakeSystemd(bus.address, units)
        systemd.start()
        try:
            yield systemd, bus
        finally:
            bus.kill()
            systemd.join()
    finally:
        bus.kill()


class Forked:
    """`work` in a child process; its value, which JSON must be able to carry, comes back from `result`."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._read_end, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.write(write_end, json.dumps(work()).encode())
            finally:
                os._exit(0)
        os.close(write_end)

    def result(self, *, timeout_seconds: float = 10.0) -> Any:  # noqa: ANN401 - what `work` returned
        is_done, _, _ = select.select([self._read_end], [], [], timeout_seconds)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        with os.fdopen(self._read_end, "rb") as pipe:
            text = pipe.read()
        if not is_done or not text:
            pytest.fail(f"the child did not answer in {timeout_seconds:g} s" if not is_done else "the child died")
        return json.loads(text)
