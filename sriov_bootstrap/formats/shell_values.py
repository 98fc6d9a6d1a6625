"""What a word of shell may stand for: variables, arguments, braces, arithmetic. What is not known is kept as such.

Values are bounded while they are built, and `Steps` counts what is read and built.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_arithmetic import evaluate
from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_tokens import end_of_bracket, plain
from sriov_bootstrap.formats.steps import Steps

UNKNOWN = "\0"  # what only the shell would know
TOTAL_OF = f"{UNKNOWN}total:"  # before the path of a sriov_totalvfs: what is in it
UNSET = "\ue002"  # a variable that may have no value
MAX_VALUES = 64
MAX_TEXT = 1 << 12  # of a value: PATH_MAX
MAX_PATTERN = 1 << 8
MAX_DEPTH = 6
EXPANDED = frozenset("${`")
NAME = re.compile(r"\w+|[@*#?!$-]")
PARAMETER = re.compile(r"([!#]?)(\w+|[@*#?])(\[[^\]]*\])?(.*)", re.DOTALL)
BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")
RANGE = re.compile(r"(\d{1,4})\.\.(\d{1,4})")
EVERY = re.compile(r"\$(?:[@*]|\{[@*]\}|\{!?\w+\[[@*]\]\})")

Values = tuple[str, ...]
NOT_SET: Values = (UNSET,)


class ShellState:
    """What is known at one place: variables and arguments, the folder, whether it is certain that it is reached.

    `known`: name -> what it may be; arguments have the names `1`, `2`, and `@` for all of them, with their names in
    between where they are known. `ended`: "loop", "return" or "exit" after such a command.
    """

    __slots__ = ("ended", "folder", "is_doubtful", "known")

    def __init__(self, known: dict[str, Values] | None = None, folder: str = "") -> None:
        self.known = known or {}
        self.folder = folder
        self.is_doubtful = False
        self.ended = ""

    def copy(self) -> "ShellState":
        """What is changed there is not changed here."""
        made = ShellState(dict(self.known), self.folder)
        made.is_doubtful, made.ended = self.is_doubtful, self.ended
        return made

    def become(self, *others: "ShellState") -> None:
        """After a branch: whatever may hold after any of these."""
        alive = [other for other in others if not other.ended] or list(others)
        first = alive[0]
        self.known = _known_after([other.known for other in alive])
        self.folder = first.folder if all(other.folder == first.folder for other in alive) else UNKNOWN
        self.ended = first.ended
        self.is_doubtful = first.is_doubtful

    def restore(self, before: Mapping[str, Values | None]) -> None:
        """Variables as they were; None: not set."""
        for name, values in before.items():
            if values is None:
                self.known.pop(name, None)
            else:
                self.known[name] = values

    def set_arguments(self, arguments: Iterable[Values] | None) -> None:
        """`$1` and so on; None: not known."""
        for name in [name for name in self.known if name.isdigit() or name in {"@", "#"}]:
            if name != "0":
                del self.known[name]
        if arguments is not None:
            given = tuple(itertools.islice(arguments, MAX_VALUES))
            self.known |= {str(number): values for number, values in enumerate(given, 1)}
            self.known["#"] = (str(len(given)),)

    @property
    def arguments(self) -> list[Values] | None:
        """None: not known."""
        if "#" not in self.known:
            return None
        return [self.known.get(str(number), ("",)) for number in range(1, int(self.known["#"][0]) + 1)]


def _known_after(branches: list[dict[str, Values]]) -> dict[str, Values]:
    """What variables may be after any of the branches; most have one value in all of them."""
    if len(branches) == 1:
        return dict(branches[0])
    merged: dict[str, Values] = {}
    for name in dict.fromkeys(name for known in branches for name in known):
        values = branches[0].get(name, NOT_SET)
        is_same = all(known.get(name, NOT_SET) == values for known in branches)
        merged[name] = (
            values if is_same else limit_values(value for known in branches for value in known.get(name, NOT_SET))
        )
    return merged


def limit_values(values: Iterable[str]) -> Values:
    """Each once, and no more than a few; what is left out is unknown."""
    kept = tuple(itertools.islice(dict.fromkeys(values), MAX_VALUES + 1))
    return kept if len(kept) <= MAX_VALUES else (*kept[: MAX_VALUES - 1], UNKNOWN)


class Expander:
    """Words -> values. `substitute`: what a command puts out; `files`: what globs and tests find."""

    def __init__(self, steps: Steps, substitute: Callable[[str, ShellState], Values], files: ScriptFiles) -> None:
        self.files = files
        self._steps = steps
        self._substitute = substitute

    def expand(self, word: str, state: ShellState) -> Values:
        """Every text that the word may stand for."""
        if len(word) <= MAX_TEXT and EXPANDED.isdisjoint(word):
            self._steps.take(2 + 2 * len(word))
            return (plain(word),)
        values = (plain(value) for text in self._braces(word) for value in self.texts(text, state))
        kept = tuple(itertools.islice(values, MAX_VALUES))
        if len(kept) == MAX_VALUES and next(values, None) is not None:
            self._steps.cut()
        return tuple(dict.fromkeys(kept))

    def fields(self, word: str, state: ShellState) -> list[Values]:
        """The words that an argument becomes: `"$@"` and arrays are several."""
        if EVERY.fullmatch(word):
            name = word.strip("${}")
            if name in {"@", "*"}:
                arguments = state.arguments
                return [(UNKNOWN,)] if arguments is None else arguments
            elements = state.known.get(name, (UNKNOWN,))
            return [(part,) for value in elements for part in value.split("\n")]
        return [self.expand(word, state)]

    def split(self, words: Iterable[str], state: ShellState) -> list[str]:
        """The words of `for`: braces, unquoted variables and commands make several."""
        found: list[str] = []
        for word in words:
            for text in self._braces(word):
                if EVERY.fullmatch(text):
                    found += [value for values in self.fields(text, state) for value in values]
                    continue
                for value in self.texts(text, state):
                    found += map(plain, value.split() or [""])
                if len(found) > MAX_VALUES:
                    self._steps.cut()
                    return found[:MAX_VALUES]
        return found

    def texts(self, text: str, state: ShellState, depth: int = 0) -> Iterator[str]:
        """With variables and commands in their place; quotes are still marked."""
        parts: list[Values] = []
        at = 0
        while at < len(text):
            begin = min((place for char in "$`" if (place := text.find(char, at)) >= 0), default=len(text))
            if begin > at:
                parts.append((text[at:begin],))
            if begin == len(text):
                break
            values, at = self._part(text, begin, state, depth)
            parts.append(values)
        for values in itertools.product(*parts):
            length = sum(map(len, values))
            self._steps.take(1 + min(length, MAX_TEXT))
            if length <= MAX_TEXT:
                yield "".join(values)
            else:
                self._steps.cut()
                yield UNKNOWN

    def _part(self, text: str, at: int, state: ShellState, depth: int) -> tuple[Values, int]:
        """What a `$` or a backtick begins."""
        if text[at] == "`":
            end = text.find("`", at + 1)
            end = len(text) if end < 0 else end
            return self._substitute(text[at + 1 : end], state), end + 1
        if text.startswith("$((", at):
            end = end_of_bracket(text, at + 1, "()")
            return self._arithmetic(text[at + 3 : end - 2], state, depth), end
        if text.startswith("$(", at):
            end = end_of_bracket(text, at + 1, "()")
            return self._substitute(text[at + 2 : end - 1], state), end
        if text.startswith("${", at):
            end = end_of_bracket(text, at + 1, "{}")
            return self._parameter(text[at + 2 : end - 1], state, depth), end
        if found := NAME.match(text, at + 1):
            name = found[0] if not found[0].isdigit() else found[0][0]
            return self._values(name, state), at + 1 + len(name)
        return ("$",), at + 1

    def _values(self, name: str, state: ShellState) -> Values:
        if name in {"@", "*"}:
            given = state.arguments
            known = None if given is None else [values[0] if len(values) == 1 else UNKNOWN for values in given]
            return (UNKNOWN,) if known is None else (" ".join(known),)
        default = "" if name.isdigit() and "#" in state.known else UNSET
        values = state.known.get(name, (default,))
        return tuple(dict.fromkeys(UNKNOWN if value == UNSET else value for value in values))

    def arithmetic(self, text: str, state: ShellState) -> Values:
        """What `((...))` or `$((...))` comes to."""
        return self._arithmetic(text, state, 0)

    def _arithmetic(self, text: str, state: ShellState, depth: int) -> Values:
        if depth > MAX_DEPTH:
            return (UNKNOWN,)
        values = list(itertools.islice(self.texts(text, state, depth + 1), MAX_VALUES))
        numbers = (evaluate(plain(value), lambda name: self._number(name, state)) for value in values)
        return limit_values(UNKNOWN if number is None else str(number) for number in numbers)

    def _number(self, name: str, state: ShellState) -> int | None:
        values = self._values(name, state)
        return kernel_number(values[0]) if len(values) == 1 else None

    def _parameter(self, text: str, state: ShellState, depth: int) -> Values:
        found = PARAMETER.fullmatch(text)
        if not found or depth > MAX_DEPTH:
            return (UNKNOWN,)
        sign, name, index, rest = found.groups()
        if index:
            keys = self.expand(index[1:-1], state) if index[1:-1] not in {"@", "*"} else ("@",)
            name = f"{name}[{keys[0]}]" if len(keys) == 1 else UNKNOWN
        if sign == "#":
            return (UNKNOWN,) if index or rest else self._lengths(name, state)
        if sign == "!":
            targets = state.known.get(f"!{name}") or tuple(
                value for target in self._values(name, state) for value in self._values(target, state)
            )
            return targets if not rest else (UNKNOWN,)
        return self._value_with_change(name, rest, state, depth) if rest else self._values(name, state)

    def _lengths(self, name: str, state: ShellState) -> Values:
        return tuple(UNKNOWN if UNKNOWN in value else str(len(value)) for value in self._values(name, state))

    def _value_with_change(self, name: str, rest: str, state: ShellState, depth: int) -> Values:
        """`${name:-word}` and its kind, or with a part taken away."""
        has_value = "#" in state.known if name.isdigit() else name not in {"@", "*"}
        values = state.known.get(name, (UNSET,) if has_value else (UNKNOWN,))
        change = rest.removeprefix(":")
        word, operator = change[1:], change[:1]
        if operator in {"-", "=", "?", "+"}:
            other = tuple(self.texts(word, state, depth + 1)) if operator != "?" else (UNKNOWN,)
            empty = {UNSET, ""} if rest.startswith(":") else {UNSET}
            kept = [value for value in values if (value in empty) is (operator == "+")]
            is_replaced = any((value in empty) is not (operator == "+") for value in values) or UNKNOWN in values
            kept = [value for value in kept if value != UNSET] if operator != "+" else [""] * bool(kept)
            values = limit_values((*kept, *(other if is_replaced else ())))
            if operator == "=":
                state.known[name] = tuple(map(plain, values))
            return values
        values = self._values(name, state)
        word = rest[2:] if rest[:2] in {"%%", "##"} else rest[1:]
        patterns = tuple(map(plain, self.texts(word, state, depth + 1)))
        if len(patterns) != 1 or rest[0] not in "%#":
            return (UNKNOWN,)
        return limit_values(
            _without(value, rest[0], patterns[0], is_longest=rest[:2] in {"%%", "##"}) for value in values
        )

    def _braces(self, word: str, depth: int = 0) -> Iterator[str]:
        """`{0..3}` and `{a,b}`, one text after the other: who takes them stops when there are enough."""
        self._steps.take(1 + min(len(word), MAX_TEXT))
        if "{" not in word:
            yield word
            return
        if len(word) > MAX_TEXT:
            self._steps.cut()
            yield UNKNOWN
            return
        found = next((brace for brace in BRACES.finditer(word) if "," in brace[1] or RANGE.fullmatch(brace[1])), None)
        if not found or depth > MAX_DEPTH:
            self._steps.is_cut |= found is not None
            yield word
            return
        numbers = RANGE.fullmatch(found[1])
        middle = map(str, range(int(numbers[1]), int(numbers[2]) + 1)) if numbers else iter(found[1].split(","))
        for part in middle:
            yield from self._braces(f"{word[: found.start()]}{part}{word[found.end() :]}", depth + 1)


def _without(value: str, sign: str, pattern: str, *, is_longest: bool) -> str:
    """Without the part at its end (%) or its beginning (#) that fits the pattern."""
    if len(value) > MAX_PATTERN or len(pattern) > MAX_PATTERN:
        return UNKNOWN
    if UNKNOWN in value and sign == "%" and pattern.rpartition("*")[0]:
        return UNKNOWN
    lengths = range(len(value) + 1)
    for length in reversed(lengths) if is_longest else lengths:
        part = value[len(value) - length :] if sign == "%" else value[:length]
        if fnmatchcase(part, pattern):
            return value[: len(value) - length] if sign == "%" else value[length:]
    return UNKNOWN if UNKNOWN in value else value
