"""Names that are nearly the same, as `phynet2` and `physnet2` are."""

from collections.abc import Iterable

NEAR = 2  # letters that differ, are missing, or are too many
LONGEST = 64


def nearest(name: str, names: Iterable[str]) -> str:
    """The one that was probably meant, "" for none; upper and lower case count as the same."""
    alike = (other for other in names if other != name and abs(len(other) - len(name)) <= NEAR)
    distances = {other: distance(name.lower(), other.lower()) for other in alike}
    near = {other: far for other, far in distances.items() if far <= min(NEAR, len(other) // 3)}
    return min(near, key=lambda other: near[other]) if near else ""


def distance(one: str, other: str) -> int:
    """Levenshtein's, of names that are not too long to be names."""
    one, other = one[:LONGEST], other[:LONGEST]
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != another))
    return row[-1]
