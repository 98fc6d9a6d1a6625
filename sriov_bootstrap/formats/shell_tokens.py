"""The tokens of shell: words without their quotes, operators, here-documents. Nothing is expanded here."""

import re
from collections.abc import Iterator

from msgspec import Struct

LITERAL_DOLLAR = "\ue000"  # one that is quoted
LITERAL_BLANK = "\ue001"  # likewise: it does not part words
LITERAL = str.maketrans({LITERAL_DOLLAR: "$", LITERAL_BLANK: " "})
QUOTED = str.maketrans({"$": LITERAL_DOLLAR, "`": LITERAL_DOLLAR, " ": LITERAL_BLANK})
BLANKS = re.compile(r"(?:[ \t\r\f\v]|\\\r?\n)+")
COMMENT = re.compile(r"#[^\n]*")
DESCRIPTOR = re.compile(r"\d+(?=[<>])|\{\w+\}(?=[<>])")
OPERATOR = re.compile(r"<<<|<<-|&>>|;;&|;;|;&|&&|\|\||\|&|>>|>\||<<|&>|>&|<&|<>|[<>|;&()]")
PLAIN = re.compile(r"""[^ \t\r\f\v\n|;&<>()'"\\$`]+""")
ESCAPED = re.compile(r'\\([\\"`])')
HERE_DOCUMENTS = frozenset({"<<", "<<-"})
MAX_ARITHMETIC = 1 << 8


class ShellToken(Struct):
    """`kind`: "word", "operator", "descriptor" or "arithmetic". `body`: the here-document that this word ends."""

    line: int
    kind: str
    text: str
    last_line: int = 0
    body: str = ""


def plain(word: str) -> str:
    """A word as it is meant, once nothing is left to expand."""
    return word.translate(LITERAL)


def tokens(text: str) -> Iterator[ShellToken]:
    """All of them; a new line is an operator."""
    at, line, length = 0, 1, len(text)
    waiting: list[tuple[ShellToken, bool]] = []  # ends of here-documents that begin on the next line
    operator = ""
    while at < length:
        if skipped := BLANKS.match(text, at) or COMMENT.match(text, at):
            at, line = skipped.end(), line + skipped[0].count("\n")
        elif text[at] == "\n":
            yield ShellToken(line, "operator", "\n", line)
            at, line = at + 1, line + 1
            for word, is_quoted in waiting:
                at, line = _take_here_document(text, at, line, word, is_quoted=is_quoted)
            waiting.clear()
        elif found := DESCRIPTOR.match(text, at):
            yield ShellToken(line, "descriptor", found[0], line)
            at = found.end()
        elif end := _arithmetic_end(text, at):
            yield ShellToken(line, "arithmetic", text[at + 2 : end - 2], line)
            at = end
        elif (found := OPERATOR.match(text, at)) and not _is_process(text, at):
            operator = found[0]
            yield ShellToken(line, "operator", operator, line)
            at = found.end()
            continue
        else:
            said, end = word_at(text, at)
            last = line + text.count("\n", at, end)
            token = ShellToken(line, "word", said, last)
            line = last
            if operator in HERE_DOCUMENTS:
                waiting.append((token, any(char in text[at:end] for char in "'\"\\")))
            yield token
            at = end
        operator = operator if skipped else ""
    yield ShellToken(line, "operator", "\n", line)


def _is_process(text: str, at: int) -> bool:
    """`<(command)` stands for a file with its output, and is a word."""
    return text.startswith(("<(", ">("), at)


def _arithmetic_end(text: str, at: int) -> int:
    """The end of `((...))`; 0 if none begins here."""
    end = text.find("))", at, at + MAX_ARITHMETIC) if text.startswith("((", at) else -1
    return 0 if end < 0 else end + 2


def _take_here_document(text: str, at: int, line: int, word: ShellToken, *, is_quoted: bool) -> tuple[int, int]:
    """Its text goes to the word that ends it; returns where it goes on."""
    end, begin = plain(word.text), at
    stop = at
    while at < len(text):
        stop, next_at = at, _find_end(text, "\n", at)
        said, at, line = text[at:next_at], next_at + 1, line + 1
        if said.strip() == end:
            break
        stop = at
    body = text[begin:stop]
    word.body = body.translate(QUOTED) if is_quoted else body
    return at, line


def word_at(text: str, at: int) -> tuple[str, int]:
    """One word without its quotes, and where it ends."""
    parts: list[str] = []
    length = len(text)
    if _is_process(text, at):
        end = end_of_bracket(text, at + 1, "()")
        return f"${text[at + 1 : end]}", end
    while at < length:
        if run := PLAIN.match(text, at):
            parts.append(run[0])
            at = run.end()
            continue
        char = text[at]
        if char in " \t\r\f\v\n|;&<>()":
            break
        part, at = _part_at(text, at, char)
        parts.append(part)
    return "".join(parts), min(at, length)


def _part_at(text: str, at: int, char: str) -> tuple[str, int]:  # noqa: PLR0911 - a table of what begins it
    """What is quoted, escaped or to be expanded."""
    if char == "'":
        end = _find_end(text, "'", at + 1)
        return text[at + 1 : end].translate(QUOTED), end + 1
    if char == '"':
        return _double_quoted(text, at + 1)
    if char == "\\":
        if text.startswith("\n", at + 1):
            return "", at + 2
        return text[at + 1 : at + 2].translate(QUOTED), at + 2
    if char == "`":
        end = _find_end(text, "`", at + 1)
        return text[at : end + 1], end + 1
    if text.startswith(("$'", '$"'), at):
        return "", at + 1
    if text.startswith(("$(", "${"), at):
        end = end_of_bracket(text, at + 1, "()" if text[at + 1] == "(" else "{}")
        return text[at:end], end
    return char, at + 1


def _double_quoted(text: str, at: int) -> tuple[str, int]:
    """What stands between double quotes: commands and variables in it are kept, with quotes of their own."""
    parts, length = list[str](), len(text)
    begin = at
    while at < length and text[at] != '"':
        if text[at] == "\\":
            at += 2
        elif text.startswith(("$(", "${"), at):
            parts.append(_unescape(text[begin:at]))
            end = end_of_bracket(text, at + 1, "()" if text[at + 1] == "(" else "{}")
            parts.append(text[at:end])
            begin = at = end
        else:
            at += 1
    parts.append(_unescape(text[begin:at]))
    return "".join(parts), at + 1


def _unescape(text: str) -> str:
    text = text.replace("\\\n", "").replace("\\$", LITERAL_DOLLAR)
    return ESCAPED.sub(r"\1", text).replace(" ", LITERAL_BLANK)


def _find_end(text: str, what: str, at: int) -> int:
    end = text.find(what, at)
    return len(text) if end < 0 else end


def end_of_bracket(text: str, at: int, pair: str) -> int:
    """After the bracket that closes the one at `at`; those in quotes do not count."""
    depth, length = 0, len(text)
    while at < length:
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "'" and pair == "()":
            at = _find_end(text, "'", at + 1)
        else:
            depth += (char == pair[0]) - (char == pair[1])
            if not depth:
                return at + 1
        at += 1
    return length
