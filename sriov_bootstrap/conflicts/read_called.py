"""Reads what others name: the scripts that they run, at any length of the chain, and the files of their environment."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from sriov_bootstrap.conflicts.called_scripts import Call, called_scripts
from sriov_bootstrap.conflicts.library import MAX_CHAIN, Library
from sriov_bootstrap.conflicts.places import DISTRIBUTION, WELL_KNOWN
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.units import conditions_to_look_at, environment_paths, units_of
from sriov_bootstrap.edges.text_files import TextFiles
from sriov_bootstrap.formats.shell_commands import FILE
from sriov_bootstrap.formats.shell_simple import PATH

SCRIPT_ENDINGS = (".sh", ".bash", ".py", ".pl", ".rb")
MAX_SCRIPTS = 1 << 11
MAX_PROGRAMS = 1 << 8  # that are looked into
MAX_PROGRAM_BYTES = 16 << 20
MAX_DATA = 1 << 16  # characters of a file with numbers
BEGINNING = 1 << 8  # characters in which a binary has a zero


def read_called(sources: TextFiles, survey: MastersSurvey) -> tuple[Source, ...]:
    """The scripts that these run, those that they run, and so on: not the other files that a command names.

    Those may be keys. From a user's cron table, only those that this user can read too.
    """
    programs = {name: f"{folder}/{name}" for folder in reversed(PATH) for name in sources.names(folder)}
    kinds = _Kinds(sources, {source.path for source in survey.sources})
    found: list[Source] = []
    new: tuple[Source, ...] = ()
    for _ in range(MAX_CHAIN):
        called = called_scripts(survey, sources.problems.append, programs, kinds.format_of, sources.paths_matching)
        kinds.known.update(called)
        new = tuple(_sources_of_calls(sources, called))
        found += new
        if not new or len(found) > MAX_SCRIPTS:
            break
        survey = MastersSurvey(new)
    else:
        sources.problems.append(f"{new[0].path}: is run by the last of {MAX_CHAIN} scripts that run each other")
    return tuple(found)


class _Kinds:
    """What there is at a path. `known`: what is read already."""

    def __init__(self, sources: TextFiles, known: set[str]) -> None:
        self.known = known
        self._sources = sources
        self._scripts: dict[str, bool] = {}
        self._programs: dict[str, bool] = {}

    def format_of(self, path: str, call: Call) -> Format | None:
        """None if it is nothing to read."""
        if path in self.known:
            return None
        if call.is_named:
            return call.format
        if path not in self._scripts:
            self._scripts[path] = path.endswith(SCRIPT_ENDINGS) or self._sources.is_script(path)
        if self._scripts[path]:
            return Format.SCRIPT
        return Format.PROGRAM if self._is_program(path, call) else None

    def _is_program(self, path: str, call: Call) -> bool:
        """Whether it is for a processor, and mentions the file; of what everybody has it is known what it does."""
        if path in self._programs:
            return self._programs[path]
        is_known = path.startswith(DISTRIBUTION) and WELL_KNOWN.fullmatch(path.rpartition("/")[2]) is not None
        if call.is_bare or is_known or not self._sources.is_executable(path):
            return False
        if len(self._programs) == MAX_PROGRAMS:
            self._sources.problems.append(f"{path}: is not looked into: {MAX_PROGRAMS} other programs were")
        is_within = len(self._programs) < MAX_PROGRAMS
        self._programs[path] = is_within and self._sources.contains(
            path, FILE.encode(), max_bytes=MAX_PROGRAM_BYTES, reader=call.source.owner
        )
        return self._programs[path]


def _sources_of_calls(sources: TextFiles, called: Mapping[str, Call]) -> Iterator[Source]:
    for path, call in called.items():
        if call.format is Format.PROGRAM:
            yield Source(Format.PROGRAM, path, caller=call.place)
            continue
        text = sources.file(path, reader=call.source.owner)
        if not text or "\0" in text.text[:BEGINNING]:
            continue
        if call.format is not Format.SCRIPT:
            if call.format is not Format.DATA or len(text.text) <= MAX_DATA:
                yield Source(call.format, path, text.text, caller=call.place, owner=call.source.owner or text.owner)
        elif call.is_named or text.is_executable or text.text.startswith("#!"):
            yield Source(
                Format.SCRIPT,
                path,
                text.text,
                caller=call.place,
                owner=call.source.owner or text.owner,
                is_executable=text.is_executable,
                is_by_folder=call.is_by_folder,
            )


def read_surroundings(sources: TextFiles, survey: MastersSurvey) -> MastersSurvey:
    """With what units that concern us name: the files of their environment, and whether their conditions hold now."""
    library = Library(survey)
    concerning = units_of(
        survey.sources_of(Format.UNIT), survey.wanted_units, lambda source: library.concerns(source.text)
    )
    units = tuple(concerning)
    environments = tuple(
        Source(Format.ENVIRONMENT, path, text)
        for glob in environment_paths(units)
        for path, text in sources.read_matching(glob).items()
    )
    conditions = {
        (condition.kind, condition.value): sources.holds(condition.kind, condition.value)
        for condition in conditions_to_look_at(units)
    }
    return replace(survey, sources=(*survey.sources, *environments), conditions=conditions, script_names=library.names)
