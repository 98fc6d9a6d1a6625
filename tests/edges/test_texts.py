import os
from pathlib import Path

import pytest

from sriov_bootstrap.edges import texts
from sriov_bootstrap.edges.texts import Texts


def test_files_are_read_in_the_order_of_the_globs(tmp_path: Path) -> None:
    for name in ("b.conf", "a.conf", "a.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty.conf").touch()
    found = Texts(str(tmp_path)).read_matching("/*.txt", "/none/*.conf", "/*.conf", "/absent")
    assert list(found.items()) == [
        ("/a.txt", "a.txt"),
        ("/a.conf", "a.conf"),
        ("/b.conf", "b.conf"),
        ("/empty.conf", ""),
    ]


def test_what_is_absent_is_no_problem_and_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "masked").symlink_to("/dev/null")
    (tmp_path / "circle").symlink_to("circle")
    reader = Texts(str(tmp_path))
    assert [reader.read(f"/{name}") for name in ("fifo", "masked", "circle", "absent", "fifo/x")] == [""] * 5
    assert not reader.problems


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\xff\0")
    assert Texts(str(tmp_path)).read("/x") == "a\N{REPLACEMENT CHARACTER}\0"


def test_what_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 1 << 20)
    (tmp_path / "x").write_bytes(b"x" * ((1 << 20) + 1))
    reader = Texts(str(tmp_path))
    assert not reader.read("/x")
    assert reader.problems == ["/x: larger than 1 MiB: not read"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to be refused")
def test_what_may_not_be_read_is_said_with_the_way_out(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)
    (tmp_path / "shadow").mkdir(mode=0o700)
    (tmp_path / "x").touch(mode=0o600)
    reader = Texts(str(tmp_path))
    os.seteuid(65534)
    try:
        reader.read("/x")
        reader.read_matching("/shadow/*")
    finally:
        os.seteuid(0)
    assert reader.problems == [
        "/x: cannot be read: Permission denied: run it as root",
        "/shadow: cannot be read: Permission denied: run it as root",
    ]
