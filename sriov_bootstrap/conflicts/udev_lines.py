"""The lines of a file of udev rules: their keys, and whether a GOTO leads past them; see udev(7)."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import FILE

TOKEN = re.compile(r'\b([A-Z_]+)(?:\{([^{}"]*)\})?\s*(==|!=|\+=|-=|:=|=)\s*(i?e?)"([^"\\]*(?:\\.[^"\\]*)*)"')
MATCHES = frozenset({"==", "!="})
TEST = re.compile(r"TEST(?:\{.*\})?")
COUNT = re.compile(r"ATTR\{(?:device/(?:\.\./)*)?sriov_numvfs\}")
USUAL = {"SUBSYSTEM": "net", "ACTION": "add"}  # what a line is for that does not say it
MAX_JUMPS = 64  # that lead past one line
MAX_ALTERNATIVES = 32


class Token(Struct, frozen=True):
    """One `key{attribute} operator "value"`."""

    key: str
    operator: str
    value: str

    @property
    def is_match(self) -> bool:
        """Whether it selects, rather than assigns."""
        return self.operator in MATCHES


class RuleLine(Struct, frozen=True):
    """`tokens`: with the subsystem and action that a GOTO before it leaves. `is_reached`: whatever the device is."""

    number: int
    tokens: tuple[Token, ...]
    is_reached: bool


class Jump(Struct, frozen=True):
    """A GOTO, with what it is for."""

    label: str
    conditions: tuple[Token, ...]


def rule_lines(text: str) -> Iterator[RuleLine]:
    """Without those that a GOTO leads past whatever happens."""
    lines = [(number, _tokens(line)) for number, line in logical_lines(text, may_interrupt=True)]
    places = {token.value: at for at, (_, tokens) in enumerate(lines) for token in tokens if token.key == "LABEL"}
    jumps: list[Jump] = []
    for at, (number, written) in enumerate(lines):
        jumps = [jump for jump in jumps if places[jump.label] > at]
        tokens = (*_left_by(jumps, written), *written)
        verdicts = {_leads_past(jump, tokens) for jump in jumps}
        if True not in verdicts:
            yield RuleLine(number, tokens, is_reached=None not in verdicts and len(jumps) < MAX_JUMPS)
        matches = tuple(token for token in tokens if token.is_match)
        targets = (token.value for token in tokens if token.key == "GOTO" and places.get(token.value, 0) > at)
        jumps += [Jump(label, matches) for label in targets][: MAX_JUMPS - len(jumps)]


def _tokens(line: str) -> tuple[Token, ...]:
    return tuple(
        Token(f"{key}{{{attribute}}}" if attribute else key, operator, value.lower() if "i" in marks else value)
        for key, attribute, operator, marks, value in TOKEN.findall(line)
    )


def _left_by(jumps: list[Jump], tokens: tuple[Token, ...]) -> Iterator[Token]:
    """What a line is for that does not say so itself: nothing else comes past `SUBSYSTEM!="pci", GOTO="end"`."""
    said = {token.key for token in tokens}
    for jump in jumps:
        if (
            len(jump.conditions) == 1
            and (only := jump.conditions[0]).operator == "!="
            and only.key in USUAL.keys() - said
        ):
            said.add(only.key)
            yield Token(only.key, "==", only.value)


def _leads_past(jump: Jump, tokens: tuple[Token, ...]) -> bool | None:
    """None: only udev can tell."""
    said = {token.key: token.value for token in tokens if token.operator == "=="}
    found = {_holds(condition, said) for condition in jump.conditions}
    if False in found:
        return False
    is_usual = any(condition.key in USUAL and condition.key not in said for condition in jump.conditions)
    return None if None in found or is_usual else True


def _holds(condition: Token, said: Mapping[str, str]) -> bool | None:
    """Of the device that a line is for, which is a PF without VFs; None: only udev can tell."""
    is_same: bool | None = None
    if TEST.fullmatch(condition.key) and condition.value.endswith(FILE):
        is_same = True
    elif COUNT.fullmatch(condition.key):
        is_same = condition.value == "0"
    elif value := said.get(condition.key, USUAL.get(condition.key)):
        globs = condition.value.split("|")[:MAX_ALTERNATIVES]
        fits = {any(fnmatchcase(text, glob) for glob in globs) for text in value.split("|")[:MAX_ALTERNATIVES]}
        is_same = (
            fits.pop() if len(fits) == 1 and (value == condition.value or not re.search(r"[*?\[]", value)) else None
        )
    return None if is_same is None else is_same is (condition.operator == "==")
