"""The edges wired into the machine that passes and restarts run on."""

import contextlib
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sriov_bootstrap.base.errors import StuckError, UnitError
from sriov_bootstrap.core import state
from sriov_bootstrap.core.actions import Action, BindVfs, deadline_seconds
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.facts import Links, RawPf, Routes
from sriov_bootstrap.core.parse import leaving_users
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam, ModuleFacts
from sriov_bootstrap.core.vf_attributes import PfLinks
from sriov_bootstrap.core.vf_users import Holders, Owners
from sriov_bootstrap.edges.locks import PASS_LOCK, RESTART_LOCK
from sriov_bootstrap.edges.procfs import CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
from sriov_bootstrap.edges.sysfs import IsAskedFor
from sriov_bootstrap.machine.host_edges import HostEdges

if TYPE_CHECKING:
    from sriov_bootstrap.core.facts import DevlinkQuestion, Eswitches
    from sriov_bootstrap.core.followup import UnitResult, UnitState
    from sriov_bootstrap.core.nova_version import NovaVersion
    from sriov_bootstrap.core.obstacles import Platform
    from sriov_bootstrap.core.suspects import Suspects
    from sriov_bootstrap.core.vf_attributes import RefusedSetting
    from sriov_bootstrap.edges.devlink import Devlink
    from sriov_bootstrap.passes.protocols import GuardedAction

LOCK_SECONDS = 600.0  # the longest honest pass: 128 VFs of a slow driver
PLAIN_NAMES = tuple(f"net.ifnames={no}" for no in ("0", "no", "n", "false", "f", "off"))  # systemd's parse_boolean()
NAMING_POLICY = ("/etc/systemd/network/99-default.link", "/etc/udev/rules.d/80-net-setup-link.rules")  # if masked
KILL_SWITCH = "sriov_bootstrap=0"
JAM_POLL_SECONDS = 0.2


