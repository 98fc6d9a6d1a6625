"""How much work another program's regular expression may cause, estimated before it is compiled or matched.

Python's engine backtracks: repeating what can itself be read in several ways takes time that doubles with each
character. So can many choices in a row, even on the shortest text. An address for nova needs neither.
"""

import importlib
import re
import warnings
from collections.abc import Iterable
from typing import Any

LONGEST = 256  # characters of a pattern
MOST_WAYS = 256  # of reading it
PLACES = 5  # where a repeat may end: a field of an address has four characters at most
FEWEST = 16  # repeats that a pattern may ask for at least
SIMPLE = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY"})
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
GROUPS = frozenset({"SUBPATTERN", "ATOMIC_GROUP", "ASSERT", "ASSERT_NOT"})


class TooCostly(Exception):  # noqa: N818 - not an error, and it never leaves this module
    """It is not to be matched."""


def is_too_much(pattern: str) -> bool:
    """Whether it is not to be compiled. re.error and its relatives if it is not a regular expression."""
    if len(pattern) > LONGEST:
        return True
    # `re` is a package since 3.11, and its parser the only one that reads as `re` does.
    parser: Any = importlib.import_module("re._parser")
    with warnings.catch_warnings():  # "possible nested set" does not concern us
        warnings.simplefilter("ignore")
        parsed = parser.parse(pattern)
    try:
        _ways(parsed)
    except TooCostly:
        return True
    return False


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """One that is not too much."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern)


def _ways(steps: Iterable[tuple[object, Any]]) -> int:
    """In how many ways a sequence can be read."""
    ways = 1
    for operator, value in steps:
        ways *= _ways_of(str(operator), value)
        if ways > MOST_WAYS:
            raise TooCostly
    return ways


def _ways_of(operator: str, value: Any) -> int:  # noqa: ANN401 - each operator has its own
    if operator in SIMPLE:
        return 1
    if operator == "BRANCH":
        return sum(_ways(item) for item in value[1])
    if operator in GROUPS:
        return _ways(value if operator == "ATOMIC_GROUP" else value[-1])
    if operator in REPEATS and value[0] <= FEWEST and _ways(value[2]) == 1:
        return PLACES
    raise TooCostly  # a repeat in a repeat, a group reference, and whatever is unknown here
