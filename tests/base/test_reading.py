"""Files that somebody else has made."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov_bootstrap.base import reading
from sriov_bootstrap.base.reading import IrregularError, TooLargeError, open_regular, read_file, read_names

MIB = 1 << 20


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    path = put(tmp_path / "x", "x" * MIB)
    assert read_file(str(path), MIB) == b"x" * MIB
    with pytest.raises(TooLargeError, match="larger than 1 MiB"):
        read_file(str(put(path, "x" * (MIB + 1))), MIB)
    with open_regular(str(path)) as file:
        assert len(file.read(100, is_cut=True)) == 101


def test_what_has_no_size_has_a_limit_too() -> None:
    assert read_file("/proc/self/comm", MIB)
    with pytest.raises(TooLargeError):
        read_file("/proc/self/maps", 10)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [fifo, zero, Path.mkdir])
def test_what_is_no_file_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "x")
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(IrregularError):
        read_file(str(tmp_path / "x"), MIB)


def test_a_file_that_becomes_a_fifo_meanwhile_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "x")
    before = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *_, **__: before)
    with pytest.raises(IrregularError):
        read_file(str(path), MIB)


def test_dev_null_is_empty(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("/dev/null")
    assert read_file(str(tmp_path / "x"), MIB) == b""


def test_a_full_folder_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 2)
    for name in ("b", "a"):
        put(tmp_path / name)
    assert read_names(str(tmp_path)) == (["a", "b"], True)
    put(tmp_path / "c")
    names, is_all = read_names(str(tmp_path))
    assert (len(names), is_all) == (2, False)
