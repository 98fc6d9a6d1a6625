"""Files that other users may have made: opened without blocking, read within a limit, and whether they are root's.

Nothing is opened before it was looked at: a FIFO blocks a plain open(2), a device may act when it is opened
(watchdog(4)), and a file with a hole is as large as its maker likes. For the edges alone.
"""

import errno
import os
import stat
from collections.abc import Iterable
from itertools import islice
from typing import Self

from msgspec import Struct

from sriov_bootstrap.base.printable import shell_quoted

MAX_ENTRIES = 1 << 13  # of a folder; a distribution's largest has a thousand units
NO_FILE = "is not a regular file"
NULL_NUMBER = os.makedev(1, 3)  # Documentation/admin-guide/devices.txt
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CHUNK_BYTES = 1 << 16
FOLDER_MODE = 0o755
ACL = "system.posix_acl_access"  # acl(5)


class IrregularError(OSError):
    """The name is not that of a regular file."""


class TooLargeError(OSError):
    """It is larger than the caller wants to read."""


class Opened(Struct, frozen=True):
    """A regular file that is open until the end of its `with`, or /dev/null, which is not opened."""

    status: os.stat_result
    descriptor: int = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def read(self, limit: int, *, is_cut: bool = False) -> bytes:
        """All of it. TooLargeError if that is more than `limit` bytes; `is_cut`: the first limit + 1 of them."""
        if self.descriptor < 0:
            return b""
        if self.status.st_size > limit and not is_cut:
            raise _too_large(limit)
        parts, left = [], limit + 1  # what grows meanwhile, and what has no size, as in /proc
        while left and (part := os.read(self.descriptor, min(left, max(CHUNK_BYTES, self.status.st_size + 1)))):
            parts.append(part)
            left -= len(part)
            if len(part) == self.status.st_size:
                break
        if not left and not is_cut:
            raise _too_large(limit)
        return b"".join(parts)


def open_regular(path: str, *, folder: int | None = None, status: os.stat_result | None = None) -> Opened:
    """A regular file for reading, or OSError. `folder`: `path` is a name in it, and no link is followed.

    `status`: what was found there a moment ago, if it was looked at.
    """
    is_plain = folder is None
    status = _refuse_irregular(status or os.stat(path, dir_fd=folder, follow_symlinks=is_plain))
    if stat.S_ISCHR(status.st_mode):
        return Opened(status)
    descriptor = os.open(path, FLAGS | (0 if is_plain else os.O_NOFOLLOW), dir_fd=folder)
    try:
        return Opened(_refuse_irregular(os.fstat(descriptor)), descriptor)  # another file may have taken the name
    except OSError:
        os.close(descriptor)
        raise


def read_file(path: str, limit: int) -> bytes:
    """What is in a regular file; b"" for /dev/null. OSError for everything else, and for more than `limit` bytes."""
    with open_regular(path) as file:
        return file.read(limit)


def read_names(path: str | int, most: int = 0) -> tuple[list[str], bool]:
    """What is in a folder, sorted, and whether that is all: no more than `most`, or MAX_ENTRIES, are looked at."""
    most = most or MAX_ENTRIES
    with os.scandir(path) as entries:
        names = [entry.name for entry in islice(entries, most + 1)]
    return sorted(names[:most]), len(names) <= most


def read_all_names(path: str | int, most: int = 0) -> list[str]:
    """The same, or TooLargeError if there are more."""
    names, is_all = read_names(path, most)
    if not is_all:
        raise TooLargeError(errno.EFBIG, f"more than {most or MAX_ENTRIES} entries")
    return names


def is_anothers(status: os.stat_result) -> bool:
    """Whether it is owned by a user other than root and us."""
    return status.st_uid not in {0, os.geteuid()}


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether users other than its owner and root may write to it."""
    return bool(status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0))


def is_roots(status: os.stat_result) -> bool:
    """Whether only root may change it."""
    return status.st_uid == 0 and not is_open_to_others(status)


def distrust_file(path: str, status: os.stat_result) -> str:
    """Why a file that was found, not named, may have been changed by a user other than root; "" if not."""
    if not stat.S_ISREG(status.st_mode):  # /dev/null, or a link to it
        return ""
    if is_anothers(status):
        return f"is owned by user {status.st_uid}, who could change it: chown root {shell_quoted(path)}"
    if is_open_to_others(status):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        return f"is writable by users other than root (mode {mode}): chmod go-w {shell_quoted(path)}"
    if _has_acl_to_write(path, status):
        return f"may be writable by users other than root, by its ACL: setfacl -b {shell_quoted(path)}"
    return ""


def distrust_folders(folders: Iterable[tuple[str, os.stat_result]]) -> str:
    """The same for its parent folders: anyone who can write to one of them can put another file there."""
    for folder, status in folders:
        if is_anothers(status):
            who = f"user {status.st_uid}, who could replace it: chown root {shell_quoted(folder)}"
            return f"is in {folder}, which is owned by {who}"
        if is_open_to_others(status) and not status.st_mode & stat.S_ISVTX:  # sticky as /tmp
            return f"is in {folder}, where users other than root could replace it: chmod go-w {shell_quoted(folder)}"
        if _has_acl_to_write(folder, status):
            remedy = f"setfacl -b {shell_quoted(folder)}"
            return f"is in {folder}, whose ACL may let users other than root replace it: {remedy}"
    return ""


def _has_acl_to_write(path: str, status: os.stat_result) -> bool:
    """Whether the mode's bits of the group are the mask of an ACL that lets somebody write."""
    if not status.st_mode & stat.S_IWGRP:
        return False
    try:
        return bool(os.getxattr(path, ACL))
    except OSError:  # there is none, or this file system has none
        return False


def make_folder(name: str, folder: int | None = None) -> None:
    """Make a folder that all users may look into, whatever the umask, in the open `folder`; FileExistsError.

    A umask of 027 is usual on hardened hosts, and what is written there is for others: the exporter, QEMU, nova.
    """
    os.mkdir(name, FOLDER_MODE, dir_fd=folder)
    descriptor = os.open(name, FLAGS | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        os.fchmod(descriptor, FOLDER_MODE)
    finally:
        os.close(descriptor)


def sync_folder(folder: int) -> None:
    """Keeps the names in it over a power cut. Some file systems cannot, and say so with EINVAL."""
    descriptor = os.open(".", FLAGS | os.O_DIRECTORY, dir_fd=folder)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _refuse_irregular(status: os.stat_result) -> os.stat_result:
    if stat.S_ISDIR(status.st_mode):
        raise IrregularError(errno.EISDIR, os.strerror(errno.EISDIR))
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == NULL_NUMBER
    if not stat.S_ISREG(status.st_mode) and not is_null:
        raise IrregularError(errno.EINVAL, NO_FILE)
    return status


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(errno.EFBIG, f"larger than {limit >> 20} MiB")
