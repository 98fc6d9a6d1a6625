"""What `systemctl show` says of units, as far as doctor asks."""

from collections.abc import Mapping

from msgspec import Struct

from sriov_bootstrap.core.followup import RUNNING

STARTS = ("InactiveExitTimestampMonotonic", "ExecMainStartTimestampMonotonic")
PROPERTIES = ("Names", "LoadState", "ActiveState", "UnitFileState", "Result", "NeedDaemonReload", "MainPID", *STARTS)


class UnitProcess(Struct, frozen=True):
    """A unit's main process; `pid` 0: it has none. `started_at` on CLOCK_MONOTONIC."""

    is_active: bool = False
    pid: int = 0
    started_at: float | None = None


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """Properties by each of the unit's names; a block for each unit, an empty line between two."""
    found: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines())
        said = {key: value for key, separator, value in pairs if separator}
        found |= dict.fromkeys(said.get("Names", "").split(), said)
    return found


def process_of(said: Mapping[str, str]) -> UnitProcess:
    """Out of a unit's properties."""
    # A service that systemd restarts on its own has a new main process, while its unit stays as it was.
    times = [_number(said.get(name, "")) for name in STARTS]
    started_at = max(times) / 1e6 if any(times) else None
    return UnitProcess(said.get("ActiveState") in RUNNING, _number(said.get("MainPID", "")), started_at)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004 - of 64 bits
