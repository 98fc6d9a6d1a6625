"""Commands of shell that change the shell itself: its folder, its arguments, its variables."""

from sriov_bootstrap.formats.shell_commands import FILE, UNKNOWN_TARGET
from sriov_bootstrap.formats.shell_conditions import ASSUMED, SUCCESS
from sriov_bootstrap.formats.shell_follower import CommandOutcome, Follower
from sriov_bootstrap.formats.shell_nodes import Simple
from sriov_bootstrap.formats.shell_redirections import absolute_path
from sriov_bootstrap.formats.shell_tokens import plain
from sriov_bootstrap.formats.shell_values import TOTAL_OF, UNKNOWN, ShellState, Values

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
        case "read":
            _read(follower, arguments, command, state)
        case "set":
            if command.words[1:2] == ["--"]:
                state.set_arguments((part,) for part in follower.expander.split(command.words[2:], state))
        case "shift":
            given = state.arguments
            state.set_arguments(given and given[1:])
        case "unset":
            for values in arguments:
                state.known.pop(values[0], None)
        case "let":
            _let(follower, command.words[1:], state)
        case _:
            return None
    return CommandOutcome(SUCCESS if program != "cd" else ASSUMED)


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


def _read(follower: Follower, arguments: list[Values], command: Simple, state: ShellState) -> None:
    names = [values[0] for values in arguments if values[0].isidentifier()] or ["REPLY"]
    text = follower.feed[0] if len(follower.feed) == 1 else UNKNOWN
    if text.startswith(TOTAL_OF) and len(names) == 1:
        state.known[names[0]] = (text,)
        return
    if UNKNOWN in text:
        is_listed = any(FILE in value for value in follower.feed)
        state.known |= dict.fromkeys(names, (UNKNOWN_TARGET if is_listed else UNKNOWN,))
        return
    separator = next((plain(word[4:]) for word in command.words if word.startswith("IFS=")), None)
    line = text.split("\n")[0]
    parts = line.split(separator or None, len(names) - 1)
    state.known |= {name: (parts[at].strip() if at < len(parts) else "",) for at, name in enumerate(names)}
