"""ModelHost: FakeMachine with VMs, units, hands that are not ours, and deaths at any step. It watches what we do."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from builders import NEW_VF, make_netdev
from fakes import BOOT_ID, Crash, FakeMachine, FakePf
from fakes_switch import SwitchAction
from sriov_bootstrap.base.errors import InUseError, KernelError, StuckError, UnitError
from sriov_bootstrap.core import state
from sriov_bootstrap.core.actions import Action, BindVfs, SetLinkUp, SetNumVfs, SetVfMtus, deadline_seconds
from sriov_bootstrap.core.errnos import WRITE_CAUSES
from sriov_bootstrap.core.eswitch_config import EswitchMode
from sriov_bootstrap.core.facts import Netdev, RawNetdev, RawVf, VfFacts
from sriov_bootstrap.core.followup import RUNNING, STOPPING, UnitOutcome, UnitResult, UnitState
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.core.switch_actions import SetEswitchMode
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes
from sriov_bootstrap.core.vf_users import Holder, Holders, Owner, Owners

ERRNOS = (0, errno.E2BIG, *WRITE_CAUSES)  # 0: words without a number; E2BIG: not in the table
MEDDLING = ("stale", "used", "unplug", "unbind")
INSTANCE = "instance-0000002a"


class Unit(Struct):
    """A unit of systemd. `ends`: how its next restart ends."""

    load_state: str = "loaded"
    active_state: str = "active"
    started_at: float = 1.0
    ends: UnitOutcome = UnitOutcome.DONE

    @property
    def is_running(self) -> bool:
        """Whether a restart would concern it."""
        return self.active_state in RUNNING and self.load_state != "masked"


def driver_of(address: str) -> str:
    """One of the PFs is a virtio-net card, and one changes its eswitch mode between VFs and their drivers."""
    if address.startswith("0000:5e"):
        return "virtio-pci"
    return "mlx5_core" if address.startswith("0000:af") else "igb"


class ModelHost(FakeMachine):
    """Fulfils protocols.PassMachine and restarts.RestartMachine.

    `may_write`: PCI address -> whether VFs in use may go, of every PF that the running pass has a rule for.
    `held`: VFs that a VM has open, `rdma` those that a process has, `away` those in another network namespace, by
    incarnation. `has_nameless`: somebody has a vfio device open, and nobody knows which. `made`: VFs of our making.
    `crash_in`: after how many more calls the process that makes them dies. `lost`: VFs that went by another hand.
    `rewritten`: PCI address -> how often a rival has written over a number of ours. `there`: VFs that the running pass
    has found.
    """

    def __init__(self, units: Iterable[str], *pfs: FakePf) -> None:
        """Every unit runs since boot."""
        super().__init__(*pfs)
        self.units = {name: Unit() for name in units}
        self.absent: dict[str, FakePf] = {}
        self.held: set[int] = set()
        self.rdma: set[int] = set()
        self.away: set[int] = set()
        self.has_nameless = False
        self.made: set[int] = set()
        self.may_write: dict[str, bool] = {}
        self.is_meddled_with = False
        self.has_moved_vfs = False
        self.under_way: Action | None = None
        self.crash_in: int | None = None
        self.unsaved: State | None = None
        self.saves = 0
        self.lost: dict[str, int] = {}
        self.rewritten: dict[str, int] = {}
        self.there: frozenset[int] = frozenset()
        self.has_bus = True
        self.bus_lives_for: int | None = None
        self.restarted: list[str] = []

    # -- what a test does to the host --

    def incarnations(self) -> dict[str, frozenset[int]]:
        """PCI address -> which VFs are there."""
        return {address: frozenset(vf.incarnation for vf in pf.facts.vfs) for address, pf in self.pfs.items()}

    def foreign(self, address: str, count: int) -> None:
        """Somebody writes sriov_numvfs, or a driver's reload does; no kernel lets them while a VM holds a VF."""
        if address in self.pfs and not self.is_held(address):
            self.lost[address] = self.lost.get(address, 0) + self.count(address)
            self.make_vfs(address, count if self.pfs[address].facts.driver else 0)

    def hold(self, address: str, index: int = 0) -> None:
        """A VM starts with a VF."""
        vfs = list(self.pfs[address].facts.vfs) if address in self.pfs else []
        if index < len(vfs) and vfs[index].incarnation not in self.away:
            vf = vfs[index]
            vfs[index] = replace(vf, driver="vfio-pci", iommu_group=f"{vf.incarnation}")
            self.held.add(vf.incarnation)
            self.change(address, vfs=tuple(vfs))

    def open_rdma(self, address: str, index: int) -> None:
        """A process opens the RDMA device of a VF that the kernel's own driver has."""
        vfs = self.pfs[address].facts.vfs if address in self.pfs else ()
        if index < len(vfs) and self._raw_vf(vfs[index]).driver == "igbvf":
            self.rdma.add(vfs[index].incarnation)

    def move(self, address: str, index: int) -> None:
        """The netdev of a VF goes into a container."""
        vfs = self.pfs[address].facts.vfs if address in self.pfs else ()
        if index < len(vfs) and self._raw_vf(vfs[index]).netdevs:
            self.away.add(vfs[index].incarnation)

    def own(self, vf_address: str, *, is_running: bool) -> None:
        """A VM has a VF, whether it is shut off or runs."""
        self.owners = Owners({**self.owners.by_device, vf_address: Owner(INSTANCE, is_running=is_running)})

    def release(self, address: str, *, stays_bound: bool) -> None:
        """Every VM lets go of this PF's VFs; a write that waited for it goes on."""
        pf = self.pfs.get(address)
        vfs = pf.facts.vfs if pf else ()
        self.held -= {vf.incarnation for vf in vfs}
        self.rdma -= {vf.incarnation for vf in vfs}
        self.away -= {vf.incarnation for vf in vfs}
        self.has_nameless = False
        gone = {vf.pci_address for vf in vfs}
        self.owners = Owners({key: name for key, name in self.owners.by_device.items() if key not in gone})
        if pf and not stays_bound:
            self.change(address, vfs=tuple(replace(vf, driver="", iommu_group="") for vf in vfs))
        if self.jam and self.jam.pci_address == address:
            self.end_jam(takes_effect=True)

    def read_driver(self, vf: VfFacts) -> str:
        """What it is bound to now."""
        return self._raw_vf(vf).driver

    def is_held(self, address: str) -> bool:
        """Whether a VM has a VF of this PF open."""
        return any(vf.incarnation in self.held for vf in self.pfs[address].facts.vfs)

    def used(self, address: str) -> tuple[VfFacts, ...]:
        """VFs that somebody holds or owns, or may hold."""
        return tuple(
            vf
            for vf in self.pfs[address].facts.vfs
            if vf.incarnation in self.held | self.rdma | self.away
            or vf.pci_address in self.owners.by_device
            or (self.has_nameless and vf.driver == "vfio-pci")
        )

    def unbind(self, address: str) -> None:
        """The driver goes, and with it netdev and VFs; sriov_totalvfs says another number then, as with igb."""
        if address in self.pfs and self.pfs[address].facts.driver and not self.is_held(address):
            self.foreign(address, 0)
            self.change(address, driver="", netdevs=(), total_vfs=self.pfs[address].facts.total_vfs + 1)
            self.set_mode(address, EswitchMode.LEGACY)

    def bind(self, address: str) -> None:
        """The driver comes back; its netdev is a new one, and down."""
        if address in self.pfs and not self.pfs[address].facts.driver:
            total = self.pfs[address].facts.total_vfs - 1
            self.change(address, driver=driver_of(address), netdevs=(self.netdev(address),), total_vfs=total)

    def set_mode(self, address: str, mode: EswitchMode) -> None:
        """Somebody does, or the driver begins with it; no driver changes it while a VM holds a VF."""
        pf = self.pfs.get(address)
        if pf and pf.switch and not self.is_held(address):
            pf.switch.facts = replace(pf.switch.facts, mode=mode.value)

    def change_switch(self, action: SwitchAction, guard: Callable[[], str]) -> Outcome:
        """No VF in use becomes another port, or none any more; one without a driver may, if its VM is shut off."""
        address = action.pci_address
        switch = self.pfs[address].switch
        before = switch and switch.facts.mode
        used = [vf for vf in self.used(address) if vf.driver or self._may_be_on_its_way(vf)]
        outcome = super().change_switch(action, guard)
        is_same = before == (switch and switch.facts.mode)
        assert is_same or not used or self.may_write[address], f"VFs in use lose their port: {action}"
        return outcome

    def _may_be_on_its_way(self, vf: VfFacts) -> bool:
        """To a VM, or with whoever has it open, whose driver it keeps."""
        owner = self.owners.by_device.get(vf.pci_address)
        is_open = vf.incarnation in self.held | self.rdma | self.away
        return is_open or owner is None or owner.is_running

    @staticmethod
    def netdev(address: str) -> Netdev:
        """What udev names it."""
        name = f"en{address[5:7]}"
        if driver_of(address) == "virtio-pci":
            return make_netdev(name=name, is_up=False, device="virtio1", driver="virtio_net")
        return make_netdev(name=name, is_up=False)

    def unplug(self, address: str) -> None:
        """The device is pulled out, whoever uses it."""
        if address in self.pfs:
            self.held -= {vf.incarnation for vf in self.pfs[address].facts.vfs}
            self.foreign(address, 0)
            self.absent[address] = self.pfs.pop(address)

    def plug(self, address: str) -> None:
        """It is back, as new."""
        if address in self.absent:
            self.pfs[address] = self.absent.pop(address)
            self.unbind(address)
            self.change(address, autoprobe=True)
            self.bind(address)

    def end_jam(self, *, takes_effect: bool) -> None:
        """The write that was stuck comes back."""
        action, self.under_way, self.jam = self.under_way, None, None
        if takes_effect and isinstance(action, SetNumVfs) and action.pci_address in self.pfs:
            pf = self.pfs[action.pci_address]
            if pf.facts.num_vfs == action.before and pf.facts.driver and not self.is_held(action.pci_address):
                self.make_vfs(action.pci_address, min(action.after, pf.makes))

    # -- protocols.PassMachine --

    def read_holders(self) -> Holders:
        """One qemu has the VMs' all, one process the others."""
        vms, others = (Holder(4711, "qemu"),), (Holder(12, "ceph-osd"),)
        open_nodes = {f"/dev/vfio/{one}": vms for one in self.held} | {_uverbs(one): others for one in self.rdma}
        return Holders({**open_nodes}, (Holder(9, "dpdk"),) if self.has_nameless else ())

    def _raw_vf(self, vf: VfFacts) -> RawVf:
        """What somebody has open stays bound, whatever becomes of autoprobe."""
        raw = super()._raw_vf(vf)
        if vf.driver or vf.incarnation not in self.rdma | self.away:
            return raw
        if not raw.driver:
            raw = replace(raw, driver="igbvf", netdevs=(RawNetdev(f"v{vf.incarnation}"),))
        nodes = (_uverbs(vf.incarnation),) if vf.incarnation in self.rdma else ()
        return replace(raw, netdevs=() if vf.incarnation in self.away else raw.netdevs, nodes=nodes)

    def load_state(self) -> tuple[State, str]:
        """As HostMachine: what could not be saved is kept."""
        on_disk, note = state.load(self.data, boot_id=BOOT_ID)
        if self.unsaved and state.latest(self.unsaved, on_disk) is self.unsaved:
            return self.unsaved, ""
        self.unsaved = None
        return on_disk, note

    def save_state(self, value: State) -> str:
        """As HostMachine; `now` may stand still between two, so they are numbered instead."""
        self._live()
        self.saves += 1
        value = replace(value, saved_at=float(self.saves))
        self.unsaved = value if self.save_problem else None
        if not self.save_problem:
            self.data = state.dump(value)
        self._live()
        return self.save_problem

    def pause(self, seconds: float) -> None:
        """Takes no time at all."""
        self._live()
        super().pause(seconds)

    def say(self, text: str) -> None:
        """To nobody."""

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        """Dies after it."""
        result = super().act(action, guard=guard)
        is_moved = isinstance(action, BindVfs) and action.concerns_consumers
        is_moved = is_moved or (isinstance(action, SetEswitchMode) and action.num_vfs > 0)
        self.has_moved_vfs |= is_moved and result.outcome in {Outcome.CHANGED, Outcome.FAILED}
        self._live()
        return result

    def write_num_vfs(self, action: SetNumVfs, guard: Callable[[], str]) -> Outcome:
        """As the kernel, which waits until a VM lets go of the VFs that it is to destroy."""
        address, pf = action.pci_address, self.pfs[action.pci_address]
        now = pf.facts.num_vfs
        if now != action.before or now == action.after:
            return Outcome.UNCHANGED if now == action.after else Outcome.STALE
        if action.before and not action.allow_in_use and (users := guard()):
            raise InUseError(f"{address}: VFs stay: {users}", hint="wait")
        assert not self.used(address) or self.may_write[address], f"VFs in use are destroyed: {action}"
        assert not (action.before and action.after), "the kernel answers EBUSY"
        if not pf.facts.driver or action.after > pf.facts.total_vfs:
            raise KernelError(f"{address}: said no", errno=errno.ERANGE if pf.facts.driver else errno.ENOENT)
        if self.is_held(address):
            self._stick(action)
        self.make_vfs(address, min(action.after, pf.makes))
        self.made |= self.incarnations()[address]
        return Outcome.CHANGED

    def set_attribute(self, pf: FakePf, vf: VfFacts, request: Request, asked: VfAttributes) -> bool:
        """Dies before it, and never sets what somebody uses: a VM may own one before it is made, and loses nothing."""
        address = pf.facts.pci_address
        is_new = vf.incarnation not in self.there
        is_owned = vf in self.used(address) and not is_new
        assert not is_owned, f"{vf} is a VM's, and is set"
        assert vf.incarnation not in self.held | self.rdma | self.away, f"{vf} is in use, and is set"
        self._live()
        return super().set_attribute(pf, vf, request, asked)

    def set_vf_mtus(self, action: SetVfMtus, guard: Callable[[], str]) -> Outcome:
        """The same of their netdevs."""
        before = dict(self.mtus)
        outcome = super().set_vf_mtus(action, guard)
        used = {vf.incarnation for vf in self.used(action.pci_address)} & self.mtus.keys()
        assert all(self.mtus[vf] == before.get(vf) for vf in used), f"the MTU of a VF in use is set: {action}"
        return outcome

    def tenant_sets(self, address: str, index: int, vlan: int) -> None:
        """libvirt, or the SR-IOV agent, sets something of a VF; it may be about to give it to a VM."""
        if address in self.pfs and index < len(self.pfs[address].facts.vfs):
            pf = self.pfs[address]
            incarnation = pf.facts.vfs[index].incarnation
            pf.attributes[incarnation] = replace(pf.attributes.get(incarnation, NEW_VF), vlan=vlan, trust=True)

    def meddled(self, address: str) -> int:
        """He lets the 0 of a step pass, and does not get over what a VM holds."""
        made = self.count(address)
        if made not in {0, self.rivals.get(address, made)} and not self.is_held(address):
            self.rewritten[address] = self.rewritten.get(address, 0) + 1
            self.is_meddled_with = True
            self.foreign(address, self.rivals[address])
        return made

    def set_link_up(self, action: SetLinkUp) -> None:
        """By name, as the kernel does."""
        if action.netdev not in [dev.name for dev in self.pfs[action.pci_address].facts.netdevs]:
            raise KernelError(f"{action.pci_address}: no {action.netdev}", errno=errno.ENOENT)
        super().set_link_up(action)

    def _begin(self, action: Action) -> None:
        """What holds for every write, then what the script says."""
        address = action.pci_address
        assert self.jam is None or isinstance(action, BindVfs), f"{action} is begun while {self.jam}"
        is_taken_back = isinstance(action, BindVfs) and not action.driver
        assert address in self.may_write or is_taken_back, f"a PF without a rule is written: {address} {action}"
        self.writes.append(f"{address} {action}")
        self._live()
        script = self.failures.get(address, [])
        word = script.pop(0) if script else None
        self.is_meddled_with = self.is_meddled_with or word in MEDDLING
        match word:
            case int(number):
                raise KernelError(f"{address}: said no", errno=number)
            case "stuck" if isinstance(action, BindVfs):  # which is in nobody's way: tests/passes/test_binding.py
                raise KernelError(f"{address}: said no", errno=errno.EIO)
            case "stuck":
                self._stick(action)
            case "stale":
                self.foreign(address, self.count(address) + 1 if address in self.pfs else 0)
            case "used":
                self.hold(address)
            case "unbind":
                self.unbind(address)
            case "unplug":
                self.unplug(address)
        if address not in self.pfs:
            raise KernelError(f"{address}: gone", errno=errno.ENODEV)

    def _stick(self, action: Action) -> None:
        self.jam = Jam(4711, action.pci_address, str(action), self.time())
        self.now += deadline_seconds(action)
        self.under_way = action
        raise StuckError(f"{action.pci_address}: {action}: no answer", pid=4711, hint="wait")

    def _live(self) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                raise Crash

    # -- restarts.RestartMachine --

    @contextmanager
    def restart_lock(self) -> Iterator[None]:
        """Nobody else wants it."""
        yield

    def unit_states(self, names: Iterable[str]) -> tuple[UnitState, ...]:
        """Those that exist, and those that do not."""
        if not self.has_bus:
            raise UnitError("no bus")
        known = ((name, self.units.get(name)) for name in names)
        return tuple(
            UnitState(name, one.load_state, one.active_state, one.started_at if one.active_state in RUNNING else 0.0)
            if one
            else UnitState(name, "not-found", "inactive")
            for name, one in known
        )

    def nova_version(self, unit: str) -> NovaVersion:
        """Not known."""
        assert unit
        return NovaVersion()

    def restart_units(
        self,
        names: Sequence[str],
        *,
        failed: frozenset[str],
        job_timeout_seconds: float,
        on_result: Callable[[UnitResult], None],
    ) -> None:
        """One after the other; the bus may end in between, and then nobody hears how the one under way ended."""
        assert failed == {name for name in names if self.units[name].active_state == "failed"}
        for name in names:
            self._live()
            unit = self.units[name]
            self.restarted.append(name)
            if unit.ends in {UnitOutcome.TIMEOUT, UnitOutcome.STOPPING}:
                self.now += job_timeout_seconds
            if unit.ends is UnitOutcome.FAILED:
                unit.active_state = "failed"
            elif unit.ends is UnitOutcome.STOPPING:
                unit.active_state = STOPPING
            else:
                self.start_unit(name)
            if self.bus_lives_for is not None:
                self.bus_lives_for -= 1
                if self.bus_lives_for < 0:
                    self.has_bus, self.bus_lives_for = False, None
                    on_result(UnitResult(name, UnitOutcome.BUS_ERROR, may_have_begun=True))
                    raise UnitError("the bus closed the connection")
            on_result(UnitResult(name, unit.ends))
            self._live()

    def start_unit(self, name: str) -> None:
        """It starts now; time goes on with it."""
        self.now += 0.25
        self.units[name].active_state, self.units[name].started_at = "active", self.now


def _uverbs(incarnation: int) -> str:
    return f"/dev/infiniband/uverbs{incarnation}"
