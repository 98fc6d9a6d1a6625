"""Scripts that are run or sourced by what was read: units, other scripts, cron tables, interfaces, udev rules.

Found by their names alone, so that nothing is missed in what is not understood: a path anywhere in a line, or the name
of a program where a command begins. Which of them are scripts is for the caller to find out.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Note, Source, without_overridden
from sriov_bootstrap.conflicts.units import Unit, units_of, with_specifiers
from sriov_bootstrap.formats.logical_lines import logical_lines

LANGUAGE = r"(?:^|[\s;&|(`'\"/])(?:\.|source|(?:ba|da|k|z|a)?sh|python[\d.]{0,4}|perl|ruby|lua)[ \t]+"
RUNS_NEXT = re.compile(LANGUAGE + r"(?:-\w{1,16}[ \t]+){0,4}[\"']?$")
RUNS_VARIABLE = re.compile(LANGUAGE + r"[\"']?[$`]")
# The first group: it does not begin at the root. A slash within a word begins no path.
SCRIPT_PATH = re.compile(r"(?:((?<![\w.])\.{1,2}|[})]\"?|\$\w{1,32}\"?)|(?<![\w.+@*?-]))(/[\w./+@-]+)")
OTHER_TREES = ("/sys/", "/proc/", "/dev/")
COMMAND = re.compile(
    r"(?:^|[;&|(`{!'\"]|\b(?:then|do|else|exec|sudo|if|nohup)[ \t])[ \t]*([\w][\w.+-]{1,63})(?=[\s;&|)'\"]|$)"
)
FOLDER = re.compile(r"(?:\b\w{1,32}=|\bcd[ \t])[\"']?(/[\w./+@-]+)")
MAX_CALLED = 64  # scripts that one file runs
MAX_PATH = 1 << 10
MAX_FOLDERS = 8  # that a name with a variable may be in
BEFORE_PATH = 80  # characters in which a language may be named
NO_PROGRAMS: Mapping[str, str] = {}


class Call(Struct, frozen=True):
    """What runs a script: `place` is the `file:line`. `is_named`: as a script, by a language in front of it."""

    place: str
    source: Source
    is_named: bool = False


def _is_any(_path: str, _is_named: bool) -> bool:  # noqa: FBT001 - as the callback that it stands for
    return True


def called_scripts(
    survey: MastersSurvey,
    note: Note,
    programs: Mapping[str, str] = NO_PROGRAMS,
    is_script: Callable[[str, bool], bool] = _is_any,
) -> dict[str, Call]:
    """Scripts that are run by what was read, without those that were read.

    `programs`: name -> path of what a shell finds by its name. `is_script`: whether there is one at a path, where it is
    named as one or not.
    """
    called: dict[str, Call] = {}
    known = {source.path for source in survey.sources}
    for source, lines in _commands_by_source(survey):
        found = _calls_of(source, lines, programs)
        new = (path for path in found if path not in known and path not in called)
        scripts = [path for path in new if len(path) <= MAX_PATH and is_script(path, found[path].is_named)]
        if len(scripts) > MAX_CALLED:
            note(f"{source.path}: runs more than {MAX_CALLED} scripts: the others were not read")
        called |= {path: found[path] for path in scripts[:MAX_CALLED]}
    return called


def _calls_of(source: Source, lines: Iterator[tuple[int, str]], programs: Mapping[str, str]) -> dict[str, Call]:
    """Path -> what runs it first; that it is a script may be said later."""
    found: dict[str, Call] = {}
    folders = _folders_of(source)
    for number, line in lines:
        for path, is_named in _paths_in(line, folders, programs):
            before = found.get(path)
            if before is None or (is_named and not before.is_named):
                place = before.place if before else f"{source.path}:{number}"
                found[path] = Call(place, source, is_named)
    return found


def _paths_in(line: str, folders: tuple[str, ...], programs: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    if line.lstrip().startswith("#"):
        return
    for found in SCRIPT_PATH.finditer(line):
        start, path, prefix = found.start(), found[2], found[1] or ""
        if path.startswith(OTHER_TREES):
            continue
        runs, end = (RUNS_VARIABLE, found.start(2)) if prefix.strip(".") else (RUNS_NEXT, start)
        is_named = runs.search(line[max(start - BEFORE_PATH, 0) : end]) is not None
        for folder in folders if prefix else ("",):
            yield f"{folder}{path}", is_named
    for name in COMMAND.findall(line):
        if name in programs:
            yield programs[name], False


def _folders_of(source: Source) -> tuple[str, ...]:
    """Where a path may be that begins with a variable or a dot: beside the file, or in a folder that it names."""
    own = source.path.rpartition("/")[0]
    named = (folder.rstrip("/") for folder in FOLDER.findall(source.text))
    return tuple(dict.fromkeys((own, own.rpartition("/")[0], *named)))[:MAX_FOLDERS]


def _commands_by_source(survey: MastersSurvey) -> Iterator[tuple[Source, Iterator[tuple[int, str]]]]:
    """Each file, and its lines that run something."""
    for unit in units_of(survey.sources_of(Format.UNIT), survey.wanted_units, lambda _: True):
        for source in unit.sources:
            yield source, iter(_exec_lines(unit, source))
    for source in survey.sources_of(Format.SCRIPT, Format.CRON, Format.INTERFACES):
        if "\0" not in source.text and source.is_run:
            yield source, logical_lines(source.text)
    for source in without_overridden(survey.sources_of(Format.UDEV)):
        lines = logical_lines(source.text, may_interrupt=True)
        yield source, ((number, line) for number, line in lines if "RUN" in line or "PROGRAM" in line)


def _exec_lines(unit: Unit, source: Source) -> list[tuple[int, str]]:
    return [
        (entry.line, with_specifiers(entry.value, unit.name, instance))
        for entry in unit.commands
        if entry.source is source
        for instance in unit.instances
    ]
