"""Conversations with systemd over D-Bus, each in a child that ends soon.

The process that starts the child loads dbus_next, once for all of its children. That is never the daemon, but one of
its jobs or a command, which live little longer than the child.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence

import msgspec

from sriov_bootstrap.base.errors import UnitError
from sriov_bootstrap.core.followup import UnitResult, UnitState
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine import pipe_messages

SECONDS = 20.0
Say = Callable[[str], None]


def unit_states(names: Iterable[str], say: Say) -> tuple[UnitState, ...]:
    """How systemd sees these units. UnitError or StuckError if it cannot be asked."""

    def ask() -> pipe_messages.Answer:
        from sriov_bootstrap.edges.systemd import units

        return pipe_messages.Units(units.unit_states(names))

    told = _converse(ask, say, SECONDS)
    return told.states if isinstance(told, pipe_messages.Units) else ()


def restart_units(
    names: Sequence[str], say: Say, *, failed: frozenset[str], job_timeout_seconds: float
) -> pipe_messages.Restarted:
    """How the restarts ended; see edges/systemd/units.py. UnitError or StuckError if nothing is known about any."""

    def ask() -> pipe_messages.Answer:
        from sriov_bootstrap.edges.systemd import units

        results: list[UnitResult] = []
        try:
            units.restart_units(names, failed=failed, job_timeout_seconds=job_timeout_seconds, on_result=results.append)
        except UnitError as error:
            return pipe_messages.Restarted(tuple(results), error.message)
        return pipe_messages.Restarted(tuple(results))

    told = _converse(ask, say, job_timeout_seconds + SECONDS)
    if not isinstance(told, pipe_messages.Restarted):  # pragma: no cover (it sends nothing else)
        raise TypeError(told)
    return told


def _converse(ask: Callable[[], pipe_messages.Answer], say: Say, timeout_seconds: float) -> pipe_messages.Answer:
    what = "D-Bus"
    with contextlib.suppress(Exception):  # the child says what is wrong with it
        from sriov_bootstrap.edges.systemd import units  # noqa: F401 (loaded here, used there)
    line = child.call(
        lambda send: send(msgspec.json.encode(pipe_messages.catch_errors(ask))),
        what=what,
        timeout_seconds=timeout_seconds,
        waiting=child.progress(say, "waiting for systemd"),
    )
    return pipe_messages.decode(line, what)
