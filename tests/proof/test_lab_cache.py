"""The lab's cache while several builds use it: what nobody uses goes, and nobody is disturbed."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import IO

import pytest

from lab.cache import CONTENTS, KEPT_FOR_SECONDS, cached_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root")

SIDE_BY_SIDE = 3


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "sriov-bootstrap-lab"
    folder.mkdir()
    return folder


def make(scratch: Path) -> None:
    """What a build does: a folder with a file."""
    (scratch / "image").mkdir()
    (scratch / "image" / "file").touch()


def unused(folder: Path) -> Path:
    """Make a folder that nobody has used for long."""
    folder.mkdir()
    (folder / "file").touch()
    (folder / CONTENTS).write_text('{"file": 0}')
    before = time.time() - KEPT_FOR_SECONDS - 60
    os.utime(folder, (before, before))
    return folder


@contextmanager
def locked(cache: Path, name: str) -> Iterator[None]:
    """What another build of that name has."""
    with (cache / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("name", ["main-0", "nics-0", "kept-main-0", "building-main-0", "building-nics-0"])
def test_what_nobody_has_used_for_long_goes(cache: Path, name: str) -> None:
    folder = unused(cache / name)
    cached_folder("nics-1", make)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "is_removed"),
    [("building-nics-x", True), ("nics-0", False), ("main-0", False), ("building-main-x", False)],
)
def test_of_what_was_made_of_late_only_what_an_interrupted_build_of_that_name_left_goes(
    cache: Path, name: str, *, is_removed: bool
) -> None:
    (cache / name).mkdir()
    cached_folder("nics-1", make)
    assert (cache / name).exists() is not is_removed


@pytest.mark.parametrize("name", ["main-0", "building-main-0"])
def test_what_another_build_has_locked_stays_until_a_later_one(cache: Path, name: str) -> None:
    folder = unused(cache / name)
    with locked(cache, "main"):
        cached_folder("nics-1", make)
        assert (folder / "file").exists()
    cached_folder("nics-2", make)
    assert not folder.exists()


@pytest.mark.parametrize(("meanwhile", "is_left"), [(os.utime, True), (shutil.rmtree, False)], ids=["used", "removed"])
def test_what_another_build_used_or_removed_just_before_is_looked_at_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Path], None], *, is_left: bool
) -> None:
    folder, flock = unused(cache / "main-0"), fcntl.flock

    def flock_after_another(file: IO[str], operation: int) -> None:
        if Path(file.name).name == "main.lock":
            meanwhile(folder)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_after_another)
    cached_folder("nics-1", make)
    assert (folder / "file").exists() is is_left


def test_a_folder_is_marked_as_used_before_another_build_may_look_at_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mark = unused(cache / "main-0"), os.utime
    marked = []

    def mark_locked(path: Path) -> None:
        with (cache / "main.lock").open("w") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mark(path)
        marked.append(path)

    monkeypatch.setattr(os, "utime", mark_locked)
    assert cached_folder("main-0", lambda _: pytest.fail("built")) == folder
    assert marked == [folder]


def test_builds_side_by_side_remove_the_same_folders_and_none_fails(cache: Path) -> None:
    for number in range(30):
        unused(cache / f"old-{number}")
    together = Barrier(SIDE_BY_SIDE)

    def build(number: int) -> Path:
        together.wait(30)
        return cached_folder(f"new{number}-1", make)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        folders = list(threads.map(build, range(SIDE_BY_SIDE)))
    assert all((folder / "file").exists() for folder in folders)
