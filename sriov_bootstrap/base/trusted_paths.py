"""Files in folders that others than root may change: which way leads to them, and whether they may be read.

Root reads folders of services and users, and may show what it reads. So a link only counts if root made it: in a folder
that another user may change, none is followed, and no file with a second name is read.
"""

import errno
import os
import stat
from collections import deque

from sriov_bootstrap.base.below import MAX_LINKS
from sriov_bootstrap.base.reading import FLAGS, Opened, is_roots, open_regular


class UntrustedFile(Exception):  # noqa: N818 - no error: it becomes a problem of the reader
    """Not to be followed or read; the text says why."""


class TrustedPaths:
    """Ways below `root`, "" for the real one. Any user but root sees nothing that others could not show as well."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._is_guarded = os.geteuid() == 0
        self._roots: dict[str, bool] = {}

    def open_file(self, path: str, reader: int = 0) -> Opened:
        """OSError, UntrustedFile. `reader`: the user whose file names it, who must be able to read it too."""
        place = f"{self._root}{path}"
        if not self._is_guarded:
            return open_regular(place)
        if not reader and self._is_roots(path.rpartition("/")[0]):
            status = os.lstat(place)
            if not stat.S_ISLNK(status.st_mode):
                return open_regular(place, status=status)
        found = self.walk(path, os.O_PATH, reader)[0]
        try:
            # Through its descriptor it is what was looked at: it cannot be replaced by another file.
            return open_regular(f"/proc/self/fd/{found}")
        finally:
            os.close(found)

    def is_foreign(self, path: str, status: os.stat_result) -> bool:
        """Whether others than root may change a file that was opened, or have put it there; to others nothing is."""
        return self._is_guarded and not (is_roots(status) and self._is_roots(path.rpartition("/")[0]))

    def _is_roots(self, folder: str) -> bool:
        """Whether only root can change it and the folders that lead to it."""
        if folder not in self._roots:
            try:
                descriptor, self._roots[folder] = self.walk(folder or "/", os.O_PATH)
                os.close(descriptor)
            except (OSError, UntrustedFile):
                return False
        return self._roots[folder]

    def walk(self, path: str, flags: int, reader: int = 0) -> tuple[int, bool]:
        """Opens what is there, step by step; and whether every folder on the way, and it, is root's."""
        if not self._is_guarded:
            return os.open(f"{self._root}{path}", FLAGS | flags), False
        steps = deque(filter(None, path.split("/")))
        at, all_roots, links = os.open(self._root or "/", os.O_PATH | os.O_CLOEXEC), True, 0
        try:
            while steps:
                step = steps.popleft()
                found = os.open(step, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                try:
                    status = os.fstat(found)
                    if stat.S_ISLNK(status.st_mode):
                        if not all_roots:
                            raise UntrustedFile(
                                "is a link, or is behind one, in a folder not owned by root: not followed"
                            )
                        links += 1
                        if links > MAX_LINKS:
                            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                        target = os.readlink("", dir_fd=found)
                        steps.extendleft(filter(None, reversed(target.split("/"))))
                        if target.startswith("/"):
                            at, found = os.open("/", os.O_PATH | os.O_CLOEXEC), at
                        continue
                    _refuse_untrusted(status, os.fstat(at), reader, all_roots=all_roots)
                    all_roots = all_roots and (not stat.S_ISDIR(status.st_mode) or is_roots(status))
                    at, found = found, at
                finally:
                    os.close(found)
            return os.open(f"/proc/self/fd/{at}", FLAGS | flags), all_roots
        finally:
            os.close(at)


def _refuse_untrusted(status: os.stat_result, folder: os.stat_result, reader: int, *, all_roots: bool) -> None:
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not all_roots and status.st_nlink > 1 and status.st_uid != folder.st_uid:
        raise UntrustedFile("has a second name, in a folder not owned by root: not read")
    if reader and status.st_uid != reader and not status.st_mode & (stat.S_IXOTH if is_folder else stat.S_IROTH):
        raise UntrustedFile(f"not read: user {reader}, whose file names it, may not read it")
