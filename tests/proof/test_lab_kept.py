"""By what the cache tells a kept guest from another: without a guest."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cache import files_below
from lab.emulator import PROGRAM, Emulator
from lab.kept import emulator_words


def test_bytecode_beside_a_source_is_no_input(tmp_path: Path) -> None:
    sources = [tmp_path / "bench" / "measure.py", tmp_path / "hold-device"]
    for path in (*sources, tmp_path / "bench" / "__pycache__" / "measure.cpython-311.pyc"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    assert files_below(tmp_path) == sources


@pytest.mark.parametrize("is_unpacked", [False, True], ids=["own", "unpacked"])
@pytest.mark.parametrize(
    "upgrade",
    [lambda program: os.truncate(program, 1), lambda program: os.utime(program, ns=(1, 1))],
    ids=["size", "time"],
)
def test_a_qemu_that_was_upgraded_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrade: Callable[[Path], None], *, is_unpacked: bool
) -> None:
    program = tmp_path / PROGRAM
    program.write_text("content")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere" if is_unpacked else str(tmp_path))
    words = ("/lib/ld-linux-x86-64.so.2", str(program), "-L", "/usr/share/qemu") if is_unpacked else (PROGRAM,)
    before = emulator_words(Emulator(words))
    assert emulator_words(Emulator(words)) == before
    upgrade(program)
    assert emulator_words(Emulator(words)) != before
