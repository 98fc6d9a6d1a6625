"""The scripts that were read, for those that run them; and what became of each while they were followed."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.formats.shell import Place, Reading
from sriov_bootstrap.formats.shell_files import ScriptFiles

SPELLINGS = (
    *("num_vfs", "numvfs", "num-vfs", "max_vfs", "maxvfs", "max-vfs", "total-vfs", "total_vfs"),
    "virtual-function-count",
)
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


def mentions_vfs(text: str) -> bool:
    """Whether it mentions a number of VFs, as any of the programs that set one spell it."""
    folded = text.lower()
    if "sriov_num" in folded:  # also as the beginning of a glob
        return True
    return ("vfs" in folded or "function" in folded) and any(spelling in folded for spelling in SPELLINGS)


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


def _has_word(text: str, name: str) -> bool:
    """Whether a name stands there whole: `vf1` is not in `vf10`."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        if not _is_of_word(text[at - 1 : at]) and not _is_of_word(text[end : end + 1]):
            return True
        at = text.find(name, at + 1)
    return False


def _is_of_word(char: str) -> bool:
    return char.isalnum() or char == "_"


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
    def files(self) -> Mapping[str, str]:
        """Path -> text of what others may run or source."""
        return {source.path: source.text for source in self._sources if is_shell(source)}

    @cached_property
    def script_files(self) -> ScriptFiles:
        """The same, with which of them cannot be executed, and files that they read."""
        others = frozenset(source.path for source in self._sources if not (source.is_executable and source.is_run))
        return ScriptFiles(self.files, others, self._data)

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
            concerning = [path for path, text in self.files.items() if self._mentions(text, found)]
            new = {_called_name(self.by_path[path]) for path in concerning} - found
            if not new:
                break
            found |= new
        return frozenset(found)

    @staticmethod
    def _mentions(text: str, names: set[str] | frozenset[str]) -> bool:
        return mentions_vfs(text) or len(names) > MAX_NAMES or any(_has_word(text, name) for name in names)

    def concerns(self, text: str) -> bool:
        """Whether following it may find a write."""
        return self._mentions(text, self.names)

    def note(self, reading: Reading, path: str) -> None:
        """What became of a text of that file."""
        self.followed.update((path, *reading.followed))
        self.unclear |= dict.fromkeys(reading.unclear)
        self.not_run |= reading.not_run

    def take_input(self, path: str) -> str | None:
        """The text of a file at the input of a command, which is followed with that; None if it was not read."""
        self.followed.add(path)
        return self.script_files.read(path)

    def rest(self) -> Iterator[Source]:
        """Scripts that something was seen to name, and that nothing was seen to run."""
        return (source for source in self._sources if source.caller and source.path not in self.followed)
