"""What `systemctl show` says of units, as far as doctor asks."""

from msgspec import Struct

from sriov_bootstrap.core.followup import RUNNING

PROPERTIES = ("Id", "ActiveState", "MainPID", "InactiveExitTimestampMonotonic", "ExecMainStartTimestampMonotonic")
QUERY = f"--property={','.join(PROPERTIES)}"


class UnitProcess(Struct, frozen=True):
    """A unit's main process; `pid` 0: it has none. `started_at` on CLOCK_MONOTONIC."""

    is_active: bool = False
    pid: int = 0
    started_at: float | None = None


def parse_unit_states(text: str) -> dict[str, UnitProcess]:
    """By the unit's Id; a block for each, an empty line between two."""
    found = {}
    for block in text.split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        # A service that systemd restarts by itself has a new main process, and its unit stays as it was meanwhile.
        times = [_number(said.get(name, "")) for name in PROPERTIES[3:]]
        if name := said.get("Id"):
            is_active = said.get("ActiveState") in RUNNING
            started_at = max(times) / 1e6 if any(times) else None
            found[name] = UnitProcess(is_active, _number(said.get("MainPID", "")), started_at)
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004 - of 64 bits
