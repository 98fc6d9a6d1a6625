"""The scripts that were read, for those that run them; and what became of each while they were followed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from sriov_bootstrap.conflicts.runners import may_use_sudo
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, mentions_vfs
from sriov_bootstrap.formats.shell import Place, Reading
from sriov_bootstrap.formats.shell_files import ScriptFiles

SHELL_LINE = re.compile(r"#![^\n]{0,80}\b(?:ba|da|k|z|a)?sh\b")
LANGUAGES = {
    ".py": "python", ".pl": "perl", ".pm": "perl", ".rb": "ruby", ".lua": "lua", ".php": "php", ".tcl": "tcl",
    ".exp": "tcl", ".js": "node", ".mjs": "node", ".cjs": "node", ".ts": "node",
}  # fmt: skip
OTHER_ENDINGS = tuple(LANGUAGES)
LANGUAGE_LINE = re.compile(r"#![^\n]{0,80}?\b(python|perl|ruby|lua|php|tcl|node)")
# How programs begin that have neither a first line nor an ending that says what they are.
OTHERS_WORDS = re.compile(
    r"^(?:import [\w.]+(?:,|$| as )|from [\w.]+ import |def \w+\(|use (?:strict|warnings)\b|my [$@%(]|<\?php"
    r"|(?:const|local|var) \w+ = |require ['\"(])",
    re.MULTILINE,
)
BEGINNING = 1 << 12  # characters in which such words are looked for
MAX_NAMES = 1 << 8  # scripts that concern us; with more of them, all do
MAX_CHAIN = 16  # scripts that run each other


def is_shell(source: Source) -> bool:
    """Whether a script is one of a shell, as one without a first line is that says otherwise."""
    if "\0" in source.text:
        return False
    if source.text.startswith("#!"):
        return SHELL_LINE.match(source.text) is not None
    return not source.path.endswith(OTHER_ENDINGS) and not OTHERS_WORDS.search(source.text, 0, BEGINNING)


def language_of(source: Source) -> str:
    """The language of a program that is no shell's, by its first line or its name; "" if it is not known."""
    if found := LANGUAGE_LINE.match(source.text):
        return found[1]
    return LANGUAGES.get(source.path[source.path.rfind(".") :], "") if "." in source.path else ""


def _called_name(source: Source) -> str:
    folder, _, name = source.path.rpartition("/")
    return folder if source.is_by_folder else name


def _patterns_of(names: Iterable[str]) -> dict[str, re.Pattern[str]]:
    """For each name the pattern that finds it where it stands whole: `vf1` is not in `vf10`."""
    return {name: re.compile(rf"{re.escape(name)}(?<!\w{re.escape(name)})(?!\w)") for name in names}


def _has_name(text: str, names: Mapping[str, re.Pattern[str]]) -> bool:
    return any(pattern.search(text) for name, pattern in names.items() if name in text)


class Library:
    """`followed`: paths of scripts that were followed; `unclear`: commands that may set VFs, and are not understood.

    `not_run`: scripts that cannot be executed, and that something tries to run.
    """

    def __init__(self, survey: MastersSurvey) -> None:
        """Parses nothing yet."""
        self._sources = survey.sources_of(Format.SCRIPT)
        self._data = {source.path: source.text for source in survey.sources_of(Format.DATA)}
        self._known_names = survey.script_names
        self.followed: set[str] = set()
        self.unclear: dict[Place, None] = {}
        self.not_run: set[str] = set()

    @cached_property
    def shells(self) -> tuple[Source, ...]:
        """Those that others may run or source."""
        return tuple(source for source in self._sources if is_shell(source))

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Path -> text of these."""
        return {source.path: source.text for source in self.shells}

    @cached_property
    def script_files(self) -> ScriptFiles:
        """The same, with which of them cannot be executed, and files that they read."""
        return ScriptFiles(self.files, self._not_executable, self._data)

    @cached_property
    def users_files(self) -> ScriptFiles:
        """Those of them that users run, and root does not."""
        texts = {source.path: source.text for source in self.shells if source.runner}
        return ScriptFiles(texts, self._not_executable, self._data)

    @cached_property
    def _not_executable(self) -> frozenset[str]:
        return frozenset(source.path for source in self._sources if not (source.is_executable and source.is_run))

    @cached_property
    def by_path(self) -> Mapping[str, Source]:
        """The same files."""
        return {source.path: source for source in self._sources}

    @cached_property
    def names(self) -> frozenset[str]:
        """How texts name the scripts that write to the file, or run one that does: by the last part of their paths.

        Or by the folder, where all of its files are run.
        """
        if self._known_names is not None:
            return self._known_names
        found: set[str] = set()
        for _ in range(MAX_CHAIN):
            names = _patterns_of(found if len(found) <= MAX_NAMES else ())
            concerning = [
                source.path
                for source in self.shells
                if source.mentions_vfs or len(found) > MAX_NAMES or _has_name(source.text, names)
            ]
            new = {_called_name(self.by_path[path]) for path in concerning} - found
            if not new:
                break
            found |= new
        return frozenset(found)

    @cached_property
    def _patterns(self) -> Mapping[str, re.Pattern[str]]:
        return _patterns_of(self.names if len(self.names) <= MAX_NAMES else ())

    def concerns(self, text: str) -> bool:
        """Whether following it may find a write."""
        return mentions_vfs(text) or self._names_script(text)

    def concerns_source(self, source: Source) -> bool:
        """The same of a whole file."""
        return source.mentions_vfs or self._names_script(source.text)

    def _names_script(self, text: str) -> bool:
        return len(self.names) > MAX_NAMES or _has_name(text, self._patterns)

    def files_for(self, runner: str, command: str) -> ScriptFiles:
        """What that user may run, "" for root: what root runs is judged by that, unless sudo is used for it."""
        return self.users_files if runner and not may_use_sudo(runner, command) else self.script_files

    def note(self, reading: Reading, path: str, *, is_users: bool = False) -> None:
        """What became of a text of that file. `is_users`: what a user runs says nothing of what root runs."""
        self.followed.update(found for found in (path, *reading.followed) if not is_users or self._is_users(found))
        unclear = (place for place in reading.unclear if not is_users or self._is_users(place.path))
        self.unclear |= dict.fromkeys(unclear)
        self.not_run |= {found for found in reading.not_run if not is_users or self._is_users(found)}

    def _is_users(self, path: str) -> bool:
        """Whether root is not known to run it."""
        return path not in self.by_path or bool(self.by_path[path].runner)

    def take_input(self, path: str) -> str | None:
        """The text of a file at the input of a command, which is followed with that; None if it was not read."""
        self.followed.add(path)
        return self.script_files.read(path)

    def rest(self) -> Iterator[Source]:
        """Scripts that something was seen to name, and that nothing was seen to run."""
        return (source for source in self._sources if source.caller and source.path not in self.followed)
