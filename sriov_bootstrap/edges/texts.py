"""Text files of other programs: read for doctor alone, never written. Nothing here waits, whatever lies there."""

import errno
import fnmatch
import glob
import os
import stat
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.reading import MAX_ENTRIES, IrregularError, Opened, TooLargeError, opened, read_names

MAX_BYTES = 1 << 23  # modules.alias of a distribution's kernel is the largest of them, with 2 MB
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Text(Struct, frozen=True):
    """A file: its path without the root, its text ("" for /dev/null, which masks), whether somebody may execute it."""

    path: str
    text: str
    is_executable: bool


class Texts:
    """Everything below `root`, "" for the real one. `problems`: what is there and could not be read, and why."""

    def __init__(
        self, root: str = "", *, each_once: bool = False, max_bytes: int = 0, max_files: int = MAX_ENTRIES
    ) -> None:
        """Reads nothing yet. `each_once`: a file with several names is given out under the first of them alone.

        `max_bytes` of a file, MAX_BYTES by default, and `max_files` of a folder: the first by name.
        """
        self._root = root
        self._max_bytes = max_bytes or MAX_BYTES
        self._max_files = max_files
        self._given: set[tuple[int, int]] | None = set() if each_once else None
        self.problems: list[str] = []

    def read(self, path: str) -> str:
        """A file's text; "" where there is none, or where it cannot be read, which is noted."""
        found = self.file(path)
        return found.text if found else ""

    def file(self, path: str) -> Text | None:
        """None where there is none, where it was given out before, or where it cannot be read, which is noted."""
        try:
            with opened(f"{self._root}{path}") as file:
                return self._text(path, file)
        except OSError as error:
            self._note(path, error)
            return None

    def read_matching(self, *patterns: str) -> dict[str, str]:
        """Path -> text of the files that match these shell globs, in the order of the globs, then of the names.

        An empty one counts: it may hide another.
        """
        found: dict[str, str] = {}
        for pattern in patterns:
            found |= {path: self.read(path) for path in self._matching(pattern)}
        return found

    def _matching(self, pattern: str) -> list[str]:
        folder, _, name = pattern.rpartition("/")
        if not glob.has_magic(pattern):
            return [pattern] if self._is_there(pattern) else []
        if glob.has_magic(folder):
            paths = sorted(glob.glob(glob.escape(self._root) + pattern))
            return self.first(folder, [path.removeprefix(self._root) for path in paths])
        names = fnmatch.filter(self.names(folder), name)
        return self.first(folder, [f"{folder}/{one}" for one in names if one[0] != "." or name[0] == "."])

    def _is_there(self, path: str) -> bool:
        try:
            os.lstat(f"{self._root}{path}")
        except OSError as error:
            self._note(path, error)
            return False
        return True

    def first(self, folder: str, paths: list[str]) -> list[str]:
        """As many as are read of one folder; that there are more is noted."""
        if len(paths) > self._max_files:
            more = f"{len(paths) - self._max_files} more, from {paths[self._max_files].rpartition('/')[2]} on, are not"
            self.problems.append(f"{folder}: has {len(paths)} files: {self._max_files} are read, {more}")
        return paths[: self._max_files]

    def folder(self, path: str, *endings: str) -> Iterator[Text]:
        """The files of a folder with one of these endings, by name; all of them where no ending is asked for."""
        names = [name for name in self.names(path) if not endings or name.endswith(endings)]
        for name in self.first(path, names):
            if not os.path.isdir(f"{self._root}{path}/{name}") and (found := self.file(f"{path}/{name}")):
                yield found

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted; of a very full one a part, which is noted."""
        try:
            names, is_all = read_names(f"{self._root}{path}")
        except OSError as error:
            self._note(path, error)
            return []
        if not is_all:
            self.problems.append(f"{path}: has more than {MAX_ENTRIES} entries: the rest is not looked at")
        return names

    def is_executable(self, path: str) -> bool:
        """Whether it is a file that somebody may run."""
        try:
            mode = os.stat(f"{self._root}{path}").st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and bool(mode & 0o111)

    def link(self, path: str) -> str:
        """Where a link leads, "" if it is none."""
        try:
            return os.readlink(f"{self._root}{path}")
        except OSError:
            return ""

    def _text(self, path: str, file: Opened) -> Text | None:
        status = file.status
        if stat.S_ISCHR(status.st_mode):  # /dev/null
            return Text(path, "", is_executable=False)
        if self._given is not None:
            identity = (status.st_dev, status.st_ino)
            if identity in self._given:
                return None
            self._given.add(identity)
        text = file.read(self._max_bytes).decode(errors="replace")
        return Text(path, text, is_executable=bool(status.st_mode & 0o111))

    def _note(self, path: str, error: OSError) -> None:
        if isinstance(error, IrregularError):
            self.problems.append(f"{path}: is not a regular file")
        elif isinstance(error, TooLargeError):
            self.problems.append(f"{path}: {error.strerror}: not read")
        elif error.errno not in ABSENT:
            advice = ": run it as root" if isinstance(error, PermissionError) else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")
