"""When the kernel did what, by kprobes: anything that polls or is woken would take time from what is measured.

Times are seconds of CLOCK_MONOTONIC, as of time.monotonic() and systemd's *TimestampMonotonic.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TRACING = Path("/sys/kernel/tracing")
BOUND = "bound"
COUNTED = "counted"
# drivers/pci/iov.c, drivers/base/dd.c, net/core/dev.c; an r is told when the function returns.
PROBES = f"""\
p:bench/probing sriov_drivers_autoprobe_store
p:bench/count sriov_numvfs_store
r:bench/{COUNTED} sriov_numvfs_store
p:bench/{BOUND} driver_bound
p:bench/up __dev_open
r:bench/is_up __dev_open
"""
# <comm>-<pid> [<cpu>] <flags> <seconds>: <event>: (...)
LINE = re.compile(r"\] \S+ +([0-9]+\.[0-9]+): (\w+): ")


@dataclass(frozen=True)
class Events:
    """(when, name), in the order in which they were recorded, which between CPUs is not quite that of time."""

    events: list[tuple[float, str]]

    @classmethod
    def parse(cls, text: str) -> "Events":
        return cls([(float(found[1]), found[2]) for found in LINE.finditer(text)])

    @property
    def first(self) -> float:
        """When something was changed first: probing, a count, or a PF that was brought up."""
        return min(at for at, _ in self.events)

    @property
    def last(self) -> float:
        """When the last count returned, the last VF was bound or the last PF was up, whichever came last."""
        return max(at for at, _ in self.events)

    def count(self, name: str) -> int:
        return sum(one == name for _, one in self.events)


def start() -> None:
    """Forget what was recorded, and record from now on."""
    if not (TRACING / "trace").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", str(TRACING)], check=True)
    if not (TRACING / "events" / "bench").exists():
        (TRACING / "kprobe_events").write_text(PROBES)
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "events" / "bench" / "enable").write_text("1")
    (TRACING / "trace").write_text("")


def recorded() -> Events:
    return Events.parse((TRACING / "trace").read_text())
