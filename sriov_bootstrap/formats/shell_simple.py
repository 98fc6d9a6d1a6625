"""One simple command of shell: its assignments, what it runs, and what its output goes to."""

import itertools
import re

from sriov_bootstrap.formats.shell_assignments import ASSIGNMENT, assigned_for, take_assignments
from sriov_bootstrap.formats.shell_builtins import run_builtin, set_trap
from sriov_bootstrap.formats.shell_commands import COPIES, IDLE, is_target, may_set, output_of
from sriov_bootstrap.formats.shell_conditions import (
    ASSUMED,
    FAILURE,
    QUESTIONS,
    SUCCESS,
    TESTS,
    TestVerdict,
    judge_test,
)
from sriov_bootstrap.formats.shell_copies import write_to_arguments
from sriov_bootstrap.formats.shell_filters import NAMES, filter_output
from sriov_bootstrap.formats.shell_follower import CommandOutcome, Follower
from sriov_bootstrap.formats.shell_nodes import Simple
from sriov_bootstrap.formats.shell_redirections import (
    absolute_path,
    feed_of,
    open_descriptors,
    read_text,
    write_output,
)
from sriov_bootstrap.formats.shell_state import ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import FILE, UNKNOWN, UNKNOWN_TARGET
from sriov_bootstrap.formats.shell_xargs import groups_of_xargs, put_items
from sriov_bootstrap.formats.written_texts import sets_vfs

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"})
OTHERS_SHELLS = frozenset({"su", "runuser", "ssh", "script", "flock", "chroot", "watch"})
LOGINS, LOGIN_FLAGS = frozenset({"sudo", "doas"}), frozenset({"-i", "-s", "--login", "--shell", "-si", "-is"})
USERS, FILE_FLAGS = frozenset({"su", "runuser"}), frozenset({"-c", "--command"})
C_FLAG = re.compile(r"-[a-z]*c|--command|--session-command")
LANGUAGE = re.compile(r"python[\d.]*|perl|ruby|lua|tclsh|at|batch")
APPLYING = frozenset({"nmstatectl", "kubectl", "oc", "crontab", "docker", "podman", "ansible-playbook", "salt-call"})
PREFIXES = frozenset(
    {"sudo", "nohup", "time", "exec", "command", "env", "builtin", "nice", "ionice", "setsid", "stdbuf", "timeout",
     "doas", "chronic", "eatmydata", "unbuffer", "taskset", "chrt", "busybox", "systemd-run", "nsenter", "xargs",
     "parallel"}
)  # fmt: skip
VALUE_OF_OPTION = re.compile(r"-[nicpukCgstIPLd]|--(?:adjustment|user|class|unit|kill-after)")
SOURCED = ("BASH_SOURCE", "BASH_SOURCE[0]")
PLAIN_NAME = re.compile(r"[\w-]+", re.ASCII)
LISTS = frozenset({"--test", "--list"})  # what it would run
DURATION = re.compile(r"\d+(?:\.\d+)?[smhd]?|0x[\da-f]+")
PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def run(follower: Follower, command: Simple, state: ShellState) -> CommandOutcome:
    """Everything that it does."""
    names = assigned_for(command)
    before = {name: state.known.get(name) for name in names}
    words = list(take_assignments(follower, command, state))
    kept, exported = follower.feed, follower.exported
    follower.exported = exported.union(names) if names else exported
    follower.feed = feed_of(follower, command.redirections, state)
    outcome = _run_words(follower, words, command, state)
    follower.feed, follower.exported = kept, exported
    state.restore(before)
    if words == ["exec"]:
        open_descriptors(follower, command.redirections, state)
    if not follower.redirects:
        return outcome
    return write_output(follower, command.redirections, state, outcome, command.line)


def _run_words(follower: Follower, words: list[str], command: Simple, state: ShellState) -> CommandOutcome:
    """What the command itself does."""
    if not words:
        is_read = any(redirection.operator == "<" for redirection in command.redirections)  # $(< file)
        return CommandOutcome(SUCCESS, follower.feed if is_read else ("",))
    if words[0] in TESTS:
        return CommandOutcome(judge_test(words, follower.expander, state))
    fields = [values for word in words for values in follower.expander.fields(word, state)]
    follower.steps.take(sum(len(value) for values in fields for value in values))
    given, fields = fields, _without_prefixes(fields)
    if any(is_target(value) for values in given[: len(given) - len(fields)] for value in values):
        follower.unclear[follower.place(command.line)] = None  # an option of systemd-run, or its kind
    if assigned := _assigned_before(given[: len(given) - len(fields)]):
        state = state.copy()
        state.known |= assigned
        follower.exported.update(assigned)
    if groups := groups_of_xargs(given[: len(given) - len(fields)], follower.feed):
        return _run_groups(follower, [put_items(fields, group) for group in groups], command, state)
    return _run_fields(follower, fields, command, state)


