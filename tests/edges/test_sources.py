import os
from pathlib import Path

import pytest

from sriov_bootstrap.edges.sources import MAX_BYTES, Sources, Text


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "etc/x.d").mkdir(parents=True)
    return tmp_path


def test_a_file_is_read_once_whatever_it_is_called(tree: Path) -> None:
    (tree / "etc/a").write_bytes(b"one\xff")
    (tree / "etc/a").chmod(0o755)
    (tree / "etc/b").symlink_to("a")
    sources = Sources(str(tree))
    assert sources.file("/etc/b") == Text("/etc/b", "one�", is_executable=True)
    assert sources.file("/etc/a") is None


def test_what_is_not_there_is_nothing(tree: Path) -> None:
    (tree / "etc/a").symlink_to("nowhere")
    (tree / "etc/b").symlink_to("b")
    sources = Sources(str(tree))
    assert [sources.file(path) for path in ("/etc/a", "/etc/b", "/etc/c", "/etc/a/b")] == [None] * 4
    assert sources.names("/nowhere") == []
    assert sources.problems == []


def test_nothing_waits_and_nothing_is_too_much(tree: Path) -> None:
    os.mkfifo(tree / "etc/x.d/fifo")
    (tree / "etc/x.d/huge").write_bytes(b"x" * (MAX_BYTES + 1))
    (tree / "etc/x.d/folder").mkdir()
    (tree / "etc/x.d/null").symlink_to("/dev/null")
    sources = Sources(str(tree))
    assert list(sources.folder("/etc/x.d")) == [Text("/etc/x.d/null", "", is_executable=False)]
    assert sources.file("/etc/x.d") is None
    assert sources.problems == [
        "/etc/x.d/fifo: is not a regular file",
        "/etc/x.d/huge: larger than 1 MiB: not looked at",
        "/etc/x.d: is not a regular file",
    ]


def test_endings_choose(tree: Path) -> None:
    for name in ("b.conf", "a.conf", "c.txt"):
        (tree / "etc/x.d" / name).write_text(name)
    assert [one.text for one in Sources(str(tree)).folder("/etc/x.d", ".conf")] == ["a.conf", "b.conf"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_noted(tree: Path) -> None:
    (tree / "etc/a").write_text("x")
    (tree / "etc/a").chmod(0)
    sources = Sources(str(tree))
    assert sources.file("/etc/a") is None
    assert sources.problems == ["/etc/a: cannot be read: Permission denied: run as root"]


def test_what_may_be_run_is_told(tree: Path) -> None:
    (tree / "etc/a").write_text("x")
    sources = Sources(str(tree))
    assert not sources.is_executable("/etc/a")
    (tree / "etc/a").chmod(0o755)
    assert [sources.is_executable(path) for path in ("/etc/a", "/etc", "/etc/b")] == [True, False, False]


def test_links_are_told(tree: Path) -> None:
    (tree / "etc/a").symlink_to("/dev/null")
    sources = Sources(str(tree))
    assert (sources.link("/etc/a"), sources.link("/etc/b")) == ("/dev/null", "")
