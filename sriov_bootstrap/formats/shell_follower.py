"""What following a script needs everywhere: the texts and where they stand, what was found, and the bounds."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from sriov_bootstrap.formats.shell_conditions import ASSUMED, TestVerdict
from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_nodes import CommandList
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState, Values, limit_values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN
from sriov_bootstrap.formats.shell_values import Expander
from sriov_bootstrap.formats.steps import Steps

MAX_OUTPUT = 1 << 14  # of commands one after the other, which may be a loop's
MAX_DEPTH = 12  # functions, scripts and substitutions within each other


class Place(Struct, frozen=True):
    """`path` "": the text that was given."""

    path: str
    line: int


class Write(Struct, frozen=True):
    """One write to a sriov_numvfs. `paths`: which files it may be, with UNKNOWN in them for what is not known.

    `numbers`: the texts that it may write, likewise. `is_conditional`: a condition decides whether it is done.
    `is_alone`: it stands in no block, so that its line may go.
    """

    place: Place
    paths: Values
    numbers: Values
    is_conditional: bool
    is_alone: bool


class CommandOutcome(Struct, frozen=True):
    """Of a command: whether it succeeds, and what it puts out where nothing else takes that."""

    verdict: TestVerdict = ASSUMED
    output: Values = ("",)


def output_of_all(outcomes: list[CommandOutcome]) -> Values:
    """One after the other. Of one that is not understood, the others are parts, in lines of their own."""
    found: Values = ("",)
    for outcome in outcomes:
        if len(found) * len(outcome.output) > MAX_VALUES:
            return (UNKNOWN,)
        found = tuple(dict.fromkeys(_lines_of_both(first, then) for first in found for then in outcome.output))
    return found


def _lines_of_both(first: str, then: str) -> str:
    if not (first and then):
        return first or then
    separator = "\n" if UNKNOWN in (first[-1], then[0]) else ""
    return first + separator + then if len(first) + len(then) < MAX_OUTPUT else UNKNOWN


def output_of_any(outcomes: list[CommandOutcome]) -> Values:
    """Of branches: what any of them puts out."""
    return limit_values(text for outcome in outcomes for text in outcome.output) or ("",)


class Follower(ABC):
    """Collects `writes`, in order, and what is `unclear`. `exported`: variables that other scripts see."""

    def __init__(self, steps: Steps, files: ScriptFiles, path: str, *, is_shell: bool) -> None:
        """`is_shell` False: the text itself is read by no shell, so nothing in it redirects."""
        self.steps = steps
        self.files = files
        self.expander = Expander(steps, self._substitute, files)
        self.writes: list[Write] = []
        self.unclear: dict[Place, None] = {}
        self.vague: dict[Place, None] = {}  # writes of what may be a number, to nobody knows what
        self.others: dict[str, Place] = {}  # commands that do something else
        self.followed: set[str] = set()
        self.not_run: set[str] = set()
        self.exported: set[str] = set()
        self.hidden: list[dict[str, Values | None]] = []  # by variables of the functions that are followed now
        self.functions: dict[str, tuple[CommandList, str, int]] = {}
        self.feed: Values = (UNKNOWN,)  # what a command finds at its input
        self.redirects = is_shell
        self.blocks = 0  # around what is followed now
        self.line = 1  # of the command that is followed now
        self._called: set[str] = set()
        self._path, self._offset, self._fixed_line = path, 0, 0
        self._depth = 0
        self._parsed: set[str] = set()  # what was counted

    @abstractmethod
    def block(self, block: CommandList, state: ShellState) -> CommandOutcome:
        """Commands, up to one that ends them."""

    def run(self, text: str, state: ShellState, first_line: int) -> CommandOutcome:
        """A whole script, and then those of its functions that nothing has called."""
        self._offset = first_line - 1
        outcome = self.block(self._parse(text), state)
        self._call_rest(state)
        return outcome

    def _call_rest(self, state: ShellState) -> None:
        """The functions that nothing was seen to call."""
        for name in [name for name in self.functions if name not in self._called]:
            after = state.copy()
            after.ended, after.is_doubtful = "", True
            self.call(name, None, after)

    def run_text(self, text: str, state: ShellState, line: int) -> CommandOutcome:
        """What `sh -c` or eval is given: it has the line of the command."""
        with self._deeper() as may:
            if not may:
                return CommandOutcome()
            kept = self.redirects, self._fixed_line
            self.redirects, self._fixed_line = True, self._fixed_line or line
            outcome = self.block(self._parse(text), state)
            self.redirects, self._fixed_line = kept
            return outcome

    def run_file(self, path: str, state: ShellState) -> Values:
        """Another script, and what it puts out; its commands have their own places."""
        with self._deeper() as may:
            if not may:
                return (UNKNOWN,)
            self.followed.add(path)
            kept, self.blocks = self.blocks, 0
            with self._at(path, 0):
                outcome = self.block(self._parse(self.files.texts[path]), state)
            self.blocks = kept
            return outcome.output

    def run_script(self, path: str, state: ShellState) -> Values:
        """The same in a shell of its own, which has its own functions."""
        kept = self.functions, self._called
        self.functions, self._called = {}, set()
        output = self.run_file(path, state)
        with self._at(path, 0):
            self._call_rest(state)
        self.functions, self._called = kept
        return output

    def call(self, name: str, arguments: list[Values] | None, state: ShellState) -> Values:
        """A function, and what it puts out."""
        self._called.add(name)
        body, path, offset = self.functions[name]
        with self._deeper() as may:
            if not may:
                return (UNKNOWN,)
            before, is_doubtful = state.arguments, state.is_doubtful
            state.set_arguments(arguments)
            self.blocks += 1
            self.hidden.append({})
            with self._at(path, offset):
                outcome = self.block(body, state)
            state.restore(self.hidden.pop())
            self.blocks -= 1
            state.set_arguments(before)
            if state.ended == "return":
                state.ended, state.is_doubtful = "", is_doubtful
            return outcome.output

    def place(self, line: int) -> Place:
        """Of a line in the text that is followed now."""
        return Place(self._path, (self._fixed_line or line) + self._offset)

    @property
    def is_in_block(self) -> bool:
        """Whether what is followed now stands within something."""
        return self.blocks > 0 or self._fixed_line > 0

    def _parse(self, text: str) -> CommandList:
        if text not in self._parsed:
            self._parsed.add(text)
            self.steps.take(len(text))
        return self.files.commands_of(text)

    def _substitute(self, text: str, state: ShellState) -> Values:
        """What `$(...)` puts out; what it does to variables stays within."""
        kept = self.redirects
        outcome = self.run_text(text, state.copy(), self.line)
        self.redirects = kept
        return tuple(value.rstrip("\n") for value in outcome.output)

    @contextmanager
    def _at(self, path: str, offset: int) -> Iterator[None]:
        kept = self._path, self._offset, self._fixed_line, self.redirects
        is_elsewhere = path != self._path
        self._path, self._offset, self.redirects = path, offset, True
        self._fixed_line = 0 if is_elsewhere else self._fixed_line
        yield
        self._path, self._offset, self._fixed_line, self.redirects = kept

    @contextmanager
    def _deeper(self) -> Iterator[bool]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.steps.cut()
        yield self._depth <= MAX_DEPTH
        self._depth -= 1
