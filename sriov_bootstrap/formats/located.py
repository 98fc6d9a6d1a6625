"""Texts that know where they stand."""


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
