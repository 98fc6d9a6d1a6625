"""Whatever files, /sys, /proc and a bus say: nothing is raised that is not of the error family."""

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant
from hypothesis import example
from hypothesis import strategies as st

from builders import PF, make_config, make_rule
from fakes import BOOT_ID, FakeMachine
from fakes_host import HostTree
from fuzzing import bytes_like, fuzzed, spoilt
from sriov_bootstrap.base.errors import ConfigError, SriovBootstrapError, UnitError
from sriov_bootstrap.core import state
from sriov_bootstrap.core.actions import SetAutoprobe, SetLinkUp, SetNumVfs
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.domains import parse_domain
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import RawPf, Routes
from sriov_bootstrap.core.followup import UnitState
from sriov_bootstrap.core.vf_users import Owner
from sriov_bootstrap.edges import child, metrics
from sriov_bootstrap.edges.holders.open_devices import OpenDevices
from sriov_bootstrap.edges.pf_writes import PfWrites
from sriov_bootstrap.edges.procfs import Procfs
from sriov_bootstrap.edges.sysfs import Sysfs
from sriov_bootstrap.edges.systemd import units
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

CONFIG = b"""\
[[pf]]
name = "tenant-a"
match = { netdev = "ens1f0", pci_address = "0000:3b:00.0", mac = "52:54:00:00:00:01", driver = "ig*" }
num_vfs = "50%"
vf_driver = "none"
method = "max_vfs"
reload_driver = true
when_in_use = "replace"
required = false
[services]
restart = ["nova-compute.service"]
settle_seconds = 2
[metrics]
listen = "[::1]:10049"
textfile = "/var/lib/prometheus/node-exporter/sriov.prom"
[boot]
wait_for_pf_seconds = 60
[openstack]
protect_shutoff = true
"""
DOMAIN = b"""<?xml version="1.0" encoding="UTF-8"?><domain type="kvm"><name>instance-0000002a</name><devices>
<hostdev mode="subsystem" type="pci"><source><address domain="0x0000" bus="0x3b" slot="0x10" function="0x6"/></source>
</hostdev></devices></domain>"""
PATIENCE_SECONDS = 0.1  # with who takes a spoilt answer for the beginning of a longer one
ENDLESS = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (ord("b") + n, b"&%c;" % (ord("a") + n) * 10) for n in range(9)
)
PF_FILES = ("class", "sriov_totalvfs", "vendor", "device", "numa_node", "sriov_drivers_autoprobe")
NETDEV_FILES = ("net/ens1f0/address", "net/ens1f0/flags", "net/ens1f0/ifindex")
MEMORY = state.dump(
    state.State(
        boot_id=BOOT_ID,
        pending=state.PendingRestart(7.0, (PF,)),
        known={PF: frozenset({100})},
        counters=state.Counters(passes=3, vf_losses={PF: 2}),
    )
)

# Absent, empty, a number of any size, what the kernel writes, and anything at all.
texts = (
    st.none()
    | st.just(b"")
    | st.integers().map(lambda number: b"%d" % number)
    | st.integers(1, 6000).map(lambda size: b"9" * size)
    | st.sampled_from([b"0x020000", b"0x8086", b"0x10c9", b"7", b"1", b"0", b"-1", b"0x1003", b"2", b"NaN"])
    | st.binary(max_size=8)
)
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=5).filter(
    lambda name: name not in {".", ".."}
)
rules = st.builds(
    make_rule,
    match=st.sampled_from([Match(pci_address="*"), Match(netdev="*"), Match(mac="*"), Match(vendor_id="8086")]),
    num_vfs=st.sampled_from([0, 4, 65535, "max", "1%"]),
    vf_driver=st.sampled_from(VfDriver),
)


@fuzzed(data=spoilt(CONFIG) | st.binary(max_size=100))
@example(data=CONFIG.replace(b"50%", b"9" * 5000 + b"%"))
@example(data=b"[[pf]]\nnum_vfs = " + b"9" * 4000)
@example(data=b"[services]\nsettle_seconds = nan\n[boot]\nwait_for_pf_seconds = inf")
def test_any_bytes_are_a_config_or_a_config_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(decode([ConfigFile("/c", data)]), Config)


