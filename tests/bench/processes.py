"""What /proc says of a process."""

from collections.abc import Iterable
from pathlib import Path


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory_of(pids: Iterable[int]) -> dict[str, float]:
    """Of all together, in KiB. `anon`: what no file is behind, which no other Python on this machine shares."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return {"pss": sum(field(one, "Pss") for one in texts), "anon": sum(field(one, "Pss_Anon") for one in texts)}


def status_of(pid: int, name: str) -> float:
    return field(Path(f"/proc/{pid}/status").read_text(), name)


def field(text: str, name: str) -> float:
    """Of smaps_rollup or status."""
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))


def ticks_of(pid: int) -> int:
    """utime and stime; proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def cpu_of(pid: int) -> float:
    """Seconds, to the nanosecond: of its one thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
