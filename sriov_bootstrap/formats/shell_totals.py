"""What scripts make of the most VFs that a device can have: `$((T / 2))`, where T was read from its sriov_totalvfs."""

import itertools
import re
from collections.abc import Callable

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_arithmetic import evaluate
from sriov_bootstrap.formats.shell_unknowns import TOTAL_OF, UNKNOWN

TOTAL = re.compile(rf"{re.escape(TOTAL_OF)}[^\s{UNKNOWN}]{{0,4096}}?/sriov_totalvfs")
NAME = re.compile(r"(?<!\w)[A-Za-z_]\w*")
SYMBOL = "T"  # for the total
SOME_TOTAL = 64  # to find out whether it can be calculated at all


def calculate(text: str, values: Callable[[str], tuple[str, ...]]) -> str:
    """What an expression comes to, as text; UNKNOWN if it is not known. `values`: what a variable may be."""
    number = evaluate(text, lambda name: only_number(values(name)))
    return _of_total(text, values) or UNKNOWN if number is None else str(number)


def only_number(values: tuple[str, ...]) -> int | None:
    """What a variable is, if it can be one number alone."""
    return kernel_number(values[0]) if len(values) == 1 else None


def _of_total(text: str, values: Callable[[str], tuple[str, ...]]) -> str | None:
    """An expression with the total of one device, as text that says so; None if it is anything else."""
    totals: dict[str, None] = {}

    def _replace_total(found: re.Match[str]) -> str:
        totals[found[0]] = None
        return SYMBOL

    def _replace_name(found: re.Match[str]) -> str:
        return "".join(values(found[0])[:1]).strip() if len(values(found[0])) == 1 else UNKNOWN

    parts = [NAME.sub(_replace_name, part) for part in TOTAL.split(text)]
    whole = "".join(part for pair in itertools.zip_longest(parts, TOTAL.findall(text), fillvalue="") for part in pair)
    expression = TOTAL.sub(_replace_total, whole)
    if len(totals) != 1 or apply_total(expression, SOME_TOTAL) is None:
        return None
    return f"{next(iter(totals))}{UNKNOWN}{expression}"


def apply_total(expression: str, total: int) -> int | None:
    """What the expression comes to with that total; the total itself if there is no expression."""
    return evaluate(expression, {SYMBOL: total}.get) if expression else total
