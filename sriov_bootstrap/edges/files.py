"""Plain files: config, state.json, modprobe.d. The only module that reads or writes them."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile
from sriov_bootstrap.errors import SriovBootstrapError, SysfsError
from sriov_bootstrap.printable import shell_quoted

FOLDERS = ("usr/lib/sriov-bootstrap", "etc/sriov-bootstrap", "run/sriov-bootstrap")  # lowest first
MAX_LINKS = 40  # as the kernel's own (include/linux/namei.h)


class Files:
    """Everything below `root`, "" for the real one. `config_paths` replace the search for config files."""

    def __init__(self, root: str = "", config_paths: tuple[str, ...] = ()) -> None:
        """Reads nothing yet."""
        self._root = root
        self._config_paths = config_paths
        self._run = f"{self._root}/run/sriov-bootstrap"
        self._state = f"{self._run}/state.json"
        self._findings = f"{self._run}/findings.json"

    def read_config(self) -> tuple[ConfigFile, ...]:
        """Every config file, lowest folder first."""
        if self._config_paths:
            return tuple(_read_config(path, is_drop_in=False, is_searched=False) for path in self._config_paths)
        files = []
        for folder in (f"{self._root}/{one}" for one in FOLDERS):
            main = f"{folder}/config.toml"
            if folder.endswith("/etc/sriov-bootstrap") and os.path.lexists(main):
                files.append(_read_config(main, is_drop_in=False))
            files += [_read_config(path, is_drop_in=True) for path in _drop_ins(f"{folder}/config.d")]
        return tuple(files)

    @property
    def has_named_config(self) -> bool:
        """Whether the config was named, and not searched."""
        return bool(self._config_paths)

    def read_state(self) -> bytes:
        """state.json, b"" if it cannot be read."""
        return _read_if_there(self._state)

    def save_state(self, data: bytes) -> str:
        """Why state.json could not be saved, "" when it was."""
        try:
            os.makedirs(self._run, mode=0o755, exist_ok=True)
            replace_file(self._state, data)
        except OSError as error:
            return (
                f"{self._state} could not be saved: {error.strerror}: a restart of the service forgets what it counted"
            )
        return ""

    def read_findings(self) -> bytes:
        """findings.json, b"" if it cannot be read."""
        return _read_if_there(self._findings)

    def save_findings(self, data: bytes) -> None:
        """Replaces it. Where that fails nobody but status and the textfile knows less."""
        with contextlib.suppress(OSError):
            os.makedirs(self._run, mode=0o755, exist_ok=True)
            replace_file(self._findings, data)

    def forget_answer(self, name: str) -> None:
        """Takes an earlier answer of a helper unit away: it must not pass for the next one. Raises SysfsError."""
        path = f"{self._run}/{name}.answer"
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SysfsError(f"{path}: {error.strerror}", errno=error.errno or 0) from error

    def read_answer(self, name: str) -> bytes:
        """What a helper unit has answered, b"" if nothing."""
        return _read_if_there(f"{self._run}/{name}.answer")

    def write_file(self, path: str, text: str) -> None:
        """Replaces a file below root. SysfsError carries the errno."""
        try:
            replace_file(f"{self._root}{path}", text.encode(), durable=True)
        except OSError as error:
            raise SysfsError(f"{path}: {error.strerror}", errno=error.errno or 0) from error

    def read_text(self, path: str) -> str | None:
        """A file below root, None where there is none. SriovBootstrapError when it cannot be read."""
        try:
            with open(f"{self._root}{path}", encoding="utf-8", errors="replace") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}"
            raise SriovBootstrapError(message, hint="run as root") from error

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that are there."""
        return frozenset(path for path in paths if os.path.exists(f"{self._root}{path}"))

    def install_file(self, path: str, text: str) -> None:
        """Replaces a file below root, or makes it with its folders; owner and mode of one that was there stay."""
        try:
            os.makedirs(f"{self._root}{path}".rpartition("/")[0], mode=0o755, exist_ok=True)
            replace_file(f"{self._root}{path}", text.encode(), durable=True, keep_owner=True)
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be written: {error.strerror}", hint="run as root") from error

    def remove_file(self, path: str) -> None:
        """Removes a file below root."""
        try:
            os.unlink(f"{self._root}{path}")
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be removed: {error.strerror}", hint="run as root") from error

    def read_template(self, name: str) -> ConfigFile | None:
        """The site's own template of that name, None where there is none."""
        path = f"{self._root}/etc/sriov-bootstrap/templates/{name}"
        return _read_config(path, is_drop_in=False) if os.path.lexists(path) else None

    def is_disabled(self) -> bool:
        """Whether the kill switch file is there, which keeps the unit from starting."""
        return os.path.exists(f"{self._root}/etc/sriov-bootstrap/disabled")


