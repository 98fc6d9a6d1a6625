"""Shell, as far as a write to sriov_numvfs needs it: simple commands, pipes, redirections, variables, loops, quotes.

Nothing is run and nothing is asked: what only the shell could know (an argument, the output of a command) is unknown,
and with it the device or the number. Reading sriov_numvfs is no finding.
"""

import itertools
import re
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.core.doctor.masters.shell_grammar import Command, commands, plain

UNKNOWN = "\0"  # what only the shell would know
MAX_VALUES = 64
MAX_DEPTH = 4
MAX_LINE = 1 << 14
FILE = "sriov_numvfs"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\{[^}]*\}|[^\w{(]|$)")
SUBSTITUTION = re.compile(r"\$\(|`")
ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
FUNCTION = re.compile(r"([\w-]+)[ \t]*\([ \t]*\)")
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
    text: str
    paths: Values
    number: str | None
    is_conditional: bool


def writes(text: str, *, first_line: int = 1, is_shell: bool = True, depth: int = 0) -> Iterator[Write]:
    """Every write to sriov_numvfs in a script. `first_line`: the number of its first line.

    `is_shell` False: it is a command that no shell reads, as in a unit, so that only one that it runs redirects.
    """
    if FILE not in text or depth > MAX_DEPTH:
        return
    lines = text.split("\n")
    reader = _Reader()
    for command in commands(FUNCTION.sub(r"function \1 ", text)):
        for found in reader.read(command) if is_shell else ():
            line = found.line + first_line - 1
            said = lines[found.line - 1].strip() if found.line <= len(lines) else ""
            yield Write(line, said, found.paths, found.number, found.is_conditional)
        for inner in writes(_script_of(command), depth=depth + 1):
            said = lines[command.line - 1].strip()
            yield Write(command.line + first_line - 1, said, inner.paths, inner.number, inner.is_conditional)


def _script_of(command: Command) -> str:
    """What `sh -c`, `su -c` or eval is given."""
    names = {word.rpartition("/")[2] for word in command.words}
    if "eval" in command.words[:1]:
        return plain(" ".join(command.words[1:]))
    flags = [at for at, word in enumerate(command.words) if C_FLAG.fullmatch(word)]
    return plain("".join(command.words[flags[0] + 1 :][:1])) if flags and names & SHELLS else ""


class _Reader:
    """What is known after the commands so far: variables, the folder, the conditions around."""

    def __init__(self) -> None:
        self._known: dict[str, Values] = {}
        self._folder = ""
        self._conditions: list[bool] = []  # of each block around: does it leave a doubt
        self._is_function = False  # its body comes next

    def read(self, command: Command) -> Iterator[Write]:
        words = self._blocks(list(command.words))
        words = self._assignments(words)
        if words[:1] == ["cd"] and len(words) > 1:
            self._folder = next(iter(self._expand(words[1])), "")
        targets = [word for operator, word in command.redirections if operator in OUTPUT]
        name = words[0].rpartition("/")[2] if words else ""
        if name == "tee":
            targets += [word for word in words[1:] if not word.startswith("-")]
        elif name == "dd":
            targets += [word[3:] for word in words if word.startswith("of=")]
        paths = tuple(path for target in targets for path in map(self._absolute, self._expand(target)) if FILE in path)
        if paths:
            yield Write(command.line, "", paths, self._number(command), any(self._conditions))

    def _absolute(self, path: str) -> str:
        return path if path.startswith(("/", UNKNOWN)) or not self._folder else f"{self._folder}/{path}"

    def _blocks(self, words: list[str]) -> list[str]:
        """Without the words that only open or close a block."""
        while words:
            word = words[0]
            if word in {"fi", "done", "esac", "}"}:
                del self._conditions[-1:]
            elif word == "for":
                self._conditions.append(False)
                self._loop(words)
                return []
            elif word in {"if", "while", "until"}:
                test = words[1:3]
                is_file_test = len(test) == 2 and test[0] in {"[", "[[", "test"} and test[1] in FILE_TESTS  # noqa: PLR2004
                self._conditions.append(word == "if" and not is_file_test)
            elif word == "case":
                self._conditions.append(True)
                return []
            elif word == "function":
                self._is_function = True
                words = words[1:]
            elif word == "{":
                self._conditions.append(self._is_function)
                self._is_function = False
            elif word not in PREFIXES:
                return words
            words = words[1:]
        return words

    def _loop(self, words: list[str]) -> None:
        if words[2:3] == ["in"] and len(words) > 3:  # noqa: PLR2004
            values = tuple(itertools.chain.from_iterable(self._listed(word) for word in words[3:]))
            self._known[words[1]] = values[:MAX_VALUES]
        elif len(words) > 1:
            self._known.pop(words[1], None)

    def _listed(self, word: str) -> Values:
        """A word of a `for`: braces and unquoted variables make several."""
        return tuple(part for value in self._expand(word) for part in (value.split() or [""]))

    def _assignments(self, words: list[str]) -> list[str]:
        if words[:1] and words[0] in DECLARATIONS:
            words = words[1:]
        while words and (assigned := ASSIGNMENT.fullmatch(words[0])):
            self._known[assigned[1]] = self._expand(assigned[2])
            words = words[1:]
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
        texts = _braces(word)
        return tuple(plain(value) for text in texts for value in self._variables(text))[:MAX_VALUES]

    def _variables(self, text: str) -> Iterator[str]:
        if SUBSTITUTION.search(text):
            text = re.sub(r"\$\([^()]*(?:\([^()]*\)[^()]*)*\)|`[^`]*`|\$\(.*", UNKNOWN, text)
        parts, names, at = [], [], 0
        for found in VARIABLE.finditer(text):
            parts.append(text[at : found.start()])
            names.append(self._known.get(found[1] or found[2] or "", (UNKNOWN,)))
            at = found.end()
        rest = text[at:]
        for values in itertools.islice(itertools.product(*names), MAX_VALUES):
            yield "".join(itertools.chain.from_iterable(zip(parts, values, strict=True))) + rest


def _braces(word: str, depth: int = 0) -> Values:
    """`{0..3}` and `{a,b}`."""
    found = re.search(r"(?<!\$)\{(?:(\d{1,4})\.\.(\d{1,4})|([^{}]*,[^{}]*))\}", word)
    if not found or depth > MAX_DEPTH:
        return (word,)
    middle = (
        [str(number) for number in range(int(found[1]), int(found[2]) + 1)][:MAX_VALUES]
        if found[1]
        else found[3].split(",")
    )
    texts = (f"{word[: found.start()]}{one}{word[found.end() :]}" for one in middle)
    return tuple(value for text in texts for value in _braces(text, depth + 1))[:MAX_VALUES]
