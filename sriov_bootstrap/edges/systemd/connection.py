"""One connection to systemd over D-Bus, on which every wait ends.

dbus-next has had no release since 2021 that could fix what `_Bus` fixes here.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from typing import Any, NoReturn, TypeVar

from sriov_bootstrap.base.errors import UnitError
from sriov_bootstrap.edges.systemd.library import (
    AuthError,
    InvalidAddressError,
    Message,
    MessageBus,
    MessageFlag,
    MessageType,
)

T = TypeVar("T")

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
ANSWER_SECONDS = 15.0  # systemd is deaf during a daemon-reload; the caller must allow more, or the reason would be lost
AUTH_LINE_BYTES = 16384  # as in libdbus

BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MANAGER, UNIT, SERVICE = f"{SYSTEMD}.Manager", f"{SYSTEMD}.Unit", f"{SYSTEMD}.Service"
JOB_REMOVED = f"type='signal',sender='{SYSTEMD}',path='{SYSTEMD_PATH}',interface='{MANAGER}',member='JobRemoved'"
OWNER_CHANGED = f"type='signal',sender='{BUS}',path='{BUS_PATH}',member='NameOwnerChanged',arg0='{SYSTEMD}'"

LOOK_AT_BUS = "see `systemctl status dbus.socket dbus.service`"
LOOK_AT_ADDRESS = "check the environment variable DBUS_SYSTEM_BUS_ADDRESS"
BUS_CAUSES: tuple[tuple[type[Exception], str, str], ...] = (
    (FileNotFoundError, "no bus: the socket does not exist", f"install and start dbus; {LOOK_AT_BUS}"),
    (ConnectionRefusedError, "no bus: nothing listens on the socket", LOOK_AT_BUS),
    (ConnectionError, "the bus closed the connection", LOOK_AT_BUS),
    (EOFError, "the bus closed the connection", LOOK_AT_BUS),
    (AuthError, "the bus refuses us", "run this as root"),
    (PermissionError, "the bus refuses us: permission denied", "run this as root"),
    (InvalidAddressError, "not a bus address", LOOK_AT_ADDRESS),
)


class RefusedCallError(Exception):
    """systemd, or the bus on its behalf, answered with an error: the connection is still good."""


class Systemd:
    """One connection. Every wait on it ends with an answer, at a deadline, or with the connection, whichever is first.

    dbus-next alone would wait for ever: it has no deadlines, and calls on a dead connection never return. Any user of
    the bus may send us any message, requested or not: only the bus itself and systemd are listened to.

    `asked`: units whose restart was asked for, whether or not an answer came.
    """

    def __init__(self, bus: "_Bus", address: str, timeout_seconds: float) -> None:
        self._bus = bus
        self._address = address
        self._deadline = time.monotonic() + timeout_seconds
        self.asked: set[str] = set()
        self._lost = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        self._has_subscribed = False
        self._job_results: defaultdict[str, asyncio.Future[str]] = defaultdict(asyncio.Future)
        bus.add_message_handler(self._on_message)

    async def connect(self) -> None:
        await self._answer(self._bus.connect(), "the greeting")
        await self._call(_bus_message("AddMatch", OWNER_CHANGED), "")
        with contextlib.suppress(RefusedCallError):  # no one owns it: the next call to systemd reports that
            self._bus.systemd = str(await self._call(_bus_message("GetNameOwner", SYSTEMD), "s"))

    async def list_units(self, names: list[str]) -> list[list[Any]]:
        """One row for each name, loaded or not: Id, _, LoadState, ActiveState, _, _, path, ..."""
        call = _manager_message("ListUnitsByNames", "as", names)
        return list(await self._call(call, "a(ssssssouso)"))

    async def read_number(self, path: str, interface: str, name: str) -> int:
        """A property; 0 if the unit lacks it (not a service) or is gone."""
        call = Message(SYSTEMD, path, f"{BUS}.Properties", "Get", signature="ss", body=[interface, name])
        with contextlib.suppress(RefusedCallError):
            value = (await self._call(call, "v")).value
            return value if isinstance(value, int) else 0
        return 0

    async def subscribe(self) -> None:
        """Before any dispatch: a job may end before the answer that names it is here."""
        await self._call(_bus_message("AddMatch", JOB_REMOVED), "")
        self._has_subscribed = True
        await self._call(_manager_message("Subscribe", ""), "")

    async def restart(self, name: str) -> str:
        """The path of the job."""
        self.asked.add(name)
        return str(await self._call(_manager_message("RestartUnit", "ss", name, "replace"), "o"))

    def extend(self, seconds: float) -> None:
        """Lets calls have so long from now: the deadline is that of jobs, after which there may be a last question."""
        self._deadline = max(self._deadline, time.monotonic() + seconds)

    async def job_result(self, path: str) -> str:
        """JobRemoved's word. Raises TimeoutError at the deadline."""
        return await self._until(self._job_results[path], self._deadline - time.monotonic())

    def close(self) -> None:
        if not self._lost.cancel() and not self._lost.cancelled():
            self._lost.exception()  # asyncio complains about one that was never retrieved
        self._bus.close()

    async def _call(self, call: Message, answer: str) -> Any:  # noqa: ANN401 - `answer` is its D-Bus type
        """The first value of the answer."""
        reply = await self._answer(self._bus.call(call), call.member)
        if reply is None:
            self._raise(EOFError())
        if reply.message_type is MessageType.ERROR:
            raise RefusedCallError(f"{call.member} refused: {reply.error_name}: {' '.join(map(str, reply.body))}")
        if reply.signature != answer:
            self._raise(ValueError(f'{call.member} answered "{reply.signature}", not "{answer}"'))
        return reply.body[0] if reply.body else None

    async def _answer(self, work: Awaitable[T], what: str) -> T:
        seconds = max(0.0, min(ANSWER_SECONDS, self._deadline - time.monotonic()))
        try:
            return await self._until(work, seconds)
        except TimeoutError:
            message = f"{self._address}: no answer to {what} in {seconds:.1f} s"
            raise UnitError(message, hint=f"the bus or systemd hangs: {LOOK_AT_BUS}") from None

    async def _until(self, work: Awaitable[T], seconds: float) -> T:
        task = asyncio.ensure_future(work)
        await asyncio.wait({task, self._lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            if self._lost.done():
                self._raise(self._lost.exception() or EOFError())
            raise TimeoutError
        try:
            return task.result()
        except Exception as error:  # noqa: BLE001 - dbus-next raises whatever its parser stumbles over
            self._raise(error)

    def _raise(self, error: BaseException) -> NoReturn:
        raise _bus_error(self._address, error) from error

    def _on_message(self, message: Message) -> None:
        where = (message.message_type, message.sender, message.path, message.interface, message.member)
        if where == (MessageType.SIGNAL, BUS, BUS_PATH, BUS, "NameOwnerChanged") and message.signature == "sss":
            name, _, owner = message.body
            if name == SYSTEMD:
                self._on_owner(owner)
        signal = (MessageType.SIGNAL, self._bus.systemd, SYSTEMD_PATH, MANAGER, "JobRemoved")
        if where == signal and message.signature == "uoss":
            _, path, _, result = message.body
            if not self._job_results[path].done():
                self._job_results[path].set_result(result)

    def _on_owner(self, owner: str) -> None:
        """systemd has left the bus, or is back on a connection of its own that may not know of us any more."""
        self._bus.systemd = owner
        if owner and self._has_subscribed:
            self._bus.send(_manager_message("Subscribe", ""))  # refused if it still knows us: no need to wait for that


class _Bus(MessageBus):
    """dbus-next 0.2.3 with its three worst habits fixed."""

    systemd = ""  # the connection that has systemd's name now, "" while none has

    def _process_message(self, message: Message) -> None:
        """The original accepts a message from any sender as the answer. The bus stamps the sender's name."""
        if message.sender and message.sender in {BUS, self.systemd}:
            super()._process_message(message)  # type: ignore[no-untyped-call]

    async def _auth_readline(self) -> str:
        """The original takes end-of-file for a short read: it spins for ever, and no timeout gets its turn."""
        line = b""
        while not line.endswith(b"\r\n"):
            byte = await asyncio.get_running_loop().sock_recv(self._sock, 1)
            if not byte:
                raise EOFError
            line += byte
            if len(line) > AUTH_LINE_BYTES:
                raise AuthError("the answer to AUTH does not end")
        return line.decode().strip()

    def close(self) -> None:
        """The original's `disconnect` leaves the socket open."""
        self._finalize()  # type: ignore[no-untyped-call]
        with contextlib.suppress(OSError):
            self._stream.close()
        self._sock.close()


@contextlib.asynccontextmanager
async def connect(address: str, timeout_seconds: float) -> AsyncIterator[Systemd]:
    try:
        bus = _Bus(address)
    except (OSError, ValueError) as error:
        raise _bus_error(address, error) from error
    systemd = Systemd(bus, address, timeout_seconds)
    try:
        await systemd.connect()
        yield systemd
    except RefusedCallError as error:
        raise UnitError(f"{address}: {error}", hint="is systemd PID 1 on this machine, and are we root?") from error
    finally:
        systemd.close()


def _bus_message(member: str, word: str) -> Message:
    return Message(BUS, BUS_PATH, BUS, member, signature="s", body=[word])


def _manager_message(member: str, signature: str, *body: object) -> Message:
    """NO_AUTOSTART: if systemd is not on the bus, the bus must say so instead of looking for something to start."""
    flags = MessageFlag.NO_AUTOSTART
    return Message(SYSTEMD, SYSTEMD_PATH, MANAGER, member, flags=flags, signature=signature, body=list(body))


def _bus_error(address: str, error: BaseException) -> UnitError:
    for kind, what, hint in BUS_CAUSES:
        if isinstance(error, kind):
            detail = f": {error}" if str(error) and not isinstance(error, OSError) else ""
            return UnitError(f"{address}: {what}{detail}", hint=hint)
    return UnitError(f"{address}: the peer does not speak D-Bus: {error}", hint=LOOK_AT_ADDRESS)
