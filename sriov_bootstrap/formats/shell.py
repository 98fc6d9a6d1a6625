"""Shell, as far as a write to sriov_numvfs needs it: simple commands, pipes, redirections, variables, loops, quotes.

Nothing is run: what only the shell could know (an argument, a command's output) is unknown, and with it the device or
the number. Reading sriov_numvfs is not a finding.

A user's cron table is read as root, so nothing grows faster than its text: values are bounded while they are built,
patterns look at a character a fixed number of times, and `Steps` counts what is read and built.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.formats.shell_grammar import Command, commands, plain
from sriov_bootstrap.formats.steps import Steps

UNKNOWN = "\0"  # what only the shell would know
MAX_VALUES = 64
MAX_TEXT = 1 << 12  # of a value: PATH_MAX
MAX_DEPTH = 4
FILE = "sriov_numvfs"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\{[^}]*(?:\}|$)|[^\w{(]|$)")
SUBSTITUTION = re.compile(r"\$\(|`")
ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
FUNCTION = re.compile(r"(?<![\w-])([\w-]+)[ \t]*\([ \t]*\)")
BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")
RANGE = re.compile(r"(\d{1,4})\.\.(\d{1,4})")
SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "su", "runuser"})
C_FLAG = re.compile(r"-[a-z]*c|--command")
OUTPUT = frozenset({">", ">>", ">|", "&>", "&>>", ">&"})
PREFIXES = frozenset(
    {"then", "do", "else", "elif", "{", "!", "sudo", "nohup", "time", "exec", "command", "env", "if", "while", "until"}
)
DECLARATIONS = frozenset({"export", "local", "readonly", "declare", "typeset"})
FILE_TESTS = frozenset({"-e", "-f", "-w", "-d", "-r", "-x", "-s"})

Values = tuple[str, ...]


class Write(Struct, frozen=True):
    """One write to a sriov_numvfs. `paths`: which files it may be, with UNKNOWN in them for what is not known.

    `is_conditional`: it stands where a condition decides whether it is done.
    """

    line: int
    paths: Values
    number: str | None
    is_conditional: bool


def writes(
    text: str, *, first_line: int = 1, is_shell: bool = True, depth: int = 0, steps: Steps | None = None
) -> Iterator[Write]:
    """Every write to sriov_numvfs in a script. `first_line`: the number of its first line. May raise TooMuch.

    `is_shell` False: it is a command that no shell reads, as in a unit, so that only one that it runs redirects.
    """
    if FILE not in text or depth > MAX_DEPTH:
        return
    steps = steps or Steps()
    steps.take(len(text))
    reader = _ScriptReader(steps)
    for command in commands(FUNCTION.sub(r"function \1 ", text)):
        found = reader.read(command) if is_shell else None
        inner = writes(_script_of(command), depth=depth + 1, steps=steps)
        for write in (*([found] if found else []), *inner):
            yield Write(command.line + first_line - 1, write.paths, write.number, write.is_conditional)


def _script_of(command: Command) -> str:
    """What `sh -c`, `su -c` or eval is given."""
    names = {word.rpartition("/")[2] for word in command.words}
    if "eval" in command.words[:1]:
        return plain(" ".join(command.words[1:]))
    flags = [at for at, word in enumerate(command.words) if C_FLAG.fullmatch(word)]
    return plain("".join(command.words[flags[0] + 1 :][:1])) if flags and names & SHELLS else ""


class _ScriptReader:
    """What is known after the commands so far: variables, the folder, the conditions around."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._known: dict[str, Values] = {}
        self._folder = ""
        self._conditions: list[bool] = []  # of each block around: does it leave a doubt
        self._doubts = 0  # how many of them do
        self._is_function = False  # its body comes next

    def read(self, command: Command) -> Write | None:
        words = self._blocks(command.words)
        words = self._assignments(words)
        if words[:1] == ["cd"] and len(words) > 1:
            self._folder = next(iter(self._expand(words[1])), "")
        targets = [word for operator, word in command.redirections if operator in OUTPUT]
        name = words[0].rpartition("/")[2] if words else ""
        if name == "tee":
            targets += [word for word in words[1:] if not word.startswith("-")]
        elif name == "dd":
            targets += [word[3:] for word in words if word.startswith("of=")]
        every = (path for target in targets for path in map(self._absolute, self._expand(target)) if FILE in path)
        paths = self._as_many_as_fit(every)
        return Write(command.line, paths, self._number(command), self._doubts > 0) if paths else None

    def _as_many_as_fit(self, values: Iterable[str]) -> Values:
        """As many as may be: the rest is not made."""
        values = iter(values)
        kept = tuple(itertools.islice(values, MAX_VALUES))
        if len(kept) == MAX_VALUES and next(values, None) is not None:
            self._steps.cut()
        return kept

    def _absolute(self, path: str) -> str:
        return path if path.startswith(("/", UNKNOWN)) or not self._folder else f"{self._folder}/{path}"

    def _open_block(self, *, is_doubtful: bool) -> None:
        self._conditions.append(is_doubtful)
        self._doubts += is_doubtful

    def _blocks(self, words: list[str]) -> list[str]:
        """Without the words that only open or close a block."""
        at = 0
        while at < len(words):
            word = words[at]
            if word in {"fi", "done", "esac", "}"}:
                self._doubts -= self._conditions.pop() if self._conditions else 0
            elif word == "for":
                self._open_block(is_doubtful=False)
                self._loop(words[at:])
                return []
            elif word in {"if", "while", "until"}:
                test = words[at + 1 : at + 3]
                is_file_test = len(test) == 2 and test[0] in {"[", "[[", "test"} and test[1] in FILE_TESTS  # noqa: PLR2004
                self._open_block(is_doubtful=word == "if" and not is_file_test)
            elif word == "case":
                self._open_block(is_doubtful=True)
                return []
            elif word == "function":
                self._is_function = True
                at += 1
            elif word == "{":
                self._open_block(is_doubtful=self._is_function)
                self._is_function = False
            elif word not in PREFIXES:
                break
            at += 1
        return words[at:]

    def _loop(self, words: list[str]) -> None:
        if words[2:3] == ["in"] and len(words) > 3:  # noqa: PLR2004
            self._known[words[1]] = self._as_many_as_fit(
                part for word in words[3:] for part in self._words_of_for(word)
            )
        elif len(words) > 1:
            self._known.pop(words[1], None)

    def _words_of_for(self, word: str) -> Iterator[str]:
        """A word of a `for`: braces and unquoted variables make several."""
        return (part for value in self._expand(word) for part in (value.split() or [""]))

    def _assignments(self, words: list[str]) -> list[str]:
        at = 1 if words[:1] and words[0] in DECLARATIONS else 0
        while at < len(words) and (assigned := ASSIGNMENT.fullmatch(words[at])):
            self._known[assigned[1]] = self._expand(assigned[2])
            at += 1
        words = words[at:]
        if words[:1] == ["read"]:
            for name in words[1:]:
                self._known.pop(name, None)
        return words

    def _number(self, command: Command) -> str | None:
        """What is written, where echo or printf say it; None if it cannot be told."""
        here = [word for operator, word in command.redirections if operator == "<<<"]
        source = command.stdin or command
        words = self._blocks_dropped(source.words)
        name = words[0].rpartition("/")[2] if words else ""
        if here:
            said = here
        elif name == "echo":
            said = [word for word in words[1:] if not re.fullmatch(r"-[neE]+", word)]
        elif name == "printf":
            said = [word for word in words[1:] if "%" not in word]
        else:
            return None
        values = {value.replace("\\n", "").strip() for value in self._expand(" ".join(said))}
        number = values.pop() if len(values) == 1 else ""
        return number if number.isdigit() else None

    @staticmethod
    def _blocks_dropped(words: list[str]) -> list[str]:
        return list(itertools.dropwhile(lambda word: word in PREFIXES or ASSIGNMENT.fullmatch(word), words))

    def _expand(self, word: str) -> Values:
        """Every text that the word may stand for."""
        return self._as_many_as_fit(plain(value) for text in self._braces(word) for value in self._variables(text))

    def _variables(self, text: str) -> Iterator[str]:
        if SUBSTITUTION.search(text):
            text = re.sub(r"\$\([^()]*(?:\([^()]*\)[^()]*)*\)|`[^`]*`|\$\(.*", UNKNOWN, text)
        parts, names, at = [], [], 0
        for found in VARIABLE.finditer(text):
            parts.append(text[at : found.start()])
            names.append(self._known.get(found[1] or found[2] or "", (UNKNOWN,)))
            at = found.end()
        rest = text[at:]
        for values in itertools.product(*names):
            length = len(text) + sum(map(len, values))
            self._steps.take(min(length, MAX_TEXT))
            if length <= MAX_TEXT:
                yield "".join(itertools.chain.from_iterable(zip(parts, values, strict=True))) + rest
            else:
                self._steps.cut()
                yield UNKNOWN

    def _braces(self, word: str, depth: int = 0) -> Iterator[str]:
        """`{0..3}` and `{a,b}`, one text after the other: who takes them stops when there are enough."""
        self._steps.take(1 + min(len(word), MAX_TEXT))
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
