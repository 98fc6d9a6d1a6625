"""The grammar of shell: text -> words, operators, simple commands. Nothing is expanded here."""

import re
from collections.abc import Iterator

from msgspec import Struct

LITERAL_DOLLAR = "\ue000"  # one inside of single quotes
OPERATORS = (
    "<<<",
    "<<-",
    "&>>",
    ";;",
    "&&",
    "||",
    ">>",
    ">|",
    "<<",
    "&>",
    ">&",
    "<&",
    ">",
    "<",
    "|",
    ";",
    "&",
    "(",
    ")",
)
REDIRECTIONS = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<", "<&", "<<<", "<<", "<<-"})


class Command(Struct):
    """One simple command. `stdin`: the one before it in its pipe."""

    line: int
    words: list[str]
    redirections: list[tuple[str, str]]
    stdin: "Command | None" = None


def plain(word: str) -> str:
    """A word as it is meant, once nothing is left to expand."""
    return word.replace(LITERAL_DOLLAR, "$")


def commands(text: str) -> Iterator[Command]:
    """Simple commands, in order."""
    command, before, operator = Command(1, [], []), None, ""
    for line, kind, token in _tokens(text):
        if operator and kind == "word":
            command.redirections.append((operator, token))
            operator = ""
        elif kind == "word":
            if not command.words and not command.redirections:
                command.line = line
            command.words.append(token)
        elif token in REDIRECTIONS:
            if not command.words and not command.redirections:
                command.line = line
            if (
                command.words
                and re.fullmatch(r"\d", command.words[-1])
                and len(command.words) > 1
                and token in {">&", "<&"}
            ):
                command.words.pop()  # the 2 of 2>&1
            operator = token
        else:
            if command.words or command.redirections:
                command.stdin = before
                yield command
            # Without the one before it: a pipe of a million would be a chain that is taken down in one recursion.
            before = Command(command.line, command.words, command.redirections) if token == "|" else None  # noqa: S105
            command, operator = Command(line, [], []), ""


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, "word" or "operator", text). Here-documents are left out: they are data."""
    at, line, length = 0, 1, len(text)
    ends: list[str] = []
    is_heredoc = False
    while at < length:
        char = text[at]
        if char == "\n":
            yield line, "operator", "\n"
            at, line = at + 1, line + 1
            for last in ends:
                at, line = _after_heredoc(text, at, line, last)
            ends.clear()
        elif char.isspace():
            at += 1
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif char == "#":
            at = (text.find("\n", at) + length + 1) % (length + 1)
        elif operator := next((candidate for candidate in OPERATORS if text.startswith(candidate, at)), ""):
            yield line, "operator", operator
            is_heredoc = operator in {"<<", "<<-"}
            at += len(operator)
        else:
            word, end = _word(text, at)
            yield line, "word", word
            if is_heredoc:
                ends.append(plain(word))
                is_heredoc = False
            line += text.count("\n", at, end)
            at = end
    yield line, "operator", "\n"


def _after_heredoc(text: str, at: int, line: int, end: str) -> tuple[int, int]:
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        said, at, line = text[at:stop], stop + 1, line + 1
        if said.strip() == end:
            break
    return at, line


def _word(text: str, at: int) -> tuple[str, int]:
    """One word without its quotes, and where it ends."""
    parts: list[str] = []
    length = len(text)
    while at < length:
        char = text[at]
        if char.isspace() or char in "|;&<>()":
            break
        if char == "'":
            end = _find_end(text, "'", at + 1)
            parts.append(text[at + 1 : end].replace("$", LITERAL_DOLLAR))
            at = end + 1
        elif char == '"':
            end = at + 1
            while end < length and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            parts.append(re.sub(r'\\([\\"`])', r"\1", text[at + 1 : end]).replace("\\$", LITERAL_DOLLAR))
            at = end + 1
        elif char == "\\":
            parts.append("" if text[at + 1 : at + 2] == "\n" else text[at + 1 : at + 2])
            at += 2
        elif text.startswith("$(", at):
            end = _closing_parenthesis(text, at + 1)
            parts.append(text[at:end])
            at = end
        elif char == "`":
            end = _find_end(text, "`", at + 1)
            parts.append(text[at : end + 1])
            at = end + 1
        elif text.startswith("${", at):
            end = _find_end(text, "}", at)
            parts.append(text[at : end + 1])
            at = end + 1
        else:
            parts.append(char)
            at += 1
    return "".join(parts), min(at, length)


def _find_end(text: str, what: str, at: int) -> int:
    end = text.find(what, at)
    return len(text) if end < 0 else end


def _closing_parenthesis(text: str, at: int) -> int:
    """After the parenthesis that closes the one at `at`."""
    depth = 0
    for index in range(at, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if not depth:
            return index + 1
    return len(text)
