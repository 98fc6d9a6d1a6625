"""The edges wired into the machine that passes and restarts run on."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from sriov_bootstrap.core import state
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.facts import Holders, Links, RawPf
from sriov_bootstrap.core.followup import UnitResult, UnitState
from sriov_bootstrap.core.plan import (
    Action,
    Jam,
    ModuleFacts,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    WriteFile,
)
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.state import State
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.iproute import read_links
from sriov_bootstrap.edges.kmod import Kmod
from sriov_bootstrap.edges.procfs import Procfs
from sriov_bootstrap.edges.sysfs import Sysfs
from sriov_bootstrap.errors import BusyError, InUseError, StuckError, SysfsError, UnitError

LOCK_FILE = "run/lock/sriov-bootstrap.lock"
RESTART_LOCK_FILE = "run/sriov-bootstrap/restart.lock"
LOCK_SECONDS = 600.0  # the longest honest pass: 128 VFs of a slow driver
BUS_SECONDS = 20.0
JAM_POLL_SECONDS = 0.2


class Told(Struct, tag_field="kind", tag=str.lower):
    """What a writer tells the process that waits for it."""


class Ended(Told):
    """It came back."""

    outcome: Outcome


class KernelSaidNo(Told):
    """It came back with an errno, or with words where there is none."""

    errno: int
    message: str
    hint: str


class SomebodyUsesIt(Told):
    """It was not begun."""

    message: str
    hint: str


class BusFailed(Told):
    """The conversation with systemd could not be had."""

    message: str
    hint: str


class Units(Told):
    """What systemd said of the units."""

    states: tuple[UnitState, ...]


class Restarted(Told):
    """How restarts ended."""

    results: tuple[UnitResult, ...]


Answer = Ended | KernelSaidNo | SomebodyUsesIt | BusFailed | Units | Restarted


class HostMachine:
    """This host, or a tree that looks like one below `root`. `say` gets progress; it must not block."""

    def __init__(
        self, *, root: Path = Path("/"), config_paths: tuple[str, ...] = (), say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Reads nothing yet."""
        self.files = Files(root, config_paths)
        self.say = say
        self._sysfs = Sysfs(root / "sys")
        self.procfs = Procfs(root / "proc")
        self._kmod = Kmod(child.run, root)
        self._unsaved: State | None = None

    def time(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)

    # -- what is --

    def read_config(self) -> tuple[ConfigFile, ...]:
        """Every config file."""
        return self.files.read_config()

    def read_pfs(self) -> tuple[RawPf, ...]:
        """Every PF."""
        return self._sysfs.read_pfs()

    def read_links(self) -> Links:
        """altnames and addresses."""
        return read_links(child.run)

    def read_holders(self) -> Holders:
        """Who has a vfio node open."""
        return self.procfs.holders()

    def read_module(self, driver: str) -> ModuleFacts:
        """A driver's module."""
        return self._kmod.read_module(driver)

    def default_route_netdevs(self) -> frozenset[str]:
        """Where the default routes leave."""
        return self.procfs.default_route_netdevs()

    def expects_driver(self, modalias: str) -> bool:
        """Whether a VF will get a driver."""
        try:
            return self._kmod.expects_driver(modalias)
        except StuckError:
            return False

    def read_jam(self) -> Jam | None:
        """The write that is under way in another process."""
        return self.files.read_jam(self.time())

    # -- what outlives a pass --

    def load_state(self) -> tuple[State, str]:
        """state.json, or what could not be saved to it."""
        if self._unsaved:
            return self._unsaved, ""
        return state.load(self.files.read_state(), boot_id=self.procfs.boot_id())

    def save_state(self, value: State) -> str:
        """Writes state.json."""
        problem = self.files.save_state(state.dump(value))
        self._unsaved = value if problem else None
        return problem

    @property
    def has_unsaved_state(self) -> bool:
        """Whether the last save failed."""
        return self._unsaved is not None

    def carry_over(self, value: State, *, is_saved: bool) -> None:
        """Gives this process what a child of it could not save."""
        self._unsaved = None if is_saved else value

    @contextlib.contextmanager
    def pass_lock(self):  # type: ignore[no-untyped-def] # noqa: ANN201 - a generator behind a decorator
        """One pass at a time, and never beside a write that an earlier pass may still bring to a good end."""
        with self.files.locked(LOCK_FILE, timeout_seconds=LOCK_SECONDS, waiting=self.say):
            while (jam := self.read_jam()) and not jam.is_overdue:
                self.say(str(jam))
                self.pause(JAM_POLL_SECONDS)
            yield

    def restart_lock(self) -> contextlib.AbstractContextManager[None]:
        """One round of restarts at a time."""
        return self.files.locked(RESTART_LOCK_FILE, timeout_seconds=LOCK_SECONDS, waiting=self.say)

    # -- what is done --

    def write_num_vfs(self, action: SetNumVfs, *, guard: Callable[[], str], timeout_seconds: float) -> Outcome:
        """See apply.Kernel."""
        return self._write(action, lambda: self._sysfs.write_num_vfs(action, guard), timeout_seconds)

    def write_autoprobe(self, action: SetAutoprobe, *, timeout_seconds: float) -> None:
        """See apply.Kernel."""
        self._write(action, lambda: self._sysfs.write_autoprobe(action), timeout_seconds)

    def set_link_up(self, action: SetLinkUp, *, timeout_seconds: float) -> None:
        """See apply.Kernel."""
        self._write(action, lambda: self._sysfs.set_link_up(action), timeout_seconds)

    def reload_driver(self, action: ReloadDriver, *, guard: Callable[[], str], timeout_seconds: float) -> None:
        """See apply.Kernel."""
        reload = lambda: self._kmod.reload(action, guard, timeout_seconds=timeout_seconds)  # noqa: E731
        self._write(action, reload, timeout_seconds)

    def write_file(self, action: WriteFile) -> None:
        """See apply.Kernel."""
        self.files.write_file(action.path, action.text)

    def _write(self, action: Action, work: Callable[[], Outcome | None], timeout_seconds: float) -> Outcome:
        """Runs a write where it can be left behind, with the write lock in its hands for as long as it lives."""
        try:
            lock = self.files.begin_write()
        except BusyError as error:
            jam = self.read_jam()
            raise StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint) from error
        jam = Jam(0, action.pci_address, str(action), self.time(), timeout_seconds, is_overdue=False)

        def write(send: child.Send) -> None:
            self.files.note_writer(lock, msgspec.structs.replace(jam, pid=os.getpid()))
            send(msgspec.json.encode(_answer(lambda: Ended(work() or Outcome.CHANGED))))

        def waiting(passed: float) -> None:
            self.say(f"{action.pci_address}: {action}: {passed:.0f} s so far")

        try:
            what = f"{action.pci_address}: {action}"
            line = child.call(
                write, what=what, timeout_seconds=timeout_seconds, keep=(lock,), leave_behind=True, waiting=waiting
            )
        except StuckError as error:
            error.hint = "end the VM or process that holds a VF of it, or see journalctl -k; it goes on by itself then"
            raise
        finally:
            os.close(lock)
        answer = _understood(line, what)
        if not isinstance(answer, Ended):  # pragma: no cover (a writer sends nothing else)
            raise TypeError(answer)
        return answer.outcome

    # -- systemd --

    def unit_states(self, names: Iterable[str]) -> tuple[UnitState, ...]:
        """See restarts.Machine."""

        def ask() -> Answer:
            from sriov_bootstrap.edges import systemd  # dbus_next: only here, in a child that ends soon

            return Units(systemd.unit_states(names))

        answer = self._ask_systemd(ask, BUS_SECONDS)
        return answer.states if isinstance(answer, Units) else ()

    def restart_units(
        self, names: Sequence[str], *, job_timeout_seconds: float, on_result: Callable[[UnitResult], None]
    ) -> None:
        """See restarts.Machine."""

        def ask() -> Answer:
            from sriov_bootstrap.edges import systemd

            results: list[UnitResult] = []
            with contextlib.suppress(UnitError):  # what is missing in the results says it
                systemd.restart_units(names, job_timeout_seconds=job_timeout_seconds, on_result=results.append)
            return Restarted(tuple(results))

        answer = self._ask_systemd(ask, job_timeout_seconds + BUS_SECONDS)
        results = answer.results if isinstance(answer, Restarted) else ()
        for result in results:
            on_result(result)
        if len(results) < len(names):
            raise UnitError("the bus was lost while units restarted")

    def _ask_systemd(self, ask: Callable[[], Answer], timeout_seconds: float) -> Answer:
        what = "D-Bus"
        work = lambda send: send(msgspec.json.encode(_answer(ask)))  # noqa: E731
        waiting = lambda passed: self.say(f"systemd is at work: {passed:.0f} s so far")  # noqa: E731
        return _understood(child.call(work, what=what, timeout_seconds=timeout_seconds, waiting=waiting), what)


