"""Folders in the cache for what a running guest writes: its disk, its console.

Whoever is killed cannot clean up, and a disk has hundreds of megabytes. So each folder has a lock, which is held while
the folder is in use and ends with the process; whoever makes the next folder removes those whose lock is free.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "running-"
LOCK: Final = "lock"


@contextmanager
def scratch_folder(cache: Path) -> Iterator[Path]:
    """Yield a new folder below `cache`, and remove it at the end. Its path may be too long for a socket's."""
    with ExitStack() as stack:
        with (cache / "running.lock").open("w") as turn:  # else the next one would find it before it is locked
            fcntl.flock(turn, fcntl.LOCK_EX)
            _remove_abandoned(cache)
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=cache, ignore_cleanup_errors=True))
            )
            lock = stack.enter_context((folder / LOCK).open("w"))  # no program that we start inherits it
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _remove_abandoned(cache: Path) -> None:
    for folder in cache.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open("w") as lock:  # in use, or about to be removed by its user
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
