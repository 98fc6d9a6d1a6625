"""Commands of shell that change the shell itself: its folder, its arguments, its variables."""

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_commands import output_of
from sriov_bootstrap.formats.shell_conditions import ASSUMED, SUCCESS
from sriov_bootstrap.formats.shell_follower import CommandOutcome, Follower
from sriov_bootstrap.formats.shell_nodes import Simple
from sriov_bootstrap.formats.shell_redirections import absolute_path
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState, Values
from sriov_bootstrap.formats.shell_tokens import plain
from sriov_bootstrap.formats.shell_unknowns import TOTAL_OF, UNKNOWN, unknown_from

LEAVES = {"exit": "exit", "return": "return", "break": "loop", "continue": "loop"}


def run_builtin(
    follower: Follower, program: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome | None:
    """What changes the shell itself."""
    match program:
        case "cd" | "pushd":
            folder = arguments[0][0] if arguments else ""
            state.folder = absolute_path(folder, state) if folder else ""
        case "exit" | "return" | "break" | "continue":
            state.ended = LEAVES[program]
        case "set":
            if command.words[1:2] == ["--"]:
                state.set_arguments((part,) for part in follower.expander.split(command.words[2:], state))
        case "shift":
            _shift(arguments, state)
        case _:
            return _run_with_names(follower, program, arguments, command, state)
    return CommandOutcome(SUCCESS if program != "cd" else ASSUMED)


def _run_with_names(
    follower: Follower, program: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome | None:
    """What changes the variables that it is given."""
    match program:
        case "read":
            _read(follower, arguments, command, state)
        case "mapfile" | "readarray":
            _read_lines(follower, arguments, state)
        case "printf" if len(arguments) > 1 and arguments[0] == ("-v",):
            state.known[arguments[1][0]] = output_of(program, arguments[2:], ("",), state.folder)
        case "unset":
            for values in arguments:
                state.known.pop(values[0], None)
        case "let":
            _let(follower, command.words[1:], state)
        case _:
            return None
    return CommandOutcome(SUCCESS)


def _shift(arguments: list[Values], state: ShellState) -> None:
    given = state.arguments
    by = kernel_number(arguments[0][0]) if arguments else 1
    state.set_arguments(None if given is None or by is None else given[by:])


def set_trap(follower: Follower, arguments: list[Values], command: Simple, state: ShellState) -> CommandOutcome:
    """What is done when the shell ends, or gets a signal, if it does."""
    inner = state.copy()
    inner.is_doubtful = True
    for text in arguments[0] if len(arguments) > 1 else ():
        follower.run_text(text, inner, command.line)
    return CommandOutcome(SUCCESS)


def _let(follower: Follower, words: list[str], state: ShellState) -> None:
    for word in words:
        name, _, text = word.partition("=")
        state.known[name] = follower.expander.arithmetic(text, state) if text else (UNKNOWN,)


def _read_lines(follower: Follower, arguments: list[Values], state: ShellState) -> None:
    """Of its input, into an array."""
    name = arguments[-1][0] if arguments and arguments[-1][0].isidentifier() else "MAPFILE"
    text = follower.feed[0] if len(follower.feed) == 1 else UNKNOWN
    if UNKNOWN in text:
        state.known[f"{name}[@]"] = (unknown_from(follower.feed),)
        return
    state.clear_array(name)
    for number, line in enumerate(text.splitlines()[:MAX_VALUES]):
        state.set_element(name, str(number), (line,))
    follower.steps.is_cut |= text.count("\n") > MAX_VALUES


def _read(follower: Follower, arguments: list[Values], command: Simple, state: ShellState) -> None:
    names = [values[0] for values in arguments if values[0].isidentifier()] or ["REPLY"]
    text = follower.feed[0] if len(follower.feed) == 1 else UNKNOWN
    if text.startswith(TOTAL_OF) and len(names) == 1:
        state.known[names[0]] = (text,)
        return
    if UNKNOWN in text:
        state.known |= dict.fromkeys(names, (unknown_from(follower.feed),))
        return
    separator = next((plain(word[4:]) for word in command.words if word.startswith("IFS=")), None)
    line = text.split("\n")[0]
    parts = line.split(separator or None, len(names) - 1)
    state.known |= {name: (parts[at].strip() if at < len(parts) else "",) for at, name in enumerate(names)}
