"""The state of the service right now: `status` prints it as notes, doctor's checks judge it."""

from msgspec import Struct

from sriov_bootstrap.core.state import LATE_SECONDS, FailedRestart, PendingRestart, State
from sriov_bootstrap.core.surroundings import Jam

GOES_ON = "sriov-bootstrap.service has passed since the boot: if it still runs, systemctl stop sriov-bootstrap"
WITHOUT_UDEVD = "is down: VF losses are noticed up to 10 minutes late"


class Now(Struct, frozen=True):
    """Ages in seconds. `switches`: what keeps the unit from starting.

    `pending_age`: since VFs changed, None while a write is still under way. `pass_age`: since the last pass of this
    boot ended, None if state.json does not say.
    """

    switches: tuple[str, ...] = ()
    has_udevd: bool = True
    jam: Jam | None = None
    jam_age: float = 0.0
    pending: PendingRestart | None = None
    pending_age: float | None = None
    has_passed: bool = False
    pass_age: float | None = None

    @property
    def late(self) -> str:
        """How long ago the last pass was if the next one is overdue; otherwise ""."""
        age = self.pass_age or 0.0
        return f"the last pass was {age / 60:.0f} minutes ago" if age > LATE_SECONDS else ""


def now_of(state: State, monotonic: float, *, jam: Jam | None, switches: tuple[str, ...], has_udevd: bool) -> Now:
    """`monotonic`: the time now, on the clock that `state` uses."""
    changed_at = state.pending.changed_at if state.pending else None
    return Now(
        switches,
        has_udevd,
        jam,
        monotonic - jam.began_at if jam else 0.0,
        state.pending,
        None if changed_at is None else monotonic - changed_at,
        bool(state.counters.passes),
        monotonic - state.passed_at if state.counters.passes and state.passed_at else None,
    )


def notes(now: Now) -> tuple[str, ...]:
    """For whoever operates this host: one line each, with what to type."""
    said = [f"switched off: {switch} keeps the unit from starting" for switch in now.switches]
    if now.switches and now.has_passed and not now.late:
        said.append(GOES_ON)
    if not now.has_udevd:
        said.append(f"systemd-udevd {WITHOUT_UDEVD}: systemctl status systemd-udevd")
    if now.jam:
        said.append(f"{now.jam}, for {now.jam_age:.0f} s")
    if now.pending:
        said.append("restarts are pending, because VFs changed on: " + ", ".join(now.pending.pci_addresses))
        said += [f"they could not be made: {now.pending.problem}"] if now.pending.problem else []
        said += [f"{name}: {_fate(failed)}" for name, failed in now.pending.failed.items()]
        said += [f"{name}: is still stopping; systemd starts it once it has stopped" for name in now.pending.stopping]
    if not now.has_passed:
        said.append("no pass since boot: systemctl status sriov-bootstrap, or sriov-bootstrap --once")
    elif now.late:
        said.append(f"{now.late}: systemctl status sriov-bootstrap")
    return tuple(said)


def _fate(failed: FailedRestart) -> str:
    if failed.tries:
        return "its restart failed, and will be tried again"
    return "how its restart ended is not known; it is started if it has failed"
