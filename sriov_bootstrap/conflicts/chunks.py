"""A part of a file, and what stands around a place in it."""

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Source

MAX_LINE = 1 << 12  # a longer line counts as several
INDENT = 80  # characters in which a comment begins
BEFORE = 1 << 9  # characters of a command that are looked at before a path
AFTER = 1 << 8  # and after it


class Chunk(Struct):
    """It is asked for lines from its beginning to its end. `line`: of its beginning, in the file."""

    source: Source
    text: str
    line: int
    at: int = 0

    def place(self, at: int) -> str:
        """`file:line` of a character; of none before the last one."""
        self.line += self.text.count("\n", self.at, at)
        self.at = at
        return f"{self.source.path}:{self.line}"


def is_comment(text: str, at: int) -> bool:
    """Whether the line of a character is one."""
    start = _line_start(text, at)
    return text[start : start + INDENT].lstrip().startswith("#")


def text_before(text: str, at: int) -> str:
    """The beginning of the line of a character, with the lines that a backslash joins to it, up to a bound."""
    start = _line_start(text, at)
    while start > 1 and text[start - 2] == "\\" and at - start < BEFORE:
        start = _line_start(text, start - 1)
    return text[max(start, at - BEFORE) : at].replace("\\\n", " ")


def text_after(text: str, at: int) -> str:
    """The rest of the line, up to a bound."""
    return text[at : at + AFTER].partition("\n")[0]


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", max(at - MAX_LINE, 0), at) + 1
