"""Condition...= and Assert...= of units: systemd.unit(5). Of several, all have to hold, and one of those with `|`."""

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.formats.unit_files import section_lines

KIND = re.compile(r"(?:Condition|Assert)([A-Z][A-Za-z]{1,40})")
# Of which the file system tells whether they hold.
OF_FILES = frozenset({"PathExists", "PathExistsGlob", "PathIsDirectory", "FileNotEmpty", "FileIsExecutable"})
COMMAND_LINE = "KernelCommandLine"
VOLATILE = ("/run/", "/var/run/", "/tmp/", "/dev/shm/")  # noqa: S108 - what is there now says nothing of the next boot
SHOWABLE = re.compile(r"[\w./*?=:@-]{1,120}")
MAX_CONDITIONS = 64


class UnitCondition(Struct, frozen=True):
    """One of them. `kind`: without Condition or Assert in front; `is_trigger`: it is enough that one of these holds."""

    key: str
    kind: str
    value: str
    is_negated: bool = False
    is_trigger: bool = False

    def __str__(self) -> str:
        """As it stands there, if that is a path or a word."""
        said = f"{'|' * self.is_trigger}{'!' * self.is_negated}{self.value}"
        return f"{self.key}={said if SHOWABLE.fullmatch(self.value) else '...'}"


class StartVerdict(Struct, frozen=True):
    """Whether a unit is started; `holds` None: that cannot be told. `condition`: the one that says so, if any does."""

    holds: bool | None = True
    condition: UnitCondition | None = None

    @property
    def doubt(self) -> str:
        """Why it may not be started, "" if it is."""
        if self.holds:
            return ""
        if self.holds is None:
            return f"whether {self.condition} holds at boot cannot be told here"
        return f"{self.condition} does not hold now, so the unit is not started"


def unit_conditions(texts: Iterable[str]) -> tuple[UnitCondition, ...]:
    """Of the texts of a unit and its drop-ins; an empty one drops all before it."""
    found: list[UnitCondition] = []
    for text in texts:
        for key, value in _entries(text) if "Condition" in text or "Assert" in text else ():
            kind = KIND.fullmatch(key)
            if kind and not value:
                found.clear()
            elif kind:
                rest = value.removeprefix("|").lstrip()
                plain = rest.removeprefix("!").strip()
                found.append(UnitCondition(key, kind[1], plain, rest != plain, rest != value))
    return tuple(found[:MAX_CONDITIONS])


def judge_start(conditions: Iterable[UnitCondition], look: Callable[[UnitCondition], bool | None]) -> StartVerdict:
    """`look`: whether a condition holds without its `!`, None if that cannot be told."""
    verdicts = [(condition, _holds(condition, look)) for condition in conditions]
    triggers = [(condition, holds) for condition, holds in verdicts if condition.is_trigger]
    others = [(condition, holds) for condition, holds in verdicts if not condition.is_trigger]
    if triggers:
        best = next((pair for wanted in (True, None) for pair in triggers if pair[1] is wanted), triggers[0])
        others.append(best)
    for wanted in (False, None, True):
        for condition, holds in others:
            if holds is wanted:
                return StartVerdict(holds, condition)
    return StartVerdict()


def has_word(command_line: Iterable[str], wanted: str) -> bool:
    """Of ConditionKernelCommandLine=: a word, or a name before its `=`."""
    return any(word == wanted or ("=" not in wanted and word.partition("=")[0] == wanted) for word in command_line)


def is_told_by_files(condition: UnitCondition) -> bool:
    """Whether it can be looked at, and is the same at the next boot."""
    return (
        condition.kind in OF_FILES
        and condition.value.startswith("/")
        and not f"{condition.value}/".startswith(VOLATILE)
    )


def _holds(condition: UnitCondition, look: Callable[[UnitCondition], bool | None]) -> bool | None:
    found = look(condition)
    return None if found is None else found is not condition.is_negated


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in section_lines(text, "[Unit]"):
        if "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()
