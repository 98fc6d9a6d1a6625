"""Configuration of other programs: read for doctor alone, never written. Nothing here waits, whatever lies there."""

import errno
import os
import stat
from collections.abc import Iterator

from msgspec import Struct

MAX_BYTES = 1 << 20
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Text(Struct, frozen=True):
    """A file: its path without the root, its text ("" for /dev/null, which masks), whether somebody may execute it."""

    path: str
    text: str
    is_executable: bool


class Sources:
    """Everything below `root`. A file with several names is read once. `problems`: what could not be read, and why."""

    def __init__(self, root: str = "") -> None:
        """Reads nothing yet."""
        self._root = root
        self._read: set[tuple[int, int]] = set()
        self.problems: list[str] = []

    def file(self, path: str) -> Text | None:
        """None where there is none, where it was read before, or where it cannot be read."""
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

    def folder(self, path: str, *endings: str) -> Iterator[Text]:
        """Its files with one of these endings, by name; all of them where no ending is asked for."""
        for name in self.names(path):
            if not endings or name.endswith(endings):
                if os.path.isdir(f"{self._root}{path}/{name}"):
                    continue
                if found := self.file(f"{path}/{name}"):
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
        identity = (status.st_dev, status.st_ino)
        if identity in self._read:
            return None
        self._read.add(identity)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.problems.append(f"{path}: larger than {MAX_BYTES >> 20} MiB: not looked at")
            return None
        return Text(path, data.decode(errors="replace"), is_executable=bool(status.st_mode & 0o111))

    def _note(self, path: str, error: OSError) -> None:
        if error.errno not in ABSENT:
            advice = ": run as root" if isinstance(error, PermissionError) else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")
