"""Shell, as far as a write to sriov_numvfs needs it: what a script may write, to which files, in which order.

Nothing is run. What only the shell could know (a command's output, an argument) is unknown, and with it the device or
the number. A variable has every value that it may have at that place: a branch that is not certainly taken adds values,
and never replaces any. Functions and scripts that are known are followed with the arguments they are given.

A user's cron table is read as root, so nothing grows faster than its text: values are bounded while they are built,
loops are followed a bounded number of times, and `Steps` counts what is read and built.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_follower import Place, Write
from sriov_bootstrap.formats.shell_grammar import parse
from sriov_bootstrap.formats.shell_interpreter import Interpreter
from sriov_bootstrap.formats.shell_nodes import Simple
from sriov_bootstrap.formats.shell_state import AS_ROOT, ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import ADDRESS_OF, FILE, TOTAL_OF, UNKNOWN
from sriov_bootstrap.formats.steps import Steps

__all__ = [
    "ADDRESS_OF",
    "FILE",
    "TOTAL_OF",
    "UNKNOWN",
    "Place",
    "Reading",
    "ScriptSurroundings",
    "Write",
    "follow",
    "is_one_command",
    "writes",
]


READING = re.compile(r"\b(?:for|cat|grep|head|read|wc|ls|stat|test|awk)\b|\[ |<|(?:^|\s)-[efrsw]\s")
MAX_LINE = 1 << 12
NO_FILES = ScriptFiles()


class Reading(Struct, frozen=True):
    """`unclear`: commands that are given the file, and do with it what could not be told.

    `followed`: the scripts, among those that were given, that it runs or sources. `others`: commands that do something
    else, by their names. `output`: what the last command puts out where nothing else takes that. `not_run`: scripts
    that cannot be executed, and that it tries to run.
    """

    writes: tuple[Write, ...] = ()
    unclear: tuple[Place, ...] = ()
    followed: frozenset[str] = frozenset()
    others: tuple[tuple[Place, str], ...] = ()
    output: Values = ("",)
    not_run: frozenset[str] = frozenset()


class ScriptSurroundings(Struct, frozen=True):
    """What a script finds. `files`: those that it may run or read. `arguments` None: not known.

    `folder`: where it is run, "" if that is not known; `feed`: what stands at its input, None likewise.
    """

    path: str = ""
    files: ScriptFiles = NO_FILES
    arguments: tuple[Values, ...] | None = None
    environment: Mapping[str, str] = {}
    folder: str = ""
    feed: str | None = None


NOWHERE = ScriptSurroundings()


def follow(
    text: str,
    around: ScriptSurroundings = NOWHERE,
    *,
    first_line: int = 1,
    is_shell: bool = True,
    steps: Steps | None = None,
) -> Reading:
    """What a script does. `first_line`: the number of its first line. May raise TooMuch.

    `is_shell` False: it is a command that no shell reads, as in a unit, so that only one that it runs redirects.
    """
    interpreter = Interpreter(steps or Steps(), around.files, around.path, is_shell=is_shell)
    interpreter.exported.update(around.environment)
    if around.feed is not None:
        interpreter.feed = (around.feed,)
    state = ShellState(AS_ROOT | {name: (value,) for name, value in around.environment.items()}, around.folder)
    if around.path:
        state.known["0"] = (around.path,)
        state.enter_file(around.path)
    state.set_arguments(around.arguments)
    outcome = interpreter.run(text, state, first_line)
    unclear = tuple(interpreter.unclear)
    if not interpreter.writes and not unclear:
        texts = {**around.files.texts, around.path: text}
        unclear = tuple(place for place in interpreter.vague if _names_file(texts[place.path]))
    return Reading(
        tuple(interpreter.writes),
        unclear,
        frozenset(interpreter.followed),
        tuple((place, name) for name, place in interpreter.others.items()),
        outcome.output,
        frozenset(interpreter.not_run),
    )


def _names_file(text: str) -> bool:
    """Whether a line that is no comment does, and neither reads the file nor goes over a list of them."""
    lines = (line for line in text.split("\n") if FILE in line) if FILE in text else ()
    return any(not line.lstrip().startswith("#") and not READING.search(line[:MAX_LINE]) for line in lines)


def writes(text: str, *, first_line: int = 1, is_shell: bool = True, steps: Steps | None = None) -> tuple[Write, ...]:
    """Every write to sriov_numvfs in a script that stands alone. May raise TooMuch."""
    if FILE not in text:
        return ()
    return follow(text, first_line=first_line, is_shell=is_shell, steps=steps).writes


def is_one_command(text: str) -> bool:
    """Whether it is one command, or one pipe of them, that ends with the text."""
    found = parse(text)
    if len(found) != 1 or len(found[0].parts) != 1:
        return False
    return all(isinstance(command, Simple) for command in found[0].parts[0][1].commands)