def _run_groups(follower: Follower, groups: list[list[Values]], command: Simple, state: ShellState) -> CommandOutcome:
    """A command for each group of what xargs reads."""
    kept, follower.feed = follower.feed, ("",)
    outcomes = [_run_fields(follower, fields, command, state) for fields in groups]
    follower.feed = kept
    return outcomes[-1]


def _run_fields(follower: Follower, fields: list[Values], command: Simple, state: ShellState) -> CommandOutcome:
    program = fields[0][0] if fields else ""
    arguments = fields[1:]
    for run_special in (run_builtin, _run_parts, _run_inner, _run_known):
        if outcome := run_special(follower, program, arguments, command, state):
            return outcome
    return _run_program(follower, program.rpartition("/")[2], arguments, command, state)


def _run_program(
    follower: Follower, name: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome:
    """A program of which no more is known than its name and what it may write."""
    place = follower.place(command.line)
    if name in {"tee", "dd"} or name in COPIES:
        write_to_arguments(follower, name, arguments, state, command.line)
    elif may_set(name, [value for values in arguments for value in values]) or _is_fed_program(follower, name):
        follower.unclear[place] = None
    if name not in IDLE:
        follower.others.setdefault(name, place)
    follower.steps.take(sum(map(len, follower.feed)) if name in NAMES else 0)
    filtered = filter_output(name, arguments, follower.feed, lambda path: read_text(follower, path, state))
    output = output_of(name, arguments, follower.feed, state.folder) if filtered is None else filtered
    return CommandOutcome(_verdict_of(name), output)


def _verdict_of(name: str) -> TestVerdict:
    """Of a program, by its name alone."""
    if name in QUESTIONS:
        return TestVerdict()
    if name == "false":
        return FAILURE
    return SUCCESS if name in {"true", ":"} else ASSUMED


def _assigned_before(fields: list[Values]) -> dict[str, Values]:
    """What `env N=8` gives to the command behind it."""
    found: dict[str, Values] = {}
    for values in fields:
        if (assigned := ASSIGNMENT.fullmatch(values[0])) and not assigned[2]:
            found[assigned[1]] = tuple(value.partition("=")[2] for value in values)
    return found


def _is_fed_program(follower: Follower, name: str) -> bool:
    """Whether a language finds a program that may set VFs at its input, or another program settings that do."""
    if LANGUAGE.fullmatch(name) is not None:
        return any(FILE in value for value in follower.feed)
    return name in APPLYING and any(map(sets_vfs, follower.feed))


def _without_prefixes(fields: list[Values]) -> list[Values]:
    """Without sudo, env, timeout and their kind, and what is theirs."""
    while fields and fields[0][0].rpartition("/")[2] in PREFIXES:
        rest = fields[1:]
        while rest and ((word := rest[0][0]).startswith("-") or DURATION.fullmatch(word) or ASSIGNMENT.fullmatch(word)):
            takes_value = VALUE_OF_OPTION.fullmatch(word) and len(rest) > 2  # noqa: PLR2004 - the value, and a command
            rest = rest[2:] if takes_value and not _is_program(rest[1][0]) else rest[1:]
        if not rest:
            break
        fields = rest
    return fields


def _is_program(word: str) -> bool:
    return word.rpartition("/")[2] in SHELLS or word in {"tee", "dd", "echo", "env"}


def _run_inner(
    follower: Follower, program: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome | None:
    """A shell's script within a word: `sh -c`, `su -c`, eval."""
    name = program.rpartition("/")[2]
    if name == "eval":
        return follower.run_text(" ".join(values[0] for values in arguments), state, command.line)
    if name == "trap":
        return set_trap(follower, arguments, command, state)
    names = [name, *(values[0].rpartition("/")[2] for values in arguments)]
    shell = next((at for at, word in enumerate(names) if word in SHELLS | OTHERS_SHELLS), len(names))
    at = next((at for at in range(shell, len(arguments)) if C_FLAG.fullmatch(arguments[at][0])), len(arguments))
    if at + 1 >= len(arguments):
        return _run_feed(follower, name, arguments, command, state)
    inner = state.copy()
    inner.set_arguments(arguments[at + 3 :])
    if len(arguments) > at + 2:
        inner.known["0"] = arguments[at + 2]
    listed = any(is_target(value) for values in arguments[:at] for value in values) or any(
        FILE in value for value in follower.feed
    )
    outcome = CommandOutcome()
    for text in arguments[at + 1]:
        made = text.replace("{}", UNKNOWN_TARGET if listed else UNKNOWN)
        if listed:
            inner.known |= {"0": (UNKNOWN_TARGET,), "1": (UNKNOWN_TARGET,), "@": (UNKNOWN_TARGET,)}
        outcome = follower.run_text(made, inner, command.line)
    return outcome


def _run_feed(
    follower: Follower, name: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome | None:
    """A shell that is given no script reads it from its input."""
    if not _reads_script(name, [values[0] for values in arguments]):
        return None
    outcome, kept = CommandOutcome(), follower.feed
    follower.feed = ("",)
    for text in kept:
        outcome = follower.run_text(text, state.copy(), command.line)
    follower.feed = kept
    return outcome


def _reads_script(name: str, words: list[str]) -> bool:
    """Whether it is a shell that is given no script, or a program that starts one for a user."""
    is_bare = all(word.startswith("-") for word in words)
    if name in LOGINS:
        return is_bare and not LOGIN_FLAGS.isdisjoint(words)
    return (name in SHELLS and is_bare) or (name in USERS and not FILE_FLAGS.intersection(words))


def _run_known(
    follower: Follower, program: str, arguments: list[Values], _command: Simple, state: ShellState
) -> CommandOutcome | None:
    """A function, or another script that was read."""
    if program in follower.functions:
        return CommandOutcome(output=follower.call(program, arguments, state))
    is_sourced, is_direct = program in {".", "source"}, True
    if (is_sourced or program.rpartition("/")[2] in SHELLS) and arguments:
        arguments = [values for values in arguments if is_sourced or not values[0].startswith("-")]
        program, arguments = (arguments[0][0], arguments[1:]) if arguments else ("", [])
        is_direct = False
    paths = _files_of(follower, program, state, is_direct=is_direct)
    output: Values = ("",)
    for path in paths:
        if is_sourced:
            output = _source_file(follower, path, arguments, state)
        else:
            is_refused = is_direct and not follower.files.is_executable(path)
            follower.not_run.update([path] if is_refused else [])
            is_doubtful = len(paths) > 1 or is_refused
            output = _run_file(follower, path, arguments, state, is_doubtful=is_doubtful)
    return CommandOutcome(output=output if len(paths) == 1 else (UNKNOWN,)) if paths else None


def _source_file(follower: Follower, path: str, arguments: list[Values], state: ShellState) -> Values:
    """Within the shell itself; what it puts out."""
    before = state.arguments
    if arguments:
        state.set_arguments(arguments)
    outer = {name: state.known.get(name) for name in SOURCED}
    state.enter_file(path)
    output = follower.run_file(path, state)
    state.restore(outer)
    state.set_arguments(before)
    state.ended = "" if state.ended == "return" else state.ended
    return output


def _run_file(
    follower: Follower, path: str, arguments: list[Values], state: ShellState, *, is_doubtful: bool
) -> Values:
    """In a shell of its own, which sees what is exported; what it puts out."""
    inner = ShellState({name: state.known[name] for name in follower.exported if name in state.known}, state.folder)
    inner.known["0"] = (path,)
    inner.enter_file(path)
    inner.is_doubtful = state.is_doubtful or is_doubtful
    inner.set_arguments(arguments)
    return follower.run_script(path, inner)


def _files_of(follower: Follower, program: str, state: ShellState, *, is_direct: bool) -> list[str]:
    """The path of a script that was read; those of a folder, if it is known no better which of them it is."""
    candidates = [program] if program.startswith("/") else [f"{folder}/{program}" for folder in PATH]
    if not program.startswith("/") and ("/" in program or not is_direct):
        candidates = [absolute_path(program, state), *([] if "/" in program else candidates)]
    found = next(([path] for path in candidates if path in follower.files.texts), [])
    return found or [file for path in candidates for file in follower.files.find_matching(path.replace(UNKNOWN, "*"))]


def _run_parts(
    follower: Follower, program: str, arguments: list[Values], command: Simple, state: ShellState
) -> CommandOutcome | None:
    """run-parts: the files of a folder, by name. Which names count differs: Debian's takes none with a dot."""
    if program.rpartition("/")[2] != "run-parts":
        return None
    follower.others.setdefault("run-parts", follower.place(command.line))  # of its files, others may do anything
    words = [values[0] for values in arguments]
    if not words or not LISTS.isdisjoint(words):
        return CommandOutcome(output=(UNKNOWN,))
    given: list[Values] = [(word.partition("=")[2],) for word in words if word.startswith("--arg=")]
    given += [(after,) for word, after in itertools.pairwise(words) if word in {"-a", "--arg"}]
    is_chosen = any(word.startswith(("--regex", "--lsbsysinit")) for word in words)
    folder = absolute_path(next((word for word in reversed(words) if word.startswith(("/", "."))), ""), state)
    for name in follower.files.names_in(folder):
        path = f"{folder.rstrip('/')}/{name}"
        if follower.files.is_executable(path):
            is_doubtful = is_chosen or PLAIN_NAME.fullmatch(name) is None
            _run_file(follower, path, given, state, is_doubtful=is_doubtful)
    return CommandOutcome(output=(UNKNOWN,))
