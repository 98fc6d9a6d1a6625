"""The files that a script of shell may run or look at, as far as they were read."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property

from sriov_bootstrap.formats.shell_grammar import parse
from sriov_bootstrap.formats.shell_nodes import CommandList

MAGIC = frozenset("*?[")
OTHER_TREES = ("/sys/", "/proc/", "/dev/")
MAX_PARSED = 1 << 8  # texts
MAX_PATTERN = 1 << 10
NO_TEXTS: Mapping[str, str] = {}


class ScriptFiles:
    """`texts`: path -> text; `not_executable`: those of them that only a shell that is given them can run.

    `data`: the same of files that are no scripts.
    """

    def __init__(
        self,
        texts: Mapping[str, str] = NO_TEXTS,
        not_executable: frozenset[str] = frozenset(),
        data: Mapping[str, str] = NO_TEXTS,
    ) -> None:
        """Looks at nothing yet."""
        self.texts = texts
        self._parsed: dict[str, CommandList] = {}
        self._data = data
        self._not_executable = not_executable

    def read(self, path: str) -> str | None:
        """None of a file that was not read."""
        return self._data.get(path, self.texts.get(path))

    def commands_of(self, text: str) -> CommandList:
        """Parsed once, for all who follow it."""
        if text not in self._parsed:
            if len(self._parsed) > MAX_PARSED:
                self._parsed.clear()
            self._parsed[text] = parse(text)
        return self._parsed[text]

    def is_executable(self, path: str) -> bool:
        """Of one that is there."""
        return path not in self._not_executable

    def names_in(self, folder: str) -> list[str]:
        """Sorted; [] of a folder of which nothing was read."""
        return self._folders.get(folder.rstrip("/"), [])

    def find_matching(self, pattern: str) -> list[str]:
        """The paths that a glob fits, as a shell lists them; the signs may stand in its last part."""
        folder, _, name = pattern.rpartition("/")
        if MAGIC.isdisjoint(name) or len(pattern) > MAX_PATTERN or pattern.startswith(OTHER_TREES):
            return []
        return [
            f"{folder}/{found}"
            for found in self.names_in(folder)
            if fnmatchcase(found, name) and found.startswith(".") <= name.startswith(".")
        ]

    @cached_property
    def _folders(self) -> Mapping[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for path in sorted(self.texts):
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(name)
        return folders
