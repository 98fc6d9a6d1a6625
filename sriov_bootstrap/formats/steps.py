"""How much work one file may make, counted while it is made: a line that multiplies ends at the bound, not the host."""

MOST = 1 << 20  # characters read and made; honest files of shell need some thousands


class TooMuch(Exception):  # noqa: N818 - not an error, and it never leaves the reader of the file
    """The file costs more than any honest one does."""


class Steps:
    """Of one file. `is_cut`: something was left out, so that not all of it is known."""

    def __init__(self, most: int = MOST) -> None:
        self.taken = 0
        self.is_cut = False
        self._most = most

    def take(self, number: int) -> None:
        """Before the work is done. Raises TooMuch."""
        self.taken += number
        if self.taken > self._most:
            raise TooMuch

    def cut(self) -> None:
        """A bound was reached, and the rest is left out."""
        self.is_cut = True
