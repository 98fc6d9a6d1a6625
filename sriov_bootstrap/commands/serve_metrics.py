"""helper metrics: what sriov-bootstrap-metrics.service runs. It loads nothing that serving does not need."""

import contextlib
import os
from collections.abc import Callable

from sriov_bootstrap.edges import child
from sriov_bootstrap.exporter.password_checks import RIGHT, WRONG, Checks
from sriov_bootstrap.exporter.refusals import Peer, Refusal
from sriov_bootstrap.exporter.serve import serve

PAGE = "/run/sriov-bootstrap/state/metrics.prom"
NICE = 10  # checking a password must not take a CPU from a VM


def serve_metrics(*, root: str = "") -> int:
    """Until SIGTERM."""
    return serve(f"{root}{PAGE}", os.environ, make_checks, owner=os.stat(f"{root}/").st_uid)


def make_checks(broke: Callable[[bytes], None], refused: Callable[[Refusal, Peer, str], None]) -> Checks:
    """Each check in a child."""
    return Checks(start_check, end=child.end, reap=_reap, broke=broke, refused=refused)


def start_check(password: bytes, hashed: str) -> child.Child:
    """A process that says whether this is the password; see password_checks.py."""

    def work(send: child.Send) -> None:
        with contextlib.suppress(OSError):  # a drop-in may narrow the unit's filter; the check works without
            os.nice(NICE)
        from sriov_bootstrap.exporter import passwords

        send(RIGHT if passwords.is_right(password, hashed) else WRONG)

    return child.start(work)


def _reap(pid: int) -> None:
    child.reap(pid, timeout_seconds=1.0)
