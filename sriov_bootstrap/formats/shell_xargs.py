"""What xargs makes of its input: groups of words, each for a command of its own."""

import itertools
import re

from msgspec import Struct

from sriov_bootstrap.formats.shell_state import MAX_VALUES, Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN

REPLACED = re.compile(r"(?:-I|--replace=)(.+)")
NUMBER = re.compile(r"(?:-n|-L|--max-args=|--max-lines=)(\d{1,4})")
BRACES = "{}"
APART = frozenset({"-I", "-n", "-L"})  # from their values, which may also follow at once


class XargsGroup(Struct, frozen=True):
    """`mark`: what an item stands for in the command; "" if items come behind it."""

    items: tuple[str, ...]
    mark: str = ""


def groups_of_xargs(prefixes: list[Values], feed: Values) -> list[XargsGroup]:
    """Of a command behind `xargs` and its options; [] if there is no xargs, or its input is not known."""
    words = [values[0] for values in prefixes]
    at = next((at for at, word in enumerate(words) if word.rpartition("/")[2] == "xargs"), len(words))
    if at == len(words) or len(feed) != 1 or UNKNOWN in feed[0] or not feed[0].strip():
        return []
    options = words[at + 1 :]
    joined = [*options, *(f"{option}{value}" for option, value in itertools.pairwise(options) if option in APART)]
    marks = [found[1] for option in joined if (found := REPLACED.fullmatch(option))]
    marks += [BRACES] * ("-i" in options or "--replace" in options)
    numbers = [int(found[1]) for option in joined if (found := NUMBER.fullmatch(option))]
    if marks and numbers:
        return []  # they exclude each other, and which of them counts differs
    if marks:
        lines = [line.strip() for line in feed[0].split("\n") if line.strip()]
        return [XargsGroup((line,), marks[-1]) for line in lines[:MAX_VALUES]]
    items = feed[0].split()
    size = max(numbers[-1], 1) if numbers else len(items)
    return [XargsGroup(tuple(items[at : at + size])) for at in range(0, len(items), size)][:MAX_VALUES]


def put_items(fields: list[Values], group: XargsGroup) -> list[Values]:
    """The words of the command."""
    if not group.mark:
        return [*fields, *((item,) for item in group.items)]
    return [tuple(value.replace(group.mark, group.items[0]) for value in values) for values in fields]
