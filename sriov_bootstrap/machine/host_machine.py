"""The edges wired into the machine that passes and restarts run on."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from sriov_bootstrap.base.errors import BusyError, SriovBootstrapError, StuckError, UnitError
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.core import state
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.facts import Links, RawPf, Routes, leaving_users
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
from sriov_bootstrap.core.report import Outcome, Written
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.users import Holders, Owners
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import PASS_LOCK, RESTART_LOCK, Locks
from sriov_bootstrap.edges.procfs import CAP_DAC_READ_SEARCH, CAP_SYS_MODULE, CAP_SYS_PTRACE, Procfs
from sriov_bootstrap.edges.sysfs import Sysfs

if TYPE_CHECKING:
    from sriov_bootstrap.core.followup import UnitResult, UnitState
    from sriov_bootstrap.edges.kmod import Kmod
    from sriov_bootstrap.machine.privileges import Privileges

LOCK_SECONDS = 600.0  # the longest honest pass: 128 VFs of a slow driver
KILL_SWITCH = "sriov_bootstrap=0"
JAM_POLL_SECONDS = 0.2


def require_root(what: str, root: str = "") -> None:
    """Stops a user who may not do it before anything is left behind: a lock, a folder, half a pass."""
    if os.geteuid() not in {0, os.stat(f"{root}/").st_uid}:
        raise SriovBootstrapError(f"{what} changes the machine, but you are not root", hint="run as root")


class HostMachine:
    """This host, or a tree that looks like one below `root`. `say` gets progress; it must not block."""

    def __init__(
        self, *, root: str = "", config_paths: tuple[str, ...] = (), say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Reads nothing yet."""
        self.files = Files(root, config_paths)
        self.locks = Locks(root)
        self.say = say
        self.procfs = Procfs(f"{root}/proc")
        self._sysfs = Sysfs(f"{root}/sys")
        self._root = root
        self._saved: State | None = None
        self.has_written = False
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

    def read_pfs(self, only: tuple[str, ...] = ()) -> tuple[RawPf, ...]:
        """See execute.Machine."""
        return self._sysfs.read_pfs(only)

    def read_links(self) -> Links:
        """altnames and addresses."""
        from sriov_bootstrap.edges.iproute import read_links

        return read_links(child.run)

    def read_holders(self) -> Holders:
        """Which processes have a VF open, from whatever may look."""
        from sriov_bootstrap.edges.holders.look import OpenDevices  # most passes do not need it

        is_for_others = self.procfs.is_root_without(CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH)
        holders = self._privileges.holders() if is_for_others else OpenDevices(self._root).holders()
        for user in holders.unseen:
            self.say(str(user))
        return holders

    def read_owners(self, *, shut_off: bool) -> Owners:
        """Which VMs VFs are assigned to."""
        from sriov_bootstrap.edges import libvirt

        return libvirt.read_owners(self._root, shut_off=shut_off)

    def read_module(self, driver: str) -> ModuleFacts:
        """A driver's module."""
        return self._kmod.read_module(driver)

    def default_routes(self) -> Routes:
        """Where the default routes leave."""
        return self.procfs.default_routes().among(self._sysfs.netdevs())

    @property
    def _privileges(self) -> "Privileges":
        from sriov_bootstrap.machine.privileges import Privileges

        return Privileges(self.files, self.locks, child.run, self.say)

    @property
    def _kmod(self) -> "Kmod":
        from sriov_bootstrap.edges.kmod import Kmod

        return Kmod(child.run, self._root)

    def expects_driver(self, modalias: str) -> bool:
        """Whether a VF will get a driver."""
        try:
            return self._kmod.expects_driver(modalias)
        except StuckError:
            return False

    def switches(self) -> tuple[str, ...]:
        """The kill switches that are on: they keep the units from starting."""
        file = ("/etc/sriov-bootstrap/disabled",) if self.files.is_disabled() else ()
        has_word = KILL_SWITCH in self.procfs.kernel_command_line()
        return (*file, *((f"{KILL_SWITCH} on the kernel command line",) if has_word else ()))

    def read_jam(self) -> Jam | None:
        """The write in progress in another process; once it is overdue, with what holds it up."""
        jam = self.locks.read_jam(now := self.monotonic())
        if jam is None:
            return None
        users = self._users_of(jam.pci_address) if jam.is_overdue else ""
        return msgspec.structs.replace(jam, since=self.time() - (now - jam.began_at), users=users)

    def _users_of(self, pci_address: str) -> str:
        leaving = self._sysfs.read_functions_of(pci_address)
        return leaving_users(leaving, self.read_holders()) if leaving else ""

    # -- what outlives a pass --

    def load_state(self) -> tuple[State, str]:
        """state.json, or what could not be saved to it."""
        if self._unsaved:
            return self._unsaved, ""
        return state.load(self.files.read_state(), boot_id=self.procfs.boot_id())

    def save_state(self, value: State) -> str:
        """Writes state.json."""
        problem = self.files.save_state(state.dump(value))
        self._saved, self._unsaved = value, value if problem else None
        return problem

    @property
    def has_pending_restart(self) -> bool:
        """Whether the pass that this process has just done left one."""
        return self._saved is not None and self._saved.pending is not None

    @property
    def has_unsaved_state(self) -> bool:
        """Whether the last save failed."""
        return self._unsaved is not None

    def carry_over(self, value: State, *, is_saved: bool) -> None:
        """Gives this process what a child of it could not save."""
        self._unsaved = None if is_saved else value

    @contextlib.contextmanager
    def pass_lock(self) -> Iterator[None]:
        """One pass at a time, and never beside a write of an earlier pass that may still succeed."""
        with self.locks.locked(PASS_LOCK, timeout_seconds=LOCK_SECONDS, waiting=self.say):
            deadline = self.monotonic() + LOCK_SECONDS
            while (jam := self.locks.read_jam(self.monotonic())) and not jam.is_overdue:
                if self.monotonic() > deadline:  # a writer that had no room to record how long it may take
                    break
                self.say(str(jam))
                self.pause(JAM_POLL_SECONDS)
            yield

    def restart_lock(self) -> contextlib.AbstractContextManager[None]:
        """One round of restarts at a time."""
        return self.locks.locked(RESTART_LOCK, timeout_seconds=LOCK_SECONDS, waiting=self.say)

    # -- what is done --

    def write_num_vfs(self, action: SetNumVfs, *, guard: Callable[[], str], timeout_seconds: float) -> Written:
        """See apply.Kernel."""
        return self._write(action, lambda: self._sysfs.write_num_vfs(action, guard), timeout_seconds)

    def write_autoprobe(self, action: SetAutoprobe) -> None:
        """See apply.Kernel. No process of its own: the kernel sets a flag and takes no lock (drivers/pci/iov.c)."""
        self.has_written = True
        self._sysfs.write_autoprobe(action)

    def set_link_up(self, action: SetLinkUp, *, timeout_seconds: float) -> None:
        """See apply.Kernel."""
        self._write(action, lambda: self._sysfs.set_link_up(action), timeout_seconds)

    def reload_driver(self, action: ReloadDriver, *, guard: Callable[[], str], timeout_seconds: float) -> Outcome:
        """See apply.Kernel. Where a unit has to be asked, that unit guards and locks."""
        if not self.procfs.is_root_without(CAP_SYS_MODULE):
            return self._write(action, lambda: self._kmod.reload(action, guard), timeout_seconds).outcome
        self.has_written = True
        return self._privileges.reload(action.driver, timeout_seconds=timeout_seconds)

    def write_file(self, action: WriteFile) -> None:
        """See apply.Kernel. Whatever may reload also writes what modprobe obeys."""
        if self.procfs.is_root_without(CAP_SYS_MODULE):
            self._privileges.write_modprobe(action.path)
        else:
            self.files.write_file(action.path, action.text)

    def note_writer(self, lock: int, action: Action, limit_seconds: float) -> None:
        """Records at the write lock that this process begins `action` now."""
        jam = Jam(os.getpid(), action.pci_address, str(action), self.time(), limit_seconds, began_at=self.monotonic())
        self.locks.note_writer(lock, jam)

    def _write(self, action: Action, work: Callable[[], Outcome | None], timeout_seconds: float) -> Written:
        """Runs a write where it can be left behind, with the write lock in its hands for as long as it lives."""
        from sriov_bootstrap.machine import answers

        try:
            lock = self.locks.begin_write()
        except BusyError as error:
            jam = self.read_jam()
            raise StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=error.hint) from error
        self.has_written = True

        def write(send: child.Send) -> None:
            self.say = lambda _: None  # our listener is out of reach: the only file open here is the lock
            self.note_writer(lock, action, timeout_seconds)
            send(to_json(answers.answer(end)))

        def end() -> answers.Ended:
            outcome = work() or Outcome.CHANGED
            is_new = isinstance(action, SetNumVfs) and outcome is Outcome.CHANGED
            return answers.Ended(outcome, self._sysfs.count_vfs(action.pci_address) if is_new else -1)

        def waiting(passed: float) -> None:
            self.say(f"{action.pci_address}: {action}: {passed:.0f} s so far")

        try:
            what = f"{action.pci_address}: {action}"
            line = child.call(
                write, what=what, timeout_seconds=timeout_seconds, keep=(lock,), leave_behind=True, waiting=waiting
            )
        except StuckError as error:
            error.hint = (
                "end the VM or process that holds one of its VFs, or see journalctl -k; the write then completes"
            )
            raise
        finally:
            os.close(lock)
        told = answers.understood(line, what)
        if not isinstance(told, answers.Ended):  # pragma: no cover (a writer sends nothing else)
            raise TypeError(told)
        return Written(told.outcome, told.made)

    # -- systemd --

    def unit_states(self, names: Iterable[str]) -> "tuple[UnitState, ...]":
        """See restarts.Machine."""
        from sriov_bootstrap.machine import bus

        return bus.unit_states(names, self.say)

    def restart_units(
        self,
        names: Sequence[str],
        *,
        failed: frozenset[str],
        job_timeout_seconds: float,
        on_result: "Callable[[UnitResult], None]",
    ) -> None:
        """See restarts.Machine."""
        from sriov_bootstrap.machine import bus

        told = bus.restart_units(names, self.say, failed=failed, job_timeout_seconds=job_timeout_seconds)
        for result in told.results:
            on_result(result)
        if told.problem:
            raise UnitError(told.problem)