def _answer(work: Callable[[], Answer]) -> Answer:
    """Our own exceptions as values: only values pass through a pipe."""
    try:
        return work()
    except SysfsError as error:
        return KernelSaidNo(error.errno, error.message, error.hint)
    except InUseError as error:
        return SomebodyUsesIt(error.message, error.hint)
    except StuckError as error:
        return KernelSaidNo(0, error.message, error.hint)
    except UnitError as error:
        return BusFailed(error.message, error.hint)


def _understood(line: bytes, what: str) -> Answer:
    """The value, or our own exception again."""
    if not line:
        raise SysfsError(
            f"{what}: the process that did it ended without a word", hint="it was killed, or out of memory"
        )
    answer = msgspec.json.decode(child.checked(line, what), type=Answer)  # type: ignore[arg-type]
    match answer:
        case KernelSaidNo():
            raise SysfsError(answer.message, errno=answer.errno, hint=answer.hint)
        case SomebodyUsesIt():
            raise InUseError(answer.message, hint=answer.hint)
        case BusFailed():
            raise UnitError(answer.message, hint=answer.hint)
    return answer


def progress_printer() -> Callable[[str], None]:
    """Progress on stderr: at once and in place on a terminal, else only what comes after the first two seconds."""
    began = time.monotonic()
    seen: set[str] = set()
    is_terminal = sys.stderr.isatty()

    def say(text: str) -> None:
        if is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}" if text else "\r\x1b[K")
            sys.stderr.flush()
        elif text and text not in seen and time.monotonic() - began > 2.0:  # noqa: PLR2004 - DESIGN: progress after 2 s
            seen.add(text)
            sys.stderr.write(f"{text}\n")

    return say
