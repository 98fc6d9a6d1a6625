"""Where the input of a command of shell comes from, and where its output goes."""

import re
from fnmatch import fnmatchcase

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_commands import OTHERS_FILES, is_target, is_total
from sriov_bootstrap.formats.shell_follower import CommandOutcome, Follower, Write
from sriov_bootstrap.formats.shell_nodes import Redirection
from sriov_bootstrap.formats.shell_state import MAX_VALUES, ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import FILE, TOTAL_OF, UNKNOWN
from sriov_bootstrap.formats.written_texts import is_used_later, sets_vfs

GLOB = re.compile(r"sriov_n[\w*?\[\]]{1,32}")
DESCRIPTOR = ">"  # before its number: the name of the files behind it, which no variable can have
OUTPUT = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<>"})


def open_descriptors(follower: Follower, redirections: list[Redirection], state: ShellState) -> None:
    """Of `exec` and of groups: which files their commands write to by a number."""
    for redirection in redirections:
        if redirection.operator in OUTPUT and redirection.descriptor not in {"", "1", "2"}:
            paths = follower.expander.expand(redirection.target.text, state)
            state.known[f"{DESCRIPTOR}{redirection.descriptor}"] = tuple(absolute_path(path, state) for path in paths)


def feed_of(follower: Follower, redirections: list[Redirection], state: ShellState) -> Values:
    """What stands at its input."""
    feed = follower.feed
    for redirection in redirections:
        match redirection.operator:
            case "<<<":
                feed = tuple(f"{value}\n" for value in follower.expander.expand(redirection.target.text, state))
            case "<<" | "<<-":
                feed = follower.expander.expand(redirection.target.body, state)
            case "<" | "<>":
                text = redirection.target.text
                is_command = text.startswith("$(")  # <(command)
                found = follower.expander.expand(text, state)
                feed = found if is_command else tuple(text_or_total(follower, path, state) for path in found)
    return feed


def text_or_total(follower: Follower, path: str, state: ShellState) -> str:
    """Of a file, also of a sriov_totalvfs; UNKNOWN if it was not read."""
    if is_total(path):
        return f"{TOTAL_OF}{absolute_path(path, state)}"
    text = read_text(follower, path, state)
    return UNKNOWN if text is None else text


def read_text(follower: Follower, path: str, state: ShellState) -> str | None:
    """Of a file; None if it was not read."""
    text = follower.files.read(absolute_path(path, state))
    follower.steps.take(len(text or ""))
    return text


def write_output(
    follower: Follower, redirections: list[Redirection], state: ShellState, outcome: CommandOutcome, line: int
) -> CommandOutcome:
    """Where its output goes: the last redirection of descriptor 1 takes it."""
    targets = [
        path
        for redirection in redirections
        if redirection.operator in OUTPUT and redirection.descriptor in {"", "1"}
        for path in _targets(follower, redirection, state)
    ]
    if not targets:
        return outcome
    write_numbers(follower, targets, outcome.output, state, line)
    return CommandOutcome(outcome.verdict, ("",))


def _targets(follower: Follower, redirection: Redirection, state: ShellState) -> Values:
    """Files, also those that `exec` has opened under a number."""
    found = follower.expander.expand(redirection.target.text, state)
    if redirection.operator != ">&" or not all(map(str.isdecimal, found)):
        return found
    return tuple(path for number in found for path in state.known.get(f"{DESCRIPTOR}{number}", (number,)))


def write_numbers(follower: Follower, targets: list[str], numbers: Values, state: ShellState, line: int) -> None:
    absolute = [_without_glob(absolute_path(target, state)) for target in targets]
    if any(path.endswith(OTHERS_FILES) for path in absolute) or _sets_later(follower, absolute, numbers):
        follower.unclear[follower.place(line)] = None
    paths = tuple(dict.fromkeys(path for path in absolute if is_target(path)))
    place = follower.place(line)
    if not paths and any(map(_may_be_number, numbers)):
        follower.vague |= dict.fromkeys(place for path in absolute if path.rpartition("/")[2] == UNKNOWN)
    if paths:
        follower.steps.is_cut |= len(paths) > MAX_VALUES
        paths = paths[:MAX_VALUES]
        follower.writes.append(Write(place, paths, numbers, state.is_doubtful, not follower.is_in_block))


def _may_be_number(text: str) -> bool:
    """Whether it may be a number that is written; not what was read from such a file."""
    return kernel_number(text.strip()) is not None or (UNKNOWN in text and FILE not in text)


def _sets_later(follower: Follower, paths: list[str], texts: Values) -> bool:
    """Whether a text that is written sets VFs once it is run or read."""
    follower.steps.take(sum(map(len, texts)))
    setting = [text for text in texts if sets_vfs(text)]
    return any(is_used_later(path, text) for text in setting for path in paths[:MAX_VALUES])


def _without_glob(path: str) -> str:
    """With its name in place of a glob that fits the file, such as sriov_num*."""
    name = path[path.rfind("/") + 1 :]
    return f"{path.removesuffix(name)}{FILE}" if GLOB.fullmatch(name) and fnmatchcase(FILE, name) else path


def absolute_path(path: str, state: ShellState) -> str:
    if path.startswith(("/", UNKNOWN)) or not state.folder:
        return path
    return f"{state.folder.rstrip('/')}/{path.removeprefix('./')}"
