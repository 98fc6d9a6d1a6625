"""What `${name%word}`, `${name/old/new}`, `${name:1:2}` and `${name,,}` make of a value that is known."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from sriov_bootstrap.formats.shell_unknowns import UNKNOWN, unknown_from

MAX_PATTERN = 1 << 8
MAX_CHANGED = 1 << 12
PART = re.compile(r"(##|#|%%|%)(.*)", re.DOTALL)
REPLACEMENT = re.compile(r"/([/#%]?)([^/]*)(?:/(.*))?", re.DOTALL)
SLICE = re.compile(r":\s*(-?\d{1,4})\s*(?::\s*(-?\d{1,4}))?")
CASES: dict[str, Callable[[str], str]] = {
    ",,": str.lower,
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    "^": lambda value: value[:1].upper() + value[1:],
}
MAGIC = frozenset("*?[")
Expand = Callable[[str], tuple[str, ...]]  # a word -> what it may stand for


def change_values(values: tuple[str, ...], change: str, expand: Expand) -> tuple[str, ...]:
    """`change`: what stands behind the name; what is not followed leaves what is known of a path."""
    changed = ((value, _change_value(value, change, expand)) for value in values)
    return tuple(unknown_from((value,)) if made is None else made for value, made in changed)


def _change_value(value: str, change: str, expand: Expand) -> str | None:
    """None: not known."""
    if found := PART.fullmatch(change):
        patterns = expand(found[2])
        return _without_part(value, found[1], patterns[0]) if len(patterns) == 1 else None
    if UNKNOWN in value or len(value) > MAX_CHANGED:
        return None
    if change in CASES:
        return CASES[change](value)
    if found := SLICE.fullmatch(change):
        start, end = int(found[1]), int(found[2]) if found[2] else None
        start = max(start, -len(value)) % (len(value) or 1) if start < 0 else start
        return value[start:] if end is None else value[start : end if end < 0 else start + end]
    if found := REPLACEMENT.fullmatch(change):
        return _with_replacement(value, found[1], expand(found[2]), expand(found[3] or ""))
    return None


def _with_replacement(value: str, kind: str, old: tuple[str, ...], new: tuple[str, ...]) -> str | None:
    """`kind`: "/" for each, "#" at the beginning, "%" at the end, "" for the first; of plain text alone."""
    if len(old) != 1 or len(new) != 1 or not MAGIC.isdisjoint(old[0]) or UNKNOWN in old[0] + new[0]:
        return None
    if not old[0] or len(value) * len(new[0]) > MAX_CHANGED:
        return None
    match kind:
        case "#":
            return f"{new[0]}{value.removeprefix(old[0])}" if value.startswith(old[0]) else value
        case "%":
            return f"{value.removesuffix(old[0])}{new[0]}" if value.endswith(old[0]) else value
    return value.replace(old[0], new[0], -1 if kind else 1)


def _without_part(value: str, sign: str, pattern: str) -> str | None:
    """Without the part at its end (%) or its beginning (#) that fits the pattern."""
    if len(value) > MAX_PATTERN or len(pattern) > MAX_PATTERN:
        return None
    is_end, is_longest = sign[0] == "%", len(sign) > 1
    if UNKNOWN in value and is_end and pattern.rpartition("*")[0]:
        return None
    lengths = range(len(value) + 1)
    for length in reversed(lengths) if is_longest else lengths:
        part = value[len(value) - length :] if is_end else value[:length]
        if fnmatchcase(part, pattern):
            return value[: len(value) - length] if is_end else value[length:]
    return None if UNKNOWN in value else value
