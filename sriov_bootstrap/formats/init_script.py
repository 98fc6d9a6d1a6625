"""The words that an init script of Debian or Ubuntu starts its daemon with.

Their units say `ExecStart=/etc/init.d/NAME systemd-start`, and the script (openstack-pkg-tools) builds DAEMON and
DAEMON_ARGS out of its own lines, of what files are there, and of /etc/default/openstack and /etc/default/NAME. This
reads as much of a shell as those scripts use: assignments, `if` and `&&` with tests of files and texts, and `.`; loops,
functions and `case` are skipped. Nothing is run: as root, the script would create folders.
"""

import re
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from sriov_bootstrap.formats.oslo_files import split, substitute
from sriov_bootstrap.formats.steps import Steps, TooMuch

# What Debian's server finds out with a function of neutron-common, and what Ubuntu's has in /etc/default.
GIVEN = {"NEUTRON_PLUGIN_CONFIG": "/etc/neutron/plugins/ml2/ml2_conf.ini"}
ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)")
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
OPENS = re.compile(r"(?:for|while|until|case)\s|[\w-]+\s*\(\)\s*\{?$|\{$")
CLOSES = re.compile(r"(?:fi|done|esac|\})(?:\s|;|$)")
TEST = re.compile(r"(!\s*)?\[\s(.*)\s\]")
WORD = re.compile(r"""\"[^"]*\"|'[^']*'|\S+""")
PATHS = re.compile(r"/etc/[\w./-]+")
DEFAULTS = "/etc/default/*"
DEPTH = 4


class Block(Enum):
    """Whether the lines of an open block count. WAITS: those of its `else` will. OVER: none will."""

    COUNTS = 1
    WAITS = 2
    OVER = 3


class ScriptContext(Struct, frozen=True):
    """What a script sees of the host."""

    sources: Mapping[str, str]
    there: frozenset[str]
    steps: Steps


def paths_in(script: str) -> tuple[str, ...]:
    """Those it may test for."""
    return tuple(dict.fromkeys(PATHS.findall(script)))


def script_argv(
    script: str, sources: Mapping[str, str], there: frozenset[str], environment: Mapping[str, str] = GIVEN
) -> tuple[str, ...]:
    """() if it is not such a script, or too much to follow.

    `sources`: texts of files that it may read; `there`: of `paths_in`, what exists.

    `environment`: what its unit gives it.
    """
    said = {**GIVEN, **environment}
    around = ScriptContext(sources, there.union(sources), Steps())
    try:
        _run_script(script, said, around, DEPTH)
    except TooMuch:
        return ()
    if "NAME" not in said and "DAEMON" not in said:
        return ()
    program = said.get("DAEMON") or f"/usr/bin/{said['NAME']}"
    return (program, *split(said.get("PYARGV") or said.get("DAEMON_ARGS", "")))


def _run_script(script: str, said: dict[str, str], around: ScriptContext, depth: int) -> None:
    around.steps.take(1 + len(script))
    blocks: list[Block] = []
    for raw in script.splitlines():
        line = raw.strip()
        counts = blocks[-1:] in ([], [Block.COUNTS])  # below a block that counts all do
        if line.startswith("if ") and not line.endswith("fi"):
            holds = _holds(line[3:].partition(";")[0], said, around)
            blocks.append((Block.COUNTS if holds else Block.WAITS) if counts else Block.OVER)
        elif line.startswith("elif ") or line == "else":
            is_turn = line == "else" and blocks[-1:] == [Block.WAITS]
            blocks[-1:] = [Block.COUNTS if is_turn else Block.WAITS if blocks[-1:] == [Block.WAITS] else Block.OVER]
        elif OPENS.match(line):
            blocks.append(Block.OVER)
        elif CLOSES.match(line):
            del blocks[-1:]
        elif counts:
            _step(line, said, around, depth)


def _step(line: str, said: dict[str, str], around: ScriptContext, depth: int) -> None:
    if "||" in line:
        return
    *conditions, command = re.split(r"\s&&\s", line)
    if not all(_holds(condition, said, around) for condition in conditions):
        return
    if command.startswith(". ") and depth:
        _run_script(around.sources.get(_expand_word(command[2:], said, around.steps), ""), said, around, depth - 1)
    elif found := ASSIGNMENT.match(command):
        said[found[1]] = _expand_word(found[2], said, around.steps)


def _holds(condition: str, said: dict[str, str], around: ScriptContext) -> bool:
    """What is not understood does not hold."""
    return all(_is_true(term.strip(), said, around) for term in condition.split("&&"))


def _is_true(test: str, said: dict[str, str], around: ScriptContext) -> bool:
    if not (found := TEST.fullmatch(test)):
        return False
    words = [_expand_word(word, said, around.steps) for word in WORD.findall(found[2])]
    is_denied = bool(found[1]) is not (words[:1] == ["!"])
    return _compares([word for word in words if word != "!"], around) is not is_denied


def _compares(words: list[str], around: ScriptContext) -> bool:
    match words:
        case [("-f" | "-e" | "-r" | "-d"), path]:
            return path in around.there
        case [("-z" | "-n") as how, text]:
            return bool(text) is (how == "-n")
        case [left, ("=" | "==" | "!=") as how, right]:
            return (left == right) is (how != "!=")
    return False


def _expand_word(text: str, said: dict[str, str], steps: Steps) -> str:
    """A word without its quotes, and with the variables that are known."""
    text = text.strip()
    if "`" in text or "$(" in text:
        return ""
    if text.startswith("'"):
        return text.strip("'")
    value = substitute(VARIABLE, text.strip('"'), lambda name: said.get(name[1] or name[2], ""))
    steps.take(len(value))
    return value
