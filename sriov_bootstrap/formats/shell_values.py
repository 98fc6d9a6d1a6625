"""What a word of shell may stand for: variables, arguments, braces, arithmetic. What is not known is kept as such.

Values are bounded while they are built, and `Steps` counts what is read and built.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from sriov_bootstrap.formats.shell_arithmetic import evaluate
from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_parameters import change_values
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState, Values, limit_values
from sriov_bootstrap.formats.shell_tokens import end_of_bracket, plain
from sriov_bootstrap.formats.shell_totals import calculate, only_number
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN, UNSET, unknown_from
from sriov_bootstrap.formats.steps import Steps

MAX_TEXT = 1 << 12  # of a value: PATH_MAX
MAX_PATTERN = 1 << 8
MAX_DEPTH = 6
EXPANDED = frozenset("${`")
NAME = re.compile(r"\w+|[@*#?!$-]")
PARAMETER = re.compile(r"([!#]?)(\w+|[@*#?])(\[[^\]]*\])?(.*)", re.DOTALL)
BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")
RANGE = re.compile(r"(\d{1,4})\.\.(\d{1,4})")
EVERY = re.compile(r"\$(?:[@*]|\{[@*]\}|\{!?\w+\[[@*]\]\})")


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
            elements = state.known.get(state.resolve_name(name), (UNKNOWN,))
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
        values = state.known.get(state.resolve_name(name), (default,))
        return tuple(dict.fromkeys(UNKNOWN if value == UNSET else value for value in values))

    def arithmetic(self, text: str, state: ShellState) -> Values:
        """What `((...))` or `$((...))` comes to."""
        return self._arithmetic(text, state, 0)

    def _arithmetic(self, text: str, state: ShellState, depth: int) -> Values:
        if depth > MAX_DEPTH:
            return (UNKNOWN,)
        values = list(itertools.islice(self.texts(text, state, depth + 1), MAX_VALUES))
        return limit_values(calculate(plain(value), lambda name: self._values(name, state)) for value in values)

    def _parameter(self, text: str, state: ShellState, depth: int) -> Values:
        found = PARAMETER.fullmatch(text)
        if not found or depth > MAX_DEPTH:
            return (UNKNOWN,)
        sign, name, index, rest = found.groups()
        if index:
            name, whole = self._element(name, index[1:-1], state), f"{name}[@]"
            if not name:
                return (unknown_from(self._values(whole, state)),)
        if sign == "#":
            return (UNKNOWN,) if rest else self._lengths(name, state)
        if sign == "!":
            targets = state.known.get(f"!{name}") or tuple(
                value for target in self._values(name, state) for value in self._values(target, state)
            )
            return targets if not rest else (UNKNOWN,)
        return self._value_with_change(name, rest, state, depth) if rest else self._values(name, state)

    def _element(self, name: str, index: str, state: ShellState) -> str:
        """How an element of an array is known; "" if it is not known which it is."""
        if index in {"@", "*"}:
            return f"{name}[@]"
        keys = self.expand(index, state)
        if len(keys) == 1 and f"{name}[{keys[0]}]" in state.known:
            return f"{name}[{keys[0]}]"
        if len(keys) != 1 or UNKNOWN in keys[0]:
            return ""
        number = evaluate(keys[0], lambda variable: only_number(self._values(variable, state)))
        known = state.known.get(f"!{name}[@]", ("",))[0].split("\n")
        if number is None:
            return f"{name}[{keys[0]}]"
        return f"{name}[{known[number] if -len(known) <= number < 0 else number}]"

    def _lengths(self, name: str, state: ShellState) -> Values:
        """Of texts the characters, of a whole array the elements."""
        if name.endswith("[@]"):
            keys = state.known.get(f"!{state.resolve_name(name)}", (UNKNOWN,))[0]
            return (UNKNOWN if UNKNOWN in keys else str(keys.count("\n") + 1),)
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
        return limit_values(
            change_values(values, rest, lambda text: tuple(map(plain, self.texts(text, state, depth + 1))))
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