class HostMachine(HostEdges):
    """This host, or a tree that looks like one below `root`. `say` gets progress; it must not block."""

    def __init__(
        self,
        *,
        root: str = "",
        config_paths: tuple[str, ...] = (),
        say: Callable[[str], None] = lambda _: None,
        deadline_seconds: Callable[[Action], float] = deadline_seconds,
    ) -> None:
        """Reads nothing yet."""
        super().__init__(root, config_paths, say)
        self.deadline_seconds = deadline_seconds
        self._saved: State | None = None
        self.has_written = False
        self._unsaved: State | None = None
        self.devlink_bus = "pci"
        self._modules: dict[str, tuple[str, ...]] = {}

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

    def read_pfs(
        self,
        only: tuple[str, ...] = (),
        *,
        others: IsAskedFor | None = None,
        serial_numbers: bool = False,
        vf_ifindexes: bool = True,
    ) -> tuple[RawPf, ...]:
        """See protocols.PassMachine."""
        raws = self.sysfs.read_pfs(only, others=others, serial_numbers=serial_numbers, vf_ifindexes=vf_ifindexes)
        return self.netdevs.add_uppers(raws)

    def read_functions(
        self, only: Iterable[str] = (), *, without: Container[str] = (), serial_numbers: bool = False
    ) -> tuple[RawPf, ...]:
        """See presence.PresenceMachine."""
        raws = self.sysfs.read_functions(only, without=without, serial_numbers=serial_numbers)
        return self.netdevs.add_uppers(raws)

    def read_stray_netdev(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """See presence.PresenceMachine."""
        return self.netdevs.read_stray(name)

    def read_config_space(self, address: str) -> bytes:
        """See presence.PresenceMachine."""
        return self.pci.read_config(address)

    def read_platform(self) -> "Platform":
        """See presence.PresenceMachine."""
        from sriov_bootstrap.machine.platform import read_platform  # most passes do not need it

        return read_platform(self)

    def read_links(self) -> Links:
        """See protocols.PassMachine."""
        from sriov_bootstrap.machine.links import read_in_child

        return read_in_child(say=self.say)

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        """See protocols.PassMachine."""
        from sriov_bootstrap.machine.vf_attributes import read_in_child  # most rules say nothing of it

        return read_in_child(netdevs, say=self.say)

    def read_eswitches(self, questions: "tuple[DevlinkQuestion, ...]") -> "Eswitches":
        """See protocols.PassMachine."""
        from sriov_bootstrap.machine.eswitch import read_in_child  # most rules say nothing of it

        return read_in_child(questions, self.devlink_bus, self._root, say=self.say)

    @cached_property
    def devlink(self) -> "Devlink":
        """For writers: the sockets that the first step opens serve them all, and end with the process."""
        from sriov_bootstrap.edges.devlink import Devlink

        return Devlink(bus=self.devlink_bus)

    def count_vfs(self, pci_address: str) -> int:
        """How many VFs there are."""
        return self.sysfs.count_vfs(pci_address)

    def read_mtus(self, netdevs: tuple[str, ...]) -> dict[str, int]:
        """See protocols.PassMachine."""
        return self.netdevs.read_mtus(netdevs)

    def write_msix(self, vf: str, number: int, vectors: int) -> "RefusedSetting | None":
        """See edges/vf_attributes.py."""
        from sriov_bootstrap.edges.vf_attributes import write_msix

        return write_msix(vf, number, vectors, root=f"{self._root}/sys")

    def machine_id(self) -> str:
        """See protocols.PassMachine."""
        return self.files.machine_id()

    def read_holders(self) -> Holders:
        """Which processes have a VF open, from whatever may look."""
        from sriov_bootstrap.edges.holders.open_devices import OpenDevices  # most passes do not need it

        is_for_others = self.procfs.is_root_without(CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH)
        holders = self.privileges.holders() if is_for_others else OpenDevices(self._root).holders()
        for user in holders.unseen:
            self.say(str(user))
        return holders

    def read_owners(self, *, shut_off: bool) -> Owners:
        """Which VMs VFs are assigned to."""
        from sriov_bootstrap.edges import libvirt

        owners = libvirt.read_owners(self._root, shut_off=shut_off)
        trials = self.trial_files.read_trials()
        if not trials or not self.locks.is_verifying():
            return owners
        from sriov_bootstrap.core.trials import load_trials

        return msgspec.structs.replace(owners, tried=load_trials(trials, boot_id=self.procfs.boot_id()).vfs)

    def read_module(self, driver: str) -> ModuleFacts:
        """A driver's module."""
        return self.kmod.read_module(driver)

    def has_driver(self, name: str) -> bool:
        """Whether the kernel has this driver by now."""
        return self.sysfs.has_driver(name)

    def names_follow_probes(self) -> bool:
        """Whether netdevs are called eth0, eth1 in the order in which they are created."""
        words = self.procfs.kernel_command_line()
        masked = (os.path.realpath(f"{self._root}{path}") == os.devnull for path in NAMING_POLICY)
        return any(word in PLAIN_NAMES for word in words) or any(masked)

    def default_routes(self) -> Routes:
        """Where the default routes leave."""
        return self.procfs.default_routes().among(self.netdevs.names())

    def expects_driver(self, modalias: str) -> bool:
        """Whether a VF will get a driver."""
        return bool(self.modules_for(modalias))

    def modules_for(self, modalias: str) -> tuple[str, ...]:
        """The modules that want such VFs; none where modprobe gives no answer. It is asked once for each kind of VF."""
        if modalias not in self._modules:
            try:
                self._modules[modalias] = self.kmod.modules_for(modalias)
            except StuckError:
                self._modules[modalias] = ()
        return self._modules[modalias]

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

    def read_suspects(self) -> "Suspects":
        """See protocols.PassMachine."""
        from sriov_bootstrap.core.finding import load_inspected  # most passes do not need it

        return load_inspected(self.files.read_findings()).suspects

    def read_bindings(self) -> dict[str, Jam]:
        """See protocols.PassMachine. Not that of this process, which asks who uses VFs before it touches any."""
        found = self.locks.read_bindings(self.monotonic())
        return {address: jam for address, jam in found.items() if jam.pid != os.getpid()}

    def _users_of(self, pci_address: str) -> str:
        leaving = self.sysfs.read_functions_of(pci_address)
        return leaving_users(leaving, self.read_holders()) if leaving else ""

    # -- what outlives a pass --

    def load_state(self) -> tuple[State, str]:
        """state.json, or what could not be saved to it, unless another process has saved since."""
        on_disk, note = state.load(self.files.read_state(), boot_id=self.procfs.boot_id())
        if self._unsaved and (latest := state.latest(self._unsaved, on_disk)) is not on_disk:
            return latest, ""
        self._unsaved = None
        return on_disk, note

    def save_state(self, value: State, *, is_of_pass: bool = True) -> str:
        """Writes state.json, with the time; `is_of_pass`: or something else that knows what has become of VFs."""
        if is_of_pass:
            value = msgspec.structs.replace(value, saved_at=self.monotonic())
        problem = self.files.save_state(state.dump(value))
        self._saved, self._unsaved = value, value if problem else None
        is_awaited = any(pf.reason is Reason.LAG_INACTIVE for pf in value.report.pfs)
        if is_awaited or self.files.is_bond_awaited:
            self.files.mark_bond(is_awaited=is_awaited)
        return problem

    @property
    def has_pending_restart(self) -> bool:
        """Whether the pass that this process has just done left one."""
        return self._saved is not None and self._saved.pending is not None

    @property
    def has_unsaved_state(self) -> bool:
        """Whether the last save failed, and no other process has saved since."""
        return self._unsaved is not None

    def carry_over(self, value: State, *, is_saved: bool) -> None:
        """Gives this process what a child of it could not save."""
        self._unsaved = state.keep(self._unsaved, value, is_saved=is_saved)

    @contextlib.contextmanager
    def pass_lock(self) -> Iterator[None]:
        """One pass at a time, and never beside a write of an earlier pass that may still succeed."""
        with self.locks.hold(PASS_LOCK, timeout_seconds=LOCK_SECONDS, waiting=self.say):
            deadline = self.monotonic() + LOCK_SECONDS
            while jam := self._write_to_wait_for():
                if self.monotonic() > deadline:  # a writer that had no room to record how long it may take
                    break
                self.say(str(jam))
                self.pause(JAM_POLL_SECONDS)
            yield

    def _write_to_wait_for(self) -> Jam | None:
        """One of an earlier pass that is still expected to return."""
        now = self.monotonic()
        jams = (self.locks.read_jam(now), *self.locks.read_bindings(now).values())
        return next((jam for jam in jams if jam and not jam.is_overdue), None)

    def restart_lock(self) -> contextlib.AbstractContextManager[None]:
        """One round of restarts at a time."""
        return self.locks.hold(RESTART_LOCK, timeout_seconds=LOCK_SECONDS, waiting=self.say)

    # -- what is done --

    def act_in_turn(self, steps: "Sequence[GuardedAction]") -> Iterator[Result]:
        """See protocols.ActionMachine."""
        from sriov_bootstrap.machine.act import act_in_turn  # most passes write nothing

        return act_in_turn(self, steps)

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        """The same for one action."""
        from sriov_bootstrap.passes.protocols import GuardedAction

        (result,) = self.act_in_turn((GuardedAction(action, guard),))
        return result

    def begin(self, action: BindVfs, *, guard: Callable[[], str]) -> Callable[[], Result]:
        """See protocols.ActionMachine."""
        from sriov_bootstrap.machine.binder import begin

        return begin(self, action, guard)

    def note_writer(self, lock: int, action: Action, limit_seconds: float) -> None:
        """Records at the write lock that this process begins `action` now."""
        jam = Jam(os.getpid(), action.pci_address, str(action), self.time(), limit_seconds, began_at=self.monotonic())
        self.locks.note_writer(lock, jam)

    # -- systemd --

    def unit_states(self, names: Iterable[str]) -> "tuple[UnitState, ...]":
        """See restarts.RestartMachine."""
        from sriov_bootstrap.machine import bus

        return bus.unit_states(names, self.say)

    def nova_version(self, unit: str) -> "NovaVersion":
        """See restarts.RestartMachine."""
        from sriov_bootstrap.machine.nova_version import read_nova_version

        return read_nova_version(self, unit)

    def restart_units(
        self,
        names: Sequence[str],
        *,
        failed: frozenset[str],
        job_timeout_seconds: float,
        on_result: "Callable[[UnitResult], None]",
    ) -> None:
        """See restarts.RestartMachine."""
        from sriov_bootstrap.machine import bus

        told = bus.restart_units(names, self.say, failed=failed, job_timeout_seconds=job_timeout_seconds)
        for result in told.results:
            on_result(result)
        if told.problem:
            raise UnitError(told.problem)
