"""What the benches print: ratios of medians, each with its target if it has one, and the seconds they stand on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, and the target that it should not exceed, where there is one."""

    key: str
    what: str
    value: float
    target: float | None = None
    unit: str = "x"

    def __str__(self) -> str:
        line = f"{self.what:<76} {self.value:>8.3f} {self.unit:<3}"
        if self.target is None:
            return line.rstrip()
        return f"{line} {self.target:>6.2f}  {'met' if self.value <= self.target else 'MISSED'}"


def ratio(seconds: Seconds, one: str, other: str) -> float:
    return median(seconds[one]) / median(seconds[other])


def collect(seconds: Seconds, more: Seconds, prefix: str = "") -> None:
    """Add what was measured to what there is of it; names get the prefix."""
    for name, values in more.items():
        seconds.setdefault(f"{prefix}{name}", []).extend(values)


def show(seconds: Seconds, lines: Iterable[Line]) -> None:
    """Print a table for people, and the figures in one line for programs."""
    print("\nmedian (least to most)")
    for name, values in seconds.items():
        print(f"  {name:<24} {median(values):9.3f}   ({min(values):.3f} to {max(values):.3f}, {len(values)} times)")
    lines = tuple(lines)
    print(f"\n{'':<76} {'figure':>8} {'':<3} {'target':>6}")
    for line in lines:
        print(line)
    print("\nbench " + json.dumps({line.key: round(line.value, 4) for line in lines}))
