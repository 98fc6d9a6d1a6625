"""Places below a root: found step by step, so that no link leads out, and nothing is swapped on the way.

For the edges alone.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from sriov_bootstrap.base.errors import LinkError
from sriov_bootstrap.base.reading import (
    FLAGS,
    NO_FILE,
    IrregularError,
    Opened,
    is_anothers,
    is_open_to_others,
    make_folder,
    open_regular,
    read_all_names,
    sync_folder,
)

MAX_LINKS = 40  # as the kernel's own (include/linux/namei.h)
HINT = "replace it with the intended file, or with a relative link that stays below that folder"
NULL = "/dev/null"
FOLDER_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Location(Struct):
    """Where a path leads: a name in a folder that is open. `status`: of what has that name, None for nothing."""

    folder: int
    name: str
    status: os.stat_result | None
    folders: list[tuple[str, os.stat_result]]  # that have a say in it, those of links and of their targets included

    @property
    def is_null(self) -> bool:
        """Whether it is a link to /dev/null, which masks: it counts below every root, with or without devices."""
        return self.status is not None and stat.S_ISLNK(self.status.st_mode) and self._target() == NULL

    def _target(self) -> str:
        return os.readlink(self.name, dir_fd=self.folder)

    @contextmanager
    def open_file(self) -> Iterator[Opened]:
        """The file for reading."""
        if self.is_null and self.status:
            yield Opened(self.status)
            return
        with open_regular(self.name, folder=self.folder) as file:
            yield file


class Below:
    """Everything below `root`, "" for the real one, found step by step by descriptors, so that nothing is swapped.

    Below a root an absolute link means what it means to who lives there, or to us if it names the root. One that leads
    out is a LinkError, and so is one to what only the host has. On this host it is one in a folder in which others than
    root choose what a link says.
    """

    def __init__(self, root: str = "") -> None:
        """Reads nothing yet."""
        self._root = root

    @contextmanager
    def place(
        self, path: str, *, follow: bool = True, make: bool = False, any_link: bool = False
    ) -> Iterator[Location]:
        """Where it is. OSError, LinkError. `make`: folders that are not there; `any_link`: whoever made a link.

        `follow`: also a link that has the last name, except one to /dev/null.
        """
        walk = _Walk(self._root, any_link=any_link or bool(self._root))
        try:
            yield walk.go(path, follow=follow, make=make)
        finally:
            walk.close()

    def read(self, path: str, limit: int) -> bytes:
        """As read_file()."""
        with self.place(path) as place, place.open_file() as file:
            return file.read(limit)

    def exists(self, path: str) -> bool:
        """Whether it exists. On this host as every process sees it, whoever made the links."""
        if not self._root:
            return os.path.exists(path)
        try:
            with self.place(path) as place:
                return place.status is not None
        except IrregularError:  # a device
            return True
        except (OSError, LinkError):
            return False

    def refuse_if_out(self, path: str) -> None:
        """LinkError if the kernel, which knows of no root, would find this path elsewhere."""
        top, real = os.path.realpath(self._root), os.path.realpath(f"{self._root}{path}")
        if not f"{real}/".startswith(f"{top}/"):
            raise LinkError(f"{self._root}{path}: leads to {real}, which is not below {self._root}", hint=HINT)

    def names(self, path: str, most: int = 0) -> list[str]:
        """What is in a folder, sorted. OSError, LinkError; TooLargeError for more than `most`, or MAX_ENTRIES."""
        with self.place(path, any_link=True) as place:
            flags = FLAGS | os.O_DIRECTORY | os.O_NOFOLLOW
            descriptor = os.open(place.name, flags, dir_fd=place.folder)
            try:
                return read_all_names(descriptor, most)
            finally:
                os.close(descriptor)


class _Walk:
    """From the root to a place."""

    def __init__(self, root: str, *, any_link: bool) -> None:
        self._root = root
        self._any_link = any_link
        self._open = [os.open(root or "/", FOLDER_FLAGS)]  # the folder where we are is the last one
        self._names: list[str] = []  # of all but the first
        self._folders: list[tuple[str, os.stat_result]] = []
        self._link, self._target, self._links = "", "", 0  # the last link, where it leads, how many there were
        self._after = 0  # the steps that come after its own

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    def go(self, path: str, *, follow: bool, make: bool) -> Location:
        ahead = _steps(path)
        self._note_folder()
        while ahead:
            name = ahead.pop()
            if name == "..":
                self._go_up(path)
                continue
            status = self._lstat(name)
            if status and stat.S_ISLNK(status.st_mode) and (ahead or follow):
                target = os.readlink(name, dir_fd=self._open[-1])
                if not ahead and target == NULL:
                    return self._location(name, status)
                self._follow_link(name, status, target)
                self._after = len(ahead)
                ahead += _steps(self._target)
                continue
            if not status and self._is_for_host(ahead):
                self._refuse_host(path, make=make)
            if not ahead:
                return self._location(name, status)
            if not status and make:
                with suppress(FileExistsError):  # another process of ours has been faster
                    make_folder(name, self._open[-1])
                sync_folder(self._open[-1])
            self._enter(name)
        return self._location(".", os.fstat(self._open[-1]))

    def _is_for_host(self, ahead: list[str]) -> bool:
        """Whether what is not there is what an absolute link leads to: it means the host, as likely as not."""
        return bool(self._root) and self._target.startswith("/") and len(ahead) >= self._after

    def _refuse_host(self, path: str, *, make: bool) -> None:
        """Raises, unless it exists for no one."""
        if self._target.startswith("/dev/"):
            raise IrregularError(errno.EINVAL, NO_FILE)
        if make or os.path.lexists(self._target):
            raise self._link_out(path)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _lstat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._open[-1], follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _enter(self, name: str) -> None:
        self._open.append(os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=self._open[-1]))
        self._names.append(name)
        self._note_folder()

    def _go_up(self, path: str = "") -> None:
        """Back the way we came: `..` of a folder that is moved meanwhile may be anywhere."""
        if self._names:
            os.close(self._open.pop())
            self._names.pop()
        elif self._root:
            raise self._link_out(path)

    def _follow_link(self, name: str, status: os.stat_result, target: str) -> None:
        folder = os.fstat(self._open[-1])
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not self._any_link and (why := _distrust(folder, status)):
            raise LinkError(
                f"{self._path(name)}: is a link in {self._path()}, {why}: not followed",
                hint="replace it with the intended file, or let only root write to that folder",
            )
        self._link = self._path(name)
        self._target = target
        if target.startswith("/"):
            if self._root and f"{target}/".startswith(f"{self._root}/"):
                self._target = target.removeprefix(self._root) or "/"
            while self._names:
                self._go_up()

    def _link_out(self, path: str) -> LinkError:
        if not self._link:
            return LinkError(f"{path}: is not below {self._root}")
        return LinkError(f"{self._link}: is a link to {self._target}, which is not below {self._root}", hint=HINT)

    def _location(self, name: str, status: os.stat_result | None) -> Location:
        return Location(self._open[-1], name, status, self._folders)

    def _note_folder(self) -> None:
        self._folders.append((self._path(), os.fstat(self._open[-1])))

    def _path(self, *names: str) -> str:
        return f"{self._root}/{'/'.join((*self._names, *names))}".rstrip("/") or "/"


def _steps(path: str) -> list[str]:
    """The next one last."""
    return [step for step in reversed(path.split("/")) if step not in {"", "."}]


def _distrust(folder: os.stat_result, link: os.stat_result) -> str:
    """Why users other than root may have chosen where this link leads; "" if they cannot have."""
    if is_anothers(folder):
        return f"which is owned by user {folder.st_uid}"
    if is_open_to_others(folder) and (not folder.st_mode & stat.S_ISVTX or is_anothers(link)):  # sticky as /tmp
        return "where users other than root may write"
    return ""