Stamp = tuple[int, ...]  # another one when the file was changed, or when another file took its name


def _read_if_there(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def read_trusted(path: str) -> tuple[ConfigFile, Stamp | None]:
    """A file of which root alone decides what is in it, refused like a config file; and its stamp."""
    before = stamp(path)  # what changes while it is read is seen to have changed
    return _read_config(path, is_drop_in=False), before


def stamp(path: str) -> Stamp | None:
    """Of the file that has this name now, None if there is none. Opens nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    # ctime as well: it is another file to us when its owner or its mode was put right.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def replace_file(path: str, data: bytes, *, durable: bool = False, keep_owner: bool = False) -> None:
    """Readers see the old text or the new one, never a part. `durable`: also after a power cut. Raises OSError.

    The file is root's and readable for all, or, with `keep_owner`, whose it was and as open as it was.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    before = _status(path) if keep_owner else None
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode) if before else 0o644)
            if before and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            if durable:
                os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _drop_ins(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name.endswith(".toml") and name[0] != "."]
    except OSError:
        return []


def _read_config(path: str, *, is_drop_in: bool, is_searched: bool = True) -> ConfigFile:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # O_NONBLOCK: a FIFO must not hang us
    except OSError as error:
        return ConfigFile(path, problem=f"cannot be read: {error.strerror}", is_drop_in=is_drop_in)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) and not os.path.samestat(status, os.stat(os.devnull)):
            return ConfigFile(path, problem="is not a regular file", is_drop_in=is_drop_in)
        if is_searched and (problem := _distrust(status) or _distrust_folders(path)):
            return ConfigFile(path, problem=problem, is_drop_in=is_drop_in)
        with open(descriptor, "rb", closefd=False) as file:
            return ConfigFile(path, file.read(MAX_FILE_BYTES + 1), is_drop_in=is_drop_in)
    except OSError as error:
        return ConfigFile(path, problem=f"cannot be read: {error.strerror}", is_drop_in=is_drop_in)
    finally:
        os.close(descriptor)


def _distrust(status: os.stat_result) -> str:
    """Why what is in a file that was found, not named, may not be what root has decided; "" if it may be."""
    if stat.S_ISCHR(status.st_mode):  # /dev/null
        return ""
    if status.st_uid not in {0, os.geteuid()}:
        return f"belongs to user {status.st_uid}, who could change it: chown root it"
    is_open = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
    return (
        f"can be written by others than root (mode {stat.S_IMODE(status.st_mode):04o}): chmod go-w it"
        if is_open
        else ""
    )


def _distrust_folders(path: str) -> str:
    """The same of the folders on the way: whoever can write to one of them can put another file there."""
    for folder in _folders_on_the_way(os.path.abspath(path)):
        status = os.stat(folder)
        if status.st_uid not in {0, os.geteuid()}:
            who = f"user {status.st_uid}, who could replace it: chown root {shell_quoted(folder)}"
            return f"is in {folder}, which belongs to {who}"
        is_open = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
        if is_open and not status.st_mode & stat.S_ISVTX:  # sticky as /tmp: nobody replaces what is another's
            return f"is in {folder}, where others than root could replace it: chmod go-w {shell_quoted(folder)}"
    return ""


def _folders_on_the_way(path: str) -> Iterator[str]:
    """Every folder that has a say in which file an absolute path is, those of links and of their targets included."""
    here, ahead, links = "/", path.split("/")[::-1], 0
    while ahead and links < MAX_LINKS:
        name = ahead.pop()
        if name == "..":
            here = os.path.dirname(here)
        if name in {"", ".", ".."}:
            continue
        yield here
        step = os.path.join(here, name)
        try:
            target = os.readlink(step)
        except OSError:  # no link
            here = step
            continue
        links += 1
        ahead += target.split("/")[::-1]
        here = "/" if target.startswith("/") else here
