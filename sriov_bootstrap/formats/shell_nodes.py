"""The nouns of shell's grammar: simple commands, and those that consist of others."""

import re
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.formats.shell_tokens import ShellToken

CHANGED = re.compile(r"[A-Za-z_]\w*")


class Redirection(Struct):
    """`descriptor` "": the operator's own. `target`: the word behind it, with the body of a here-document."""

    descriptor: str
    operator: str
    target: ShellToken


class Simple(Struct):
    """One simple command. `arrays`: NAME= -> the words in parentheses."""

    line: int
    last_line: int
    words: list[str]
    redirections: list[Redirection]
    arrays: dict[str, list[str]]


class Pipeline(Struct):
    """Commands whose output is the next one's input."""

    commands: "list[Command]"
    is_negated: bool = False


class AndOr(Struct):
    """Pipelines, each with "", "&&" or "||" before it. `is_apart`: with `&` behind it, in a shell of its own."""

    parts: list[tuple[str, Pipeline]]
    is_apart: bool = False


CommandList = list[AndOr]  # one after the other


class If(Struct):
    """Conditions with what is done where they hold, and what else."""

    line: int
    arms: list[tuple[CommandList, CommandList]]
    otherwise: CommandList


class While(Struct):
    """`until` is one whose condition is negated."""

    line: int
    condition: CommandList
    body: CommandList
    redirections: list[Redirection]
    is_negated: bool = False


class For(Struct):
    """`words` None: the arguments. `arithmetic`: that of `for ((...))`, whose `name` is ""."""

    line: int
    name: str
    words: list[str] | None
    body: CommandList
    redirections: list[Redirection]
    arithmetic: str = ""


class Case(Struct):
    """Patterns, and what is done where one fits."""

    line: int
    word: str
    arms: list[tuple[list[str], CommandList]]


class FunctionDefinition(Struct):
    """A definition: nothing is run yet."""

    line: int
    name: str
    body: CommandList


class Group(Struct):
    """`{ ... }`, or `( ... )`, which is a shell of its own: `is_apart`."""

    line: int
    body: CommandList
    redirections: list[Redirection]
    is_apart: bool = False


class Arithmetic(Struct):
    """`((...))`."""

    line: int
    text: str


Command = Simple | If | While | For | Case | FunctionDefinition | Group | Arithmetic


def simple_commands(block: CommandList) -> Iterator[Simple | Arithmetic]:
    """Every command in it that consists of no others, also in conditions and functions."""
    for list_ in block:
        for _, pipeline in list_.parts:
            for command in pipeline.commands:
                if isinstance(command, Simple | Arithmetic):
                    yield command
                else:
                    for inner in _blocks_of(command):
                        yield from simple_commands(inner)


def _blocks_of(command: If | While | For | Case | FunctionDefinition | Group) -> list[CommandList]:
    match command:
        case If():
            return [*(block for arm in command.arms for block in arm), command.otherwise]
        case While():
            return [command.condition, command.body]
        case Case():
            return [body for _, body in command.arms]
        case _:
            return [command.body]


def reads_lines(block: CommandList) -> bool:
    """Whether `read` is among its commands."""
    return any(isinstance(command, Simple) and "read" in command.words for command in simple_commands(block))


def assigned_names(block: CommandList) -> set[str]:
    """Variables that it may change."""
    found: set[str] = set()
    for command in simple_commands(block):
        if isinstance(command, Arithmetic):
            found.update(CHANGED.findall(command.text))
            continue
        is_reading = command.words[:1] and command.words[0] in {"read", "let"}
        words = command.words[1:] if is_reading else [word for word in command.words if "=" in word]
        found.update(name[0] for word in words if (name := CHANGED.match(word)))
    return found
