"""WHEN, hour by hour: jobs are pipes, time passes only when nothing else happens (fakes_daemon.py)."""

import os
import signal

import pytest
from msgspec.structs import replace

from builders import PF
from fakes_daemon import CONFIG, START, Stage, degraded, make_state
from sriov_bootstrap.core.config import Boot, Services
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.events import Event, Level, Value
from sriov_bootstrap.core.finding import Finding, Inspected
from sriov_bootstrap.core.followup import FollowUpReport, UnitOutcome, UnitResult
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PfState
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.daemon.inspection import QUIET_SECONDS
from sriov_bootstrap.edges import child

RESTARTED = FollowUpReport((UnitResult("nova-compute.service", UnitOutcome.DONE, 1.5),), pci_addresses=(PF,))
JUST_AFTER = 0.001
PAST_LOOK = QUIET_SECONDS + 0.1  # doctor has looked after a pass


@pytest.fixture
def settled(stage: Stage) -> Stage:
    """Past its first two passes, ready, with nothing to do."""
    stage.settle()
    return stage


def times(stage: Stage) -> list[float]:
    """When each pass began, in seconds since the daemon did."""
    return [round(job.began_at, 2) for job in stage.host.passes]


# -- ready --


def test_systemd_is_told_how_long_the_start_may_take(stage: Stage) -> None:
    assert stage.host.notified == ["STATUS=first pass\nEXTEND_TIMEOUT_USEC=90000000"]


def extensions(stage: Stage) -> list[float]:
    """How many seconds more the start could take, each time that systemd was told."""
    lines = (line for text in stage.host.notified for line in text.splitlines())
    return [int(line.partition("=")[2]) / 1e6 for line in lines if line.startswith("EXTEND_TIMEOUT_USEC=")]


def test_systemd_is_told_again_when_the_config_lets_the_start_take_longer(stage: Stage) -> None:
    """The NIC is missing, and a file comes that says to wait longer: READY=1 waits, and the start must not time out."""
    stage.settle(degraded(Reason.ABSENT))
    stage.advance(40.0)
    stage.host.config = replace(CONFIG, boot=Boot(wait_for_pf_seconds=300.0))
    stage.udev.send(b"r")
    stage.advance(0.2)
    left = 330.0 - stage.host.passes[2].began_at
    stage.end_pass(degraded(Reason.ABSENT))
    stage.advance(299.0 - stage.now)
    assert not stage.is_ready
    assert extensions(stage) == pytest.approx([90.0, left], abs=JUST_AFTER)
    stage.advance(1.0 + JUST_AFTER)
    assert stage.is_ready


@pytest.mark.parametrize("wait_seconds", [20.0, 60.0])
def test_systemd_is_told_once_where_the_start_takes_no_longer(stage: Stage, wait_seconds: float) -> None:
    stage.settle(degraded(Reason.ABSENT))
    stage.host.config = replace(CONFIG, boot=Boot(wait_for_pf_seconds=wait_seconds))
    stage.udev.send(b"r")
    stage.advance(0.2)
    stage.end_pass(degraded(Reason.ABSENT))
    stage.advance(wait_seconds)
    assert stage.is_ready
    assert extensions(stage) == [90.0]


def test_how_long_the_start_may_take_is_told_until_systemd_takes_it() -> None:
    boot = Boot(wait_for_pf_seconds=300.0)
    with Stage(replace(CONFIG, boot=boot), systemd_listens=False) as stage:
        stage.advance(20.0)
        stage.host.systemd_listens = True
        stage.advance(0.1 + JUST_AFTER)
        assert extensions(stage) == pytest.approx([330.0 - 20.0], abs=0.1 + 2 * JUST_AFTER)
        stage.advance(200.0)
        assert len(extensions(stage)) == 1


def test_a_start_that_is_over_is_not_extended(settled: Stage) -> None:
    settled.host.config = replace(CONFIG, boot=Boot(wait_for_pf_seconds=300.0))
    settled.udev.send(b"r")
    settled.advance(0.2)
    assert settled.passes == 3
    assert len(extensions(settled)) == 1


def test_ready_waits_for_the_first_pass(stage: Stage) -> None:
    stage.advance(30.0)
    assert not stage.is_ready
    stage.end_pass(make_state())
    assert stage.host.notified[1:3] == ["READY=1", "STATUS=4 VFs on 1 PF as desired"]


def test_ready_is_said_once(settled: Stage) -> None:
    settled.advance(3600.0)
    assert sum("READY=1" in text for text in settled.host.notified) == 1


