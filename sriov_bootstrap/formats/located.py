"""Texts that know where they stand."""


class Word(str):
    """A text of a YAML file that knows the line on which it is, counted from 1."""

    __slots__ = ("line",)
    line: int

    @classmethod
    def at(cls, text: str, line: int) -> "Word":
        """That text on that line."""
        word = cls(text)
        word.line = line
        return word
