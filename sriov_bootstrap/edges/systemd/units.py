"""Units of systemd: how they are, and how a restart of them ends."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sriov_bootstrap.base.errors import UnitError
from sriov_bootstrap.core.followup import RUNNING, STOPPING, UnitOutcome, UnitResult, UnitState
from sriov_bootstrap.edges.systemd.connection import (
    ANSWER_SECONDS,
    SERVICE,
    SYSTEM_BUS,
    UNIT,
    RefusedCallError,
    Systemd,
    connect,
)

LAST_LOOK_SECONDS = 5.0  # at a unit whose job has not ended in time; less than the caller waits beyond that time
# org.freedesktop.systemd1(5), JobRemoved; words of later versions pass through as they are
CAUSES = {
    "failed": "it did not start",
    "canceled": "another job replaced it before it was done",
    "timeout": "the unit's own time limit passed",
    "dependency": "a unit that it requires did not start",
    "skipped": "the unit was not in a state to be restarted",
}


def unit_states(
    names: Iterable[str], *, bus_address: str | None = None, timeout_seconds: float = ANSWER_SECONDS
) -> tuple[UnitState, ...]:
    """The units behind these names, each once and under its own name, absent and masked ones too. Raises UnitError."""
    wanted = list(dict.fromkeys(names))
    return asyncio.run(_unit_states(wanted, _address(bus_address), timeout_seconds)) if wanted else ()


def restart_units(
    names: Sequence[str],
    *,
    failed: frozenset[str] = frozenset(),
    job_timeout_seconds: float,
    on_result: Callable[[UnitResult], None],
    bus_address: str | None = None,
) -> None:
    """Restarts all at the same time, and reports each one as it ends; everything is over after `job_timeout_seconds`.

    One that has stopped in the meantime is left alone, but those in `failed` are started if they have failed.
    Raises UnitError when the bus could not be used. Each unit already has its result then, unless none was asked for.
    """
    if names:
        wanted = {name: RUNNING | {"failed"} if name in failed else RUNNING for name in names}
        asyncio.run(_restart_units(wanted, _address(bus_address), job_timeout_seconds, on_result))


def _address(bus_address: str | None) -> str:
    return bus_address or os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM_BUS


async def _unit_states(names: list[str], address: str, timeout_seconds: float) -> tuple[UnitState, ...]:
    async with connect(address, timeout_seconds) as systemd:
        units = {unit[0]: unit for unit in await systemd.list_units(names)}  # by Id: two aliases are one unit
        return tuple(await asyncio.gather(*(_unit_state(systemd, unit) for unit in units.values())))


async def _unit_state(systemd: "Systemd", unit: list[Any]) -> UnitState:
    name, _, load_state, active_state, _, _, path, *_ = unit
    if active_state not in RUNNING:
        return UnitState(name, load_state, active_state)
    # A service that systemd restarts on its own has a new main process, and its unit stays "activating" meanwhile.
    left_inactive = await systemd.read_number(path, UNIT, "InactiveExitTimestampMonotonic")
    process_began = await systemd.read_number(path, SERVICE, "ExecMainStartTimestampMonotonic")
    return UnitState(name, load_state, active_state, max(left_inactive, process_began) / 1e6)


async def _restart_units(
    wanted: dict[str, frozenset[str]],
    address: str,
    job_timeout_seconds: float,
    on_result: Callable[[UnitResult], None],
) -> None:
    """`wanted`: name -> the states from which it may be restarted."""
    async with connect(address, job_timeout_seconds) as systemd:
        await systemd.subscribe()
        restarts = (_restart(systemd, unit, job_timeout_seconds, on_result) for unit in wanted.items())
        problems = [error for error in await asyncio.gather(*restarts, return_exceptions=True) if error is not None]
        if problems:
            raise problems[0]


async def _restart(
    systemd: "Systemd",
    unit: tuple[str, frozenset[str]],
    job_timeout_seconds: float,
    on_result: Callable[[UnitResult], None],
) -> None:
    name, states = unit
    began = time.monotonic()
    try:
        outcome, message = await _run_job(systemd, name, states, job_timeout_seconds)
    except UnitError as error:
        seconds, has_begun = time.monotonic() - began, name in systemd.asked
        what = "cannot tell how its restart ended" if has_begun else "not restarted"
        message = f"{name}: {what}: {error.message}"
        on_result(UnitResult(name, UnitOutcome.BUS_ERROR, seconds, message, may_have_begun=has_begun))
        raise
    on_result(UnitResult(name, outcome, time.monotonic() - began, message))


async def _is_stopping(systemd: "Systemd", name: str) -> bool:
    """At the deadline of its job. False also if nobody answers any more."""
    systemd.extend(LAST_LOOK_SECONDS)
    with contextlib.suppress(UnitError, RefusedCallError):
        return any(unit[3] == STOPPING for unit in await systemd.list_units([name]))
    return False


async def _run_job(
    systemd: "Systemd", name: str, states: frozenset[str], job_timeout_seconds: float
) -> tuple[UnitOutcome, str]:
    look = f"see `systemctl status {name}` and `journalctl -u {name}`"
    try:
        # TryRestartUnit does nothing on a unit that is activating, RestartUnit starts one that has stopped: so look.
        if not any(unit[3] in states for unit in await systemd.list_units([name])):
            return UnitOutcome.DONE, f"{name}: not running any more"
        result = await systemd.job_result(await systemd.restart(name))
    except RefusedCallError as error:
        return UnitOutcome.FAILED, f"{name}: cannot restart: {error}; {look}"
    except TimeoutError:
        if await _is_stopping(systemd, name):
            left = f"still stopping after {job_timeout_seconds:g} s, systemd starts it once it has stopped"
            return UnitOutcome.STOPPING, f"{name}: {left}; {look}"
        left = f"job still running after {job_timeout_seconds:g} s, left to systemd"
        return UnitOutcome.TIMEOUT, f"{name}: {left}; {look}"
    if result == "done":
        return UnitOutcome.DONE, ""
    return UnitOutcome.FAILED, f"{name}: restart ended as {result!r}: {CAUSES.get(result, 'see systemd')}; {look}"
