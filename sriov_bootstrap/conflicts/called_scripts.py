"""Scripts that are run or sourced by what was read: units, other scripts, cron tables, interfaces, udev rules.

Found by their names alone, so that nothing is missed in what is not understood: a path anywhere in a line, or the name
of a program where a command begins. Which of them are scripts is for the caller to find out.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts import tuned
from sriov_bootstrap.conflicts.called_files import context_of, file_calls
from sriov_bootstrap.conflicts.called_folders import (
    assigned_paths,
    entered_folders,
    folder_calls,
    names_of_variable,
)
from sriov_bootstrap.conflicts.calls import NO_HOST, Call, HostFiles, Settled
from sriov_bootstrap.conflicts.chunks import Chunk, is_comment, text_after, text_before
from sriov_bootstrap.conflicts.given_files import hands_on, is_given_file
from sriov_bootstrap.conflicts.imported_files import import_calls
from sriov_bootstrap.conflicts.library import is_shell
from sriov_bootstrap.conflicts.runners import texts_by_runner
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Note, Source, without_overridden
from sriov_bootstrap.conflicts.tool_files import Look, TextContext
from sriov_bootstrap.conflicts.unit_commands import BEFORE_COMMAND, exec_lines, is_idle, plain_calls, runners_of
from sriov_bootstrap.conflicts.unit_instances import says_users, units_of
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell_files import OTHER_TREES

LANGUAGES = frozenset(
    {".", "source", "sh", "bash", "dash", "ash", "ksh", "zsh", "perl", "ruby", "lua", "luajit", "php", "tclsh", "wish",
     "expect", "node", "nodejs", "bun"}
)  # fmt: skip
PATH = re.compile(r"/[\w./+@-]+")
VARIABLE = re.compile(r"\$\w{1,32}\"?\Z")
VARIABLE_ENDS = ("}", ")", '}"', ')"')
BEFORE_VARIABLE = 36  # characters, of which it is the end
DOTS = re.compile(r"(?<![\w./])\.{1,2}\Z")
MAGIC = re.compile(r"[*?\[]")
WITHIN_WORD = re.compile(r"[\w+@*?.-]\Z")
FOLLOWS = re.compile(r"[\"']?\$|([*?\[][\w.*?\[\]-]{0,64}(?!/))")  # a folder: a variable, or a glob
NO_NAME = {code: " " for code in range(128) if not re.match(r"[\w.+-]", chr(code))}  # what parts names of programs
COMMAND = re.compile(
    rf"(?:^|[;&|(`{{!'\"]|\b{BEFORE_COMMAND})[ \t]*(?:{BEFORE_COMMAND}[ \t]*){{0,4}}"
    r"([\w][\w.+-]{1,63})(?=[\s;&|)`'\"]|$)",
    re.MULTILINE,
)
UDEV_RUNS = re.compile(r"RUN|PROGRAM|IMPORT\{program\}")
UDEV_PROGRAM = re.compile(r"((?:RUN|PROGRAM|IMPORT\{program\})(?:\{program\})?[ \t]*(?:\+=|:=|==|=)[ \t]*\")(?=[\w.-])")
UDEV_FOLDER = r"\1/usr/lib/udev/"  # of programs without a path
AT_FILE = re.compile(r"[\s\"']@\Z")  # of a file with arguments
VOLATILE = frozenset({"/tmp/", "/var/tmp/", "/dev/shm/", "/run/"})  # noqa: S108 - whose files say nothing of the next boot
APART = frozenset(("", *" \t\n\r'=:;|&(<>`,"))  # before a path that stands for itself
BLANKS = frozenset(" \t\"'")
VERSION = "0123456789.-"
MAX_CALLED = 64  # scripts that one file runs
MAX_PATH = 1 << 10
MAX_FOLDERS = 8  # that a name with a variable may be in
BEFORE_PATH = 80  # characters in which a language may be named
DOUBTFUL = frozenset({Format.OTHER, Format.CLOUD_INIT, Format.PLAYBOOK})  # whose grammar is not read


def called_scripts(
    survey: MastersSurvey, note: Note, host: HostFiles = NO_HOST, *, of_users: bool = False
) -> dict[str, Call]:
    """Scripts and other files that are handed to what was read, without those that were read.

    By what root runs, or `of_users`: by what other users run.
    """
    called: dict[str, Call] = {}
    known = {source.path for source in survey.sources}
    done = Settled(set(known), set(), set(host.programs))
    for source, chunks in _commands_by_source(survey, of_users=of_users):
        found: dict[str, Call] = {}
        context = context_of(source)
        if source.format is Format.UNIT and is_idle(source, context, host, done):
            continue
        is_command = source.format is not Format.SCRIPT or is_shell(source)
        for first_line, text in chunks:
            calls = _calls_in(Chunk(source, text, first_line), context, host, done, is_command=is_command)
            for path, call in _expand_globs(calls, host.matching):
                if path not in known and path not in called:
                    found[path] = _combine(found[path], call) if path in found else call
        if not found:
            continue
        formats = {path: host.format_of(path, call) for path, call in found.items() if len(path) <= MAX_PATH}
        kept = [(path, format_) for path, format_ in formats.items() if format_]
        if len(kept) > MAX_CALLED:
            note(f"{source.path}: runs more than {MAX_CALLED} scripts: the others were not read")
        called |= {path: replace(found[path], format=format_) for path, format_ in kept[:MAX_CALLED]}
        is_roots = not source.owner  # what a user may not read, another one may
        done.paths.update(path for path, call in found.items() if formats.get(path) or (call.is_given and is_roots))
        done.note({path: call for path, call in found.items() if not formats.get(path)})
    return called


def _combine(first: Call, other: Call) -> Call:
    """Of one path: as what it is named somewhere, or given to a command somewhere."""
    if first.is_named:
        return first
    return replace(
        other,
        place=first.place,
        is_given=first.is_given or other.is_given,
        is_doubtful=first.is_doubtful and other.is_doubtful,
    )


def _expand_globs(
    calls: Iterable[tuple[str, Call]], matching: Callable[[str], Iterable[str]]
) -> Iterator[tuple[str, Call]]:
    """With the files in place of each glob."""
    for path, call in calls:
        if MAGIC.search(path):
            yield from ((file, replace(call, is_by_folder=True)) for file in matching(path))
        else:
            yield path, call


def _calls_in(
    chunk: Chunk, context: TextContext, host: HostFiles, done: Settled, *, is_command: bool
) -> Iterator[tuple[str, Call]]:
    """Files, paths, folders and programs. `is_command`: the text is one of a shell."""
    source, text, line = chunk.source, chunk.text, chunk.line
    if source.format is Format.UNIT and (calls := plain_calls(chunk, context, host, done)) is not None:
        yield from calls
        return
    is_doubtful = source.format in DOUBTFUL
    files, folders = Chunk(source, text, line), Chunk(source, text, line)
    given = file_calls(text, context) if is_command else import_calls(source, host.packages)
    for call in sorted(given, key=lambda call: call.at):
        if not is_comment(text, call.at):
            place = files.place(call.at)
            yield (
                call.path,
                Call(
                    place,
                    source,
                    call.look,
                    format=call.format,
                    is_given=True,
                    is_doubtful=call.is_doubtful or is_doubtful,
                ),
            )
    yield from _paths_in(Chunk(source, text, line), host, done, is_command=is_command)
    for of_folder in sorted(folder_calls(text), key=lambda call: call.at):
        if not is_comment(text, of_folder.at):
            look = Look.NOTHING if of_folder.is_named else Look.KIND
            place = folders.place(of_folder.at)
            yield of_folder.pattern, Call(place, source, look, is_given=is_command and hands_on(text))
    yield from _programs_in(Chunk(source, text, line), host, done)


def _paths_in(chunk: Chunk, host: HostFiles, done: Settled, *, is_command: bool) -> Iterator[tuple[str, Call]]:
    """What is `done` is only said again where it is named as a script. `is_command`: the text is one of a shell."""
    text, folders = chunk.text, tuple[str, ...]()
    kind, is_doubtful = chunk.source.format, chunk.source.format in DOUBTFUL
    for found in PATH.finditer(text):
        start, path = found.start(), found[0]
        if path.startswith(OTHER_TREES):
            continue
        window = text[max(start - BEFORE_PATH, 0) : start]
        is_apart = window[-1:] in APART or AT_FILE.search(window) is not None
        is_relative = not is_apart and _is_within(window)
        if not is_apart and not is_relative and WITHIN_WORD.search(window):
            continue
        if not is_relative and not host.is_there(path):
            continue
        paths: tuple[str, ...] = (path,)
        follows = FOLLOWS.match(text, found.end()) if path.endswith("/") else None
        if path.endswith("/"):
            if not follows or path in VOLATILE:
                continue
            names = (follows[1],) if follows[1] else names_of_variable(text, found.end(), chunk.source.text)
            paths = tuple(f"{path}{name}" for name in names)
        if is_relative:
            folders = folders or _folders_of(chunk.source)
            beside = (f"{folder}{name}" for folder in folders for name in paths)
            paths = tuple(name for name in beside if MAGIC.search(name) or host.is_there(name))
        is_named = bool(paths) and _is_named(window, is_relative=is_relative)
        is_done = not paths or (path in done.paths and not is_named and not is_relative)
        if is_done or is_comment(text, start):
            continue
        is_given = is_command and is_given_file(path, text_before(text, start), text_after(text, found.end()), kind)
        if is_given or not follows or not follows[1]:
            look = Look.NOTHING if is_named else Look.KIND
            call = Call(chunk.place(start), chunk.source, look, is_given=is_given, is_doubtful=is_doubtful)
            yield from ((name, call) for name in paths)


def _programs_in(chunk: Chunk, host: HostFiles, done: Settled) -> Iterator[tuple[str, Call]]:
    """Those of the chunk's words that are programs, where they begin a command."""
    names = done.programs.intersection(chunk.text.translate(NO_NAME).split())
    bare = Call(chunk.source.path, chunk.source, is_bare=True)
    nothing = {name for name in names if not host.format_of(host.programs[name], bare)}
    done.programs -= set() if chunk.source.owner else nothing
    names -= nothing
    for found in COMMAND.finditer(chunk.text) if names else ():
        if found[1] in names and not is_comment(chunk.text, found.start(1)):
            yield host.programs[found[1]], replace(bare, place=chunk.place(found.start(1)))


