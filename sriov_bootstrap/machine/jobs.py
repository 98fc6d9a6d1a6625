"""What the daemon has done in processes of its own: a pass, restarts, doctor's look, the page; `--once` in its own."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import ConfigError, SriovBootstrapError
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.followup import FollowUpReport
from sriov_bootstrap.core.state import Handover, State
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded, load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass

if TYPE_CHECKING:
    from sriov_bootstrap.core.finding import Diagnosis, Inspected

SAY_SECONDS = 1.0  # often enough to show that a job is alive, seldom enough not to keep the daemon busy


End = TypeVar("End")
Examine = Callable[[HostMachine, Loaded], "Diagnosis"]  # doctor's, which is above this room


class JobEnd(Struct, frozen=True):
    """The last line of a job: the state as it left it, and what state.json does not hold."""

    state: State
    is_saved: bool = True
    follow_up: FollowUpReport = FollowUpReport()


class PageEnd(Struct, frozen=True):
    """The last line of the process that makes the page: one text for each place that does not have it."""

    problems: tuple[str, ...] = ()


def load(machine: HostMachine, last_good: Config | None) -> Loaded:
    """The config for those that carry on, without any rules, if it is broken: the daemon, status, doctor."""
    try:
        return load_config(machine, last_good)
    except ConfigError as error:
        return Loaded(Config(), error.problems)


def do_restarts(machine: HostMachine, loaded: Loaded) -> FollowUpReport:
    """One round of restarts."""
    from sriov_bootstrap.passes.restarts import run_restarts

    return run_restarts(machine, loaded.config.services)


def publish(machine: HostMachine, loaded: Loaded) -> tuple[str, ...]:
    """Makes the page for the current state. Problems are returned, and fail no pass."""
    from sriov_bootstrap.core.finding import load_inspected
    from sriov_bootstrap.edges import metrics

    config = loaded.config
    text = metrics.exposition(
        machine.load_state()[0],
        config_valid=not loaded.mistakes,
        units=config.services.restart,
        inspected=load_inspected(machine.files.read_findings()),
        per_vf=config.metrics.per_vf,
        made_at=machine.time(),
    )
    page = metrics.page_file(text)
    problems = [machine.files.save_page(page)]
    if config.metrics.textfile:
        from pathlib import Path

        try:
            metrics.write_textfile(Path(config.metrics.textfile), page)
        except SriovBootstrapError as error:
            problems.append(error.message)
    return tuple(filter(None, problems))


def start_pass(machine: HostMachine, loaded: Loaded, handover: Handover) -> child.Child:
    """A pass in a process of its own; its last line is a JobEnd."""

    def work() -> JobEnd:
        left = _sweep(machine)
        report = run_pass(machine, loaded, mode=Mode.APPLY, handover=handover)
        report = msgspec.structs.replace(report, notes=(*report.notes, *left))
        saved = machine.load_state()[0]
        # Only the pass's notes can say that state.json could not be saved.
        return JobEnd(msgspec.structs.replace(saved, report=report), is_saved=not machine.has_unsaved_state)

    return _start_job(machine, work)


def _sweep(machine: HostMachine) -> tuple[str, ...]:
    """Cleans up after a killed `verify`, before the pass plans; what could not be put back, for the log."""
    if not machine.trial_files.read_trials():
        return ()
    from sriov_bootstrap.machine.trials import sweep

    return tuple(f"verify was killed, and left something behind: {problem}" for problem in sweep(machine))


def start_restarts(machine: HostMachine, loaded: Loaded) -> child.Child:
    """A round of restarts in a process of its own; its last line is a JobEnd."""

    def work() -> JobEnd:
        report = do_restarts(machine, loaded)
        return JobEnd(machine.load_state()[0], not machine.has_unsaved_state, report)

    return _start_job(machine, work)


def start_inspection(machine: HostMachine, loaded: Loaded, look: Examine) -> child.Child:
    """doctor's look in a process of its own; its last line is an Inspected."""

    def work() -> "Inspected":
        child.be_the_first_to_go()  # it reads whatever is on the host, and nothing waits for it
        from sriov_bootstrap.core.finding import load_inspected, record_inspection

        known = machine.files.read_findings()
        before = load_inspected(known)
        latest = record_inspection(look(machine, loaded), before)
        if latest != before or not known:  # a file that says there is nothing is how others tell that we have looked
            machine.files.save_findings(to_json(latest))
        return latest

    return _start_job(machine, work, pause_seconds=0.0)  # it says what it looks at next, seven times


def start_page(machine: HostMachine, loaded: Loaded) -> child.Child:
    """The page of metrics in a process of its own; its last line is a PageEnd.

    What it needs is loaded here, once, for 4 MiB: in each of these processes it would be most of their work.
    """
    with contextlib.suppress(Exception):  # that process says what is wrong with it
        from sriov_bootstrap.edges import metrics  # noqa: F401
    return _start_job(machine, lambda: PageEnd(publish(machine, loaded)))


def end_of(line: bytes) -> JobEnd:
    """Parses a job's last line. Raises SriovBootstrapError if the job failed."""
    return _decode_end(line, JobEnd)


def end_of_inspection(line: bytes) -> "Inspected":
    """The same for doctor's look."""
    from sriov_bootstrap.core.finding import Inspected

    return _decode_end(line, Inspected)


def page_problems(line: bytes) -> tuple[str, ...]:
    """The same for the page: what was wrong with it."""
    return _decode_end(line, PageEnd).problems


def _decode_end(line: bytes, kind: type[End]) -> End:
    try:
        return msgspec.json.decode(child.line_or_crash(line, "a job of the daemon"), type=kind)
    except UNDECODABLE as error:
        raise SriovBootstrapError(
            "its process exited without a report", hint="it was killed, or out of memory"
        ) from error


def _start_job(machine: HostMachine, work: Callable[[], Struct], *, pause_seconds: float = SAY_SECONDS) -> child.Child:
    """A job asked to stop does so, unless it has begun to write: between two writes a PF may have no VFs."""

    def job(send: child.Send) -> None:
        machine.say = _rate_limit(send, pause_seconds)
        signal.signal(signal.SIGTERM, lambda *_: None if machine.has_written else os._exit(0))
        try:
            send(to_json(work()))
        except SriovBootstrapError as error:
            send(child.CRASH + error.message.encode())

    return child.start(job)


def _rate_limit(send: child.Send, pause_seconds: float) -> Callable[[str], None]:
    said_at = 0.0

    def say(text: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= pause_seconds:
            said_at = time.monotonic()
            send(printable(text).encode())

    return say
