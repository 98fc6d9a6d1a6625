"""Scripts that are run or sourced by what was read: units, other scripts, cron tables, interfaces, udev rules.

Found by their names alone, so that nothing is missed in what is not understood: a path anywhere in a line, or the name
of a program where a command begins. Which of them are scripts is for the caller to find out.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts import tuned
from sriov_bootstrap.conflicts.called_files import context_of, file_calls, may_hand_on
from sriov_bootstrap.conflicts.called_folders import MAY_RUN, folder_calls, names_of_variable
from sriov_bootstrap.conflicts.chunks import Chunk, is_comment, text_after, text_before
from sriov_bootstrap.conflicts.given_files import hands_on, is_given_file
from sriov_bootstrap.conflicts.imported_files import import_calls
from sriov_bootstrap.conflicts.library import is_shell
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Note, Source, without_overridden
from sriov_bootstrap.conflicts.tool_files import Look, TextContext
from sriov_bootstrap.conflicts.units import Unit, units_of, with_specifiers
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell_files import OTHER_TREES

LANGUAGES = frozenset(
    {".", "source", "sh", "bash", "dash", "ash", "ksh", "zsh", "perl", "ruby", "lua", "luajit", "php", "tclsh", "wish",
     "expect", "node", "nodejs", "bun"}
)  # fmt: skip
PATH = re.compile(r"/[\w./+@-]+")
VARIABLE = re.compile(r"(?:\$\w{1,32}|[})])\"?\Z")
DOTS = re.compile(r"(?<![\w./])\.{1,2}\Z")
MAGIC = re.compile(r"[*?\[]")
WITHIN_WORD = re.compile(r"[\w+@*?.-]\Z")
FOLLOWS = re.compile(r"[\"']?\$|([*?\[][\w.*?\[\]-]{0,64}(?!/))")  # a folder: a variable, or a glob
WORD = re.compile(r"\w[\w.+-]+")
BEFORE_COMMAND = r"(?:then|do|else|exec|sudo|if|nohup|which|command|-v)[ \t]"
COMMAND = re.compile(
    rf"(?:^|[;&|(`{{!'\"]|\b{BEFORE_COMMAND})[ \t]*(?:{BEFORE_COMMAND}[ \t]*){{0,4}}"
    r"([\w][\w.+-]{1,63})(?=[\s;&|)`'\"]|$)",
    re.MULTILINE,
)
FOLDER = re.compile(r"(?:\b\w{1,32}=|\bcd[ \t])[\"']?(/[\w./+@-]+)")
UDEV_RUNS = re.compile(r"RUN|PROGRAM|IMPORT\{program\}")
UDEV_PROGRAM = re.compile(r"((?:RUN|PROGRAM|IMPORT\{program\})(?:\{program\})?[ \t]*(?:\+=|:=|==|=)[ \t]*\")(?=[\w.-])")
UDEV_FOLDER = r"\1/usr/lib/udev/"  # of programs without a path
EXEC = re.compile(
    r"^[ \t]*(?:Exec\w+|Environment|StandardInput|LoadCredential)[ \t]*=[ \t]*([^\n]*(?:(?<=\\)\n[^\n]*){0,64})",
    re.MULTILINE,
)
# A program and words that are none of a shell and no paths, as most units have it; or one that makes or ends something.
PLAIN = re.compile(
    r"(/[\w./+-]+)(?:[ \t]+(?:[\w=:,.+%@-]+|\$\{?MAINPID\}?))*[ \t]*"
    r"|/(?:usr/)?bin/(?:kill|mkdir|rm|rmdir|touch|chown|chmod)(?:[ \t]+(?:[\w=:,.+%@/-]+|\$\{?MAINPID\}?))*[ \t]*"
)
LEADS_ON = re.compile(rf"\b{BEFORE_COMMAND}")
AT_FILE = re.compile(r"[\s\"']@\Z")  # of a file with arguments
VOLATILE = frozenset({"/tmp/", "/var/tmp/", "/dev/shm/", "/run/"})  # noqa: S108 - whose files say nothing of the next boot
APART = frozenset(("", *" \t\n\r'=:;|&(<>`,"))  # before a path that stands for itself
BLANKS = frozenset(" \t\"'")
VERSION = "0123456789.-"
MAX_INSTANCES = 64
MAX_CALLED = 64  # scripts that one file runs
MAX_PATH = 1 << 10
MAX_FOLDERS = 8  # that a name with a variable may be in
BEFORE_PATH = 80  # characters in which a language may be named
NO_PROGRAMS: Mapping[str, str] = {}
DOUBTFUL = frozenset({Format.OTHER, Format.CLOUD_INIT, Format.PLAYBOOK})  # whose grammar is not read


class Call(Struct, frozen=True):
    """What runs a script: `place` is the `file:line`. `look`: what is to be found out of it first.

    `is_by_folder`: only the folder is named that it is in. `is_bare`: by a name alone, as a shell finds it. `format`:
    what it is, which may be no script. `is_given`: a command may take settings from it, if it is no script.
    `is_doubtful`: whether it is run is not certain.
    """

    place: str
    source: Source
    look: Look = Look.KIND
    is_by_folder: bool = False
    is_bare: bool = False
    format: Format = Format.SCRIPT
    is_given: bool = False
    is_doubtful: bool = False

    @property
    def is_named(self) -> bool:
        """As what it is, such as a script by a language in front of it."""
        return self.look is not Look.KIND


def _is_script(_path: str, call: Call) -> Format | None:
    return call.format


def _no_files(_pattern: str) -> Iterable[str]:
    return ()


def _is_there(_path: str) -> bool:
    return True


class HostFiles(Struct, frozen=True):
    """What names and paths lead to.

    `programs`: name -> path of what a shell finds by its name, `packages` of what Python finds where administrators
    install it. `format_of`: what there is at a path, None if it is nothing to read, or not there. `matching`: the
    files that a glob fits. `is_there`: whether anything is.
    """

    programs: Mapping[str, str] = NO_PROGRAMS
    packages: Mapping[str, str] = NO_PROGRAMS
    format_of: Callable[[str, Call], Format | None] = _is_script
    matching: Callable[[str], Iterable[str]] = _no_files
    is_there: Callable[[str], bool] = _is_there


NO_HOST = HostFiles()


def called_scripts(survey: MastersSurvey, note: Note, host: HostFiles = NO_HOST) -> dict[str, Call]:
    """Scripts and other files that are handed to what was read, without those that were read."""
    called: dict[str, Call] = {}
    known = {source.path for source in survey.sources}
    done = set(known)  # what is known, or is no script unless somebody says so
    for source, chunks in _commands_by_source(survey):
        found: dict[str, Call] = {}
        context = context_of(source.text)
        is_command = source.format is not Format.SCRIPT or is_shell(source)
        for first_line, text in chunks:
            calls = _calls_in(Chunk(source, text, first_line), context, host, done, is_command=is_command)
            for path, call in _expand_globs(calls, host.matching):
                if path not in known and path not in called:
                    found[path] = _combine(found[path], call) if path in found else call
        formats = {path: host.format_of(path, call) for path, call in found.items() if len(path) <= MAX_PATH}
        kept = [(path, format_) for path, format_ in formats.items() if format_]
        if len(kept) > MAX_CALLED:
            note(f"{source.path}: runs more than {MAX_CALLED} scripts: the others were not read")
        called |= {path: replace(found[path], format=format_) for path, format_ in kept[:MAX_CALLED]}
        done.update(path for path, call in found.items() if formats.get(path) or call.is_given)
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
    chunk: Chunk, context: TextContext, host: HostFiles, done: Container[str], *, is_command: bool
) -> Iterator[tuple[str, Call]]:
    """Files, paths, folders and programs. `is_command`: the text is one of a shell."""
    source, text, line = chunk.source, chunk.text, chunk.line
    if source.format is Format.UNIT and (plain := PLAIN.fullmatch(text)) and not _may_lead_on(text, context):
        if plain[1] and plain[1] not in done and host.is_there(plain[1]):
            yield plain[1], Call(f"{source.path}:{line}", source)
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
    yield from _programs_in(Chunk(source, text, line), host.programs, done)


def _may_lead_on(text: str, context: TextContext) -> bool:
    """Whether more than the program that a plain command begins with may be run, or read."""
    return may_hand_on(text, context) or any(words.search(text) for words in (MAY_RUN, LEADS_ON))


def _paths_in(chunk: Chunk, host: HostFiles, done: Container[str], *, is_command: bool) -> Iterator[tuple[str, Call]]:
    """What is `done` is only said again where it is named as a script. `is_command`: the text is one of a shell."""
    text, folders = chunk.text, tuple[str, ...]()
    kind, is_doubtful = chunk.source.format, chunk.source.format in DOUBTFUL
    for found in PATH.finditer(text):
        start, path = found.start(), found[0]
        if path.startswith(OTHER_TREES):
            continue
        window = text[max(start - BEFORE_PATH, 0) : start]
        is_apart = window[-1:] in APART or AT_FILE.search(window) is not None
        is_relative = not is_apart and (VARIABLE.search(window) is not None or DOTS.search(window) is not None)
        if not is_apart and not is_relative and WITHIN_WORD.search(window):
            continue
        if not is_relative and not host.is_there(path):
            continue
        is_named = _is_named(window, is_relative=is_relative)
        if (not is_named and not is_relative and path in done) or is_comment(text, start):
            continue
        is_given = is_command and is_given_file(path, text_before(text, start), text_after(text, found.end()), kind)
        paths: tuple[str, ...] = (path,)
        if path.endswith("/"):
            follows = FOLLOWS.match(text, found.end())
            if not follows or path in VOLATILE or (follows[1] and not is_given):
                continue
            names = (follows[1],) if follows[1] else names_of_variable(text, found.end(), chunk.source.text)
            paths = tuple(f"{path}{name}" for name in names)
        look = Look.NOTHING if is_named else Look.KIND
        call = Call(chunk.place(start), chunk.source, look, is_given=is_given, is_doubtful=is_doubtful)
        folders = folders or (_folders_of(chunk.source) if is_relative else ())
        for folder in folders if is_relative else ("",):
            yield from ((f"{folder}{name}", call) for name in paths)


def _programs_in(chunk: Chunk, programs: Mapping[str, str], done: Container[str]) -> Iterator[tuple[str, Call]]:
    """Those of the chunk's words that are programs, where they begin a command."""
    names = {name for name in programs.keys() & WORD.findall(chunk.text) if programs[name] not in done}
    for found in COMMAND.finditer(chunk.text) if names else ():
        if found[1] in names and not is_comment(chunk.text, found.start(1)):
            yield programs[found[1]], Call(chunk.place(found.start(1)), chunk.source, is_bare=True)


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
    named = (folder.rstrip("/") for folder in FOLDER.findall(source.text))
    return tuple(dict.fromkeys((own, own.rpartition("/")[0], *named)))[:MAX_FOLDERS]


def _commands_by_source(survey: MastersSurvey) -> Iterator[tuple[Source, Iterable[tuple[int, str]]]]:
    """Each file, and its parts that run something, with the numbers of their first lines."""
    for unit in units_of(survey.sources_of(Format.UNIT), survey.wanted_units, lambda _: True):
        for source in unit.sources:
            yield source, _exec_lines(unit, source)
    for source in survey.sources_of(Format.SCRIPT, Format.CRON, Format.INTERFACES, Format.ENVIRONMENT, *DOUBTFUL):
        if "\0" not in source.text and source.is_run:
            yield source, ((1, source.text),)
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


def _exec_lines(unit: Unit, source: Source) -> Iterator[tuple[int, str]]:
    """Only where they are: what they do is found out by those who follow it."""
    line, at = 1, 0
    for found in EXEC.finditer(source.text):
        line, at = line + source.text.count("\n", at, found.start(1)), found.start(1)
        for instance in unit.instances[:MAX_INSTANCES] if "%" in found[1] else unit.instances[:1]:
            yield line, with_specifiers(found[1].lstrip("-@:+!|"), unit.name, instance)
