"""Reads what others name: the scripts that they run, at any length of the chain, and the files of their environment."""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.calls import Call, HostFiles
from sriov_bootstrap.conflicts.imported_files import PACKAGES
from sriov_bootstrap.conflicts.library import MAX_CHAIN, OTHER_ENDINGS, Library
from sriov_bootstrap.conflicts.mentions import mentions_in_settings
from sriov_bootstrap.conflicts.places import DISTRIBUTION, WELL_KNOWN
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.tool_files import Look
from sriov_bootstrap.conflicts.unit_instances import Unit, conditions_to_look_at, environment_paths, units_of
from sriov_bootstrap.edges.text_files import Text, TextFiles
from sriov_bootstrap.formats.shell_simple import PATH
from sriov_bootstrap.formats.shell_unknowns import FILE

SCRIPT_ENDINGS = (".sh", ".bash", *OTHER_ENDINGS)
PARENT = "/.."  # ends no file's path: scripts find their tree from where they are
MAX_SCRIPTS = 1 << 11
MAX_PROGRAMS = 1 << 8  # that are looked into
MAX_PROGRAM_BYTES = 16 << 20
MAX_DATA = 1 << 16  # characters of a file with numbers
MAX_SETTINGS = 1 << 16  # bytes of another file that a command is given
FROM_FILE = "EnvironmentFile"
VARIABLE_COMMAND = re.compile(r"^[ \t]*Exec\w+[^\n]*\$(?!\{?MAINPID\b)", re.MULTILINE)
OWN_VARIABLE = "$MAINPID"  # is set by systemd
BEGINNING = 1 << 8  # characters in which a binary has a zero


def read_called(
    sources: TextFiles, survey: MastersSurvey, new: MastersSurvey, *, of_users: bool = False
) -> tuple[Source, ...]:
    """The scripts that root runs by these, those that they run, and so on; and files of units' environment.

    `of_users`: those that other users run, without environment. They come after all that root runs: what is read once
    is not read again, and there are limits. Only what is `new` of a survey is looked through. Of other files that a
    command names, which may be keys, only those that mention VFs. From a user's cron table, only what this user can
    read too.
    """
    kinds = _Kinds(sources, {source.path for source in survey.sources})
    host = HostFiles(
        {name: f"{folder}/{name}" for folder in reversed(PATH) for name in sources.names(folder)},
        _python_packages(sources),
        kinds.format_of,
        sources.paths_matching,
        kinds.is_there,
    )
    found = [] if of_users else [*_environments(sources, _units_with_variables(new))]
    new = replace(new, sources=(*new.sources, *found))
    for _ in range(MAX_CHAIN):
        called = called_scripts(new, sources.problems.append, host, of_users=of_users)
        new = MastersSurvey(tuple(_sources_of_calls(sources, called)))
        kinds.known.update(source.path for source in new.sources)  # what could not be read may be, for another one
        found += new.sources
        if not new.sources or len(found) > MAX_SCRIPTS:
            break
    else:
        sources.problems.append(f"{new.sources[0].path}: is run by the last of {MAX_CHAIN} scripts that run each other")
    return tuple(found)


def newly_started(earlier: MastersSurvey, survey: MastersSurvey) -> MastersSurvey:
    """Of a survey, the units that are started only by what has been read since, or in other instances."""
    before, now = _instances(earlier), _instances(survey)
    units = survey.sources_of(Format.UNIT)
    return replace(survey, sources=tuple(unit for unit in units if now.get(unit.path) != before.get(unit.path)))


def _instances(survey: MastersSurvey) -> dict[str, tuple[str, ...]]:
    """Path of each file of a unit that is started -> in which instances."""
    units = units_of(survey.sources_of(Format.UNIT), survey.wanted_units, lambda _: True)
    return {source.path: unit.instances for unit in units for source in unit.sources}


