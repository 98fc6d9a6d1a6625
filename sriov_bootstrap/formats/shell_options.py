"""getopts: the options of a script, or of a function, whose arguments are known."""

from sriov_bootstrap.formats.shell_follower import Follower
from sriov_bootstrap.formats.shell_nodes import CommandList, Simple, simple_commands
from sriov_bootstrap.formats.shell_state import ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN

WRONG = "?"  # what getopts says of an option that it does not know


def option_turns(follower: Follower, condition: CommandList, state: ShellState) -> list[dict[str, Values]] | None:
    """What `while getopts LETTERS NAME` sets, turn by turn; None for another loop, or unknown options."""
    match next(simple_commands(condition), None):
        case Simple(words=["getopts", letters, name, *words]):
            given = [values for word in words for values in follower.expander.fields(word, state)]
            arguments = given if words else state.arguments
        case _:
            return None
    if arguments is None or any(len(values) != 1 or UNKNOWN in values[0] for values in arguments):
        return None
    options, taken = parse_options([values[0] for values in arguments], follower.expander.expand(letters, state)[0])
    state.known["OPTIND"] = (str(taken + 1),)
    return [{name: (letter,), "OPTARG": (value,)} for letter, value in options]


def parse_options(words: list[str], letters: str) -> tuple[list[tuple[str, str]], int]:
    """Letter and value of each option; and how many of the words they are."""
    known, found, at = letters.lstrip(":"), list[tuple[str, str]](), 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        rest = words[at][1:]
        at += 1
        if rest == "-":
            break
        while rest:
            letter, rest = rest[0], rest[1:]
            place = known.find(letter)
            if place < 0 or letter == ":":
                found.append((WRONG, ""))
            elif known[place + 1 : place + 2] != ":":
                found.append((letter, ""))
            elif rest or at < len(words):
                found.append((letter, rest or words[at]))
                at += not rest
                rest = ""
            else:
                found.append((WRONG, ""))
    return found, at