def test_the_config_that_is_spoilt_is_a_good_one() -> None:
    """Else nothing behind the first mistake would be tried."""
    assert decode([ConfigFile("/c", CONFIG)]).pf[0].name == "tenant-a"
    assert parse_domain(DOMAIN) == {"0000:3b:10.6": Owner("instance-0000002a")}


@fuzzed(data=bytes_like(MEMORY))
@example(data=b'{"counters": {"passes": 1e400}}')
@example(data=MEMORY.replace(b'"passes":3', b'"passes":-99999999999999999999'))
def test_any_bytes_are_a_state_with_which_a_pass_is_made(data: bytes) -> None:
    machine = FakeMachine()
    machine.data = data
    report = run_pass(machine, Loaded(make_config(make_rule())), mode=Mode.APPLY)
    assert report.pfs
    saved, note = state.load(machine.data, boot_id=BOOT_ID)
    assert (saved.report.pfs, note) == (report.pfs, "")
    assert metrics.exposition(saved, config_valid=True, units=())


@fuzzed(data=spoilt(DOMAIN) | st.binary(max_size=100))
@example(data=ENDLESS + b"]><domain><name>&j;</name></domain>")
@example(data=b"<domain>" * 100_000)
@example(data=DOMAIN.replace(b"0x6", b"9" * 5000))
@example(data=DOMAIN.replace(b"UTF-8", b"EBCDIC-US"))
def test_any_bytes_are_a_domain_or_none(data: bytes) -> None:
    assert isinstance(parse_domain(data), dict | None)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostTree:
    """One PF with two VFs, whose files are written anew each time."""
    tree = HostTree(tmp_path_factory.mktemp("host"))
    tree.add_pf(num_vfs=2)
    tree.link("sys/class/net/upper_link", PF)
    tree.add_process(4711, "/dev/vfio/17")
    return tree


class Reading(FakeMachine):
    """A machine whose /sys has been read."""

    def __init__(self, raws: tuple[RawPf, ...]) -> None:
        super().__init__()
        self.raws = raws

    def read_pfs(self, *_: object, **__: object) -> tuple[RawPf, ...]:
        """All, as observing does."""
        return self.raws


@contextlib.contextmanager
def spoilt_files(folder: Path, contents: dict[str, bytes | None]) -> Iterator[None]:
    """These files with these contents, None: not there."""
    for name, content in contents.items():
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)
    yield


@fuzzed(
    slow=2,
    contents=st.fixed_dictionaries(
        dict.fromkeys((*PF_FILES[1:], *NETDEV_FILES), texts) | {"class": st.just(b"0x020000") | texts}
    ),
    rule=rules,
    link=names,
)
def test_any_sysfs_is_facts_a_plan_and_a_page(
    host: HostTree, contents: dict[str, bytes | None], rule: object, link: str
) -> None:
    folder = host.device(PF)
    virtfn = folder / f"virtfn{link}"
    with spoilt_files(folder, contents):
        if not virtfn.is_symlink():
            virtfn.symlink_to(folder)
        try:
            raws = Sysfs(f"{host.root}/sys").read_pfs()
        finally:
            virtfn.unlink()
    config = make_config(rule)  # type: ignore[arg-type]
    report = run_pass(Reading(raws), Loaded(config), mode=Mode.OBSERVE)
    saved = state.State(report=report)
    assert state.load(state.dump(saved), boot_id="") == (saved, "")
    assert metrics.exposition(saved, config_valid=True, units=())


@fuzzed(slow=2, number=texts, flags=texts)
def test_any_sysfs_is_written_or_says_why_not(host: HostTree, number: bytes | None, flags: bytes | None) -> None:
    writes, folder = PfWrites(f"{host.root}/sys"), host.device(PF)
    with spoilt_files(folder, {"sriov_numvfs": number, "net/ens1f0/flags": flags, "sriov_drivers_autoprobe": None}):
        with contextlib.suppress(SriovBootstrapError):
            writes.write_num_vfs(SetNumVfs(PF, 4, 0), lambda: "")
        with contextlib.suppress(SriovBootstrapError):
            writes.set_link_up(SetLinkUp(PF, "ens1f0"), Sysfs(f"{host.root}/sys").children_of)
        with contextlib.suppress(SriovBootstrapError):
            writes.write_autoprobe(SetAutoprobe(PF, enabled=False))


