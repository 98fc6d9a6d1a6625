"""The edges wired into the host that the daemon runs on."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sriov_bootstrap.commands import jobs
from sriov_bootstrap.commands.machine import HostMachine
from sriov_bootstrap.core.config import Config, Metrics
from sriov_bootstrap.core.doctor.finding import Inspected
from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.notices import Notice
from sriov_bootstrap.core.state import Handover, State
from sriov_bootstrap.core.validate import parse_listen
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.notify import Notifier
from sriov_bootstrap.exporter.refusals import Peer, Refusal, Refusals
from sriov_bootstrap.reconcile import Loaded

if TYPE_CHECKING:
    from sriov_bootstrap.edges.log import Log
    from sriov_bootstrap.edges.metrics import Page
    from sriov_bootstrap.exporter.endpoint import Endpoint


class DaemonHost:
    """See daemon.Host. The log and the metrics are loaded when first used, which is after READY=1."""

    def __init__(self, machine: HostMachine, notifier: Notifier, *, log_format: str, verbose: bool, root: str) -> None:
        """Starts nothing yet."""
        self._machine = machine
        self._root = root
        self._log_format = log_format
        self._verbose = verbose
        self._log: Log | None = None
        self._notifier = notifier
        self._refusals = Refusals()
        self._page: Page | None = None

    def load_config(self, last_good: Config | None) -> Loaded:
        """The config now."""
        return jobs.load(self._machine, last_good)

    def start_pass(self, loaded: Loaded, handover: Handover) -> child.Child:
        """A pass."""
        return jobs.start_pass(self._machine, loaded, handover)

    def start_restarts(self, loaded: Loaded) -> child.Child:
        """A round of restarts."""
        return jobs.start_restarts(self._machine, loaded)

    def start_inspection(self, loaded: Loaded) -> child.Child:
        """doctor's look."""
        return jobs.start_inspection(self._machine, loaded, self._root)

    def start_page(self, loaded: Loaded) -> child.Child:
        """The page of metrics."""
        return jobs.start_page(self._machine, loaded)

    def page_problems(self, line: bytes) -> tuple[str, ...]:
        """What is wrong with it."""
        return jobs.page_problems(line)

    def inspection_end(self, line: bytes) -> Inspected:
        """What it found."""
        return jobs.end_of_inspection(line)

    def job_end(self, line: bytes) -> tuple[State, FollowUpReport]:
        """What a job came to."""
        end = jobs.end_of(line)
        self._machine.carry_over(end.state, is_saved=end.is_saved)
        return end.state, end.follow_up

    def end(self, pid: int) -> None:
        """Kills a job."""
        child.end(pid)

    def ask_to_end(self, pid: int) -> None:
        """See jobs.py for who listens."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def reap(self, pid: int) -> None:
        """Takes note of a job's end."""
        child.reap(pid, timeout_seconds=1.0)

    def publish(self, value: State, loaded: Loaded, found: Inspected) -> None:
        """The page is made here, where it is another one: a scrape only sends it, whatever the kernel is doing."""
        units, per_vf = loaded.config.services.restart, loaded.config.metrics.per_vf
        valid, now = not loaded.problems, self._machine.time()
        self._get_page().show(value, made_at=now, config_valid=valid, units=units, inspected=found, per_vf=per_vf)

    def make_endpoint(self, metrics: Metrics) -> "Endpoint":
        """The endpoint for a [metrics] that validate.py has let through."""
        from sriov_bootstrap.exporter.endpoint import Endpoint
        from sriov_bootstrap.exporter.page import own_metrics

        addresses, port = parse_listen(metrics.listen) or ((), 0)
        page = self._get_page()

        def read() -> bytes:
            return page.read() + own_metrics(self._refusals.counts)

        if not metrics.web_config:
            return Endpoint(addresses, port, read, refused=self._on_refusal)
        from sriov_bootstrap.commands.web_access import WebAccess

        access = WebAccess(metrics.web_config, self.emit, self._on_refusal)
        return Endpoint(addresses, port, read, rules=access.rules, refused=self._on_refusal)

    def _get_page(self) -> "Page":
        from sriov_bootstrap.edges.metrics import Page

        self._page = self._page or Page()
        return self._page

    def _on_refusal(self, refusal: Refusal, peer: Peer, user: str = "") -> None:
        if line := self._refusals.note(refusal, peer, now=time.monotonic(), user=user):
            self.emit([Event(Level(line.level), line.text, {**line.fields})])

    def emit(self, lines: Iterable[Event]) -> None:
        """To the log."""
        from sriov_bootstrap.edges.log import Log

        self._log = self._log or Log(self._log_format, verbose=self._verbose)
        self._log.emit(lines)

    def notify(self, *notices: tuple[Notice, str | int]) -> bool:
        """To systemd; whether it took it."""
        return self._notifier.notify(*notices)

    def watchdog_seconds(self) -> float | None:
        """Half of what systemd allows."""
        return self._notifier.watchdog_interval_seconds()
