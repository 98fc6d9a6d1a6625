import asyncio
import re
import socket
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dbus_next.message import Message

from fakes_systemd import JOB_REMOVED, METHODS, PROPERTIES, SYSTEMD, FakeSystemd, FakeUnit, Forked, PrivateBus
from fakes_systemd import fake_systemd as running
from sriov_bootstrap.base.errors import UnitError
from sriov_bootstrap.core.followup import UnitOutcome, UnitResult, UnitState
from sriov_bootstrap.edges.systemd import connection, units

NOVA, AGENT = "nova-compute.service", "neutron-sriov-agent.service"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSystemd]:
    with running(tmp_path, {NOVA: FakeUnit(), AGENT: FakeUnit()}) as (fake, _):
        yield fake


def restart(
    fake: FakeSystemd, *names: str, failed: frozenset[str] = frozenset(), timeout_seconds: float = 10.0
) -> dict[str, UnitResult]:
    results: list[UnitResult] = []
    units.restart_units(
        names, failed=failed, job_timeout_seconds=timeout_seconds, on_result=results.append, bus_address=fake.address
    )
    assert len({result.unit for result in results}) == len(results)
    return {result.unit: result for result in results}


def states(fake: FakeSystemd, *names: str) -> tuple[UnitState, ...]:
    return units.unit_states(names, bus_address=fake.address)


# --- states ----------------------------------------------------------------------------------------------------------


def test_a_unit_started_when_it_left_inactive_or_when_its_last_main_process_began(fake: FakeSystemd) -> None:
    fake.units = {
        NOVA: FakeUnit(left_inactive=5_000_000, process_began=5_250_000),
        AGENT: FakeUnit("activating", left_inactive=5_000_000, process_began=90_500_000),
        "late.service": FakeUnit("activating", left_inactive=70_000_000, process_began=5_000_000),
        "all.target": FakeUnit(left_inactive=4_000_000, process_began=-1),
    }
    assert states(fake, *fake.units) == (
        UnitState(NOVA, "loaded", "active", 5.25),
        UnitState(AGENT, "loaded", "activating", 90.5),
        UnitState("late.service", "loaded", "activating", 70.0),
        UnitState("all.target", "loaded", "active", 4.0),
    )


def test_masked_inactive_and_absent_units_have_their_states(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit("inactive"), AGENT: FakeUnit("inactive", "masked", left_inactive=1)}
    assert states(fake, NOVA, AGENT, "absent.service") == (
        UnitState(NOVA, "loaded", "inactive"),
        UnitState(AGENT, "masked", "inactive"),
        UnitState("absent.service", "not-found", "inactive"),
    )


def test_two_names_of_one_unit_are_one_unit(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit(left_inactive=1_000_000, aliases=("openstack-nova-compute.service",))}
    assert states(fake, "openstack-nova-compute.service", NOVA, NOVA) == (UnitState(NOVA, "loaded", "active", 1.0),)


def test_no_names_need_no_bus() -> None:
    assert units.unit_states([], bus_address="unix:path=/nonexistent") == ()


# --- restarts --------------------------------------------------------------------------------------------------------


def test_units_restart_once_and_are_done(fake: FakeSystemd) -> None:
    results = restart(fake, NOVA, AGENT, NOVA)
    assert {unit: result.outcome for unit, result in results.items()} == dict.fromkeys((NOVA, AGENT), UnitOutcome.DONE)
    assert sorted(fake.calls) == [("RestartUnit", AGENT, "replace"), ("RestartUnit", NOVA, "replace")]


def test_a_job_may_end_before_the_answer_that_names_it(fake: FakeSystemd) -> None:
    fake.is_hasty = True
    assert restart(fake, NOVA)[NOVA].outcome is UnitOutcome.DONE


def job_removed(_: Message) -> list[Message]:
    path = "/org/freedesktop/systemd1"
    job = f"{path}/job/1"
    return [Message.new_signal(path, f"{SYSTEMD}.Manager", "JobRemoved", JOB_REMOVED, [1, job, NOVA, "done"])]


def test_another_users_signal_ends_no_job(fake: FakeSystemd) -> None:
    fake.units[NOVA].job, fake.forge = None, job_removed
    assert restart(fake, NOVA, timeout_seconds=2)[NOVA].outcome is UnitOutcome.TIMEOUT


def owner_changed(call: Message) -> list[Message]:
    bus = "org.freedesktop.DBus"
    body = [SYSTEMD, "", call.sender]
    return [Message.new_signal("/org/freedesktop/DBus", bus, "NameOwnerChanged", "sss", body), *job_removed(call)]


