"""What the loops of shell go over."""

import re

from sriov_bootstrap.formats.shell_follower import Follower
from sriov_bootstrap.formats.shell_redirections import absolute_path
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN

MAX_LOOP = 2 * MAX_VALUES  # turns
CHANGE = re.compile(r"\s*(\w+)\s*(=|\+=|-=|\+\+|--)(?!=)(.*)")
BOUNDS = re.compile(r"\s*(\w+)\s*=\s*([^;]+);\s*\1\s*(<=?)\s*([^;]+);\s*(?:\1\s*\+\+|\+\+\s*\1|\1\s*\+=\s*1)\s*")


def count_values(follower: Follower, text: str, state: ShellState) -> tuple[str, list[str]]:
    """The name and the values of `for ((i = 0; i < 4; i++))`."""
    found = BOUNDS.fullmatch(text)
    if not found:
        assigned = CHANGE.match(text)
        return assigned[1] if assigned else "", [UNKNOWN]
    first, last = (follower.expander.arithmetic(bound, state) for bound in (found[2], found[4]))
    if len(first) != 1 or len(last) != 1 or UNKNOWN in (*first, *last):
        return found[1], [UNKNOWN]
    numbers = range(int(first[0]), int(last[0]) + (found[3] == "<="))
    if len(numbers) > MAX_VALUES:
        follower.steps.cut()
    return found[1], list(map(str, numbers[:MAX_VALUES]))


def with_files(follower: Follower, words: list[str], state: ShellState) -> list[str]:
    """With the scripts that were read in place of the globs that they fit."""
    found: list[str] = []
    for word in words:
        path = absolute_path(word, state)
        start = len(path) - len(word)
        found += [file[start:] for file in follower.files.find_matching(path)] or [word]
    if len(found) > MAX_LOOP:
        follower.steps.cut()
    return found[:MAX_LOOP]
