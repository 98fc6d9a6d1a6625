"""FakeMachine: a simulated host that a pass can run on. It keeps state, and changes it only when it is written to."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Unpack, assert_never

from msgspec.structs import replace

from builders import NEW_VF, PfValues, make_pf, vf_address
from fakes_switch import FakeSwitch, SwitchAction
from sriov_bootstrap.base.errors import InUseError, KernelError, StuckError
from sriov_bootstrap.core import facts, state
from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    LoadModule,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    SetVfAttributes,
    SetVfMtus,
    WriteFile,
    deadline_seconds,
)
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import Link, Links, Netdev, RawChild, RawNetdev, RawPf, RawVf, Routes
from sriov_bootstrap.core.obstacles import Platform
from sriov_bootstrap.core.plan_max_vfs import modprobe_path
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam, ModuleFacts
from sriov_bootstrap.core.suspects import Suspects
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, Request, VfAttributes
from sriov_bootstrap.core.vf_settings import changes, has_changed, rebinds, unavailable, wishes
from sriov_bootstrap.core.vf_users import Holder, Holders, Owners
from sriov_bootstrap.passes.apply import apply
from sriov_bootstrap.passes.protocols import GuardedAction

BOOT_ID = "b007"
NEW_MTU = 1500


class Crash(BaseException):
    """The process dies here, as by kill -9."""


class FakePf:
    """One PF. `makes`: how many VFs it makes of those it is asked for; `late`: seconds until their driver has them.

    `keeps`: a 0 is accepted, and its VFs stay, as those that igb finds when it is loaded; `dead`: VFs that no driver
    can bind to, as mlx5's when the firmware refuses them. `link`: its netdev; `attributes`: incarnation of a VF -> what
    is set for it, if that differs from NEW_VF; `vectors`: the same of MSI-X; `cannot`: what it refuses to set.
    `switch`: None if its driver has none.
    """

    def __init__(self, **values: Unpack[PfValues]) -> None:
        """Values of PfFacts."""
        self.facts = make_pf(**values)
        self.makes = 65535
        self.late = 0.0
        self.keeps = False
        self.dead: frozenset[int] = frozenset()
        self.link = PfLink(2, mtu=1500, has_carrier=True)
        self.attributes: dict[int, VfAttributes] = {}
        self.vectors: dict[int, int] = {}
        self.cannot: set[Request] = set()
        self.switch: FakeSwitch | None = None


class FakeMachine:
    """Fulfils protocols.PassMachine.

    `failures`: for each PCI address what its next writes end in: an errno, "stuck", "stale", "used" or "crash".
    `dies_before`: after so many writes the process is killed. `refuses`: VF -> why its driver does not take it.
    `rivals`: for each PCI address the number that somebody else writes right after each write of ours.
    """

    def __init__(self, *pfs: FakePf) -> None:
        """Nothing is configured and nothing is held."""
        self.pfs = {pf.facts.pci_address: pf for pf in pfs}
        self.files: tuple[ConfigFile, ...] = ()
        self.links = Links()
        self.functions: tuple[RawPf, ...] = ()
        self.config_spaces: dict[str, bytes] = {}
        self.strays: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.platform = Platform()
        self.holders = Holders()
        self.owners = Owners()
        self.jam: Jam | None = None
        self.suspects: Suspects = {}
        self.failures: dict[str, list[int | str]] = {}
        self.rivals: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.routes = Routes()
        self.has_vf_driver = True
        self.absent_drivers: set[str] = set()
        self.bindings: dict[str, Jam] = {}
        self.has_plain_names = False
        self.refuses: dict[str, str] = {}
        self.link_problem = ""
        self.switch_problem = ""
        self.id = "0123456789abcdef0123456789abcdef"
        self.dies_before: int | None = None
        self.refused: set[int] = set()
        self.unbound: set[str] = set()
        self.save_problem = ""
        self.saved: list[State] = []
        self.data = b""
        self.writes: list[str] = []
        self.said: list[str] = []
        self.reads: list[str] = []
        self.locks = 0
        self.now = 1000.0
        self.mtus: dict[int, int] = {}
        self.most_mtu = 9216
        self.refused_requests: dict[Request, tuple[int, ...]] = {}
        self._made = 0
        self._ready_at: dict[int, float] = {}

    # -- what a test does to the host --

    def make_vfs(self, address: str, count: int) -> None:
        """As the kernel does: each VF is a new one."""
        pf = self.pfs[address]
        vfs = []
        for index in range(count):
            self._made += 1
            self._ready_at[self._made] = self.now + pf.late
            vfs.append(facts.VfFacts(index, vf_address(address, index), incarnation=self._made, modalias="pci:vf"))
        pf.facts = replace(pf.facts, vfs=tuple(vfs))
        if pf.switch:
            pf.switch.note_vfs(count, self.now)

    def hold(self, address: str, index: int = 0) -> None:
        """A VM takes a VF."""
        pf = self.pfs[address]
        vfs = list(pf.facts.vfs)
        vfs[index] = replace(vfs[index], driver="vfio-pci", iommu_group=f"{index}")
        pf.facts = replace(pf.facts, vfs=tuple(vfs))
        self.holders = Holders({f"/dev/vfio/{index}": (Holder(4711, "qemu"),)})

    def count(self, address: str) -> int:
        """How many VFs are there."""
        return self.pfs[address].facts.num_vfs

    def change(self, address: str, **values: Unpack[PfValues]) -> None:
        """Other values of PfFacts."""
        self.pfs[address].facts = replace(self.pfs[address].facts, **values)

    # -- protocols.PassMachine: what is --

    @contextmanager
    def pass_lock(self) -> Iterator[None]:
        """Counts."""
        self.locks += 1
        yield

    def read_config(self) -> tuple[ConfigFile, ...]:
        """As the test left them."""
        return self.files

    def read_pfs(
        self,
        only: tuple[str, ...] = (),
        *,
        others: Callable[[str, str, str], bool] | None = None,
        serial_numbers: bool = False,
        vf_ifindexes: bool = True,
    ) -> tuple[RawPf, ...]:
        """Every PF as text, or `only` some; one that is no NIC if `others` says so."""
        pfs = [pf.facts for address, pf in self.pfs.items() if not only or address in only]
        return tuple(
            self._raw(pf, serial_numbers=serial_numbers, vf_ifindexes=vf_ifindexes)
            for pf in pfs
            if only or pf.is_nic or (others and others(pf.pci_address, f"0x{pf.vendor_id}", f"0x{pf.device_id}"))
        )

    def read_functions(
        self, only: Iterable[str] = (), *, without: Container[str] = (), serial_numbers: bool = False
    ) -> tuple[RawPf, ...]:
        """As the test left them."""
        self.reads.append("functions with serial numbers" if serial_numbers else "functions")
        return tuple(
            one
            for one in self.functions
            if one.pci_address not in without and (not only or one.pci_address in tuple(only))
        )

    def read_config_space(self, address: str) -> bytes:
        """As the test left it."""
        self.reads.append(f"config space {address}")
        return self.config_spaces.get(address, b"")

    def read_stray_netdev(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """As the test left them."""
        return self.strays.get(name)

    def read_platform(self) -> Platform:
        """As the test left it."""
        return self.platform

    def read_links(self) -> Links:
        """As the test left them; PFs' altnames and names of ports always."""
        self.reads.append("links")
        devices = [dev for pf in self.pfs.values() for dev in pf.facts.netdevs]
        return replace(self.links, by_name={dev.name: _link(dev) for dev in devices} | self.links.by_name)

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        """Each PF's first netdev."""
        self.reads.append("pf links")
        named = {} if self.link_problem else {pf.facts.netdev: pf for pf in self.pfs.values()}
        return PfLinks({name: self._link(pf) for name, pf in named.items() if name in netdevs}, self.link_problem)

    def read_eswitches(self, questions: tuple[facts.DevlinkQuestion, ...]) -> facts.Eswitches:
        """Of every PF, as its switch tells it."""
        self.reads.append("eswitches")
        if self.switch_problem:
            return facts.Eswitches(problem=self.switch_problem)
        found = {}
        for question in questions:
            pf = self.pfs[question.pci_address]
            found[question.pci_address] = (
                pf.switch.tell(pf.facts, question, self.now) if pf.switch else facts.EswitchFacts()
            )
        return facts.Eswitches(found)

    def change_switch(self, action: SwitchAction, guard: Callable[[], str]) -> Outcome:
        """See FakeSwitch: VFs are given as their drivers are now."""
        pf = self.pfs[action.pci_address]
        bound = tuple(replace(vf, driver=self._raw_vf(vf).driver) for vf in pf.facts.vfs)
        if not pf.switch:
            raise KernelError(f"{action.pci_address}: it has no switch", errno=95)
        return pf.switch.change(replace(pf.facts, vfs=bound), action, guard, self._wait)

    def _wait(self, seconds: float) -> float:
        self.now += seconds
        return self.now

    def read_mtus(self, netdevs: tuple[str, ...]) -> dict[str, int]:
        """Of VFs, whose netdevs have their incarnation as their number."""
        return {name: self.mtus.get(int(name[1:]), NEW_MTU) for name in netdevs}

    def machine_id(self) -> str:
        """As the test left it."""
        return self.id

    def _link(self, pf: FakePf) -> PfLink:
        vfs = {vf.index: pf.attributes.get(vf.incarnation, NEW_VF) for vf in pf.facts.vfs}
        return replace(pf.link, vfs=vfs)

    def read_owners(self, *, shut_off: bool) -> Owners:
        """As the test left them."""
        return replace(
            self.owners,
            by_device={key: one for key, one in self.owners.by_device.items() if shut_off or one.is_running},
        )

    def read_holders(self) -> Holders:
        """As the test left them."""
        self.reads.append("holders")
        return self.holders

    def read_suspects(self) -> Suspects:
        """See PassMachine."""
        return self.suspects

    def read_jam(self) -> Jam | None:
        """As the test or a stuck write left it."""
        return self.jam

    def read_module(self, driver: str) -> ModuleFacts:
        """Every module takes max_vfs."""
        self.reads.append(f"module {driver}")
        return ModuleFacts(self.texts.get(modprobe_path(driver), ""), has_max_vfs=True)

    def has_driver(self, name: str) -> bool:
        """As the test left it."""
        return name not in self.absent_drivers

    def read_bindings(self) -> dict[str, Jam]:
        """As the test left them."""
        return self.bindings

    def names_follow_probes(self) -> bool:
        """As the test left it."""
        return self.has_plain_names

    def default_routes(self) -> Routes:
        """As the test left them."""
        return self.routes

    def expects_driver(self, modalias: str) -> bool:
        """As the test left it."""
        return self.has_vf_driver and bool(modalias)

    def load_state(self) -> tuple[State, str]:
        """What was saved last."""
        return state.load(self.data, boot_id=BOOT_ID)

    def save_state(self, value: State) -> str:
        """Keeps every one."""
        if self.save_problem:
            return self.save_problem
        self.saved.append(value)
        self.data = state.dump(value)
        return ""

    def time(self) -> float:
        """Unix seconds."""
        return 1_700_000_000.0 + self.now

    def monotonic(self) -> float:
        """Only pause() advances it."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Takes no time at all."""
        self.now += seconds

    def say(self, text: str) -> None:
        """Kept."""
        self.said.append(text)

    # -- protocols.PassMachine: what is done --

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        """As many as end well."""
        for action, guard in steps:
            yield (result := self.act(action, guard=guard))
            if not result.is_done:
                return

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        """As the machine, its edges and the kernel do it together."""
        call = partial(self._change, action, guard)
        if isinstance(action, SetNumVfs):
            return apply(action, call, count_made=partial(self.meddled, action.pci_address))
        self.refused_requests = {}
        result = replace(apply(action, call), refused=self.refused_requests)
        pf = self.pfs.get(action.pci_address)
        is_busy = isinstance(action, SetEswitchMode) and pf is not None and pf.switch is not None and pf.switch.is_busy
        return replace(result, is_transient=True) if is_busy and not result.is_done else result

    def _change(self, action: Action, guard: Callable[[], str]) -> Outcome:
        self._begin(action)
        match action:
            case SetNumVfs():
                return self.write_num_vfs(action, guard)
            case SetAutoprobe(pci_address=address, enabled=enabled):
                self.change(address, autoprobe=enabled)
            case SetLinkUp():
                self.set_link_up(action)
            case LoadModule(module=module):
                self.absent_drivers.discard(module)
            case BindVfs():
                return self.bind_vfs(action, guard)
            case SetVfAttributes() | SetVfMtus() | SetDevlinkParams() | SetEswitchMode() | SetUpEswitch():
                return self.ask_netlink(action, guard)
            case SetPfLink(mtu=mtu, promisc=promisc):
                pf = self.pfs[action.pci_address]
                pf.link = replace(
                    pf.link,
                    mtu=mtu or pf.link.mtu,
                    is_promiscuous=pf.link.is_promiscuous if promisc is None else promisc,
                )
            case WriteFile(path=path, text=text):
                self.texts[path] = text
            case ReloadDriver():
                self._reload(action, guard)
            case _:
                assert_never(action)
        return Outcome.CHANGED

    def write_num_vfs(self, action: SetNumVfs, guard: Callable[[], str]) -> Outcome:
        """As edges/sysfs.py and the kernel do it together."""
        now = self.count(action.pci_address)
        if now != action.before or now == action.after:
            return Outcome.UNCHANGED if now == action.after else Outcome.STALE
        if action.before and not action.allow_in_use and (users := guard()):
            raise InUseError(f"{action.pci_address}: VFs stay: {users}", hint="wait")
        if action.after or not self.pfs[action.pci_address].keeps:
            self.make_vfs(action.pci_address, min(action.after, self.pfs[action.pci_address].makes))
        return Outcome.CHANGED

    def meddled(self, address: str) -> int:
        """How many VFs a write has left; then the other one has his turn, if there is one: he lets a 0 pass."""
        made = self.count(address)
        if made not in {0, self.rivals.get(address, made)}:
            self.make_vfs(address, self.rivals[address])
        return made

    def begin(self, action: BindVfs, *, guard: Callable[[], str]) -> Callable[[], Result]:
        """At once."""
        result = self.act(action, guard=guard)
        return lambda: result

    def bind_vfs(self, action: BindVfs, guard: Callable[[], str]) -> Outcome:
        """As edges/vf_drivers.py and the kernel do it together."""
        pf = self.pfs[action.pci_address]
        if action.vfs and (not pf.facts.vfs or guard()):
            return Outcome.STALE
        if "kernel" in action.drivers.kinds:
            pf.facts = replace(pf.facts, autoprobe=True)
        meant = action.vfs or tuple(vf.pci_address for vf in pf.facts.vfs)
        wishes_of = action.drivers.wish_for
        if not action.vfs and any(is_vfio(vf.driver) and vf.driver != wishes_of(vf.index) for vf in pf.facts.vfs):
            return Outcome.STALE  # somebody has taken a new one
        wanted = {vf.pci_address: action.drivers.wish_for(vf.index) for vf in pf.facts.vfs if vf.pci_address in meant}
        refused = [
            f"{vf}: {self.refuses[vf]}"
            for vf, driver in wanted.items()
            if driver not in {"", "none"} and vf in self.refuses
        ]
        self.refused |= {vf.incarnation for vf in pf.facts.vfs if vf.pci_address in self.refuses}
        pf.facts = replace(
            pf.facts,
            vfs=tuple(
                replace(vf, driver={"kernel": "", "none": ""}.get(driver, driver))
                if (driver := wanted.get(vf.pci_address)) and vf.pci_address not in self.refuses
                else vf
                for vf in pf.facts.vfs
            ),
        )
        bare = {vf for vf, driver in wanted.items() if driver == "none"}
        self.unbound = (self.unbound - {*meant}) | bare
        if refused:
            raise KernelError(f"{action.pci_address}: not bound: {'; '.join(refused)}", hint="wait")
        return Outcome.CHANGED

    def set_vf_attributes(self, action: SetVfAttributes, guard: Callable[[], str]) -> Outcome:
        """As machine/vf_attributes.py, its edge and the kernel do it together."""
        pf = self.pfs[action.pci_address]
        if pf.facts.num_vfs != action.num_vfs or (action.vfs and guard()):
            return Outcome.STALE
        missing = unavailable(pf.facts.driver, has_carrier=pf.link.has_carrier)
        wished = wishes(action.tables, action.pci_address, action.num_vfs, self.id, without=missing)
        link = self._link(pf)
        vfs = {vf.index: (vf, self._raw_vf(vf).driver) for vf in pf.facts.vfs}
        drivers = [driver for _, driver in vfs.values()]
        bindings = {vf.index: self._raw_vf(vf).binding for vf in pf.facts.vfs}
        if has_changed(action.vfs, link, bindings):
            return Outcome.STALE
        found = changes(wished, action.vfs, link, drivers)
        refused: dict[Request, tuple[int, ...]] = {}
        for number, change in found.items():
            vf, driver = vfs[number]
            if rebinds(change.requests, driver, is_vfio=is_vfio(driver)) and not action.keeps_drivers:
                self.unbound.add(vf.pci_address)
            for request in change.requests:
                if request in pf.cannot or not self.set_attribute(pf, vf, request, change.only(request)):
                    refused[request] = (*refused.get(request, ()), number)
        if refused:
            self.refused_requests = refused
            raise KernelError(f"{action.pci_address}: attributes not set: {', '.join(refused)}", hint="leave them out")
        return Outcome.CHANGED if found else Outcome.UNCHANGED

    def ask_netlink(self, action: SetVfAttributes | SetVfMtus | SwitchAction, guard: Callable[[], str]) -> Outcome:
        """What the PF sets for its VFs, what is set of their own netdevs, or of its switch."""
        match action:
            case SetVfMtus():
                return self.set_vf_mtus(action, guard)
            case SetVfAttributes():
                return self.set_vf_attributes(action, guard)
            case _:
                return self.change_switch(action, guard)

    def set_vf_mtus(self, action: SetVfMtus, guard: Callable[[], str]) -> Outcome:
        """As machine/vf_mtus.py and the kernel do it together."""
        pf = self.pfs[action.pci_address]
        if pf.facts.num_vfs != action.num_vfs or guard():
            return Outcome.STALE
        vfs = [vf for vf in pf.facts.vfs if vf.index in action.mtus and self._raw_vf(vf).netdevs]
        mtus = {vf.incarnation: action.mtus[vf.index] for vf in vfs}
        wrong = {vf: mtu for vf, mtu in mtus.items() if self.mtus.get(vf, NEW_MTU) != mtu}
        if refused := [mtu for mtu in wrong.values() if mtu > self.most_mtu]:
            raise KernelError(f"{action.pci_address}: cannot set mtu to {refused[0]}", hint="ip -d link show")
        self.mtus |= wrong
        return Outcome.CHANGED if wrong else Outcome.UNCHANGED

    def set_attribute(self, pf: FakePf, vf: facts.VfFacts, request: Request, asked: VfAttributes) -> bool:
        """As the kernel: vectors only while no driver is bound, and it does not tell them. Whether it was done."""
        if request == "msix":
            pf.vectors |= (
                {} if (is_bound := bool(self._raw_vf(vf).driver)) else {vf.incarnation: asked.msix_vectors or 0}
            )
            return not is_bound
        pf.attributes[vf.incarnation] = replace(pf.attributes.get(vf.incarnation, NEW_VF), **asked.said)
        return True

    def set_link_up(self, action: SetLinkUp) -> None:
        """By its name."""
        self._set_links(action.pci_address, action.netdev, is_up=True)

    def _reload(self, action: ReloadDriver, guard: Callable[[], str]) -> None:
        """Every PF of the driver comes back down, with max_vfs VFs."""
        if users := guard():
            raise InUseError(f"{action.pci_address}: {action.driver} is not reloaded: {users}", hint="wait")
        text = self.texts.get(modprobe_path(action.driver), "=0")
        for address in action.pci_addresses:
            self.make_vfs(address, min(int(text.rpartition("=")[2]), self.pfs[address].makes))
            self._set_links(address, *(dev.name for dev in self.pfs[address].facts.netdevs), is_up=False)

    def _set_links(self, address: str, *names: str, is_up: bool) -> None:
        devices = self.pfs[address].facts.netdevs
        self.change(address, netdevs=tuple(replace(dev, is_up=is_up) if dev.name in names else dev for dev in devices))

    def _begin(self, action: Action) -> None:
        """Notes the write, and fails as the test's script says."""
        if self.dies_before is not None:
            if not self.dies_before:
                raise Crash
            self.dies_before -= 1
        self.writes.append(f"{action.pci_address} {action}")
        script = self.failures.get(action.pci_address, [])
        match script.pop(0) if script else None:
            case int(number):
                raise KernelError(f"{action.pci_address}: said no", errno=number)
            case "stuck":
                self.jam = Jam(4711, action.pci_address, str(action), self.time())
                self.now += (limit := deadline_seconds(action))
                raise StuckError(f"{action.pci_address}: {action}: no answer after {limit:g} s", pid=4711, hint="wait")
            case "stale":
                self.make_vfs(action.pci_address, self.count(action.pci_address) + 1)
            case "used":
                self.hold(action.pci_address)
            case "crash":
                self.make_vfs(action.pci_address, getattr(action, "after", 0))
                raise Crash

    # -- facts back to text --

    def _raw(self, pf: facts.PfFacts, *, serial_numbers: bool, vf_ifindexes: bool) -> RawPf:
        texts = {
            "class": "0x020000" if pf.is_nic else "0x010802",
            "sriov_totalvfs": f"{pf.total_vfs}",
            "vendor": f"0x{pf.vendor_id}",
            "device": f"0x{pf.device_id}",
            "sriov_drivers_autoprobe": f"{pf.autoprobe:d}",
            "sriov_numvfs": "",
        }
        if serial_numbers and pf.serial_number != "":
            texts["serial_number"] = pf.serial_number or ""
        children = tuple(RawChild(dev.device, dev.driver) for dev in pf.netdevs if dev.device)
        netdevs, vfs = tuple(map(_raw_netdev, pf.netdevs)), tuple(map(self._raw_vf, pf.vfs))
        if not vf_ifindexes:
            unindexed = (tuple(replace(dev, ifindex="") for dev in vf.netdevs) for vf in vfs)
            vfs = tuple(replace(vf, netdevs=devs) for vf, devs in zip(vfs, unindexed, strict=True))
        return RawPf(pf.pci_address, texts, pf.driver, netdevs, vfs, children)

    def _raw_vf(self, vf: facts.VfFacts) -> RawVf:
        address = vf.pci_address
        is_bound = self.has_vf_driver and self.now >= self._ready_at[vf.incarnation] and self._probes(vf)
        is_bound = is_bound and vf.incarnation not in self.refused and address not in self.unbound
        is_virtio = any(dev.device for pf in self.pfs.values() if vf in pf.facts.vfs for dev in pf.facts.netdevs)
        driver = vf.driver or (("virtio-pci" if is_virtio else "igbvf") if is_bound else "")
        children = (RawChild(f"virtio{vf.incarnation}", "virtio_net"),) if driver == "virtio-pci" else ()
        has_netdev = driver in {"virtio-pci", "igbvf"}
        dev = RawNetdev(f"v{vf.incarnation}", device=children[0].name if children else "", ifindex=f"{vf.incarnation}")
        netdevs = (dev,) if has_netdev else ()
        raw = RawVf(f"{vf.index}", address, driver, vf.iommu_group, vf.incarnation, vf.modalias, netdevs)
        return replace(raw, children=children)

    def _probes(self, vf: facts.VfFacts) -> bool:
        return any(pf.facts.autoprobe and vf.index not in pf.dead for pf in self.pfs.values() if vf in pf.facts.vfs)


def _raw_netdev(dev: Netdev) -> RawNetdev:
    flags = "0x1003" if dev.is_up else "0x1002"
    return RawNetdev(dev.name, dev.mac, flags, f"{dev.ifindex}", dev.uppers, dev.device)


def _link(dev: Netdev) -> Link:
    return Link(dev.name, dev.altnames, port_name="pf0vf0" if dev.is_representor else "")