def test_another_users_word_makes_nobody_systemd(fake: FakeSystemd) -> None:
    fake.units[NOVA].job, fake.forge = None, owner_changed
    assert restart(fake, NOVA, timeout_seconds=2)[NOVA].outcome is UnitOutcome.TIMEOUT


def test_another_users_answer_is_none_of_systemds(fake: FakeSystemd) -> None:
    """A real bus passes on no answer that nobody has asked for; that of the tests does."""
    fake.units[NOVA].job = "failed"
    error = "org.freedesktop.DBus.Error.Failed"
    fake.forge = lambda call: [Message.new_error(call, error, "forged")]
    assert "restart ended as 'failed'" in restart(fake, NOVA)[NOVA].message


def test_a_job_ends_when_systemd_says_so_from_a_new_connection(fake: FakeSystemd) -> None:
    fake.moves = True
    assert restart(fake, NOVA)[NOVA].outcome is UnitOutcome.DONE


@pytest.mark.parametrize("state", ["active", "activating", "reloading", "refreshing"])
def test_a_running_unit_is_restarted(fake: FakeSystemd, state: str) -> None:
    fake.units = {NOVA: FakeUnit(state)}
    assert restart(fake, NOVA)[NOVA].outcome is UnitOutcome.DONE
    assert fake.calls == [("RestartUnit", NOVA, "replace")]


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating"])
def test_a_unit_that_has_stopped_meanwhile_is_not_started(fake: FakeSystemd, state: str) -> None:
    fake.units = {NOVA: FakeUnit(state)}
    result = restart(fake, NOVA)[NOVA]
    assert (result.outcome, result.message) == (UnitOutcome.DONE, f"{NOVA}: not running any more")
    assert not fake.calls


def test_a_unit_that_our_restart_has_felled_is_started(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit("failed"), AGENT: FakeUnit("failed")}
    results = restart(fake, NOVA, AGENT, failed=frozenset({NOVA}))
    assert [one.message for one in results.values() if one.message] == [f"{AGENT}: not running any more"]
    assert fake.calls == [("RestartUnit", NOVA, "replace")]


def test_a_unit_that_an_operator_has_stopped_meanwhile_stays_stopped(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit("inactive")}
    assert restart(fake, NOVA, failed=frozenset({NOVA}))[NOVA].message == f"{NOVA}: not running any more"
    assert not fake.calls


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("failed", "it did not start"),
        ("canceled", "another job replaced it before it was done"),
        ("timeout", "the unit's own time limit passed"),
        ("dependency", "a unit that it requires did not start"),
        ("a-later-word", "see systemd"),
    ],
)
def test_a_job_that_ends_otherwise_has_failed(fake: FakeSystemd, word: str, why: str) -> None:
    fake.units = {NOVA: FakeUnit(job=word), AGENT: FakeUnit()}
    results = restart(fake, NOVA, AGENT)
    look = f"see `systemctl status {NOVA}` and `journalctl -u {NOVA}`"
    assert results[NOVA].outcome is UnitOutcome.FAILED
    assert results[NOVA].message == f"{NOVA}: restart ended as '{word}': {why}; {look}"
    assert results[AGENT].outcome is UnitOutcome.DONE


@pytest.mark.parametrize(
    "error",
    [
        (f"{SYSTEMD}.UnitMasked", f"Unit {NOVA} is masked."),
        (f"{SYSTEMD}.NoSuchUnit", f"Unit {NOVA} not found."),
        ("org.freedesktop.DBus.Error.AccessDenied", "Permission denied"),
    ],
    ids=lambda error: error[0].rpartition(".")[2],
)
def test_a_refused_restart_has_failed_with_systemds_words(fake: FakeSystemd, error: tuple[str, str]) -> None:
    fake.units = {NOVA: FakeUnit(error=error), AGENT: FakeUnit()}
    results = restart(fake, NOVA, AGENT)
    assert results[NOVA].outcome is UnitOutcome.FAILED
    assert f"{NOVA}: cannot restart: RestartUnit refused: {error[0]}: {error[1]}; see" in results[NOVA].message
    assert results[AGENT].outcome is UnitOutcome.DONE


def test_a_job_that_does_not_end_is_left_alone_at_the_deadline(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit(job=None), AGENT: FakeUnit()}
    results = restart(fake, NOVA, AGENT, timeout_seconds=3)
    assert results[NOVA].outcome is UnitOutcome.TIMEOUT
    assert results[NOVA].seconds >= 0.4
    assert f"{NOVA}: job still running after 3 s, left to systemd" in results[NOVA].message
    assert results[AGENT].outcome is UnitOutcome.DONE


