"""The lab's cache: one folder per content of its inputs, built once."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
KEPT_FOR_SECONDS: Final = 14 * 24 * 3600.0


def cached_folder(key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of that key, NAME-DIGEST, building it first if need be, which takes root.

    `build` makes the folder `image` in the folder that it is given. Builds of different names may run side by side, and
    one may ask for another.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sriov-bootstrap-lab"
    cache.mkdir(parents=True, exist_ok=True)
    folder, name = cache / key, key.rpartition("-")[0]
    with _locked(cache / f"{name}.lock", name):
        if not folder.exists():
            _check_user()
            _drop_unused(cache, name)
            with tempfile.TemporaryDirectory(prefix=f"building-{name}-", dir=cache) as scratch:
                build(Path(scratch))
                (Path(scratch) / "image").rename(folder)
    os.utime(folder)
    return folder


def digest(inputs: Iterable[Path], *words: str) -> str:
    """Return a key for the content of these files, and these words."""
    key = hashlib.sha256("\0".join(words).encode())
    for path in inputs:
        key.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return key.hexdigest()[:16]


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.monotonic()
    _say(f"{what} ...")
    yield
    _say(f"{what}: {time.monotonic() - started:.0f} s")


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another build of {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop_unused(cache: Path, name: str) -> None:
    """Remove what an interrupted build of that name left, and what nobody has used for long. Needs the name's lock."""
    for folder in cache.iterdir():
        if folder.is_dir():
            is_old = time.time() - folder.stat().st_mtime > KEPT_FOR_SECONDS
            if is_old or folder.name.startswith(f"building-{name}-"):
                shutil.rmtree(folder)


def _check_user() -> None:
    if os.geteuid() != 0:
        message = (
            "lab: building the guest image takes root (files of many owners); once built it is used from the cache"
        )
        raise PermissionError(message)


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)
