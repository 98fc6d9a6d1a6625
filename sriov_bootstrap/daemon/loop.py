"""WHEN: first pass at once, wake-ups, coalescing, restarts after quiet, retries, stop. Does no pass itself.

One thread, one event loop. Every pass and every round of restarts is a job: a process of its own that reports over a
pipe and can be left behind, so nothing here ever blocks. Times are CLOCK_MONOTONIC.

What may be done, and when, is one table, `Daemon._duties`. Nothing else starts anything. Each `_on_...` notes what
happened in a few times and flags:

- `_times`: udev, SIGHUP, a carrier, the end of a jam, after which a pass follows when the burst is over; and when there
  is to be one without an event, as a retry or as the safety net;
- `_restarts.due_at`: a round of restarts, some quiet seconds after VFs last changed, or when systemd is asked again.

One pass at a time, one round at a time, never both: a round that begins within a pass would ask for units that the pass
is about to make restart once more. doctor's look waits for both. READY=1 comes before the first round, because a
job of a unit that is ordered after ours waits for us; and before the log and the page, because the boot waits for it.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

from msgspec.structs import replace

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.processes import SILENT_SECONDS, Job, ProcessEnd
from sriov_bootstrap.core import events, repetition
from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.core.state import REQUESTED, Handover, State
from sriov_bootstrap.daemon.announcements import Announcements
from sriov_bootstrap.daemon.carriers import CarrierWakeUps
from sriov_bootstrap.daemon.inspection import Inspection
from sriov_bootstrap.daemon.job_slot import NEVER, JobSlot
from sriov_bootstrap.daemon.pass_times import SAFETY_NET_SECONDS, PassTimes
from sriov_bootstrap.daemon.protocols import CarrierWatch, DaemonMachine, WakeUps
from sriov_bootstrap.daemon.publication import Publication
from sriov_bootstrap.daemon.restarts import Restarts
from sriov_bootstrap.daemon.schedule import Duty, Schedule
from sriov_bootstrap.passes.read import Loaded

STOP_SECONDS = 0.5
AGAIN_SECONDS = 1.0
LOOK_AT_UDEVD = "until it runs, a loss is noticed up to ten minutes late: systemctl status systemd-udevd"


class Daemon:
    """The state machine: see above."""

    def __init__(
        self,
        host: DaemonMachine,
        udev: WakeUps,
        loaded: Loaded,
        state: State,
        carriers: CarrierWatch,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._host = host
        self._udev = udev
        self._carriers = CarrierWakeUps(carriers, self._want_pass, self._say)
        self._loaded = loaded
        self._state = state
        self._handover = Handover()
        self._given = REQUESTED  # what the pass under way was given; the first one, by whoever started it
        self._pass = JobSlot(host, self._on_pass_end, clock=clock)
        self._restarts = Restarts(host, self._on_restarted, self._say, clock=clock)
        self._was_woken = True  # whether the current pass was triggered by an event
        self._is_stale = True
        self._unsaid: list[Event] = []
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._has_looked = False
        self._began = clock()
        self._announcements = Announcements(host, began=self._began)
        self._times = PassTimes()
        self._inspection = Inspection(host, self._on_inspected, clock=clock)
        self._publication = Publication(host, self._wake.set, clock=clock)
        self._failures = 0
        self._jam: ProcessEnd | None = None
        self._schedule = self._duties()

    def _duties(self) -> Schedule:
        """Everything that this process ever starts, in the order in which it is done."""
        return Schedule(
            Duty(self._ready_at, self._is_starting, self._be_ready),
            Duty(lambda: self._announcements.reload_at, lambda: True, self._announcements.tell_reload),
            Duty(lambda: self._announcements.status_at, lambda: True, self._tell_status),
            Duty(lambda: self._pass.silent_at, lambda: True, self._give_up_pass),
            Duty(lambda: self._restarts.silent_at, lambda: True, self._restarts.give_up),
            Duty(lambda: self._times.due_at, lambda: self._pass.is_free, self._start_pass),
            Duty(self._extend_at, self._is_starting, self._extend_start),
            Duty(lambda: self._restarts.due_at, self._is_idle, lambda now: self._restarts.start(self._loaded, now)),
            Duty(lambda: self._inspection.due_at, self._is_idle, lambda _: self._inspection.step(self._loaded)),
            Duty(lambda: self._publication.due_at, self._may_tell, lambda _: self._publication.step(self._loaded)),
            Duty(lambda: self._announcements.ping_at, self._is_progressing, self._announcements.ping_watchdog),
        )

    async def run(self, first: Job) -> None:
        """Until SIGTERM or SIGINT. Children that cannot end are left behind.

        `first` is the first pass, already under way: the boot does not wait for our imports.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        loop.add_reader(self._udev.fileno(), self._on_udev)
        self._pass.take(first)
        self._want_pass()  # the first pass began before the listener: what came in between is looked at after it
        self._announcements.begin(self._clock(), self._wait_seconds)
        while not self._is_stopping:
            self._wake.clear()
            self._step(self._clock())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds_to_next())
        await self._stop()

    def _step(self, now: float) -> None:
        """Does what is due, and reports what is new."""
        self._schedule.step(now)
        if self._may_tell():
            self._publish_news()

    def _seconds_to_next(self) -> float | None:
        """Until the next duty is due; None: only an event can wake us."""
        nearest = self._schedule.next_at()
        return None if nearest == NEVER else max(0.0, nearest - self._clock())

    def _is_idle(self) -> bool:
        return not self._announcements.is_awaited and self._pass.is_free and self._restarts.is_free

    def _may_tell(self) -> bool:
        """Not during the boot: the log and the page take longer to load than the first pass."""
        return self._announcements.is_ready or (self._pass.is_free and not self._times.has_events)

    # -- ready, alive --

    @property
    def _wait_seconds(self) -> float:
        """For required PFs, as the config has it now."""
        return self._loaded.config.boot.wait_for_pf_seconds

    def _is_starting(self) -> bool:
        return not self._announcements.is_ready

    def _ready_at(self) -> float:
        """When every required PF is settled, or waiting for it is over: a missing NIC never blocks the boot."""
        is_settled = self._pass.is_free and self._has_looked and self._state.report.is_settled
        waited_at = self._began + self._wait_seconds
        return max(self._began if is_settled else waited_at, self._announcements.ready_again_at)

    def _be_ready(self, now: float) -> None:
        self._announcements.be_ready(now, self._state.report.status)

    def _extend_at(self) -> float:
        return self._announcements.extend_at(self._wait_seconds)

    def _extend_start(self, now: float) -> None:
        self._announcements.extend_start(now, self._wait_seconds)

    def _is_progressing(self) -> bool:
        """What a watchdog ping vouches for: no job has been silent for long without being abandoned."""
        return self._clock() < min(self._pass.silent_at, self._restarts.silent_at) + SILENT_SECONDS

    # -- passes --

    def _start_pass(self, now: float) -> None:
        self._was_woken = self._times.has_events or self._failures > 0  # a retry may be the event's, too
        self._times.begin(now)
        last_good = self._loaded.config
        self._loaded = self._host.load_config(last_good)
        try:
            self._pass.take(self._host.start_pass(self._loaded, self._handover))
        except SriovBootstrapError as error:
            self._on_pass_failure(error.message, error.hint)
            return
        self._given, self._handover = self._handover, Handover()

    def _on_pass_end(self, line: bytes) -> None:
        now = self._clock()
        self._wake.set()
        try:
            state, _ = self._host.job_end(line)
        except SriovBootstrapError as error:
            self._on_pass_failure(f"the pass failed: {error.message}", error.hint)
            return
        before, self._state, self._has_looked = self._state, state, True
        self._given = Handover()
        report = state.report
        self._unsaid += events.pass_events(report, before.report)
        self._is_stale = True
        self._failures = self._failures + 1 if repetition.is_worth_retrying(report) else 0
        delay = repetition.next_look_seconds(state, self._failures, now=now)
        self._times.look_at = now + (SAFETY_NET_SECONDS if delay is None else delay)
        if repetition.is_unfinished(report):
            self._times.look_at = now + AGAIN_SECONDS
        if state.pending and state.pending.changed_at is not None:
            self._restarts.due_at = state.pending.changed_at + self._loaded.config.services.settle_seconds
        self._inspection.want()
        if report.losses and not self._was_woken and not self._times.has_events:
            self._log(Level.WARNING, "VFs disappeared without a udev event", LOOK_AT_UDEVD)
        self._watch_jam()
        self._carriers.follow(report)

    def _on_pass_failure(self, text: str, hint: str) -> None:
        self._failures += 1
        self._is_stale = True  # only the time is new: the page shows that this process is alive
        self._given, self._handover = Handover(), self._handover.after_failure(self._given)
        self._times.look_at = self._clock() + (repetition.retry_delay_seconds(self._failures) or 0.0)
        self._log(Level.ERROR, text, hint)

    def _give_up_pass(self, _now: float) -> None:
        """A silent job is stuck in a read that does not return: it is abandoned, and tried again later."""
        pid = self._pass.give_up()
        self._on_pass_failure(f"a pass hung for {SILENT_SECONDS:g} s and was abandoned (process {pid})", "")

    def _watch_jam(self) -> None:
        """A stuck writer's end wakes us: the kernel is free again."""
        if self._jam:
            self._jam.let_go()
        jam = self._state.report.jam
        self._jam = ProcessEnd(jam.pid, self._want_pass) if jam else None

    # -- other jobs --

    def _on_restarted(self, state: State | None) -> None:
        if state and state.passed_at >= self._state.passed_at:  # else a pass has ended since it was read
            self._state = state
        self._inspection.want()
        self._on_inspected()

    def _on_inspected(self) -> None:
        self._is_stale = True
        self._wake.set()

    # -- events --

    def _on_udev(self) -> None:
        poke = self._udev.drain()
        if poke.was_overflow:
            self._handover = replace(self._handover, udev_resyncs=self._handover.udev_resyncs + 1)
            self._log(Level.WARNING, "udev events were lost in a burst: everything is read again", "")
        if poke.is_relevant or poke.was_overflow:
            self._handover = replace(self._handover, had_events=True)
            self._want_pass()

    def _want_pass(self) -> None:
        self._times.note_event(self._clock())
        self._wake.set()

    def _on_reload(self) -> None:
        self._announcements.note_reload(self._clock())
        self._handover = replace(self._handover, is_asked=True)
        self._want_pass()

    def _on_stop(self) -> None:
        self._is_stopping = True
        self._wake.set()

    # -- sinks --

    def _publish_news(self) -> None:
        """The sinks, each given what is new."""
        self._unsaid += self._inspection.news() + self._publication.news()
        if self._unsaid:
            self._host.emit(self._unsaid)
            self._unsaid = []
        if self._is_stale:
            self._is_stale = False
            self._publication.want()
            self._publication.step(self._loaded)
            self._tell_status(self._clock())

    def _tell_status(self, now: float) -> None:
        self._announcements.tell_status(now, self._state.report.status)

    def _say(self, event: Event) -> None:
        self._unsaid.append(event)

    def _log(self, level: Level, text: str, hint: str) -> None:
        self._say(Event(level, text, {"hint": hint} if hint else {}))

    async def _stop(self) -> None:
        """Lets a pass that is about to end do so; any other continues on its own: it finishes what it began."""
        self._host.notify((Notice.STOPPING, 1))
        self._inspection.stop()
        deadline = self._clock() + STOP_SECONDS
        while not self._pass.is_free and (left := deadline - self._clock()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
        for slot in (self._pass, self._restarts):
            if pid := slot.let_go():
                self._host.ask_to_end(pid)
                self._log(Level.WARNING, f"stopped while process {pid} was at work: it will end on its own", "")
        self._publish_news()
        self._publication.let_go()
