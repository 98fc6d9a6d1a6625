"""tee, dd, cp and their kind: commands that write to files which they are given."""

from sriov_bootstrap.formats.shell_follower import Follower
from sriov_bootstrap.formats.shell_redirections import text_or_total, write_numbers
from sriov_bootstrap.formats.shell_state import ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN


def write_to_arguments(follower: Follower, name: str, arguments: list[Values], state: ShellState, line: int) -> None:
    """What is at their input, or in another file that they are given, goes to the file."""
    if name == "tee":
        targets = [value for values in arguments for value in values]
        write_numbers(follower, targets, follower.feed, state, line)
    elif name == "dd":
        targets = [value[3:] for values in arguments for value in values if value.startswith("of=")]
        sources = [value[3:] for values in arguments for value in values if value.startswith("if=")]
        write_numbers(follower, targets, _texts_of(follower, sources, state) if sources else follower.feed, state, line)
    else:
        is_fed = any(value in {"-", "/dev/stdin"} for values in arguments for value in values)
        sources = list(arguments[-2]) if len(arguments) > 1 else []
        numbers = follower.feed if is_fed else _texts_of(follower, sources, state)
        write_numbers(follower, list(arguments[-1] if arguments else ()), numbers, state, line)


def _texts_of(follower: Follower, paths: list[str], state: ShellState) -> Values:
    return tuple(text_or_total(follower, path, state) for path in paths) or (UNKNOWN,)
