"""Text files of other programs: read for doctor alone, never written. Nothing here waits, whatever lies there.

Root reads folders of services and users here, and what it reads it may show. So a link counts only where root made it:
below a folder that somebody else may change none is followed, and no file is read there that has a second name.
"""

import errno
import glob
import os
import stat
from collections import deque
from collections.abc import Iterator

from msgspec import Struct

MAX_BYTES = 1 << 23  # modules.alias of a distribution's kernel is the largest of them, with 2 MB
MAX_LINKS = 40  # as the kernel
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Text(Struct, frozen=True):
    """A file: its path without the root, its text ("" for /dev/null, which masks), whether somebody may execute it."""

    path: str
    text: str
    is_executable: bool
    owner: int = 0


class Refused(Exception):  # noqa: N818 - no error: it becomes a problem of the reader
    """Not to be followed: the text says why."""


class Texts:
    """Everything below `root`, "" for the real one. `problems`: what is there and could not be read, and why."""

    def __init__(self, root: str = "", *, each_once: bool = False) -> None:
        """Reads nothing yet. `each_once`: a file with several names is given out under the first of them alone."""
        self._root = root
        self._is_guarded = os.geteuid() == 0  # anybody else sees nothing that others could not show him as well
        self._roots: dict[str, bool] = {}
        self._given: set[tuple[int, int]] | None = set() if each_once else None
        self.problems: list[str] = []

    def read(self, path: str) -> str:
        """A file's text; "" where there is none, or where it cannot be read, which is noted."""
        found = self.file(path)
        return found.text if found else ""

    def file(self, path: str, *, reader: int = 0) -> Text | None:
        """None where there is none, where it was given out before, or where it cannot be read, which is noted.

        `reader`: the user who names it, and who must be able to read it as well.
        """
        try:
            descriptor = self._open(path, reader)
        except OSError as error:
            self._note(path, error)
            return None
        except Refused as refused:
            self.problems.append(f"{path}: {refused}")
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
            if not self._is_open(pattern.rpartition("/")[0]):
                continue
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
            descriptor = self._walk(path, os.O_RDONLY | os.O_DIRECTORY)[0]
        except OSError as error:
            self._note(path, error)
            return []
        except Refused as refused:
            self.problems.append(f"{path}: {refused}")
            return []
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

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
        is_executable = bool(status.st_mode & 0o111)
        return Text(path, data.decode(errors="replace"), is_executable=is_executable, owner=status.st_uid)

    def _note(self, path: str, error: OSError) -> None:
        if error.errno not in ABSENT:
            advice = ": run it as root" if isinstance(error, PermissionError) else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")

    def _is_open(self, folder: str) -> bool:
        """Whether it may be listed: one that may not looks empty to glob."""
        try:
            os.close(self._walk(folder, os.O_RDONLY | os.O_DIRECTORY)[0])
        except OSError as error:
            self._note(folder, error)
        except Refused as refused:
            self.problems.append(f"{folder}: {refused}")
            return False
        return True

    # -- whose links count --

    def _open(self, path: str, reader: int) -> int:
        folder = path.rpartition("/")[0]
        if not self._is_guarded or (not reader and self._is_roots(folder)):
            try:
                return os.open(f"{self._root}{path}", FLAGS | (os.O_NOFOLLOW if self._is_guarded else 0))
            except OSError as error:
                if error.errno != errno.ELOOP or not self._is_guarded:
                    raise
        return self._walk(path, os.O_RDONLY, reader)[0]

    def _is_roots(self, folder: str) -> bool:
        """Whether nobody but root can change what is on the way into it, and in it."""
        if folder not in self._roots:
            try:
                descriptor, self._roots[folder] = self._walk(folder or "/", os.O_PATH)
                os.close(descriptor)
            except (OSError, Refused):
                return False
        return self._roots[folder]

    def _walk(self, path: str, flags: int, reader: int = 0) -> tuple[int, bool]:
        """Opens what is there, step by step; and whether every folder on the way, and it, is root's. Raises Refused."""
        if not self._is_guarded:
            return os.open(f"{self._root}{path}", FLAGS | flags), False
        steps = deque(filter(None, path.split("/")))
        at, is_roots, links = os.open(self._root or "/", os.O_PATH | os.O_CLOEXEC), True, 0
        try:
            while steps:
                step = steps.popleft()
                found = os.open(step, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                try:
                    status = os.fstat(found)
                    if stat.S_ISLNK(status.st_mode):
                        if not is_roots:
                            raise Refused("is a link, or is behind one, in a folder that is not root's: not followed")
                        links += 1
                        if links > MAX_LINKS:
                            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                        target = os.readlink("", dir_fd=found)
                        steps.extendleft(filter(None, reversed(target.split("/"))))
                        if target.startswith("/"):
                            at, found = os.open("/", os.O_PATH | os.O_CLOEXEC), at
                        continue
                    _check(status, os.fstat(at), reader, is_roots=is_roots)
                    is_roots = is_roots and (not stat.S_ISDIR(status.st_mode) or _is_roots(status))
                    at, found = found, at
                finally:
                    os.close(found)
            # By its descriptor it is what was looked at: nobody can put another file in its place.
            return os.open(f"/proc/self/fd/{at}", flags | os.O_NONBLOCK | os.O_CLOEXEC), is_roots
        finally:
            os.close(at)


def _check(status: os.stat_result, folder: os.stat_result, reader: int, *, is_roots: bool) -> None:
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not is_roots and status.st_nlink > 1 and status.st_uid != folder.st_uid:
        raise Refused("has a second name, in a folder that is not root's: not read")
    if reader and status.st_uid != reader and not status.st_mode & (stat.S_IXOTH if is_folder else stat.S_IROTH):
        raise Refused(f"user {reader}, whose file names it, may not read it: not read")


def _is_roots(status: os.stat_result) -> bool:
    is_shared = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid)
    return status.st_uid == 0 and not is_shared
