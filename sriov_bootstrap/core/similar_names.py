"""Names that are nearly the same, as `phynet2` and `physnet2` are."""

from collections.abc import Iterable
from itertools import islice

NEAR = 2  # letters that differ, are missing, or are extra
LONGEST = 64
COMPARED = 64  # names that one is compared with, letter by letter
GUESSES = 32


def nearest(name: str, names: Iterable[str], *, is_sure: bool = False) -> str:
    """The one that was probably meant, "" if none is close; case does not count.

    `is_sure`: "" as well where another one is just as close, as ens1f0 and ens1f1 are to ens1f2.
    """
    alike = islice(
        (candidate for candidate in names if candidate != name and abs(len(candidate) - len(name)) <= NEAR), COMPARED
    )
    distances = {other: distance(name.lower(), other.lower()) for other in alike}
    near = {other: far for other, far in distances.items() if far <= min(NEAR, len(other) // 3)}
    closest = [other for other, far in near.items() if far == min(near.values())]
    return "" if not closest or (is_sure and len(closest) > 1) else closest[0]


class Guesses:
    """`nearest` for as many names as anyone would fix by hand; "" for the rest: files decide how many there are."""

    def __init__(self, *, are_sure: bool = False) -> None:
        self._are_sure = are_sure
        self._left = GUESSES
        self._made: dict[str, str] = {}

    def nearest(self, name: str, names: Iterable[str]) -> str:
        """The one that was probably meant, "" if none is close; for one name always the same."""
        if name not in self._made and self._left:
            self._left -= 1
            self._made[name] = nearest(name, names, is_sure=self._are_sure)
        return self._made.get(name, "")


def distance(one: str, other: str) -> int:
    """Levenshtein distance, of at most LONGEST characters."""
    one, other = one[:LONGEST], other[:LONGEST]
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != another))
    return row[-1]
