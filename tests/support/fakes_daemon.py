"""A stage for the daemon: its jobs are pipes that the test ends, its udev is a socket, its time passes at will."""

import asyncio
import contextlib
import errno
import os
import selectors
import signal
import socket
from collections.abc import Iterable
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from builders import PF, make_rule
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.events import Event
from sriov_bootstrap.core.finding import Diagnosis, Finding, Inspected, record_inspection
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Handover, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.daemon.loop import Daemon
from sriov_bootstrap.passes.read import Loaded

START = 1000.0
FIRST_PID = 5_000_000  # above what Linux gives
A_MOMENT = 1e-6  # time passes only when nothing else happens, so by then everything has happened
CONFIG = Config(pf=(make_rule(),))


def make_state(
    state: PfState = PfState.OK,
    *,
    reason: Reason | None = None,
    changed_at: float | None = None,
    jam: Jam | None = None,
    num_vfs: int = 4,
    rates_need_carrier: bool = False,
) -> State:
    """What a pass came to: one PF, and perhaps a restart that is due since `changed_at`."""
    message = f"{PF}: {reason}" if reason else ""
    pf = PfReport("tenant-a", "4", state, PF, "ens1f0", desired=4, num_vfs=num_vfs, reason=reason, message=message)
    pf = replace(pf, rates_need_carrier=rates_need_carrier)
    pending = None if changed_at is None else PendingRestart(changed_at, (PF,))
    return State(report=PassReport(pfs=(pf,), jam=jam), pending=pending)


def degraded(reason: Reason) -> State:
    return make_state(PfState.DEGRADED, reason=reason, num_vfs=0)


class FakeJob(Struct):
    """A pipe in place of a process."""

    pid: int
    fd: int
    write_end: int
    inode: int
    began_at: float
    loaded: Loaded
    handover: Handover = Handover()


class FakePoke(Struct):
    is_relevant: bool
    was_overflow: bool


class FakeUdev:
    """Each byte is an event: r relevant, o overflow, anything else neither."""

    def __init__(self) -> None:
        self._sender, self._receiver = socket.socketpair()
        self._receiver.settimeout(0)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def drain(self) -> FakePoke:
        data = self._receiver.recv(4096)
        return FakePoke(is_relevant=b"r" in data, was_overflow=b"o" in data)

    def send(self, events: bytes) -> None:
        self._sender.sendall(events)

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()


class FakeCarriers:
    """Each byte is a carrier that comes. `watched`: netdevs."""

    def __init__(self) -> None:
        self._sender, self._receiver = socket.socketpair()
        self._receiver.settimeout(0)
        self.watched: frozenset[str] = frozenset()
        self.fails = False

    def watch(self, netdevs: frozenset[str]) -> None:
        if self.fails:
            raise OSError(errno.EMFILE, "Too many open files")
        self.watched = netdevs

    def fileno(self) -> int:
        return self._receiver.fileno() if self.watched else -1

    def drain(self) -> bool:
        return b"c" in self._receiver.recv(4096)

    def send(self, events: bytes) -> None:
        self._sender.sendall(events)

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()


class FakeHost:
    """Keeps what the daemon does to it. `config` and `problems` are what the files say now."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, watchdog_seconds: float | None) -> None:
        self.config = CONFIG
        self.problems: tuple[str, ...] = ()
        self.passes: list[FakeJob] = []
        self.restarts: list[FakeJob] = []
        self.looks: list[FakeJob] = []
        self.pages: list[FakeJob] = []
        self.pages_end_at_once = True
        self.ended: list[int] = []
        self.asked_to_end: list[int] = []
        self.reaped: list[int] = []
        self.logged: list[Event] = []
        self.notified: list[str] = []
        self.systemd_listens = True
        self.room_in_queue = float("inf")  # how many messages more systemd takes
        self.looks_end_at_once = True
        self.has_room = True
        self._loop = loop
        self._watchdog_seconds = watchdog_seconds
        self._found: list[Inspected] = []
        self._ends: list[tuple[State, FollowUpReport]] = []

    @property
    def jobs(self) -> list[FakeJob]:
        return self.passes + self.restarts + self.looks + self.pages

    def load_config(self, last_good: Config | None) -> Loaded:
        return Loaded(last_good or Config() if self.problems else self.config, self.problems)

    def start_pass(self, loaded: Loaded, handover: Handover) -> FakeJob:
        self._make_room()
        self.passes.append(replace(self._job(loaded), handover=handover))
        return self.passes[-1]

    def start_restarts(self, loaded: Loaded) -> FakeJob:
        self._make_room()
        self.restarts.append(self._job(loaded))
        return self.restarts[-1]

    def start_inspection(self, loaded: Loaded) -> FakeJob:
        self._make_room()
        self.looks.append(self._job(loaded))
        if self.looks_end_at_once:
            self.end_look(self.looks[-1], Inspected())
        return self.looks[-1]

    def inspection_end(self, line: bytes) -> Inspected:
        if not line:
            raise SriovBootstrapError("its process exited without a report", hint="it was killed, or out of memory")
        return self._found[int(line)]

    def start_page(self, loaded: Loaded) -> FakeJob:
        self._make_room()
        self.pages.append(self._job(loaded))
        if self.pages_end_at_once:
            self.end_page(self.pages[-1])
        return self.pages[-1]

    def page_problems(self, line: bytes) -> tuple[str, ...]:
        if not line:
            raise SriovBootstrapError("its process exited without a report", hint="it was killed, or out of memory")
        return tuple(filter(None, line.decode().split("|")))

    def lose_page(self, job: FakeJob) -> None:
        """It dies."""
        os.close(job.write_end)
        job.write_end = -1

    def end_page(self, job: FakeJob, *problems: str) -> None:
        """It is made, or why not."""
        os.write(job.write_end, "|".join(problems or ("|",)).encode() + b"\n")
        os.close(job.write_end)
        job.write_end = -1

    def _make_room(self) -> None:
        if not self.has_room:
            raise SriovBootstrapError("cannot start a process: out of room", hint="make some")

    def _job(self, loaded: Loaded) -> FakeJob:
        fd, write_end = os.pipe()
        pid = FIRST_PID + len(self.jobs)
        return FakeJob(pid, fd, write_end, os.fstat(fd).st_ino, self._loop.time() - START, loaded)

    def job_end(self, line: bytes) -> tuple[State, FollowUpReport]:
        if not line:
            raise SriovBootstrapError("its process exited without a report", hint="it was killed, or out of memory")
        return self._ends[int(line)]

    def end_job(self, job: FakeJob, end: tuple[State, FollowUpReport] | None) -> None:
        """The process says how it ended and is gone; None: it is gone without a word."""
        if end:
            self._ends.append(end)
            os.write(job.write_end, f"progress\n{len(self._ends) - 1}\n".encode())
        os.close(job.write_end)
        job.write_end = -1

    def end_look(self, job: FakeJob, found: Inspected | None) -> None:
        """The same for doctor's look."""
        if found:
            self._found.append(found)
            os.write(job.write_end, f"{len(self._found) - 1}\n".encode())
        os.close(job.write_end)
        job.write_end = -1

    def end(self, pid: int) -> None:
        self.ended.append(pid)

    def ask_to_end(self, pid: int) -> None:
        self.asked_to_end.append(pid)

    def reap(self, pid: int) -> None:
        self.reaped.append(pid)

    def emit(self, lines: Iterable[Event]) -> None:
        self.logged += lines

    def notify(self, *notices: tuple[Notice, str | int]) -> bool:
        if not self.systemd_listens or self.room_in_queue < 1:
            return False
        self.room_in_queue -= 1
        self.notified.append("\n".join(f"{variable}={value}" for variable, value in notices))
        return True

    def watchdog_seconds(self) -> float | None:
        return self._watchdog_seconds


