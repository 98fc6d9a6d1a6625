"""Reads what others name: the scripts that they run, at any length of the chain, and the files of their environment."""

from collections.abc import Iterator, Mapping

from sriov_bootstrap.conflicts.called_scripts import Call, called_scripts
from sriov_bootstrap.conflicts.library import MAX_CHAIN, Library
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.units import environment_paths
from sriov_bootstrap.edges.text_files import TextFiles
from sriov_bootstrap.formats.shell_simple import PATH

SCRIPT_ENDINGS = (".sh", ".bash", ".py", ".pl", ".rb")
MAX_SCRIPTS = 1 << 11
BEGINNING = 1 << 8  # characters in which a binary has a zero


def read_called(sources: TextFiles, survey: MastersSurvey) -> tuple[Source, ...]:
    """The scripts that these run, those that they run, and so on: not the other files that a command names.

    Those may be keys. From a user's cron table, only those that this user can read too.
    """
    programs = {name: f"{folder}/{name}" for folder in reversed(PATH) for name in sources.names(folder)}
    known = {source.path for source in survey.sources}
    found: list[Source] = []
    asked: dict[str, bool] = {}

    def _is_script(path: str, is_named: bool) -> bool:  # noqa: FBT001 - a callback
        if is_named:
            return path not in known
        if path not in asked:
            asked[path] = path.endswith(SCRIPT_ENDINGS) or sources.is_script(path)
        return asked[path] and path not in known

    new: tuple[Source, ...] = ()
    for _ in range(MAX_CHAIN):
        called = called_scripts(survey, sources.problems.append, programs, _is_script, sources.paths_matching)
        known.update(called)
        new = tuple(_sources_of_calls(sources, called))
        found += new
        if not new or len(found) > MAX_SCRIPTS:
            break
        survey = MastersSurvey(new)
    else:
        sources.problems.append(f"{new[0].path}: is run by the last of {MAX_CHAIN} scripts that run each other")
    return tuple(found)


def _sources_of_calls(sources: TextFiles, called: Mapping[str, Call]) -> Iterator[Source]:
    for path, call in called.items():
        text = sources.file(path, reader=call.source.owner)
        is_script = text and (call.is_named or text.is_executable or text.text.startswith("#!"))
        if text and is_script and "\0" not in text.text[:BEGINNING]:
            yield Source(
                Format.SCRIPT,
                path,
                text.text,
                caller=call.place,
                owner=call.source.owner or text.owner,
                is_executable=text.is_executable,
                is_by_folder=call.is_by_folder,
            )


def read_environments(sources: TextFiles, survey: MastersSurvey) -> Iterator[Source]:
    """The files that EnvironmentFile= of units that concern us name."""
    library = Library(survey)
    for path in environment_paths(survey, lambda source: library.concerns(source.text)):
        for name, text in sources.read_matching(path).items():
            yield Source(Format.ENVIRONMENT, name, text)