def _is_within(window: str) -> bool:
    """Whether a path goes on from a variable or dots before it."""
    if window.endswith(VARIABLE_ENDS) or DOTS.search(window[-4:]):
        return True
    return VARIABLE.search(window[-BEFORE_VARIABLE:]) is not None


def _is_named(window: str, *, is_relative: bool) -> bool:
    """Whether a language stands before a path, or before the variable that it begins with."""
    if not is_relative and window[-1:] not in BLANKS:
        return False
    words = window.rpartition("\n")[2].replace("'", " ").replace('"', " ").split()
    words = words if is_relative else [word for word in words if not word.startswith("-")][-1:]
    names = {word.rpartition("/")[2].lstrip("(`;&|") for word in words}
    return any(name in LANGUAGES or name.rstrip(VERSION) in LANGUAGES or name.startswith("python") for name in names)


def _folders_of(source: Source) -> tuple[str, ...]:
    """Where a path may be that begins with a variable or a dot: beside the file, or in a folder that it names."""
    own = source.path.rpartition("/")[0]
    named = (folder.rstrip("/") for folder in (*assigned_paths(source.text).values(), *entered_folders(source.text)))
    return tuple(dict.fromkeys((own, own.rpartition("/")[0], *named)))[:MAX_FOLDERS]