@fuzzed(
    slow=2,
    contents=st.fixed_dictionaries(
        dict.fromkeys(("4711/comm", "4711/cmdline", "4711/stat", "cmdline", "sys/kernel/random/boot_id"), texts)
    ),
    routes=spoilt(b"Iface\tDestination\nens1f0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"),
    target=names,
)
def test_any_proc_is_understood(host: HostTree, contents: dict[str, bytes | None], routes: bytes, target: str) -> None:
    with spoilt_files(host.root / "proc", {**contents, "net/route": routes, "net/ipv6_route": routes}):
        link = host.root / "proc/4711/fd/9"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/vfio/{target}")
        procfs = Procfs(f"{host.root}/proc")
        assert "/dev/vfio/17" in OpenDevices(str(host.root)).holders().by_device
        assert isinstance(procfs.default_routes(), Routes)
        assert isinstance(procfs.has_udevd(), bool)
        assert isinstance(procfs.boot_id(), str)
        assert isinstance(procfs.kernel_command_line(), tuple)


def reply(serial: int, signature: str = "", *body: object, sender: str = ":1.0") -> bytes:
    """A message of the bus."""
    message = Message(
        message_type=MessageType.METHOD_RETURN,
        reply_serial=serial,
        destination=sender,
        signature=signature,
        body=list(body),
        serial=serial,
    )
    text = bytes(message._marshall())  # type: ignore[no-untyped-call]  # noqa: SLF001 - there is no other way to write one
    return text.replace(b"\6\1s\0", b"\7\1s\0", 1)  # the header's DESTINATION into SENDER, which only a bus writes


ROW = ["nova-compute.service", "", "loaded", "active", "running", "", "/unit", 0, "", "/"]
BUS = "org.freedesktop.DBus"
HELLO = reply(1, "s", ":1.1", sender=BUS)
GOOD = (
    reply(2, sender=BUS),
    reply(3, "s", ":1.0", sender=BUS),
    reply(4, "a(ssssssouso)", [ROW]),
    reply(5, "v", Variant("t", 5)),
    reply(6, "v", Variant("t", 5_000_000)),
)


def answering(listener: socket.socket, replies: Sequence[bytes], patience_seconds: float) -> child.Child:
    """A bus that lets anybody in and says these one after the other, whatever it is asked, then hangs up."""

    def serve(_: child.Send) -> None:
        with closing(listener.accept()[0]) as peer, contextlib.suppress(TimeoutError):
            until(peer, b"\r\n")
            peer.sendall(b"OK 1234\r\n")
            until(peer, b"BEGIN\r\n")
            peer.settimeout(patience_seconds)
            for answer in (HELLO, *replies):
                take_message(peer)
                peer.sendall(answer)
            take_message(peer)

    return child.start(serve, keep=(listener.fileno(),))


def until(peer: socket.socket, end: bytes) -> None:
    received = b""
    while not received.endswith(end) and (byte := peer.recv(1)):
        received += byte


def take_message(peer: socket.socket) -> None:
    """One whole call: the fixed part of its header says how long the rest is."""
    header = peer.recv(16, socket.MSG_WAITALL)
    body, fields = int.from_bytes(header[4:8], "little"), int.from_bytes(header[12:16], "little")
    peer.recv(-(-fields // 8) * 8 + body, socket.MSG_WAITALL)


def asked(folder: Path, replies: Sequence[bytes], patience_seconds: float = 10.0) -> tuple[UnitState, ...]:
    path = folder / "bus"
    path.unlink(missing_ok=True)
    with socket.create_server(str(path), family=socket.AF_UNIX) as listener:
        bus = answering(listener, replies, patience_seconds)
        try:
            return units.unit_states([ROW[0]], bus_address=f"unix:path={path}", timeout_seconds=10.0)  # type: ignore[list-item]
        finally:
            os.close(bus.fd)
            child.end(bus.pid)


def test_the_bus_that_is_spoilt_is_a_good_one(tmp_path: Path) -> None:
    assert asked(tmp_path, GOOD) == (UnitState("nova-compute.service", "loaded", "active", 5.0),)


@fuzzed(slow=4, index=st.integers(0, len(GOOD) - 1), text=spoilt(*GOOD) | st.binary(max_size=64))
def test_any_reply_on_the_bus_is_states_or_an_error(host: HostTree, index: int, text: bytes) -> None:
    with contextlib.suppress(UnitError):
        assert isinstance(asked(host.root, (*GOOD[:index], text, *GOOD[index + 1 :]), PATIENCE_SECONDS), tuple)
