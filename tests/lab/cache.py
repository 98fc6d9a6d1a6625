"""The lab's cache: one folder per content of its inputs, built once."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .building import DISK_FULL, MAKE_ROOM, BuildError

HERE: Final = Path(__file__).parent
KEPT_FOR_SECONDS: Final = 14 * 24 * 3600.0
CONTENTS: Final = ".contents"  # in each folder: its files and their sizes
BUILDING: Final = "building-"  # begins the name of a folder that is being made


def cached_folder(key: str, build: Callable[[Path], None], *, megabytes: int = 1500, newest: int | None = None) -> Path:
    """Return the folder of that key, NAME-DIGEST, building it first if need be, which takes root; BuildError.

    `build` makes the folder `image` in the folder that it is given, and takes `megabytes` for that. Of those of that
    name, `newest` are kept besides it, or all that were used of late. Builds of different
    names may run side by side, and one may ask for another.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sriov-bootstrap-lab"
    folder, name = cache / key, key.rpartition("-")[0]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{name}.lock", name):
            if not _is_whole(folder):
                _check_user(name)
                _drop_unused(cache, name, folder)
                if newest is not None:
                    _drop_older(cache, name, newest)
                _check_space(cache, name, megabytes)
                with _scratch(cache, name) as scratch:
                    build(scratch)
                    image = scratch / "image"
                    (image / CONTENTS).write_text(json.dumps(_contents(image)))
                    image.rename(folder)
            os.utime(folder)  # before another build may take it for one that nobody uses
    except OSError as error:
        cause = DISK_FULL if error.errno == errno.ENOSPC else "look at it, or set XDG_CACHE_HOME to another folder"
        raise BuildError(f"lab: {name} cannot be had from the cache in {cache}: {error}: {cause}") from error
    return folder


def digest(inputs: Iterable[Path], *words: str) -> str:
    """Return a key for the content of these files, and these words."""
    key = hashlib.sha256("\0".join(words).encode())
    for path in inputs:
        key.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return key.hexdigest()[:16]


def files_below(folder: Path) -> list[Path]:
    """Return its files in all depths, without the bytecode that Python leaves beside its sources."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.monotonic()
    _say(f"{what} ...")
    yield
    _say(f"{what}: {time.monotonic() - started:.0f} s")


@contextmanager
def _scratch(cache: Path, name: str) -> Iterator[Path]:
    prefix = f"{BUILDING}{name}-"
    # What is left when a program has not quite ended yet, the next build removes.
    with tempfile.TemporaryDirectory(prefix=prefix, dir=cache, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another build of {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _contents(folder: Path) -> dict[str, int]:
    files = [path for path in files_below(folder) if not path.is_symlink()]
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _is_whole(folder: Path) -> bool:
    """A machine that lost its power may have kept a folder's name and not what is in its files."""
    try:
        contents: dict[str, int] = json.loads((folder / CONTENTS).read_text())
        return all((folder / name).stat().st_size == size for name, size in contents.items())
    except (FileNotFoundError, ValueError):
        return False


def _drop_unused(cache: Path, name: str, damaged: Path) -> None:
    """Remove what an interrupted build of that name left, and what nobody has used for long. Needs the name's lock."""
    for folder in [path for path in cache.iterdir() if path.is_dir()]:
        if _name_of(folder) != name:
            _drop_of_others(cache, folder)
            continue
        if folder == damaged:
            _say(f"{folder} is damaged: it is built anew")
        if folder == damaged or folder.name.startswith(BUILDING) or _is_unused(folder):
            _remove(folder)


def _drop_of_others(cache: Path, folder: Path) -> None:
    """Remove a folder of another name that nobody has used for long, unless its lock is taken: never wait for that."""
    if not _is_unused(folder):
        return
    with (cache / f"{_name_of(folder)}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if _is_unused(folder):  # who had the lock until now may have used it, or removed it
            _remove(folder)


def _name_of(folder: Path) -> str:
    """Return the name whose lock is for this folder."""
    return folder.name.removeprefix(BUILDING).rpartition("-")[0]


def _is_unused(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > KEPT_FOR_SECONDS
    except FileNotFoundError:  # another build has removed it, or is done with it
        return False


def _drop_older(cache: Path, name: str, newest: int) -> None:
    """Remove all of that name but those used last. Needs the name's lock."""
    folders = [folder for folder in cache.iterdir() if folder.is_dir() and _name_of(folder) == name]
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)[newest:]:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Builds mount nothing in this machine's own namespace; were it so, removing would go through it."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mounted = Path(line.split()[4].encode().decode("unicode_escape"))
        if mounted.is_relative_to(folder.resolve()):
            raise BuildError(f"lab: {folder} has to go, and there is something mounted in it: `umount -R {mounted}`")
    shutil.rmtree(folder)


def _check_user(name: str) -> None:
    if os.geteuid() != 0:
        raise BuildError(f"lab: building {name} takes root (files of many owners): run this as root")


def _check_space(cache: Path, name: str, megabytes: int) -> None:
    free = shutil.disk_usage(cache).free // 1_000_000
    if free < megabytes:
        raise BuildError(f"lab: building {name} takes {megabytes} MB in {cache}, and {free} MB are free: {MAKE_ROOM}")


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)