def _is_any(_source: Source) -> bool:
    return True


def _as_run_by(source: Source, runner: str) -> Source:
    if source.runner == runner:
        return source
    found = replace(source, runner=runner)
    vars(found)["mentions_vfs"] = source.mentions_vfs  # is found out once
    return found


def _commands_by_source(survey: MastersSurvey, *, of_users: bool) -> Iterator[tuple[Source, Iterable[tuple[int, str]]]]:
    """Each file, and its parts that root runs, or users, with the numbers of their first lines."""
    for unit in units_of(survey.sources_of(Format.UNIT), survey.wanted_units, says_users if of_users else _is_any):
        runners = [runner for runner in runners_of(unit) if bool(runner) is of_users]
        for source, runner in itertools.product(unit.sources, runners):
            yield _as_run_by(source, runner), exec_lines(unit, source, runner)
    for source in survey.sources_of(Format.SCRIPT, Format.CRON, Format.INTERFACES, Format.ENVIRONMENT, *DOUBTFUL):
        if "\0" not in source.text and source.is_run:
            texts = texts_by_runner(source).items()
            yield from ((_as_run_by(source, user), ((1, text),)) for user, text in texts if bool(user) is of_users)
    yield from () if of_users else _commands_of_settings(survey)


def _commands_of_settings(survey: MastersSurvey) -> Iterator[tuple[Source, Iterable[tuple[int, str]]]]:
    """The same of what is root's alone."""
    for source in survey.sources_of(Format.MODPROBE):
        lines = logical_lines(source.text)
        yield source, ((number, line) for number, line in lines if line.lstrip().startswith(("install", "remove")))
    for source in survey.sources_of(Format.TUNED):
        yield source, tuned.script_paths(source)
    for source in without_overridden(survey.sources_of(Format.UDEV)):
        if UDEV_RUNS.search(source.text):
            lines = logical_lines(source.text, may_interrupt=True)
            runs = ((number, line) for number, line in lines if UDEV_RUNS.search(line))
            yield source, ((number, UDEV_PROGRAM.sub(UDEV_FOLDER, line)) for number, line in runs)
