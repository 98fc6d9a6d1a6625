"""Numbers of things in messages, 1 VF stays, 7 VFs stay, and the first names of many."""

from collections.abc import Sequence


def quantity(number: int, one: str, many: str = "") -> str:
    """`many` is for every number but 1; without it, `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def shortlist(names: Sequence[str], most: int, between: str = ", ") -> str:
    """`a, b and 3 more`, with "; " between them `a; b; and 3 more`: a message is one line."""
    more = len(names) - most
    last = f"{between.rstrip(', ')} and {more} more" if more > 0 else ""
    return f"{between.join(names[:most])}{last}"
