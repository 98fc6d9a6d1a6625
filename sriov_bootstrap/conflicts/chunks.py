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

    def is_comment(self, at: int) -> bool:
        """Whether its line is one."""
        start = self._line_start(at)
        return self.text[start : start + INDENT].lstrip().startswith("#")

    def before(self, at: int) -> str:
        """The beginning of its line, with the lines that a backslash joins to it, up to a bound."""
        start = self._line_start(at)
        while start > 1 and self.text[start - 2] == "\\" and at - start < BEFORE:
            start = self._line_start(start - 1)
        return self.text[max(start, at - BEFORE) : at].replace("\\\n", " ")

    def after(self, at: int) -> str:
        """The rest of its line, up to a bound."""
        return self.text[at : at + AFTER].partition("\n")[0]

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", max(at - MAX_LINE, 0), at) + 1