def test_ready_does_not_wait_for_ever_for_a_nic_that_is_missing(stage: Stage) -> None:
    stage.end_pass(degraded(Reason.ABSENT))
    stage.advance(59.0 - stage.now)
    assert not stage.is_ready
    stage.advance(1.0 + JUST_AFTER)
    assert stage.host.notified[1:3] == ["READY=1", f"STATUS=degraded: {PF}: absent"]


def test_ready_comes_when_the_missing_nic_does(stage: Stage) -> None:
    stage.end_pass(degraded(Reason.ABSENT))
    stage.advance(0.2)
    stage.end_pass(degraded(Reason.ABSENT))
    stage.advance(10.0)
    stage.udev.send(b"r")
    stage.advance(0.2)
    assert not stage.is_ready
    stage.end_pass(make_state())
    assert stage.is_ready


def test_ready_does_not_wait_for_what_waiting_cannot_help(stage: Stage) -> None:
    stage.end_pass(degraded(Reason.EXCEEDS_MAX))
    assert stage.is_ready


def test_ready_is_bounded_also_while_the_first_pass_hangs(stage: Stage) -> None:
    stage.advance(60.0 + JUST_AFTER)
    assert stage.is_ready


def test_a_pass_that_broke_makes_nobody_ready(stage: Stage) -> None:
    stage.end_pass(None)
    assert not stage.is_ready
    stage.advance(0.2)
    stage.end_pass(make_state())
    assert stage.is_ready


def test_what_an_earlier_daemon_saw_makes_nobody_ready() -> None:
    with Stage(state=make_state()) as stage:
        stage.end_pass(None)
        assert not stage.is_ready


def test_ready_is_said_again_soon_when_systemd_did_not_take_it(stage: Stage) -> None:
    stage.host.systemd_listens = False
    stage.settle()
    stage.advance(5.0)
    stage.host.systemd_listens = True
    stage.advance(0.1 + JUST_AFTER)
    assert stage.is_ready


def test_without_waiting_ready_comes_at_once() -> None:
    with Stage(replace(CONFIG, boot=Boot(wait_for_pf_seconds=0.0))) as stage:
        assert stage.is_ready


# -- passes: wake-ups --


def test_what_came_between_the_first_pass_and_the_listener_is_looked_at(stage: Stage) -> None:
    stage.advance(7.0)
    stage.end_pass(make_state())
    assert times(stage) == [0.0, 7.0]


def test_a_daemon_with_nothing_to_do_sleeps_until_the_safety_net(settled: Stage) -> None:
    began = settled.now
    settled.advance(PAST_LOOK)
    jumps = settled.loop.hourglass.jumps
    settled.advance(599.0 - PAST_LOOK)
    assert settled.loop.hourglass.jumps == jumps + 1  # the test's own
    settled.advance(2.0)
    assert times(settled)[2:] == [round(began + 600.0, 2)]


def test_a_burst_of_events_is_one_pass(settled: Stage) -> None:
    began = settled.now
    for _ in range(10):
        settled.udev.send(b"rrr")
        settled.advance(0.1)
    assert settled.passes == 2
    settled.advance(0.2)
    assert times(settled)[2:] == [round(began + 0.9 + 0.15, 2)]


def test_a_burst_that_does_not_end_is_not_waited_for(settled: Stage) -> None:
    began = settled.now
    for _ in range(30):
        settled.udev.send(b"r")
        settled.advance(0.1)
    assert times(settled)[2:] == [round(began + 2.0, 2)]


