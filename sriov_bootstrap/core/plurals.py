"""Numbers of things in messages, 1 VF stays, 7 VFs stay; the first names of many, and numbers as ranges."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby


def quantity(number: int, one: str, many: str = "") -> str:
    """`many` is for every number but 1; without it, `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def shortlist(names: Sequence[str], most: int, between: str = ", ") -> str:
    """`a, b and 3 more`, with "; " between them `a; b; and 3 more`: a message is one line."""
    more = len(names) - most
    last = f"{between.rstrip(', ')} and {more} more" if more > 0 else ""
    return f"{between.join(names[:most])}{last}"


def ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Numbers in their order, 0, 1, 2, 5 -> `0-2`, `5`."""
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}"
