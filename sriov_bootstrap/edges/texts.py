"""Text files of other programs: read for doctor alone, never written. Nothing here waits, whatever lies there."""

import errno
import glob
import os
import stat
from collections.abc import Iterator

from msgspec import Struct

MAX_BYTES = 1 << 23  # modules.alias of a distribution's kernel is the largest of them, with 2 MB
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Text(Struct, frozen=True):
    """A file: its path without the root, its text ("" for /dev/null, which masks), whether somebody may execute it."""

    path: str
    text: str
    is_executable: bool


class Texts:
    """Everything below `root`, "" for the real one. `problems`: what is there and could not be read, and why."""

    def __init__(self, root: str = "", *, each_once: bool = False) -> None:
        """Reads nothing yet. `each_once`: a file with several names is given out under the first of them alone."""
        self._root = root
        self._given: set[tuple[int, int]] | None = set() if each_once else None
        self.problems: list[str] = []

    def read(self, path: str) -> str:
        """A file's text; "" where there is none, or where it cannot be read, which is noted."""
        found = self.file(path)
        return found.text if found else ""

    def file(self, path: str) -> Text | None:
        """None where there is none, where it was given out before, or where it cannot be read, which is noted."""
        try:
            descriptor = os.open(f"{self._root}{path}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._note(path, error)
            return None
        try:
            return self._text(path, descriptor)
        except OSError as error:
            self._note(path, error)
            return None
        finally:
            os.close(descriptor)

    def read_matching(self, *patterns: str) -> dict[str, str]:
        """Path -> text of the files that match these shell globs, in the order of the globs, then of the names.

        An empty one counts: it may hide another.
        """
        found: dict[str, str] = {}
        for pattern in patterns:
            self._note_closed(pattern.rpartition("/")[0])
            paths = sorted(glob.glob(glob.escape(self._root) + pattern))
            found |= {path: self.read(path) for path in (one.removeprefix(self._root) for one in paths)}
        return found

    def folder(self, path: str, *endings: str) -> Iterator[Text]:
        """The files of a folder with one of these endings, by name; all of them where no ending is asked for."""
        for name in self.names(path):
            if endings and not name.endswith(endings):
                continue
            if not os.path.isdir(f"{self._root}{path}/{name}") and (found := self.file(f"{path}/{name}")):
                yield found

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted."""
        try:
            return sorted(os.listdir(f"{self._root}{path}"))
        except OSError as error:
            self._note(path, error)
            return []

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

    def _text(self, path: str, descriptor: int) -> Text | None:
        status = os.fstat(descriptor)
        if stat.S_ISCHR(status.st_mode):  # /dev/null
            return Text(path, "", is_executable=False)
        if not stat.S_ISREG(status.st_mode):
            self.problems.append(f"{path}: is not a regular file")
            return None
        if self._given is not None:
            identity = (status.st_dev, status.st_ino)
            if identity in self._given:
                return None
            self._given.add(identity)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.problems.append(f"{path}: larger than {MAX_BYTES >> 20} MiB: not read")
            return None
        return Text(path, data.decode(errors="replace"), is_executable=bool(status.st_mode & 0o111))

    def _note(self, path: str, error: OSError) -> None:
        if error.errno not in ABSENT:
            advice = ": run it as root" if isinstance(error, PermissionError) else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")

    def _note_closed(self, folder: str) -> None:
        """A folder that may not be listed looks empty to glob."""
        try:
            os.scandir(f"{self._root}{folder}").close()
        except OSError as error:
            self._note(folder, error)
