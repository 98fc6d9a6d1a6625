import os
from pathlib import Path

import pytest

from sriov_bootstrap import reading
from sriov_bootstrap.edges import texts
from sriov_bootstrap.edges.texts import Text, Texts


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


def test_what_is_absent_is_no_problem_and_what_is_no_file_is_noted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "masked").symlink_to("/dev/null")
    (tmp_path / "circle").symlink_to("circle")
    reader = Texts(str(tmp_path))
    assert [reader.read(f"/{name}") for name in ("fifo", "masked", "circle", "absent", "fifo/x")] == [""] * 5
    assert reader.problems == ["/fifo: is not a regular file"]


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\xff\0")
    assert Texts(str(tmp_path)).read("/x") == "a\N{REPLACEMENT CHARACTER}\0"


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


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "etc/x.d").mkdir(parents=True)
    return tmp_path


def test_a_file_is_read_once_whatever_it_is_called(tree: Path) -> None:
    (tree / "etc/a").write_bytes(b"one\xff")
    (tree / "etc/a").chmod(0o755)
    (tree / "etc/b").symlink_to("a")
    reader = Texts(str(tree), each_once=True)
    assert reader.file("/etc/b") == Text("/etc/b", "one�", is_executable=True)
    assert reader.file("/etc/a") is None


def test_what_is_not_there_is_nothing(tree: Path) -> None:
    (tree / "etc/a").symlink_to("nowhere")
    (tree / "etc/b").symlink_to("b")
    reader = Texts(str(tree))
    assert [reader.file(path) for path in ("/etc/a", "/etc/b", "/etc/c", "/etc/a/b")] == [None] * 4
    assert reader.names("/nowhere") == []
    assert reader.problems == []


def test_nothing_waits_and_nothing_is_too_much(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 1 << 20)
    os.mkfifo(tree / "etc/x.d/fifo")
    (tree / "etc/x.d/huge").write_bytes(b"x" * ((1 << 20) + 1))
    (tree / "etc/x.d/folder").mkdir()
    (tree / "etc/x.d/null").symlink_to("/dev/null")
    reader = Texts(str(tree))
    assert list(reader.folder("/etc/x.d")) == [Text("/etc/x.d/null", "", is_executable=False)]
    assert reader.file("/etc/x.d") is None
    assert reader.problems == [
        "/etc/x.d/fifo: is not a regular file",
        "/etc/x.d/huge: larger than 1 MiB: not read",
        "/etc/x.d: is not a regular file",
    ]


def test_endings_choose(tree: Path) -> None:
    for name in ("b.conf", "a.conf", "c.txt"):
        (tree / "etc/x.d" / name).write_text(name)
    assert [one.text for one in Texts(str(tree)).folder("/etc/x.d", ".conf")] == ["a.conf", "b.conf"]


def test_what_may_be_run_is_told(tree: Path) -> None:
    (tree / "etc/a").write_text("x")
    reader = Texts(str(tree))
    assert not reader.is_executable("/etc/a")
    (tree / "etc/a").chmod(0o755)
    assert [reader.is_executable(path) for path in ("/etc/a", "/etc", "/etc/b")] == [True, False, False]


def test_links_are_told(tree: Path) -> None:
    (tree / "etc/a").symlink_to("/dev/null")
    reader = Texts(str(tree))
    assert (reader.link("/etc/a"), reader.link("/etc/b")) == ("/dev/null", "")


def test_a_folder_has_a_limit_and_so_has_a_file(tree: Path) -> None:
    for name in ("a.conf", "b.conf", "c.conf", "d.conf", ".hidden.conf", "x.txt"):
        (tree / "etc/x.d" / name).write_text(name)
    reader = Texts(str(tree), max_files=2)
    assert list(reader.read_matching("/etc/x.d/*.conf")) == ["/etc/x.d/a.conf", "/etc/x.d/b.conf"]
    said = "/etc/x.d: has 4 files: 2 are read, 2 more, from c.conf on, are not"
    assert reader.problems == [said]
    assert [one.path for one in Texts(str(tree), max_files=2).folder("/etc/x.d", ".txt")] == ["/etc/x.d/x.txt"]
    small = Texts(str(tree), max_bytes=1 << 20)
    (tree / "etc/x.d/a.conf").write_bytes(b"x" * ((1 << 20) + 1))
    assert small.read("/etc/x.d/a.conf") == ""
    assert small.problems == ["/etc/x.d/a.conf: larger than 1 MiB: not read"]


def test_a_very_full_folder_is_looked_at_in_part(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 3)
    monkeypatch.setattr(texts, "MAX_ENTRIES", 3)
    for number in range(5):
        (tree / f"etc/x.d/{number}").touch()
    reader = Texts(str(tree))
    assert len(reader.names("/etc/x.d")) == 3
    assert reader.problems == ["/etc/x.d: has more than 3 entries: the rest is not looked at"]
