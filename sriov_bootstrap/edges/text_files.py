"""Text files of other programs: read only for doctor, never written. Nothing here blocks, whatever the file is.

Which of them root may read is decided in base/trusted_paths.py.
"""

import errno
import fnmatch
import glob
import itertools
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

from msgspec import Struct

from sriov_bootstrap.base.byte_budget import ByteBudget, OverBudgetError
from sriov_bootstrap.base.reading import (
    MAX_ENTRIES,
    IrregularError,
    Opened,
    TooLargeError,
    is_anothers,
    open_regular,
    read_names,
)
from sriov_bootstrap.base.trusted_paths import TrustedPaths, UntrustedFile
from sriov_bootstrap.base.vanishing import link_of

MAX_BYTES = 1 << 23  # modules.alias of a distribution's kernel is the largest of them, with 2 MB
BEGINNING_BYTES = 1 << 8  # a program for a processor has a zero within them
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Text(Struct, frozen=True):
    """A file: its path without the root, its text ("" for /dev/null, which masks), whether it is executable.

    `is_private`: others than its owner may neither read nor write it.
    """

    path: str
    text: str
    is_executable: bool
    owner: int = 0
    is_private: bool = False


class TextFiles:
    """Everything below `root`, "" for the real one. `problems`: what exists but could not be read, and why."""

    def __init__(
        self,
        root: str = "",
        *,
        each_once: bool = False,
        max_bytes: int = 0,
        max_files: int = MAX_ENTRIES,
        max_foreign_bytes: int = 0,
        max_user_bytes: int = 0,
    ) -> None:
        """Reads nothing yet. `each_once`: a file with several names is returned only under the first of them.

        A folder is then listed once, too.

        `max_bytes` of a file, MAX_BYTES by default, `max_foreign_bytes` of one that others than root may change, and
        `max_files` of a folder: the first by name. `max_user_bytes`: of all files of a user, as of base/byte_budget.py.
        """
        self._root = root
        self._max_bytes = max_bytes or MAX_BYTES
        self._max_foreign_bytes = min(max_foreign_bytes or self._max_bytes, self._max_bytes)
        self._max_files = max_files
        self._budget = ByteBudget(max_user_bytes)
        self._paths = TrustedPaths(root)
        self._given: set[tuple[int, int]] | None = set() if each_once else None
        self._names: dict[str, list[str]] = {}  # of folders, where each is looked at once
        self.problems: list[str] = []

    def read(self, path: str) -> str:
        """A file's text; "" if it does not exist, or cannot be read, which is noted."""
        found = self.file(path)
        return found.text if found else ""

    def file(self, path: str, *, reader: int = 0) -> Text | None:
        """None if it does not exist, was returned before, or cannot be read, which is noted.

        `reader`: the user whose file names it, who must be able to read it too.
        """
        try:
            with self._paths.open_file(path, reader) as file:
                return self._text(path, file, reader)
        except (OSError, UntrustedFile) as reason:
            self._note(path, reason)
        return None

    def read_matching(self, *patterns: str) -> dict[str, str]:
        """Path -> text of the files that match these shell globs, in the order of the globs, then of the names.

        An empty one counts: it may hide another.
        """
        found: dict[str, str] = {}
        for pattern in patterns:
            found |= {path: self.read(path) for path in self.match(pattern)}
        return found

    def paths_matching(self, pattern: str) -> list[str]:
        """What a glob fits that has its signs in the last part alone: no folders, by name, up to a bound."""
        return [path for path in self.match(pattern) if not os.path.isdir(f"{self._root}{path}")]

    def match(self, pattern: str) -> list[str]:
        """What a glob fits, up to a bound."""
        folder, _, name = pattern.rpartition("/")
        if not glob.has_magic(pattern):
            return [pattern] if self._is_open(folder) and os.path.lexists(f"{self._root}{pattern}") else []
        if glob.has_magic(folder):
            paths = sorted(glob.glob(glob.escape(self._root) + pattern))
            return self.cap_files(folder, [path.removeprefix(self._root) for path in paths])
        names = fnmatch.filter(self.names(folder), name)
        return self.cap_files(
            folder, [f"{folder}/{candidate}" for candidate in names if candidate[0] != "." or name[0] == "."]
        )

    def cap_files(self, folder: str, paths: list[str]) -> list[str]:
        """At most as many as are read from one folder; if there are more, that is noted."""
        if len(paths) > self._max_files:
            more = (
                f"the other {len(paths) - self._max_files}, from {paths[self._max_files].rpartition('/')[2]}, are not"
            )
            self.problems.append(f"{folder}: has {len(paths)} files: {self._max_files} were read, {more}")
        return paths[: self._max_files]

    def folder(self, path: str, *endings: str) -> Iterator[Text]:
        """The files of a folder with one of these endings, by name; all of them where no ending is asked for.

        Hidden ones are left out, as they are by a shell's glob, run-parts, systemd and others.
        """
        names = [name for name in self.names(path) if name[0] != "." and (not endings or name.endswith(endings))]
        for name in self.cap_files(path, names):
            if found := self._file_of_folder(f"{path}/{name}"):
                yield found

    def _file_of_folder(self, path: str) -> Text | None:
        """As `file`, without a word about a folder in the folder."""
        try:
            with self._paths.open_file(path) as file:
                return self._text(path, file)
        except (OSError, UntrustedFile) as reason:
            if not os.path.isdir(f"{self._root}{path}"):
                self._note(path, reason)
        return None

    def executables(self, folder: str, *, depth: int, without: Collection[str] = ()) -> list[str]:
        """The executable files below a folder, down to a depth and up to a bound: no links, nothing below `without`."""
        found: list[str] = []
        folders = [folder]
        for _ in range(depth):
            inner: list[str] = []
            for path in (path for path in folders if path not in without):
                entries = self._entries(path)
                inner += [f"{path}/{entry.name}" for entry in entries if entry.is_dir(follow_symlinks=False)]
                found += [f"{path}/{entry.name}" for entry in entries if _is_executable(entry)]
            folders = inner[: self._max_files]
        return self.cap_files(folder, sorted(found))

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._root}{path}") as entries:
                return list(itertools.islice(entries, MAX_ENTRIES))
        except OSError as error:
            self._note(path, error)
            return []

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted; of a very full one a part, which is noted."""
        if path in self._names:
            return self._names[path]
        names = self._list(path) if self.may_exist(path) else []
        if self._given is not None:
            self._names[path] = names
        return names

    def _list(self, path: str) -> list[str]:
        try:
            descriptor = self._paths.walk(path, os.O_RDONLY | os.O_DIRECTORY)[0]
        except (OSError, UntrustedFile) as reason:
            self._note(path, reason)
            return []
        try:
            names, is_all = read_names(descriptor)
        finally:
            os.close(descriptor)
        if not is_all:
            self.problems.append(f"{path}: has more than {MAX_ENTRIES} entries: the rest were not looked at")
        return names

    def holds(self, kind: str, path: str) -> bool:
        """What systemd's Condition...= of that kind finds at a path now."""
        place = f"{self._root}{path}"
        match kind:
            case "PathExistsGlob":
                return bool(self.match(path))
            case "PathIsDirectory":
                return os.path.isdir(place)
            case "FileNotEmpty":
                return os.path.isfile(place) and os.path.getsize(place) > 0
            case "FileIsExecutable":
                return self.is_executable(path)
            case _:
                return os.path.exists(place)

    def may_exist(self, path: str) -> bool:
        """Whether anything is there, or nobody may know."""
        try:
            os.stat(f"{self._root}{path}")
        except OSError as error:
            return error.errno not in ABSENT
        return True

    def is_executable(self, path: str) -> bool:
        """Whether it is an executable file."""
        try:
            mode = os.stat(f"{self._root}{path}").st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and bool(mode & 0o111)

    def is_script(self, path: str) -> bool:
        """Whether it is an executable file of text, without reading more than its beginning."""
        if not self.is_executable(path):
            return False
        try:
            with open_regular(f"{self._root}{path}") as file:
                return b"\0" not in file.read(BEGINNING_BYTES, is_cut=True)
        except OSError:
            return False

    def may_be_read(self, path: str, reader: int) -> bool:
        """Whether that user may read it, and we may for them; if not, that is noted."""
        try:
            with self._paths.open_file(path, reader):
                return True
        except (OSError, UntrustedFile) as reason:
            self._note(path, reason)
        return False

    def contains(self, path: str, part: bytes, *, max_bytes: int, reader: int = 0) -> bool:
        """Whether these bytes are in a file; of one that is larger, or cannot be read, that is noted."""
        try:
            with self._paths.open_file(path, reader) as file:
                return part in file.read(max_bytes)
        except (OSError, UntrustedFile) as reason:
            self._note(path, reason)
        return False

    def peek(self, path: str, *, max_bytes: int, reader: int = 0) -> str:
        """The text of a small file, which can still be returned; "" if it is larger, or not to be read: not noted.

        Unless users name more than is read for them.
        """
        try:
            with self._paths.open_file(path, reader) as file:
                content = self._read_within_budget(file, max_bytes, reader) if reader else file.read(max_bytes)
                return content.decode(errors="replace")
        except OverBudgetError as reason:
            self._note(path, reason)
        except (OSError, UntrustedFile):
            pass
        return ""

    def link(self, path: str) -> str:
        """Where a link leads; "" if it is not one."""
        return link_of(f"{self._root}{path}")

    def _text(self, path: str, file: Opened, reader: int = 0) -> Text | None:
        status = file.status
        if stat.S_ISCHR(status.st_mode):  # /dev/null
            return Text(path, "", is_executable=False)
        identity = (status.st_dev, status.st_ino)
        if self._given is not None and identity in self._given:
            return None
        limit = self._max_foreign_bytes if self._paths.is_foreign(path, status) else self._max_bytes
        content = self._read_within_budget(file, limit, reader or (status.st_uid if is_anothers(status) else 0))
        if self._given is not None:
            self._given.add(identity)  # not before: by another name it may be read, as one of root's
        text = content.decode(errors="replace")
        mode = status.st_mode
        return Text(path, text, bool(mode & 0o111), status.st_uid, is_private=not mode & 0o077)

    def _read_within_budget(self, file: Opened, limit: int, user: int) -> bytes:
        """All of it, or OSError. What is too large costs nothing, neither of the budget nor of time."""
        size = file.status.st_size
        if size <= limit:
            self._budget.take(size, user)
        content = file.read(limit)
        self._budget.take(max(len(content) - size, 0), user)  # it grows, or has no size, as in /proc
        return content

    def _note(self, path: str, error: OSError | UntrustedFile) -> None:
        """What keeps it from being read, unless it is not there."""
        if isinstance(error, UntrustedFile):
            self.problems.append(f"{path}: {error}")
        elif isinstance(error, IrregularError):
            self.problems.append(f"{path}: is not a regular file")
        elif isinstance(error, OverBudgetError):
            self.problems += [f"{path}: {error.strerror}"] if error.is_first else []
        elif isinstance(error, TooLargeError):
            self.problems.append(f"{path}: {error.strerror}: not read")
        elif error.errno not in ABSENT:
            advice = ": run doctor as root" if isinstance(error, PermissionError) else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")

    def _is_open(self, folder: str) -> bool:
        """Whether it may be listed: to glob, a folder that may not be listed looks empty."""
        try:
            os.close(self._paths.walk(folder, os.O_RDONLY | os.O_DIRECTORY)[0])
        except (OSError, UntrustedFile) as reason:
            self._note(folder, reason)
            return isinstance(reason, OSError)
        return True


def _is_executable(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file that is; one that vanishes meanwhile is not."""
    with suppress(FileNotFoundError):
        return entry.is_file(follow_symlinks=False) and bool(entry.stat(follow_symlinks=False).st_mode & 0o111)
    return False