class Hourglass(selectors.EpollSelector):
    """Time jumps to the next timer when nothing else happens. `jumps` counts how often somebody slept."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.jumps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (ready := super().select(0)) or timeout == 0:
            return ready
        assert timeout is not None, "nobody will ever wake up"
        self.now += timeout
        self.jumps += 1
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose hours take no time."""

    def __init__(self) -> None:
        self.hourglass = Hourglass()
        super().__init__(self.hourglass)

    def time(self) -> float:
        return self.hourglass.now


class Stage:
    """A daemon that has just begun, its first pass under way. Nothing happens but in `advance`."""

    def __init__(
        self,
        config: Config = CONFIG,
        *,
        state: State | None = None,
        watchdog_seconds: float | None = None,
        systemd_listens: bool = True,
    ) -> None:
        self.loop = VirtualTimeLoop()
        self.udev = FakeUdev()
        self.carriers = FakeCarriers()
        self.host = FakeHost(self.loop, watchdog_seconds=watchdog_seconds)
        self.host.config = config
        self.host.systemd_listens = systemd_listens
        loaded = Loaded(config)
        first = self.host.start_pass(loaded, Handover())
        self.last_found = Inspected()
        daemon = Daemon(self.host, self.udev, loaded, state or State(), self.carriers, clock=self.loop.time)
        self._task = self.loop.create_task(daemon.run(first))
        self.advance()

    @property
    def now(self) -> float:
        return self.loop.time() - START

    @property
    def passes(self) -> int:
        return len(self.host.passes)

    @property
    def restarts(self) -> int:
        return len(self.host.restarts)

    @property
    def is_ready(self) -> bool:
        return any("READY=1" in text for text in self.host.notified)

    @property
    def is_over(self) -> bool:
        return self._task.done()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.host.logged]

    def advance(self, seconds: float = A_MOMENT) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        if self._task.done():
            self._task.result()

    def end_pass(self, state: State | None) -> None:
        """The newest pass ends; None: it dies."""
        self.host.end_job(self.host.passes[-1], (state, FollowUpReport()) if state else None)
        self.advance()

    def end_restarts(self, report: FollowUpReport | None, *, state: State | None = None) -> None:
        self.host.end_job(self.host.restarts[-1], (state or make_state(), report) if report else None)
        self.advance()

    def end_look(self, *findings: Finding) -> None:
        """doctor's newest look ends with these."""
        self.last_found = record_inspection(Diagnosis(findings), self.last_found)
        self.host.end_look(self.host.looks[-1], self.last_found)
        self.advance()

    def lose_look(self) -> None:
        """It dies."""
        self.host.end_look(self.host.looks[-1], None)
        self.advance()

    def settle(self, state: State | None = None) -> None:
        """Past the first pass and the one that follows it."""
        self.end_pass(state or make_state())
        self.advance(0.2)
        assert self.passes == 2
        self.end_pass(state or make_state())

    def signal(self, number: signal.Signals) -> None:
        """A real one; it would end the whole run if the daemon did not take it."""
        assert signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}
        os.kill(os.getpid(), number)
        self.advance()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self.loop.run_until_complete(task)
        self.loop.close()
        self.udev.close()
        self.carriers.close()
        for job in self.host.jobs:
            if job.write_end >= 0:
                os.close(job.write_end)
            with contextlib.suppress(OSError):
                if os.fstat(job.fd).st_ino == job.inode:  # else the daemon has closed it, and its number is another's
                    os.close(job.fd)