def test_a_unit_that_has_not_stopped_at_the_deadline_is_still_stopping(fake: FakeSystemd) -> None:
    fake.units = {NOVA: FakeUnit(job=None)}

    def begin_to_stop() -> None:
        fake.units[NOVA].active_state = "deactivating"

    fake.on_restart = begin_to_stop
    result = restart(fake, NOVA, timeout_seconds=1)[NOVA]
    assert result.outcome is UnitOutcome.STOPPING
    assert f"{NOVA}: still stopping after 1 s, systemd starts it once it has stopped" in result.message


def test_a_bus_that_is_silent_at_the_deadline_leaves_the_job_to_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "LAST_LOOK_SECONDS", 0.2)
    results: list[UnitResult] = []
    with running(tmp_path, {NOVA: FakeUnit(job=None)}) as (fake, bus):
        later = threading.Timer(0.5, bus.freeze)
        fake.on_restart = later.start
        units.restart_units([NOVA], job_timeout_seconds=1, on_result=results.append, bus_address=fake.address)
        later.join()
    assert [result.outcome for result in results] == [UnitOutcome.TIMEOUT]


# --- a bus that breaks -----------------------------------------------------------------------------------------------


def test_a_bus_that_dies_in_the_middle_of_a_job_is_a_result_for_each_unit_and_an_error(tmp_path: Path) -> None:
    results: list[UnitResult] = []
    with running(tmp_path, {NOVA: FakeUnit(job=None), AGENT: FakeUnit(job=None)}) as (fake, bus):
        fake.on_restart = lambda: bus.kill() if len(fake.calls) == 2 else None
        with pytest.raises(UnitError, match="the bus closed the connection") as caught:
            units.restart_units(
                [NOVA, AGENT], job_timeout_seconds=30, on_result=results.append, bus_address=fake.address
            )
    assert caught.value.hint
    assert {result.unit: result.outcome for result in results} == dict.fromkeys((NOVA, AGENT), UnitOutcome.BUS_ERROR)
    assert all("cannot tell how its restart ended" in result.message for result in results)
    assert all(result.may_have_begun for result in results)


def test_a_bus_that_freezes_before_its_answer_is_a_result_and_an_error(tmp_path: Path) -> None:
    results: list[UnitResult] = []
    with running(tmp_path, {NOVA: FakeUnit()}) as (fake, bus):
        fake.on_restart = bus.freeze
        with pytest.raises(UnitError, match="no answer to RestartUnit"):
            units.restart_units([NOVA], job_timeout_seconds=1, on_result=results.append, bus_address=fake.address)
    assert [(result.outcome, result.may_have_begun) for result in results] == [(UnitOutcome.BUS_ERROR, True)]


def test_a_bus_that_dies_before_a_restart_is_asked_for_says_that_none_has_begun(tmp_path: Path) -> None:
    results: list[UnitResult] = []
    with running(tmp_path, {NOVA: FakeUnit()}) as (fake, bus):
        fake.on_look = bus.kill
        with pytest.raises(UnitError, match="the bus closed the connection"):
            units.restart_units([NOVA], job_timeout_seconds=30, on_result=results.append, bus_address=fake.address)
    assert fake.calls == []
    assert [(result.outcome, result.may_have_begun) for result in results] == [(UnitOutcome.BUS_ERROR, False)]
    assert results[0].message.startswith(f"{NOVA}: not restarted: ")


def test_a_bus_without_systemd_says_so(tmp_path: Path) -> None:
    bus = PrivateBus(tmp_path)
    try:
        with pytest.raises(UnitError, match=r"ListUnitsByNames refused: .*NameHasNoOwner") as caught:
            units.unit_states([NOVA], bus_address=bus.address)
    finally:
        bus.kill()
    assert "is systemd PID 1" in caught.value.hint


def ask(address: str | None = None, timeout_seconds: float = 5.0) -> list[str]:
    """What a call says that cannot succeed."""
    try:
        units.unit_states([NOVA], bus_address=address, timeout_seconds=timeout_seconds)
    except UnitError as error:
        return [error.message, error.hint]
    return []


def test_an_absent_bus_is_an_error_that_names_the_socket(tmp_path: Path) -> None:
    message, hint = Forked(lambda: ask(f"unix:path={tmp_path}/bus")).result()
    assert message == f"unix:path={tmp_path}/bus: no bus: the socket does not exist"
    assert "install and start dbus" in hint


def test_the_system_bus_is_where_the_environment_says() -> None:
    message, _ = Forked(ask).result()
    assert message == "unix:path=/nonexistent/system-bus: no bus: the socket does not exist"


def test_a_socket_that_nobody_listens_on_is_an_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/bus")
    message, _ = Forked(lambda: ask(f"unix:path={tmp_path}/bus")).result()
    assert message.endswith("no bus: nothing listens on the socket")