class _Kinds:
    """What there is at a path. `known`: what is read already."""

    def __init__(self, sources: TextFiles, known: set[str]) -> None:
        self.known = known
        self._sources = sources
        self._scripts: dict[str, bool] = {}
        self._programs: dict[tuple[str, int], bool] = {}  # for each reader, as all that may be refused
        self._settings: dict[tuple[str, int], bool] = {}
        self._readable: dict[tuple[str, int], bool] = {}
        self._there: dict[str, bool] = {}

    def format_of(self, path: str, call: Call) -> Format | None:
        """None if it is nothing to read."""
        if path in self.known or path.endswith(PARENT):
            return None
        found = self._format_at(path, call)
        return found if found and self._may_be_read(path, call.source.owner) else None

    def _may_be_read(self, path: str, reader: int) -> bool:
        """By the user whose file names it; what root may not read shows later."""
        if not reader:
            return True
        if (path, reader) not in self._readable:
            self._readable[path, reader] = self._sources.may_be_read(path, reader)
        return self._readable[path, reader]

    def _format_at(self, path: str, call: Call) -> Format | None:
        if call.is_named:
            return call.format if self._is_as_said(path, call) else None
        if path not in self._scripts:
            self._scripts[path] = path.endswith(SCRIPT_ENDINGS) or self._sources.is_script(path)
        if self._scripts[path]:
            return Format.SCRIPT
        if self._is_program(path, call):
            return Format.PROGRAM
        return Format.OTHER if call.is_given and self._mentions_vfs(path, call) else None

    def is_there(self, path: str) -> bool:
        """Whether anything is, or may be."""
        if path not in self._there:
            self._there[path] = self._sources.may_exist(path)
        return self._there[path]

    def _is_as_said(self, path: str, call: Call) -> bool:
        """Whether it may be there."""
        if call.look is Look.MENTION:
            return self._mentions_vfs(path, call)
        return call.look is Look.NOTHING or self.is_there(path)

    def _mentions_vfs(self, path: str, call: Call) -> bool:
        """Whether it is a small text that does."""
        key = (path, call.source.owner)
        if key not in self._settings:
            text = self._sources.peek(path, max_bytes=MAX_SETTINGS, reader=call.source.owner)
            self._settings[key] = mentions_in_settings(text)
        return self._settings[key]

    def _is_program(self, path: str, call: Call) -> bool:
        """Whether it is for a processor, and mentions the file; of what everybody has it is known what it does."""
        key = (path, call.source.owner)
        if key in self._programs:
            return self._programs[key]
        is_known = path.startswith(DISTRIBUTION) and WELL_KNOWN.fullmatch(path.rpartition("/")[2]) is not None
        if call.is_bare or is_known or not self._sources.is_executable(path):
            return False
        if len(self._programs) == MAX_PROGRAMS:
            self._sources.problems.append(f"{path}: is not looked into: {MAX_PROGRAMS} other programs were")
        is_within = len(self._programs) < MAX_PROGRAMS
        self._programs[key] = is_within and self._sources.contains(
            path, FILE.encode(), max_bytes=MAX_PROGRAM_BYTES, reader=call.source.owner
        )
        return self._programs[key]


def _sources_of_calls(sources: TextFiles, called: Mapping[str, Call]) -> Iterator[Source]:
    for path, call in called.items():
        if call.format is Format.PROGRAM:
            yield Source(Format.PROGRAM, path, caller=call.place, runner=call.source.runner)
            continue
        text = sources.file(path, reader=call.source.owner)
        text = text and replace(text, text=before_zeros(text.text))
        if not text or "\0" in text.text:
            continue
        owner = call.source.owner or text.owner
        found = Source(call.format, path, text.text, caller=call.place, owner=owner, runner=call.source.runner)
        if call.format is not Format.SCRIPT:
            if call.format is not Format.DATA or len(text.text) <= MAX_DATA:
                yield found
        elif (is_one := text.is_executable or text.text.startswith("#!")) or _is_taken_for_script(call, text):
            yield replace(
                found,
                is_executable=text.is_executable,
                is_by_folder=call.is_by_folder,
                is_doubtful=call.is_doubtful or not (call.is_named or is_one),
            )


def before_zeros(text: str) -> str:
    """All before the first zero, of a file that is run as text; a binary, which begins with one, as it is.

    Behind it, an archive that unpacks itself has its data, before which it exits; and after a power failure a file may
    end in zeros, or have a hole, which can be large.
    """
    at = text.find("\0")
    return text[:at] if at >= BEGINNING else text


def _is_taken_for_script(call: Call, text: Text) -> bool:
    """Of one that does not look like it."""
    return call.is_named or (call.is_given and (call.is_doubtful or text.path.endswith(SCRIPT_ENDINGS)))


def _python_packages(sources: TextFiles) -> dict[str, str]:
    """Name -> path of what an administrator has installed for Python."""
    paths = [path for folder in PACKAGES for path in sources.match(folder)]
    return {path.rpartition("/")[2].removesuffix(".py"): path for path in paths}


def read_surroundings(sources: TextFiles, survey: MastersSurvey) -> MastersSurvey:
    """With what units that concern us name: the files of their environment, and whether their conditions hold now."""
    library = Library(survey)
    concerning = units_of(survey.sources_of(Format.UNIT), survey.wanted_units, library.concerns_source)
    units = tuple(concerning)
    conditions = {
        (condition.kind, condition.value): sources.holds(condition.kind, condition.value)
        for condition in conditions_to_look_at(units)
    }
    known = {source.path for source in survey.sources_of(Format.ENVIRONMENT)}
    environments = (source for source in _environments(sources, units) if source.path not in known)
    return replace(survey, sources=(*survey.sources, *environments), conditions=conditions, script_names=library.names)


def _units_with_variables(survey: MastersSurvey) -> Iterator[Unit]:
    """Units whose commands may be named by a file of their environment."""
    for unit in units_of(survey.sources_of(Format.UNIT), survey.wanted_units, _has_variable_command):
        if any(FROM_FILE in source.text for source in unit.sources):
            yield unit


def _has_variable_command(source: Source) -> bool:
    text = source.text
    return text.count("$") > text.count(OWN_VARIABLE) and VARIABLE_COMMAND.search(text) is not None


def _environments(sources: TextFiles, units: Iterable[Unit]) -> tuple[Source, ...]:
    """The files of their environment: first of those of which root runs a command."""
    by_runner: dict[str, list[Unit]] = {"": []}
    for unit in units:
        by_runner.setdefault(unit.sole_user, []).append(unit)
    found: dict[str, Source] = {}
    for runner, own in by_runner.items():
        for path in (path for glob in environment_paths(own) for path in sources.match(glob)):
            if path not in found:
                found[path] = Source(Format.ENVIRONMENT, path, sources.read(path), runner=runner)
    return tuple(found.values())
