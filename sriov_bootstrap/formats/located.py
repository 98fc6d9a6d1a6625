"""Texts that know where they stand, and mappings that know what they have lost."""

from typing import Any


class Word(str):
    """A text of a YAML file that knows the line on which it is, counted from 1, and whether it has no quotes."""

    __slots__ = ("is_plain", "line")
    line: int
    is_plain: bool

    @classmethod
    def at(cls, text: str, line: int, *, is_plain: bool = True) -> "Word":
        """That text on that line."""
        word = cls(text)
        word.line = line
        word.is_plain = is_plain
        return word


class Table(dict[Any, Any]):
    """A mapping of a YAML or JSON file. `dropped`: key that came again, with another value -> the line of the first."""

    __slots__ = ("dropped",)
    dropped: dict[str, int]

    @classmethod
    def make(cls, pairs: dict[Any, Any], dropped: dict[str, int]) -> "Table":
        """What its reader takes, and what it drops."""
        table = cls(pairs)
        table.dropped = dropped
        return table