def test_an_event_during_a_pass_is_one_more_pass_after_it(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.udev.send(b"r")
    settled.advance(20.0)
    assert settled.passes == 3
    settled.end_pass(make_state())
    assert settled.passes == 4
    settled.end_pass(make_state())
    settled.advance(20.0)
    assert settled.passes == 4


def test_events_of_virtual_devices_are_no_reason_for_a_pass(settled: Stage) -> None:
    settled.udev.send(b"vvv")
    settled.advance(60.0)
    assert settled.passes == 2


def test_lost_events_are_one_pass_which_counts_the_loss(settled: Stage) -> None:
    settled.udev.send(b"o")
    settled.advance(0.2)
    assert settled.host.passes[2].handover == Handover(udev_resyncs=1, had_events=True)
    assert "udev events were lost in a burst: everything is read again" in settled.texts
    settled.end_pass(make_state())
    settled.advance(600.0)
    assert settled.host.passes[3].handover == Handover()


def test_every_pass_reads_the_config_anew(settled: Stage) -> None:
    settled.host.config = replace(CONFIG, services=Services(settle_seconds=9.0))
    settled.signal(signal.SIGHUP)
    settled.advance(0.2)
    assert settled.host.passes[2].loaded.config.services.settle_seconds == 9.0
    settled.end_pass(make_state())
    settled.host.problems = ("config.toml: not TOML",)
    settled.signal(signal.SIGHUP)
    settled.advance(0.2)
    loaded = settled.host.passes[3].loaded
    assert (loaded.config.services.settle_seconds, loaded.problems) == (9.0, ("config.toml: not TOML",))


LOSS = replace(make_state(), report=replace(make_state().report, losses={PF: 4}))


@pytest.mark.parametrize("is_woken", [True, False])
def test_a_loss_that_no_event_told_of_is_said(settled: Stage, *, is_woken: bool) -> None:
    """udevd does not run, or hangs: the safety net has found it."""
    if is_woken:
        settled.udev.send(b"r")
        settled.advance(0.2)
    else:
        settled.advance(601.0)
    settled.end_pass(LOSS)
    assert ("VFs disappeared without a udev event" in settled.texts) is not is_woken


def test_an_event_that_is_late_is_an_event(settled: Stage) -> None:
    settled.advance(601.0)
    settled.udev.send(b"r")
    settled.advance()
    settled.end_pass(LOSS)
    assert "VFs disappeared without a udev event" not in settled.texts


def test_a_machine_that_stood_still_makes_up_for_it_once() -> None:
    """Suspended, or a guest whose host had no time: one pass and one ping, not one for each that was missed."""
    with Stage(watchdog_seconds=90.0) as stage:
        stage.settle()
        pings = stage.host.notified.count("WATCHDOG=1")
        stage.loop.hourglass.now += 36_000.0
        stage.advance(1.0)
        assert stage.passes == 3
        stage.end_pass(make_state())
        stage.advance(30.0)
        assert stage.passes == 3
        assert stage.host.notified.count("WATCHDOG=1") == pings + 1
        stage.udev.send(b"r")
        stage.advance(0.2)
        assert stage.passes == 4


# -- passes: again --


@pytest.mark.parametrize(
    ("reason", "failures", "delay"),
    [
        *((Reason.VFS_INCOMPLETE, *row) for row in ((1, 5.0), (2, 10.0), (3, 30.0), (4, 60.0), (5, 120.0), (6, 300.0))),
        (Reason.VFS_INCOMPLETE, 9, 300.0),
        (Reason.IN_USE, 4, 60.0),
        (Reason.IN_USE, 9, 60.0),
    ],
)
def test_what_time_may_help_is_tried_again_ever_less_often(
    stage: Stage, reason: Reason, failures: int, delay: float
) -> None:
    stage.end_pass(make_state())
    stage.advance(0.2)
    for _ in range(failures - 1):
        stage.end_pass(degraded(reason))
        wait_for_the_next_pass(stage)
    stage.end_pass(degraded(reason))
    ended = stage.now
    wait_for_the_next_pass(stage)
    assert stage.host.passes[-1].began_at - ended == pytest.approx(delay, abs=JUST_AFTER)


def test_a_number_that_was_written_over_is_tried_when_its_pause_ends_however_many_events_come(stage: Stage) -> None:
    stage.settle()
    for _ in range(7):
        stage.udev.send(b"r")
        wait_for_the_next_pass(stage)
        stage.end_pass(replace(degraded(Reason.CONTESTED), contests={PF: Contest(4, 1, 2, stage.loop.time() + 10.0)}))
    ended = stage.now
    wait_for_the_next_pass(stage)
    assert stage.host.passes[-1].began_at - ended == pytest.approx(10.0, abs=JUST_AFTER)


def test_a_reload_asks_for_a_try_and_an_event_does_not(settled: Stage) -> None:
    settled.signal(signal.SIGHUP)
    settled.advance(0.2)
    assert settled.host.passes[-1].handover == Handover(is_asked=True)
    settled.signal(signal.SIGHUP)
    settled.udev.send(b"o")
    settled.end_pass(make_state())
    settled.advance(0.2)
    assert settled.host.passes[-1].handover == Handover(udev_resyncs=1, is_asked=True, had_events=True)
    settled.end_pass(make_state())
    settled.udev.send(b"r")
    settled.advance(0.2)
    assert settled.host.passes[-1].handover == Handover(had_events=True)


def wait_for_the_next_pass(stage: Stage) -> None:
    passes = stage.passes
    while stage.passes == passes:
        stage.advance(1.0)


def test_a_good_pass_ends_the_retries(stage: Stage) -> None:
    stage.settle(degraded(Reason.IN_USE))
    stage.advance(11.0)
    stage.end_pass(make_state())
    ended = stage.now
    stage.advance(601.0)
    assert times(stage)[3:] == [round(ended + 600.0, 2)]


def test_what_only_an_operator_can_help_is_not_tried_again(stage: Stage) -> None:
    stage.settle(degraded(Reason.EXCEEDS_MAX))
    stage.advance(590.0)
    assert stage.passes == 2


def test_a_pass_that_ended_with_things_to_do_is_followed_by_another(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.end_pass(make_state(PfState.PENDING))
    settled.advance(0.9)
    assert settled.passes == 3
    settled.advance(0.2)
    assert settled.passes == 4


def test_a_pass_that_broke_is_logged_counted_and_tried_again(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.end_pass(None)
    ended = settled.now
    hint = "it was killed, or out of memory"
    text = "the pass failed: its process exited without a report"
    assert Event(Level.ERROR, text, {"hint": hint}) in settled.host.logged
    settled.advance(5.1)
    assert times(settled)[3:] == [round(ended + 5.0, 2)]
    assert settled.host.passes[3].handover == Handover(failures=1, had_events=True)


def test_what_a_pass_that_broke_was_told_counts_with_the_next_one(settled: Stage) -> None:
    settled.signal(signal.SIGHUP)
    settled.udev.send(b"o")
    settled.advance(0.2)
    settled.end_pass(None)
    settled.udev.send(b"o")
    settled.advance(0.2)
    settled.end_pass(None)
    settled.advance(10.1)
    told = Handover(udev_resyncs=2, failures=2, is_asked=True, had_events=True)
    assert settled.host.passes[-1].handover == told
    settled.end_pass(make_state())
    settled.udev.send(b"r")
    settled.advance(0.2)
    assert settled.host.passes[-1].handover == Handover(had_events=True)


def test_a_start_whose_first_pass_broke_is_still_a_request(stage: Stage) -> None:
    stage.end_pass(None)
    stage.advance(0.2)
    assert stage.host.passes[-1].handover == Handover(failures=1, is_asked=True)


def test_a_pass_that_finds_no_room_for_a_process_is_tried_again(settled: Stage) -> None:
    """The unit has limits, and a host may have no memory: neither ends the daemon."""
    settled.host.has_room = False
    settled.udev.send(b"r")
    settled.advance(0.2)
    assert Event(Level.ERROR, "cannot start a process: out of room", {"hint": "make some"}) in settled.host.logged
    settled.host.has_room = True
    settled.advance(5.1)
    assert settled.host.passes[2].handover == Handover(failures=1, had_events=True)


def test_every_job_that_ended_is_taken_note_of(settled: Stage) -> None:
    pages = {job.pid for job in settled.host.pages}
    assert [pid for pid in settled.host.reaped if pid not in pages] == [job.pid for job in settled.host.passes]


# -- what hangs --


def test_a_pass_that_says_nothing_is_given_up_and_the_next_one_comes(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    hung = settled.host.passes[2]
    settled.advance(119.5)
    assert settled.host.ended == []
    settled.advance(1.0)
    assert settled.host.ended == [hung.pid]
    assert f"a pass hung for 120 s and was abandoned (process {hung.pid})" in settled.texts
    settled.advance(5.0)
    assert settled.passes == 4
    assert settled.host.passes[3].handover == Handover(failures=1, had_events=True)
    pages = len(settled.host.pages)
    settled.end_pass(make_state())
    assert len(settled.host.pages) == pages + 1


def test_a_pass_that_says_something_is_waited_for(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    for _ in range(10):
        settled.advance(100.0)
        os.write(settled.host.passes[2].write_end, b"set sriov_numvfs from 0 to 64: 100 s so far\n")
    settled.end_pass(make_state())
    assert settled.host.ended == []
    assert settled.passes == 3


def test_restarts_that_say_nothing_are_given_up_and_tried_again(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    settled.advance(121.0)
    assert settled.host.ended == [settled.host.restarts[0].pid]
    settled.advance(121.0)
    assert settled.restarts == 2


def test_the_end_of_a_stuck_write_wakes_us(settled: Stage) -> None:
    writer = child.start(lambda _: signal.pause())
    os.close(writer.fd)
    settled.udev.send(b"r")
    settled.advance(0.2)
    jam = Jam(writer.pid, PF, "set sriov_numvfs from 7 to 0", since=0.0)
    settled.end_pass(replace(degraded(Reason.STUCK), report=replace(degraded(Reason.STUCK).report, jam=jam)))
    settled.advance(4.0)
    assert settled.passes == 3
    child.end(writer.pid)
    settled.advance(0.2)
    assert settled.passes == 4


def test_a_stuck_write_that_has_ended_meanwhile_is_no_trouble(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    jam = Jam(2**22 + 1, PF, "set sriov_numvfs from 7 to 0", since=0.0)
    settled.end_pass(replace(degraded(Reason.STUCK), report=replace(degraded(Reason.STUCK).report, jam=jam)))
    settled.advance(5.1)
    assert settled.passes == 4


# -- restarts --


def change(stage: Stage) -> None:
    """A pass that changed VFs just now."""
    passes = stage.passes
    stage.udev.send(b"r")
    stage.advance(0.2)
    assert stage.passes == passes + 1
    stage.end_pass(make_state(changed_at=stage.loop.time()))


def test_units_restart_after_quiet_and_once(settled: Stage) -> None:
    change(settled)
    settled.advance(1.9)
    assert settled.restarts == 0
    settled.advance(0.2)
    assert settled.restarts == 1
    settled.end_restarts(RESTARTED)
    settled.advance(590.0)
    assert settled.restarts == 1
    assert (
        Event(
            Level.INFO,
            "nova-compute.service: restarted",
            {"unit": "nova-compute.service", "seconds": 1.5, "changed": PF},
        )
        in settled.host.logged
    )


def test_several_changes_in_a_row_are_one_restart_after_the_last(settled: Stage) -> None:
    for _ in range(4):
        change(settled)
        settled.advance(1.0)
    assert settled.restarts == 0
    settled.advance(1.1)
    assert settled.restarts == 1


def test_nothing_restarts_before_ready(stage: Stage) -> None:
    waiting = replace(degraded(Reason.ABSENT), pending=make_state(changed_at=START).pending)
    for _ in range(3):
        stage.end_pass(waiting)
        stage.udev.send(b"r")
        stage.advance(5.0)
    stage.end_pass(waiting)
    stage.advance(59.0 - stage.now)
    assert stage.restarts == 0
    stage.advance(1.1)
    assert stage.restarts == 1


def test_nothing_restarts_while_a_pass_is_at_work(settled: Stage) -> None:
    change(settled)
    settled.advance(1.0)
    settled.udev.send(b"r")
    settled.advance(20.0)
    assert settled.restarts == 0
    settled.end_pass(make_state(changed_at=settled.loop.time() - 20.0))
    assert settled.restarts == 1


def test_a_unit_that_has_just_started_restarts_when_it_may(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    due_at = settled.loop.time() + 25.0
    settled.end_restarts(FollowUpReport(due_at=due_at), state=make_state(changed_at=settled.loop.time()))
    settled.advance(24.9)
    assert settled.restarts == 1
    settled.advance(0.2)
    assert settled.restarts == 2
    assert settled.host.restarts[1].began_at + START == pytest.approx(due_at)


def test_a_unit_whose_restart_failed_is_tried_again_when_it_is_due(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    now = settled.loop.time()
    failed = UnitResult("nova-compute.service", UnitOutcome.FAILED, 1.0, "no database", "tried again in 30 s")
    report = FollowUpReport((failed,), due_at=now + 45.0, retry_at=now + 30.0)
    settled.end_restarts(report, state=make_state(changed_at=now))
    assert settled.texts[-1] == "nova-compute.service: restart failed: no database; tried again in 30 s"
    settled.advance(29.9)
    assert settled.restarts == 1
    settled.advance(0.2)
    assert settled.restarts == 2


def test_a_bus_that_stays_silent_is_asked_ever_less_often_and_said_once(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    for number, delay in enumerate((5.0, 10.0, 30.0), 1):
        settled.end_restarts(FollowUpReport(problem="no bus"))
        settled.advance(delay - 0.1)
        assert settled.restarts == number
        settled.advance(0.2)
        assert settled.restarts == number + 1
    assert settled.texts.count("restarts stay pending: no bus") == 1


def test_a_round_of_restarts_that_broke_is_tried_again(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    settled.end_restarts(None)
    assert settled.texts[-1] == "restarts stay pending: its process exited without a report"
    settled.advance(5.1)
    assert settled.restarts == 2


def test_a_round_of_restarts_that_finds_no_room_for_a_process_is_tried_again(settled: Stage) -> None:
    change(settled)
    settled.host.has_room = False
    settled.advance(2.1)
    assert (settled.texts[-1], settled.restarts) == ("cannot start a process: out of room", 0)
    settled.host.has_room = True
    settled.advance(120.1)
    assert settled.restarts == 1


def test_passes_go_on_while_units_restart(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    settled.udev.send(b"r")
    settled.advance(0.2)
    assert settled.passes == 4


def test_a_round_of_restarts_that_has_not_heard_of_the_last_pass_takes_nothing_back(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.end_pass(replace(degraded(Reason.IN_USE), passed_at=60.0))
    settled.end_restarts(RESTARTED, state=replace(make_state(), passed_at=50.0))
    assert settled.host.notified[-1] == f"STATUS=degraded: {PF}: {Reason.IN_USE}"


# -- doctor --

STALE_SPEC = Finding("SB-E401", "/etc/nova/nova.conf:3", "")
STALE_LINE = Finding("SB-W301", "/etc/rc.local:2", "")


@pytest.fixture
def looking(settled: Stage) -> Stage:
    """A look is under way."""
    settled.host.looks_end_at_once = False
    settled.advance(PAST_LOOK)
    assert len(settled.host.looks) == 1
    return settled


def test_doctor_looks_once_after_the_last_pass_of_many(settled: Stage) -> None:
    for _ in range(5):
        settled.advance(5.0)
        settled.udev.send(b"r")
        settled.advance(0.2)
        settled.end_pass(make_state())
    assert settled.host.looks == []
    settled.advance(PAST_LOOK)
    assert len(settled.host.looks) == 1
    settled.advance(500.0)
    assert len(settled.host.looks) == 1


def test_passes_without_end_do_not_put_doctor_off_for_ever(settled: Stage) -> None:
    for _ in range(30):
        settled.advance(5.0)
        settled.udev.send(b"r")
        settled.advance(0.2)
        settled.end_pass(make_state())
    assert len(settled.host.looks) == 1


def test_doctor_waits_for_restarts_and_looks_after_them(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.end_pass(make_state(changed_at=settled.loop.time()))
    settled.advance(2 * PAST_LOOK)
    assert (settled.restarts, settled.host.looks) == (1, [])
    settled.end_restarts(RESTARTED)
    settled.advance(PAST_LOOK)
    assert len(settled.host.looks) == 1


def test_what_doctor_finds_is_said_and_published_once(looking: Stage) -> None:
    looking.end_look(STALE_SPEC)
    said = Event(
        Level.WARNING,
        "doctor has 1 finding: see sriov-bootstrap doctor",
        {"new": "SB-E401 /etc/nova/nova.conf:3"},
    )
    assert looking.host.logged[-1] == said
    assert looking.last_found == Inspected((STALE_SPEC,), ("SB-E401",))
    count = len(looking.host.logged)
    looking.advance(600.0)
    looking.end_pass(make_state())
    looking.advance(PAST_LOOK)
    looking.end_look(STALE_SPEC)
    assert len(looking.host.logged) == count


def test_a_finding_that_is_gone_keeps_its_series_and_is_said(looking: Stage) -> None:
    looking.end_look(STALE_SPEC, STALE_LINE)
    looking.advance(600.0)
    looking.end_pass(make_state())
    looking.advance(PAST_LOOK)
    looking.end_look(STALE_LINE)
    gone: dict[str, Value] = {"gone": "SB-E401 /etc/nova/nova.conf:3"}
    assert looking.host.logged[-1] == Event(Level.INFO, "doctor has 1 finding: see sriov-bootstrap doctor", gone)
    looking.advance(600.0)
    looking.end_pass(make_state())
    looking.advance(PAST_LOOK)
    looking.end_look()
    assert looking.texts[-1] == "doctor has no findings any more"
    assert looking.last_found == Inspected((), ("SB-E401", "SB-W301"))


def test_a_look_that_breaks_is_said_once_and_what_was_found_stands(looking: Stage) -> None:
    looking.end_look(STALE_SPEC)
    for _ in range(2):
        looking.advance(600.0)
        looking.end_pass(make_state())
        looking.advance(PAST_LOOK)
        looking.lose_look()
    said = Event(
        Level.WARNING,
        "doctor's look failed: its process exited without a report",
        {"hint": "it was killed, or out of memory"},
    )
    assert looking.host.logged.count(said) == looking.texts.count(said.text) == 1
    assert looking.last_found == Inspected((STALE_SPEC,), ("SB-E401",))


def test_a_look_that_finds_no_room_for_a_process_is_said_and_comes_after_the_next_pass(looking: Stage) -> None:
    looking.end_look(STALE_SPEC)
    looking.advance(600.0)
    looking.end_pass(make_state())
    looking.host.has_room = False
    looking.advance(PAST_LOOK)
    text = "doctor's look could not start: cannot start a process: out of room"
    assert looking.host.logged[-1] == Event(Level.WARNING, text, {"hint": "make some"})
    looking.host.has_room = True
    looks = len(looking.host.looks)
    looking.advance(600.0)
    looking.end_pass(make_state())
    looking.advance(PAST_LOOK)
    assert len(looking.host.looks) == looks + 1


def test_a_look_that_hangs_is_given_up_and_passes_go_on(looking: Stage) -> None:
    looking.udev.send(b"r")
    looking.advance(0.2)
    assert looking.passes == 3
    looking.end_pass(make_state())
    looking.advance(121.0)
    (look, *_) = looking.host.looks
    assert looking.host.ended == [look.pid]
    text = f"doctor's look hung for 120 s and was abandoned (process {look.pid})"
    assert Event(Level.WARNING, text, {}) in looking.host.logged


def test_a_look_that_is_slow_is_not_given_up_and_one_that_hangs_has_said_where(looking: Stage) -> None:
    (look, *_) = looking.host.looks
    for words in (b"firmware and kernel\n", b"NICs and VFs\n"):
        looking.advance(100.0)
        os.write(look.write_end, words)
        looking.advance(0.1)
    assert looking.host.ended == []
    looking.advance(121.0)
    text = f"doctor's look hung for 120 s at NICs and VFs and was abandoned (process {look.pid})"
    assert Event(Level.WARNING, text, {}) in looking.host.logged


def test_a_look_does_not_keep_us_from_stopping(looking: Stage) -> None:
    looking.signal(signal.SIGTERM)
    assert looking.is_over
    assert looking.host.ended == [looking.host.looks[0].pid]


# -- alive --


def test_the_watchdog_is_pinged_in_time_and_nothing_else_wakes_us() -> None:
    with Stage(watchdog_seconds=90.0) as stage:
        stage.settle()
        stage.advance(PAST_LOOK)
        jumps = stage.loop.hourglass.jumps
        stage.advance(560.0 - PAST_LOOK)
        assert stage.host.notified.count("WATCHDOG=1") == 6
        assert stage.loop.hourglass.jumps == jumps + 7  # and the test's own


def test_a_pass_that_hangs_does_not_stop_the_pings() -> None:
    with Stage(watchdog_seconds=90.0) as stage:
        stage.advance(1000.0)
        assert stage.host.notified.count("WATCHDOG=1") == 11


def test_a_ping_that_systemd_did_not_take_is_repeated_at_once() -> None:
    """WatchdogSec= is twice as long as the pause after a ping: the next one would come too late."""
    with Stage(watchdog_seconds=90.0) as stage:
        stage.settle()
        stage.advance(89.0 - stage.now)
        stage.host.systemd_listens = False
        stage.advance(5.0)
        stage.host.systemd_listens = True
        stage.advance(0.1 + JUST_AFTER)
        assert stage.host.notified.count("WATCHDOG=1") == 1
        stage.advance(89.0)
        assert stage.host.notified.count("WATCHDOG=1") == 1
        stage.advance(1.1)
        assert stage.host.notified.count("WATCHDOG=1") == 2


def test_without_a_watchdog_nobody_is_pinged(settled: Stage) -> None:
    settled.advance(3600.0)
    assert "WATCHDOG=1" not in settled.host.notified


# -- signals --


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_daemon_stops_at_once(settled: Stage, number: signal.Signals) -> None:
    began = settled.now
    settled.signal(number)
    assert settled.is_over
    assert settled.now - began < JUST_AFTER
    assert settled.host.notified[-1] == "STOPPING=1"
    assert settled.host.asked_to_end == []


def test_sigterm_during_a_hung_pass_stops_within_two_seconds(stage: Stage) -> None:
    began, job = stage.now, stage.host.passes[0]
    stage.signal(signal.SIGTERM)
    was_over = stage.is_over
    stage.advance(1.9)
    assert (was_over, stage.is_over) == (False, True)
    assert stage.now - began < 2.0
    assert stage.host.asked_to_end == [job.pid]
    assert stage.host.ended == []  # a write that was begun is not killed
    assert stage.texts == [f"stopped while process {job.pid} was at work: it will end on its own"]


def test_a_pass_that_is_about_to_end_may_do_so(settled: Stage) -> None:
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.signal(signal.SIGTERM)
    settled.advance(0.1)
    settled.end_pass(make_state(num_vfs=3))
    assert settled.is_over
    assert settled.host.asked_to_end == []
    assert len(settled.host.pages) == 3


def test_restarts_at_work_are_left_to_end_by_themselves(settled: Stage) -> None:
    change(settled)
    settled.advance(2.1)
    settled.signal(signal.SIGTERM)
    settled.advance(0.1)
    assert settled.is_over
    assert settled.host.asked_to_end == [settled.host.restarts[0].pid]


def test_sighup_is_one_more_pass_and_says_so_to_systemd(settled: Stage) -> None:
    said = len(settled.host.notified)
    settled.signal(signal.SIGHUP)
    reloading, ready, *_ = settled.host.notified[said:]
    assert reloading.startswith(f"RELOADING=1\nMONOTONIC_USEC={int(settled.loop.time())}")
    assert ready == "READY=1"
    settled.advance(0.2)
    assert settled.passes == 3


@pytest.mark.parametrize("room", [0, 1])
def test_a_reload_is_told_in_order_until_systemd_has_taken_it(settled: Stage, room: int) -> None:
    """READY=1 without RELOADING=1 ends no reload; RELOADING=1 without READY=1 neither."""
    began = len(settled.host.notified)
    settled.host.room_in_queue = room
    settled.signal(signal.SIGHUP)
    settled.advance(0.05)
    assert len(settled.host.notified) == began + room
    settled.host.room_in_queue = 9
    settled.advance(5.0)
    assert [text.partition("\n")[0] for text in settled.host.notified[began:]] == ["RELOADING=1", "READY=1"]


def test_a_reload_that_comes_before_the_last_one_has_ended_is_told_from_its_beginning(settled: Stage) -> None:
    began = len(settled.host.notified)
    settled.host.room_in_queue = 1
    settled.signal(signal.SIGHUP)
    settled.signal(signal.SIGHUP)
    settled.host.room_in_queue = 9
    settled.advance(5.0)
    names = [text.partition("\n")[0] for text in settled.host.notified[began:]]
    assert names == ["RELOADING=1", "RELOADING=1", "READY=1"]


def test_nothing_restarts_while_a_reload_waits_for_ready(settled: Stage) -> None:
    change(settled)
    settled.host.systemd_listens = False
    settled.signal(signal.SIGHUP)
    settled.advance(0.2)
    settled.end_pass(make_state(changed_at=settled.loop.time()))
    settled.advance(5.0)
    assert settled.restarts == 0
    settled.host.systemd_listens = True
    settled.advance(0.1 + JUST_AFTER)
    assert settled.restarts == 1


def test_sighup_does_not_make_a_start_ready(stage: Stage) -> None:
    stage.signal(signal.SIGHUP)
    stage.advance(30.0)
    assert not stage.is_ready


# -- the sinks --


def test_every_report_is_published_and_what_is_new_in_it_logged_once(stage: Stage) -> None:
    stage.settle(degraded(Reason.EXCEEDS_MAX))
    assert len(stage.host.pages) == 2
    assert stage.texts == [f"{PF}: exceeds_max"]
    stage.udev.send(b"r")
    stage.advance(0.2)
    stage.end_pass(make_state())
    assert stage.texts[1:] == [f"{PF} (ens1f0): 4 VFs, as desired"]
    assert stage.host.notified[-1] == "STATUS=4 VFs on 1 PF as desired"


def test_a_status_that_systemd_did_not_take_is_told_again(settled: Stage) -> None:
    settled.host.systemd_listens = False
    settled.udev.send(b"r")
    settled.advance(0.2)
    settled.end_pass(degraded(Reason.EXCEEDS_MAX))
    settled.host.systemd_listens = True
    settled.advance(0.1 + JUST_AFTER)
    assert settled.host.notified[-1] == f"STATUS=degraded: {PF}: exceeds_max"


def test_sinks_wait_while_the_boot_does(stage: Stage) -> None:
    stage.end_pass(degraded(Reason.ABSENT))
    assert stage.host.pages == []  # the second pass is under way, and loading the sinks would slow it down
    stage.advance(0.2)
    stage.end_pass(degraded(Reason.ABSENT))
    assert len(stage.host.pages) == 1


# -- carriers --


def test_a_carrier_that_rates_of_vfs_wait_for_is_a_wake_up(stage: Stage) -> None:
    stage.settle(make_state(rates_need_carrier=True))
    assert stage.carriers.watched == {"ens1f0"}
    stage.carriers.send(b"-")  # somebody else's
    stage.advance(1.0)
    assert stage.passes == 2
    stage.carriers.send(b"c")
    stage.advance(1.0)
    assert stage.passes == 3
    stage.end_pass(make_state())
    assert stage.carriers.watched == frozenset()
    stage.advance(5.0)
    assert stage.passes == 3


def test_carriers_that_cannot_be_watched_are_said(stage: Stage) -> None:
    stage.carriers.fails = True
    stage.settle(make_state(rates_need_carrier=True))
    assert "carriers of PFs are not watched: Too many open files" in stage.texts
