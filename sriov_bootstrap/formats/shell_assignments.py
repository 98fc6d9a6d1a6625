"""The assignments of a simple command of shell."""

import re
from collections.abc import Iterator

from sriov_bootstrap.formats.shell_follower import Follower
from sriov_bootstrap.formats.shell_nodes import Simple
from sriov_bootstrap.formats.shell_state import REFERENCE, ShellState, Values, limit_values
from sriov_bootstrap.formats.shell_tokens import plain

ASSIGNMENT = re.compile(r"(\w+)(?:\[([^\]]*)\])?(\+?)=(.*)", re.DOTALL)
DECLARATIONS = frozenset({"export", "local", "readonly", "declare", "typeset"})
LOCAL = frozenset({"local", "declare", "typeset"})  # to the function


def take_assignments(follower: Follower, command: Simple, state: ShellState) -> Iterator[str]:
    """Takes its assignments, and returns the other words."""
    for name, elements in command.arrays.items():
        _assign_array(follower, name, elements, state)
    words = command.words
    is_declaration = words[:1] and words[0] in DECLARATIONS
    at = 1 if is_declaration else 0
    if is_declaration and words[0] in LOCAL and follower.hidden and "-g" not in words:
        _hide_outer(follower.hidden[-1], words[1:], state)
    while at < len(words) and (is_declaration or ASSIGNMENT.fullmatch(words[at])):
        if is_declaration and "-n" in words:
            _assign_reference(follower, words[at], state)
        else:
            _assign_word(follower, words[at], state)
        if words[0] == "export":
            follower.exported.add(words[at].partition("=")[0])
        at += 1
    return iter(words[:1] if is_declaration else words[at:])


def _hide_outer(hidden: dict[str, Values | None], words: list[str], state: ShellState) -> None:
    """What variables of these names are outside the function."""
    for word in words:
        name = word.partition("=")[0]
        hidden.setdefault(name, state.known.get(name))


def assigned_for(command: Simple) -> tuple[str, ...]:
    """The names that are assigned before a command, and for it alone."""
    names = [ASSIGNMENT.fullmatch(word) for word in command.words]
    first = next((at for at, found in enumerate(names) if not found), 0)
    return tuple(found[1] for found in names[:first] if found)


def _assign_reference(follower: Follower, word: str, state: ShellState) -> None:
    name, _, text = word.partition("=")
    targets = follower.expander.expand(text, state)
    if len(targets) == 1 and targets[0].isidentifier() and targets[0] != name:
        state.known[f"{REFERENCE}{name}"] = targets


def _assign_word(follower: Follower, word: str, state: ShellState) -> None:
    if not (assigned := ASSIGNMENT.fullmatch(word)):
        return
    name, index, plus, text = assigned.groups()
    values = follower.expander.expand(text, state)
    if index is not None:
        keys = follower.expander.expand(index, state)
        if len(keys) == 1:
            state.set_element(name, keys[0], values)
        return
    if plus:
        values = limit_values(f"{before}{value}" for before in state.known.get(name, ("",)) for value in values)
    state.known[name] = values


def _assign_array(follower: Follower, name: str, words: list[str], state: ShellState) -> None:
    bare = name.rstrip("+=")
    if not name.endswith("+="):
        state.clear_array(bare)
    before = state.known.get(f"!{bare}[@]", ("",))[0]
    number = len(before.split("\n")) if before else 0
    for word in words:
        if word.startswith("[") and (assigned := ASSIGNMENT.fullmatch(f"{bare}{word}")):
            state.set_element(bare, plain(assigned[2] or ""), follower.expander.expand(assigned[4], state))
            continue
        for part in follower.expander.split([word], state):
            state.set_element(bare, str(number), (part,))
            number += 1
    state.known[f"{bare}[*]"] = state.known.get(f"{bare}[@]", ("",))
    state.known[bare] = state.known.get(f"{bare}[0]", ("",))
