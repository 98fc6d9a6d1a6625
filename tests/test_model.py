"""A host on which anything may happen at any time, and what must be true after each step of it."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import asdict, replace

import fuzzing
from builders import NEW_VF, PF, PF3, make_rule, vf_address
from fakes import Crash, FakePf
from fakes_switch import FakeSwitch
from model import ERRNOS, MEDDLING, ModelHost, driver_of
from sriov_bootstrap.base.errors import ConfigError, NotOursError
from sriov_bootstrap.core.actions import addresses_of
from sriov_bootstrap.core.config import Config, Match, PfRule, VfBinding, WhenInUse
from sriov_bootstrap.core.decode import ConfigFile
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.followup import STOPPING, UnitOutcome
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Counters, Handover
from sriov_bootstrap.core.validate import vf_problems
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes, VfTable
from sriov_bootstrap.core.vf_settings import wishes
from sriov_bootstrap.passes.read import Loaded, load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass
from sriov_bootstrap.passes.release import run_release
from sriov_bootstrap.passes.restarts import run_restarts

EXAMPLES = os.environ.get("SRIOV_MODEL_EXAMPLES", "")
STEPS = 60
SECONDS_FOR_EXAMPLE = 3.0  # far more than it takes, beside guests, too
QUIET_ROUNDS = 8
TOTALS = {PF: 7, PF3: 4, "0000:af:00.0": 2}
UNITS = ("nova-compute.service", "neutron-sriov-agent.service")
BROKEN = (
    ConfigFile("/c", b"\xff\xfe"),
    ConfigFile("/c", b"[[pf]]\nname = "),
    ConfigFile("/c", b"x = 1"),
    ConfigFile("/c", problem="is a directory"),
)
WRITES_IN_40_SECONDS = 4  # at once, and after pauses of 5, 10 and 30 s
NO_WRITE = frozenset(
    {Reason.CONTESTED, Reason.IN_USE, Reason.EXCEEDS_MAX, Reason.STUCK, Reason.BLOCKED, Reason.DRIVER_MISSING}
)


def without_bad_tables(drawn: PfRule) -> PfRule:
    """What is wrong in a table is another test's business."""
    return replace(drawn, vf=()) if vf_problems(drawn) else drawn


addresses = st.sampled_from(tuple(TOTALS))
counts = st.integers(0, 9)
rarely = st.sampled_from([False, False, False, False, True])
TABLES = (
    VfTable(vfs="all", vlan=100),
    VfTable(vfs="all", mac="stable", spoofchk=False),
    VfTable(vfs="0", vlan=7, trust=True),
    VfTable(vfs="all", max_tx_rate=1000),
    VfTable(vfs="0", driver="vfio-pci"),
    VfTable(vfs="0-1", driver="kernel", mtu=1400),
)
# Most rules say nothing of the switch; each NIC here has one.
SWITCHES = (None, None, None, Eswitch(EswitchMode.SWITCHDEV), Eswitch(EswitchMode.LEGACY))
tables = st.just(()) | st.lists(st.sampled_from(TABLES), max_size=3, unique=True).map(tuple)
rules = st.builds(
    make_rule,
    num_vfs=st.integers(1, 2) | st.integers(0, 4) | counts | st.sampled_from(["max", "0%", "1%", "50%", "100%"]),
    when_in_use=st.sampled_from([*WhenInUse, WhenInUse.KEEP]),
    required=st.booleans(),
    vf_driver=st.sampled_from(["kernel", "none", "vfio-pci"]),
    vf_binding=st.just(VfBinding.AUTO),
    pf_up=st.booleans(),
    vf=tables,
    eswitch=st.sampled_from(SWITCHES),
).map(without_bad_tables)
selected = st.tuples(rules, rarely)
configs = st.dictionaries(addresses, selected, max_size=2) | st.fixed_dictionaries(dict.fromkeys(TOTALS, selected))
words = st.sampled_from(ERRNOS) | st.sampled_from(["stuck", *MEDDLING])


def config_of(drawn: dict[str, tuple[PfRule, bool]]) -> tuple[PfRule, ...]:
    """Rules that select by PCI address or by netdev, each under its own name."""
    return tuple(
        make_rule(**{**asdict(rule), "name": f"r{number}", "match": match})
        for number, (address, (rule, by_name)) in enumerate(drawn.items())
        for match in [Match(netdev=f"en{address[5:7]}") if by_name else Match(pci_address=address)]
    )