def test_an_address_that_is_none_is_an_error() -> None:
    message, hint = Forked(lambda: ask("/run/dbus/system_bus_socket")).result()
    assert message.startswith("/run/dbus/system_bus_socket: not a bus address: ")
    assert "DBUS_SYSTEM_BUS_ADDRESS" in hint


def test_a_child_forked_from_a_running_event_loop_can_ask(tmp_path: Path) -> None:
    async def main() -> Forked:
        return Forked(lambda: ask(f"unix:path={tmp_path}/bus"))

    assert asyncio.run(main()).result()[0].endswith("the socket does not exist")


def until(peer: socket.socket, end: bytes) -> None:
    received = b""
    while not received.endswith(end):
        byte = peer.recv(1)
        assert byte, f"hung up after {received!r}"
        received += byte


def closes_after_auth(peer: socket.socket) -> None:
    until(peer, b"\r\n")


def closes_within_its_answer(peer: socket.socket) -> None:
    until(peer, b"\r\n")
    peer.sendall(b"OK 12")


def closes_after_the_greeting(peer: socket.socket) -> None:
    until(peer, b"\r\n")
    peer.sendall(b"OK 1234\r\n")
    until(peer, b"BEGIN\r\n")


def rejects(peer: socket.socket) -> None:
    until(peer, b"\r\n")
    peer.sendall(b"REJECTED EXTERNAL\r\n")


def speaks_http(peer: socket.socket) -> None:
    until(peer, b"\r\n")
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def never_ends_its_line(peer: socket.socket) -> None:
    until(peer, b"\r\n")
    peer.sendall(b"O" * (connection.AUTH_LINE_BYTES + 1))


def sends_garbage(peer: socket.socket) -> None:
    closes_after_the_greeting(peer)
    peer.recv(1)  # of Hello: it is waiting for the answer now
    peer.sendall(b"garbage" * 100)


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        (closes_after_auth, "the bus closed the connection"),
        (closes_within_its_answer, "the bus closed the connection"),
        (closes_after_the_greeting, "the bus closed the connection"),
        (rejects, "the bus refuses us: authentication failed: REJECTED"),
        (never_ends_its_line, "the bus refuses us: the answer to AUTH does not end"),
        (speaks_http, "the peer does not speak D-Bus"),
        (sends_garbage, "the peer does not speak D-Bus"),
    ],
)
def test_a_bus_that_breaks_is_an_error_at_once(
    tmp_path: Path, peer: Callable[[socket.socket], None], words: str
) -> None:
    with socket.create_server(f"{tmp_path}/bus", family=socket.AF_UNIX) as listener:
        child = Forked(lambda: ask(f"unix:path={tmp_path}/bus"))
        listener.settimeout(10)
        with closing(listener.accept()[0]) as connection:
            connection.settimeout(10)
            peer(connection)
        assert words in child.result()[0]


@pytest.mark.parametrize("greets", [False, True])
def test_a_bus_that_does_not_answer_is_an_error_at_the_deadline(tmp_path: Path, *, greets: bool) -> None:
    with socket.create_server(f"{tmp_path}/bus", family=socket.AF_UNIX) as listener:
        child = Forked(lambda: ask(f"unix:path={tmp_path}/bus", timeout_seconds=0.3))
        listener.settimeout(10)
        with closing(listener.accept()[0]) as connection:
            if greets:
                closes_after_the_greeting(connection)
            message, hint = child.result()
    assert re.search(r": no answer to the greeting in 0\.[0-3] s\Z", message)  # what is left of 0.3 s
    assert "hangs" in hint


# --- the fake --------------------------------------------------------------------------------------------------------


def introspect(what: str) -> ET.Element:
    """The part of systemd's own description that is an interface; works without a running systemd."""
    argv = ["/lib/systemd/systemd", f"--bus-introspect={what}"]
    return ET.fromstring(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S314 - systemd's own


def test_the_fake_has_the_signatures_of_the_real_systemd() -> None:
    manager = introspect(f"{SYSTEMD}.Manager")
    for name, signatures in METHODS.items():
        arguments = manager.findall(f".//method[@name='{name}']/arg")
        found = tuple(
            "".join(arg.get("type", "") for arg in arguments if arg.get("direction") == way) for way in ("in", "out")
        )
        assert found == signatures
    removed = manager.findall(".//signal[@name='JobRemoved']/arg")
    assert "".join(arg.get("type", "") for arg in removed) == JOB_REMOVED
    for kind, name in PROPERTIES.items():
        found_property = introspect(f"{SYSTEMD}.{kind}").find(f".//property[@name='{name}']")
        assert found_property is not None
        assert found_property.get("type") == "t"