def toml_of(wanted: tuple[PfRule, ...]) -> bytes:
    """The file that an administrator would write."""
    lines = ["[services]", f"restart = [{', '.join(map(_toml, UNITS))}]"]
    for one in wanted:
        key, value = next((key, value) for key, value in asdict(one.match).items() if value)
        lines += ["[[pf]]", f"match = {{ {key} = {_toml(value)} }}"]
        fields = ("name", "num_vfs", "when_in_use", "required", "vf_driver", "vf_binding", "pf_up")
        lines += [f"{field} = {_toml(getattr(one, field))}" for field in fields]
        lines += ["[pf.eswitch]", f'mode = "{one.eswitch.mode}"'] if one.eswitch else []
        for table in one.vf:
            lines += ["[[pf.vf]]", *(f"{key} = {_toml(value)}" for key, value in table.said.items())]
    return "\n".join(lines).encode()


def _toml(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else f"{value}" if isinstance(value, int) else f'"{value}"'


def target_of(one: PfRule, pf: PfFacts) -> int:
    """How many VFs the rule asks for."""
    if isinstance(one.num_vfs, int):
        return one.num_vfs
    percentage = 100 if one.num_vfs == "max" else int(one.num_vfs[:-1])
    return max(pf.total_vfs * percentage // 100, 1 if percentage else 0)


class Host(RuleBasedStateMachine):
    """The rules are what may happen; `must` are units that a change of VFs is owed to, `may` those it is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.host = ModelHost(UNITS)
        self.last_good: Config | None = None
        self.read: tuple[tuple[ConfigFile, ...], Loaded] | None = None
        self.written: tuple[PfRule, ...] = ()
        self.wanted: tuple[PfRule, ...] = ()
        self.known: dict[str, frozenset[int]] | None = None
        self.counters = Counters()
        self.must: set[str] = set()
        self.may: set[str] = set()
        self.felled: set[str] = set()
        self.has_lost_memory = False
        self.adopted: set[int] = set()

    @initialize(drawn=configs, number=st.integers(2, 3), before=st.dictionaries(addresses, st.integers(1, 2)))
    def boot(self, drawn: dict[str, tuple[PfRule, bool]], number: int, before: dict[str, int]) -> None:
        for address in tuple(TOTALS)[:number]:
            driver, netdevs = driver_of(address), (self.host.netdev(address),)
            total = TOTALS[address]
            self.host.pfs[address] = FakePf(pci_address=address, total_vfs=total, driver=driver, netdevs=netdevs)
            self.host.pfs[address].switch = FakeSwitch(forgets=address == PF3)
            self.host.make_vfs(address, before.get(address, 0))
        self.edit(drawn)

    # -- the config --

    @rule(drawn=configs)
    def edit(self, drawn: dict[str, tuple[PfRule, bool]]) -> None:
        self.written = config_of(drawn)
        self.host.files = (ConfigFile("/c", toml_of(self.written)),)

    @rule(file=st.sampled_from([*BROKEN, None]))
    def break_config(self, file: ConfigFile | None) -> None:
        self.host.files = (file,) if file else ()

    # -- the machine and the people who have it --

    @rule(address=addresses, index=st.integers(0, 6))
    def vm_starts(self, address: str, index: int) -> None:
        if not self.host.jam:
            self.host.hold(address, index)

    @rule(address=addresses, index=st.integers(0, 2), is_running=st.booleans())
    def vm_has_a_vf_and_does_not_hold_it(self, address: str, index: int, *, is_running: bool) -> None:
        self.host.own(vf_address(address, index), is_running=is_running)

    @rule(address=addresses, index=st.integers(0, 2), vlan=st.sampled_from([0, 7, 100]), starts=st.booleans())
    def a_tenants_port_is_plugged(self, address: str, index: int, vlan: int, *, starts: bool) -> None:
        """And the VM starts with it, or not yet."""
        self.host.tenant_sets(address, index, vlan)
        if starts:
            self.vm_starts(address, index)

    @rule(address=addresses, has_carrier=st.booleans())
    def cable(self, address: str, *, has_carrier: bool) -> None:
        if address in self.host.pfs:
            pf = self.host.pfs[address]
            pf.link = replace(pf.link, has_carrier=has_carrier)

    @rule(address=addresses, requests=st.sets(st.sampled_from(("mac", "vlan", "trust"))))
    def driver_refuses(self, address: str, requests: set[Request]) -> None:
        if address in self.host.pfs:
            self.host.pfs[address].cannot = requests

    @rule(address=addresses, index=st.integers(0, 1))
    def a_netdev_goes_into_a_container(self, address: str, index: int) -> None:
        self.host.move(address, index)

    @rule(address=addresses, index=st.integers(0, 6))
    def somebody_opens_an_rdma_device(self, address: str, index: int) -> None:
        self.host.open_rdma(address, index)

    @rule(address=addresses)
    def somebody_is_given_a_device_without_its_group(self, address: str) -> None:
        self.host.release(address, stays_bound=True)
        self.host.has_nameless = True

    @rule(address=addresses, stays_bound=st.booleans())
    def vms_let_go(self, address: str, *, stays_bound: bool) -> None:
        self.host.release(address, stays_bound=stays_bound)

    @rule(address=addresses, count=st.sampled_from([0, 0, 1, 2, 4, 7]))
    def somebody_writes(self, address: str, count: int) -> None:
        if not (self.host.jam and self.host.jam.pci_address == address):
            self.host.foreign(address, min(count, TOTALS[address]))

    @rule(address=addresses, count=st.integers(0, 3), seconds=st.sampled_from([0, 1, 4, 40]))
    def somebody_writes_over_our_number(self, address: str, count: int, seconds: int) -> None:
        """For a while, and each of his writes wakes us; or from now on until the end."""
        if address not in self.host.pfs:
            return
        self.host.rivals[address], before = count, self.host.rewritten.get(address, 0)
        for _ in range(seconds):
            self._checked_pass(force=False)
            self.host.now += 1.0
        assert self.host.rewritten.get(address, 0) - before <= WRITES_IN_40_SECONDS
        if seconds:
            del self.host.rivals[address]

    @rule(address=addresses)
    def he_stops(self, address: str) -> None:
        self.host.rivals.pop(address, None)

    @rule(address=addresses)
    def somebody_makes_them_anew(self, address: str) -> None:
        if address in self.host.pfs:
            self.somebody_writes(address, self.host.count(address))

    @rule(address=addresses, mode=st.sampled_from(EswitchMode))
    def somebody_sets_the_mode(self, address: str, mode: EswitchMode) -> None:
        self.host.set_mode(address, mode)

    @rule(address=addresses, late=st.sampled_from([0.0, 7.0]), refuses=rarely)
    def switch_changes(self, address: str, late: float, *, refuses: bool) -> None:
        """Representors take their time, and some firmware of mlx5_core takes no mode while there are VFs."""
        if pf := self.host.pfs.get(address):
            assert pf.switch
            pf.switch.late, pf.switch.refuses_with_vfs = late, refuses and driver_of(address) == "mlx5_core"

    @rule(address=addresses, comes_back=st.booleans())
    def driver_goes(self, address: str, *, comes_back: bool) -> None:
        if not (self.host.jam and self.host.jam.pci_address == address):
            self.host.unbind(address)
            if comes_back:
                self.host.bind(address)

    @rule(address=addresses)
    def driver_comes(self, address: str) -> None:
        self.host.bind(address)

    @rule(address=addresses)
    def unplug(self, address: str) -> None:
        self.host.unplug(address)

    @rule(address=addresses)
    def plug(self, address: str) -> None:
        self.host.plug(address)

    @rule(address=addresses, word=st.lists(words, min_size=1, max_size=7))
    def next_writes_fail(self, address: str, word: list[int | str]) -> None:
        self.host.failures[address] = word

    @rule(drawn=configs, failing=st.dictionaries(addresses, st.lists(words, min_size=1, max_size=7)))
    def a_pass_with_much_to_do(
        self, drawn: dict[str, tuple[PfRule, bool]], failing: dict[str, list[int | str]]
    ) -> None:
        self.edit(drawn)
        self.host.failures.update(failing)
        for address in failing:
            self.somebody_writes(address, 0)
        self._checked_pass(force=False)

    @rule(address=addresses, index=st.integers(0, 1), drawn=configs)
    def a_pass_in_the_way_of_a_vm(self, address: str, index: int, drawn: dict[str, tuple[PfRule, bool]]) -> None:
        self.vm_starts(address, index)
        self.edit(drawn)
        self._checked_pass(force=False)

    @rule(address=addresses, makes=st.sampled_from([0, 1, 2, 99, 99]), late=st.sampled_from([0.0, 0.0, 3.0, 90.0]))
    def device_changes(self, address: str, makes: int, late: float) -> None:
        if address in self.host.pfs:
            self.host.pfs[address].makes, self.host.pfs[address].late = makes, late

    @rule(takes_effect=st.booleans())
    def stuck_write_ends(self, *, takes_effect: bool) -> None:
        if self.host.jam:
            self.host.end_jam(takes_effect=takes_effect)

    @rule(seconds=st.sampled_from([0.1, 5.0, 29.9, 31.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        self.host.now += seconds

    # -- state.json --

    @rule(size=st.sampled_from([0, 0, 1, 100, -2]))
    def state_is_lost(self, size: int) -> None:
        """Truncated, in truth; a daemon that could not save keeps its own."""
        if not self.host.unsaved:
            self.host.data = self.host.data[:size]
            self.known, self.counters = None, Counters()
            self.must.clear()
            self.felled.clear()  # what is owed to whom stands there alone
            self.has_lost_memory = True

    @rule(problem=st.sampled_from(["", "", "No space left on device"]))
    def disk_is_full(self, problem: str) -> None:
        self.host.save_problem = problem
        self.has_lost_memory = self.has_lost_memory or bool(problem)

    # -- systemd --

    @rule(name=st.sampled_from(UNITS), ends=st.sampled_from(UnitOutcome))
    def unit_will_end_so(self, name: str, ends: UnitOutcome) -> None:
        self.host.units[name].ends = UnitOutcome.DONE if ends is UnitOutcome.BUS_ERROR else ends

    @rule(name=st.sampled_from(UNITS))
    def unit_has_stopped_at_last(self, name: str) -> None:
        if self.host.units[name].active_state == STOPPING:
            self.somebody_starts_unit(name)

    @rule(name=st.sampled_from(UNITS), is_masked=rarely)
    def unit_stops(self, name: str, *, is_masked: bool) -> None:
        self.host.units[name].active_state = "inactive"
        self.host.units[name].load_state = "masked" if is_masked else "loaded"
        self._is_served(name)

    @rule(name=st.sampled_from(UNITS))
    def somebody_starts_unit(self, name: str) -> None:
        self.host.units[name].load_state = "loaded"
        self.host.start_unit(name)
        self._is_served(name)

    @rule(lives=st.booleans(), restarts=st.sampled_from([None, None, 0, 1]))
    def bus_changes(self, restarts: int | None, *, lives: bool) -> None:
        self.host.has_bus, self.host.bus_lives_for = lives, restarts

    # -- what we do --

    @rule(force=rarely)
    def a_pass(self, *, force: bool) -> None:
        self._checked_pass(force=force)

    @rule()
    def another_pass(self) -> None:
        self._checked_pass(force=False)

    @rule(calls=st.integers(0, 25), harmed=st.sets(addresses))
    def a_pass_that_dies(self, calls: int, harmed: set[str]) -> None:
        unsaved, self.host.crash_in = self.host.unsaved, calls
        for address in harmed:
            self.somebody_writes(address, 1)
        try:
            self._checked_pass(force=False)
        except Crash:
            self.host.unsaved = unsaved  # the daemon never hears of what its child could not save
            self.may |= self._running
            self.must |= self._running if self.host.has_moved_vfs and not self.host.save_problem else set()
            self.host.has_moved_vfs = False
            self._note_what_it_saved()
        finally:
            self.host.crash_in = None

    @rule(address=addresses, force=rarely)
    def an_operator_releases(self, address: str, *, force: bool) -> None:
        host, loaded = self.host, self._load()
        host.now += 0.25
        host.may_write, host.is_meddled_with = {address: force}, False
        before, writes, pf = host.incarnations(), len(host.writes), host.pfs.get(address)
        asks = pf and (one := self._rule_of(pf.facts)) and one.num_vfs != 0
        try:
            report = run_release(host, loaded.config, address, mode=Mode.APPLY, force=force)
        except NotOursError:
            assert len(host.writes) == writes
            return
        assert pf
        assert not asks
        assert before[address] <= host.made | self.adopted
        if host.incarnations().get(address) != before[address] or report.jam:
            self.must |= set() if report.jam or host.is_meddled_with else self._running
            self.may |= self._running
        if self.known is not None:
            self.known[address] = host.incarnations().get(address, frozenset())

    @rule()
    def a_look(self) -> None:
        before = list(self.host.writes), self.host.data, self.host.locks
        run_pass(self.host, self._load(), mode=Mode.OBSERVE)
        assert before == (self.host.writes, self.host.data, self.host.locks)

    @rule()
    def a_round_of_restarts(self) -> None:
        self._checked_restarts()

    @rule(calls=st.integers(0, 8))
    def a_round_that_dies(self, calls: int) -> None:
        unsaved, self.host.crash_in = self.host.unsaved, calls
        try:
            self._checked_restarts()
        except Crash:
            self.host.unsaved = unsaved
        finally:
            self.host.crash_in = None

    # -- what must be true --

    @invariant()
    def steps_are_counted(self) -> None:
        fuzzing.MODEL["steps"] += 1

    @invariant()
    def no_restart_is_lost(self) -> None:
        pending = self.host.load_state()[0].pending
        for name in self.must & self._running:
            assert pending, f"{name} never hears of it"
            assert pending.changed_at is None or self.host.units[name].started_at <= pending.changed_at

    @invariant()
    def counters_only_grow(self) -> None:
        now = self.host.load_state()[0].counters
        assert now.passes >= self.counters.passes
        assert now.pass_failures >= self.counters.pass_failures
        for name in ("vf_losses", "restarts", "restart_failures"):
            new, old = getattr(now, name), getattr(self.counters, name)
            assert all(new.get(key, 0) >= count >= 0 for key, count in old.items())
        self.counters = now
        if not self.has_lost_memory:
            assert all(count <= self.host.lost.get(key, 0) for key, count in now.vf_losses.items())

    def teardown(self) -> None:
        fuzzing.MODEL["runs"] += 1
        self._end_well()

    def _end_well(self) -> None:
        """The faults are over: it becomes quiet, and all is as it should be."""
        self._end_faults()
        for number in range(QUIET_ROUNDS):
            self.host.now += 120.0
            self._checked_pass(force=False, is_asked=number == 0)  # what was refused would not be tried again
            self._checked_restarts()
        report = self._checked_pass(force=False)
        assert self.host.load_state()[0].pending is None
        assert not self.felled, "our restart has stopped them, and nobody starts them"
        if any(pf.reason is Reason.FEWER_VFS for pf in report.pfs):  # VFs that some asked for more than: see Short
            report = self._checked_pass(force=True)
        for pf in report.pfs:
            if pf.pci_address and pf.desired <= pf.max_vfs:
                assert pf.state is PfState.OK, pf.message
                self._check_vfs(pf.pci_address)

    def _check_vfs(self, address: str) -> None:
        """Every free VF has what its rule says of it. One that has been left on vfio-pci may be somebody's."""
        host, pf = self.host, self.host.pfs[address]
        one = self._rule_of(pf.facts)
        assert one
        assert pf.switch
        assert pf.switch.mistakes == []
        assert not one.eswitch or pf.switch.facts.mode == one.eswitch.mode
        drivers, mtus = one.drivers(pf.facts.num_vfs), one.vf_mtus(pf.facts.num_vfs)
        wished = wishes(one.attribute_tables, address, pf.facts.num_vfs, host.id)
        for vf in pf.facts.vfs:
            wanted, now = drivers.wish_for(vf.index), host.read_driver(vf)
            if vf in host.used(address) or (now == "vfio-pci" and wanted != "vfio-pci"):
                continue
            has = pf.attributes.get(vf.incarnation, NEW_VF)
            said = wished.get(vf.index, VfAttributes()).said
            assert {key: getattr(has, key) for key in said} == said, (address, vf)
            assert wanted in {"kernel", "none", now}
            if now == "igbvf" and vf.index in mtus:
                assert host.mtus[vf.incarnation] == mtus[vf.index]

    def _end_faults(self) -> None:
        host = self.host
        host.failures, host.save_problem, host.has_bus, host.bus_lives_for = {}, "", True, None
        host.rivals = {}
        host.files = (ConfigFile("/c", toml_of(self.written)),)
        for name, unit in host.units.items():
            unit.ends = UnitOutcome.DONE
            self.unit_has_stopped_at_last(name)
        for address in TOTALS:
            host.plug(address)
            host.release(address, stays_bound=True)
            host.bind(address)
            if address in host.pfs:
                host.pfs[address].makes, host.pfs[address].late = 99, 0.0
                host.pfs[address].cannot = set()
                host.pfs[address].link = replace(host.pfs[address].link, has_carrier=True)
        host.owners = type(host.owners)()
        if host.jam:
            host.end_jam(takes_effect=True)

    # -- a pass, and what must be true after it --

    @property
    def _running(self) -> set[str]:
        return {name for name, unit in self.host.units.items() if unit.is_running}

    def _is_served(self, name: str) -> None:
        self.must.discard(name)
        self.may.discard(name)
        self.felled.discard(name)

    def _load(self) -> Loaded:
        """As machine/jobs.py loads it, and checked against what the administrator wrote; the same files only once."""
        if self.read and self.read[0] is self.host.files:
            return self.read[1]
        try:
            loaded = load_config(self.host, self.last_good)
        except ConfigError as error:
            loaded = Loaded(Config(), error.problems)
        self.read = self.host.files, loaded
        if self.host.files and self.host.files[0] not in BROKEN:
            self.wanted = self.written
        assert loaded.config.pf == self.wanted
        self.last_good = loaded.config
        return loaded

    def _rule_of(self, pf: PfFacts) -> PfRule | None:
        return next(
            (one for one in self.wanted if one.match.pci_address == pf.pci_address or self._names(one, pf)), None
        )

    @staticmethod
    def _names(one: PfRule, pf: PfFacts) -> bool:
        return one.match.netdev in [dev.name for dev in pf.netdevs]

    def _checked_pass(self, *, force: bool, is_asked: bool = False) -> PassReport:
        host, loaded = self.host, self._load()
        host.now += 0.25
        mine = {address: one for address, pf in host.pfs.items() if (one := self._rule_of(pf.facts))}
        host.may_write = {address: force or one.when_in_use is WhenInUse.REPLACE for address, one in mine.items()}
        host.is_meddled_with = False
        host.there = frozenset().union(*host.incarnations().values())
        self._allow_for_a_pass_that_died()
        first, scripted = host.incarnations(), {address for address, script in host.failures.items() if script}
        report = run_pass(host, loaded, mode=Mode.APPLY, force=force, handover=Handover(is_asked=is_asked))
        self._note_changes(first)
        assert report.jam == host.jam
        assert all(count > 0 for count in report.losses.values())
        for pf in report.pfs:
            self._check_line(pf)
            if pf.num_vfs == pf.desired:
                self.adopted |= host.incarnations().get(pf.pci_address, frozenset())
        if not host.is_meddled_with:
            assert {pf.pci_address for pf in report.pfs} - {""} == set(mine)
            self._check_neighbours(report, mine, scripted)
            self._check_second_pass(report, loaded)
        return report

    def _note_changes(self, first: dict[str, frozenset[int]]) -> None:
        """`first`: what the pass found. Consumers are owed a restart for each VF that is not the one they knew."""
        now, known, nothing = self.host.incarnations(), first if self.known is None else self.known, frozenset[int]()
        mine = [address for address, pf in self.host.pfs.items() if self._rule_of(pf.facts)]
        if self.host.has_moved_vfs or any(now[address] != known.get(address, nothing) for address in mine):
            self.must |= self._running
            self.may |= self._running
        self.known, self.host.has_moved_vfs = now, False

    def _note_what_it_saved(self) -> None:
        """A pass that died after it had saved: what PFs without a rule have is known, and nobody hears of it.

        Nor of VFs that it has found in the right number.
        """
        now, saved = self.host.incarnations(), self.host.load_state()[0]
        self.adopted.update(*saved.ours.values())
        if self.known is not None:
            for address, pf in self.host.pfs.items():
                if not self._rule_of(pf.facts) and saved.known.get(address) == now[address]:
                    self.known[address] = now[address]

    def _check_line(self, pf: PfReport) -> None:
        here = self.host.pfs.get(pf.pci_address)
        assert here or not pf.pci_address or self.host.is_meddled_with
        assert pf.num_vfs == len(pf.vfs) == (here.facts.num_vfs if here else 0)
        # The pause before a number is set once more may end while other PFs are waited for.
        pausing = {*self.host.rivals, *self.host.load_state()[0].contests}
        assert pf.state is not PfState.PENDING or self.host.is_meddled_with or pf.pci_address in pausing
        if pf.is_degraded:
            assert pf.reason
            assert pf.message
        if pf.state is PfState.OK:
            assert here
            assert (one := self._rule_of(here.facts))
            assert pf.num_vfs == pf.desired == target_of(one, here.facts)
            assert pf.vfs_in_use == len(self.host.used(pf.pci_address))

    def _check_neighbours(self, report: PassReport, mine: dict[str, PfRule], scripted: set[str]) -> None:
        """What goes wrong on one PF is not seen on another, but for a write that is stuck."""
        saved = self.host.load_state()[0]
        refused = {address for address, placement in saved.placements.items() if placement.refusal}
        excused = scripted | refused | {*saved.short, *saved.incomplete, *saved.contests}
        for pf in report.pfs:
            if self.host.jam or not pf.pci_address or pf.pci_address in excused:
                continue
            here = self.host.pfs[pf.pci_address]
            target = target_of(mine[pf.pci_address], here.facts)
            is_possible = here.facts.driver and target <= min(here.facts.total_vfs, here.makes)
            if is_possible and not self.host.used(pf.pci_address):
                is_late = pf.reason is Reason.REPRESENTORS_MISSING and here.switch is not None and here.switch.late > 0
                assert pf.state is PfState.OK or pf.reason is Reason.ATTRIBUTES_REFUSED or is_late, pf.message

    def _check_second_pass(self, report: PassReport, loaded: Loaded) -> None:
        """At once, with nothing changed: it writes nothing that the first one did not fail to."""
        if self.host.crash_in is not None:
            return
        before, pending = len(self.host.writes), self.host.load_state()[0].pending
        settled = {pf.pci_address for pf in report.pfs if not pf.is_degraded or pf.reason in NO_WRITE}
        failed = (result.action for result in report.results if result.outcome is Outcome.FAILED)
        settled.difference_update(*map(addresses_of, failed))
        settled.difference_update(self.host.rivals, self.host.load_state()[0].contests)  # see _check_line
        # A VF that somebody has just been at may have been left alone for long enough once another PF was waited for.
        settled.difference_update(pf.pci_address for pf in report.pfs if pf.vf_attributes_differing)
        if any(not pf.is_degraded or pf.reason in NO_WRITE for pf in report.pfs) and not any(
            self.host.failures.values()
        ):
            run_pass(self.host, loaded, mode=Mode.APPLY)
            lines = (line for line in self.host.writes[before:] if "MTU" not in line)  # of a netdev that came since
            wrote = {line.split()[0] for line in lines}
            assert not wrote & settled, self.host.writes[before:]
            if not wrote:
                assert self.host.load_state()[0].pending == pending
            self._note_changes(self.known or {})

    def _allow_for_a_pass_that_died(self) -> None:
        """Nobody knows whether VFs changed by its write, and when."""
        pending = self.host.load_state()[0].pending
        if pending and pending.changed_at is None:
            self.may |= self._running

    def _checked_restarts(self) -> None:
        host, loaded = self.host, self._load()
        host.restarted.clear()
        self._allow_for_a_pass_that_died()
        try:
            report = run_restarts(host, loaded.config.services)
        finally:
            for name in host.restarted:
                assert name in self.may, f"{name} is restarted for nothing"
                self.must.discard(name)
                if host.units[name].active_state != "failed":
                    self._is_served(name)
        for result in report.results:
            is_unheard_of = result.may_have_begun and host.units[result.unit].active_state == "failed"
            if (is_unheard_of or result.outcome is UnitOutcome.FAILED) and not self.has_lost_memory:
                is_tried_again = is_unheard_of or result.fate.startswith("tried again")
                (self.felled.add if is_tried_again else self.felled.discard)(result.unit)


@pytest.mark.timeout(SECONDS_FOR_EXAMPLE * int(EXAMPLES or 250))
def test_whatever_happens_no_vm_loses_a_vf_and_all_is_well_when_it_ends() -> None:
    """The same steps each time; SRIOV_MODEL_EXAMPLES asks for that many runs of new ones."""
    run_state_machine_as_test(
        Host,
        settings=settings(
            max_examples=int(EXAMPLES or 250),
            stateful_step_count=STEPS,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
