import os
from pathlib import Path

import pytest

from sriov_bootstrap.base import reading
from sriov_bootstrap.edges import text_files
from sriov_bootstrap.edges.text_files import Text, TextFiles


def test_files_are_read_in_the_order_of_the_globs(tmp_path: Path) -> None:
    for name in ("b.conf", "a.conf", "a.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty.conf").touch()
    found = TextFiles(str(tmp_path)).read_matching("/*.txt", "/none/*.conf", "/*.conf", "/absent")
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
    reader = TextFiles(str(tmp_path))
    assert [reader.read(f"/{name}") for name in ("fifo", "masked", "circle", "absent", "fifo/x")] == [""] * 5
    assert reader.problems == ["/fifo: is not a regular file"]


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\xff\0")
    assert TextFiles(str(tmp_path)).read("/x") == "a\N{REPLACEMENT CHARACTER}\0"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to be refused")
def test_what_may_not_be_read_is_said_with_the_way_out(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)
    (tmp_path / "shadow").mkdir(mode=0o700)
    (tmp_path / "x").touch(mode=0o600)
    reader = TextFiles(str(tmp_path))
    os.seteuid(65534)
    try:
        reader.read("/x")
        reader.read_matching("/shadow/*")
    finally:
        os.seteuid(0)
    assert reader.problems == [
        "/x: cannot be read: Permission denied: run doctor as root",
        "/shadow: cannot be read: Permission denied: run doctor as root",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etc/x.d").mkdir(parents=True)
    return tmp_path


def test_a_file_is_read_once_whatever_it_is_called(folder: Path) -> None:
    (folder / "etc/a").write_bytes(b"one\xff")
    (folder / "etc/a").chmod(0o755)
    (folder / "etc/b").symlink_to("a")
    reader = TextFiles(str(folder), each_once=True)
    assert reader.file("/etc/b") == Text("/etc/b", "one�", is_executable=True, owner=os.geteuid())
    assert reader.file("/etc/a") is None


def test_what_is_not_there_is_nothing(folder: Path) -> None:
    (folder / "etc/a").symlink_to("nowhere")
    (folder / "etc/b").symlink_to("b")
    reader = TextFiles(str(folder))
    assert [reader.file(path) for path in ("/etc/a", "/etc/b", "/etc/c", "/etc/a/b")] == [None] * 4
    assert reader.names("/nowhere") == []
    assert reader.problems == []


def test_nothing_waits_and_nothing_is_too_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MAX_BYTES", 1 << 20)
    os.mkfifo(folder / "etc/x.d/fifo")
    (folder / "etc/x.d/huge").write_bytes(b"x" * ((1 << 20) + 1))
    (folder / "etc/x.d/folder").mkdir()
    (folder / "etc/x.d/null").symlink_to("/dev/null")
    reader = TextFiles(str(folder))
    assert list(reader.folder("/etc/x.d")) == [Text("/etc/x.d/null", "", is_executable=False)]
    assert reader.file("/etc/x.d") is None
    assert reader.problems == [
        "/etc/x.d/fifo: is not a regular file",
        "/etc/x.d/huge: larger than 1 MiB: not read",
        "/etc/x.d: is not a regular file",
    ]


def test_endings_choose(folder: Path) -> None:
    for name in ("b.conf", "a.conf", "c.txt"):
        (folder / "etc/x.d" / name).write_text(name)
    assert [one.text for one in TextFiles(str(folder)).folder("/etc/x.d", ".conf")] == ["a.conf", "b.conf"]


def test_what_may_be_run_is_told(folder: Path) -> None:
    (folder / "etc/a").write_text("x")
    reader = TextFiles(str(folder))
    assert not reader.is_executable("/etc/a")
    (folder / "etc/a").chmod(0o755)
    assert [reader.is_executable(path) for path in ("/etc/a", "/etc", "/etc/b")] == [True, False, False]


def test_a_peek_returns_nothing_yet_and_notes_nothing(folder: Path) -> None:
    (folder / "etc/a").write_text("x" * 9)
    reader = TextFiles(str(folder), each_once=True)
    assert [reader.peek(path, max_bytes=9) for path in ("/etc/a", "/etc", "/etc/none")] == ["x" * 9, "", ""]
    assert reader.peek("/etc/a", max_bytes=8) == ""
    assert reader.read("/etc/a") == "x" * 9
    assert reader.problems == []


def test_links_are_told(folder: Path) -> None:
    (folder / "etc/a").symlink_to("/dev/null")
    reader = TextFiles(str(folder))
    assert (reader.link("/etc/a"), reader.link("/etc/b")) == ("/dev/null", "")


def test_a_folder_has_a_limit_and_so_has_a_file(folder: Path) -> None:
    for name in ("a.conf", "b.conf", "c.conf", "d.conf", ".hidden.conf", "x.txt"):
        (folder / "etc/x.d" / name).write_text(name)
    reader = TextFiles(str(folder), max_files=2)
    assert list(reader.read_matching("/etc/x.d/*.conf")) == ["/etc/x.d/a.conf", "/etc/x.d/b.conf"]
    said = "/etc/x.d: has 4 files: 2 were read, the other 2, from c.conf, are not"
    assert reader.problems == [said]
    assert [one.path for one in TextFiles(str(folder), max_files=2).folder("/etc/x.d", ".txt")] == ["/etc/x.d/x.txt"]
    small = TextFiles(str(folder), max_bytes=1 << 20)
    (folder / "etc/x.d/a.conf").write_bytes(b"x" * ((1 << 20) + 1))
    assert small.read("/etc/x.d/a.conf") == ""
    assert small.problems == ["/etc/x.d/a.conf: larger than 1 MiB: not read"]


def test_a_very_full_folder_is_looked_at_in_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 3)
    monkeypatch.setattr(text_files, "MAX_ENTRIES", 3)
    for number in range(5):
        (folder / f"etc/x.d/{number}").touch()
    reader = TextFiles(str(folder))
    assert len(reader.names("/etc/x.d")) == 3
    assert reader.problems == ["/etc/x.d: has more than 3 entries: the rest were not looked at"]


# -- whose links count --

SERVICE_USER = 64055
MORE = "others may not have been read either"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to users")


@pytest.fixture
def mixed(folder: Path) -> Path:
    """/etc/x.d is a service's; what is in /root is root's alone."""
    (folder / "root").mkdir(mode=0o700)
    (folder / "root/secret").write_text("password")
    (folder / "root/secret").chmod(0o600)
    (folder / "root/tool").write_text("#!/bin/sh\n")
    (folder / "root/tool").chmod(0o755)
    os.chown(folder / "etc/x.d", SERVICE_USER, SERVICE_USER)
    return folder


@as_root
def test_a_link_in_a_folder_of_another_user_is_not_followed(mixed: Path) -> None:
    (mixed / "etc/x.d/a.conf").symlink_to("../../root/secret")
    (mixed / "etc/x.d/b.conf").write_text("mine")
    (mixed / "etc/x.d/sub").symlink_to("../../root")
    reader = TextFiles(str(mixed))
    assert reader.read_matching("/etc/x.d/*.conf") == {"/etc/x.d/a.conf": "", "/etc/x.d/b.conf": "mine"}
    assert [reader.file(f"/etc/x.d/{name}") for name in ("a.conf", "sub/secret")] == [None, None]
    assert reader.names("/etc/x.d/sub") == []
    assert reader.read_matching("/etc/x.d/sub/*") == {}
    reason = "is a link, or is behind one, in a folder not owned by root: not followed"
    paths = ("a.conf", "a.conf", "sub/secret", "sub", "sub")
    assert reader.problems == [f"/etc/x.d/{path}: {reason}" for path in paths]


@as_root
@pytest.mark.parametrize(("mode", "group"), [(0o777, 0), (0o775, SERVICE_USER), (0o1730, SERVICE_USER)])
def test_a_folder_that_others_may_write_is_not_roots(folder: Path, mode: int, group: int) -> None:
    (folder / "etc/x.d/a").symlink_to("../b")
    (folder / "etc/b").write_text("b")
    os.chown(folder / "etc/x.d", 0, group)
    (folder / "etc/x.d").chmod(mode)
    assert TextFiles(str(folder)).file("/etc/x.d/a") is None


@as_root
def test_what_root_links_is_followed_also_into_a_folder_of_another_user(mixed: Path) -> None:
    (mixed / "etc/x.d/b.conf").write_text("mine")
    (mixed / "etc/x.d/c.conf").symlink_to("b.conf")
    for name, target in {"one": "x.d/b.conf", "two": "x.d/c.conf", "folder": "x.d"}.items():
        (mixed / "etc" / name).symlink_to(target)
    (mixed / "etc/whole").symlink_to(mixed / "etc/x.d/b.conf")
    reader = TextFiles(str(mixed))
    names = ("one", "whole", "folder/b.conf", "two")
    assert [reader.read(f"/etc/{name}") for name in names] == ["mine", "mine", "mine", ""]
    assert [problem.partition(":")[0] for problem in reader.problems] == ["/etc/two"]


@as_root
def test_a_second_name_of_somebody_elses_file_is_not_read(mixed: Path) -> None:
    os.link(mixed / "root/secret", mixed / "etc/x.d/a.conf")
    (mixed / "etc/x.d/b.conf").write_text("root's own, as a deployment tool writes it")
    (mixed / "etc/x.d/c.conf").write_text("mine")
    os.chown(mixed / "etc/x.d/c.conf", SERVICE_USER, SERVICE_USER)
    os.link(mixed / "etc/x.d/c.conf", mixed / "etc/x.d/d.conf")
    reader = TextFiles(str(mixed))
    texts_read = [reader.read(f"/etc/x.d/{name}.conf")[:4] for name in "abcd"]
    assert texts_read == ["", "root", "mine", "mine"]
    assert reader.problems == ["/etc/x.d/a.conf: has a second name, in a folder not owned by root: not read"]


@as_root
def test_what_a_user_names_is_read_where_that_user_may_read_it(mixed: Path) -> None:
    (mixed / "opt").mkdir()
    (mixed / "opt/tool").write_text("#!/bin/sh\n")
    (mixed / "opt/tool").chmod(0o755)
    reader = TextFiles(str(mixed))
    assert reader.file("/opt/tool", reader=SERVICE_USER)
    assert [reader.file(f"/root/{name}", reader=SERVICE_USER) for name in ("tool", "secret")] == [None, None]
    assert reader.file("/root/tool")
    reason = f"not read: user {SERVICE_USER}, whose file names it, may not read it"
    assert reader.problems == [f"/root/{name}: {reason}" for name in ("tool", "secret")]


@as_root
def test_whether_a_user_may_read_a_file_is_found_out_without_returning_it(mixed: Path) -> None:
    reader = TextFiles(str(mixed), each_once=True)
    assert not reader.may_be_read("/root/tool", SERVICE_USER)
    assert reader.problems == [f"/root/tool: not read: user {SERVICE_USER}, whose file names it, may not read it"]
    (mixed / "etc/a").write_text("a")
    assert reader.may_be_read("/etc/a", SERVICE_USER)
    assert reader.read("/etc/a") == "a"


def problems_about(reader: TextFiles, *words: str) -> list[str]:
    return [problem for problem in reader.problems if all(word in problem for word in words)]


@as_root
def test_of_the_files_of_a_user_little_is_read_and_of_those_that_they_name(mixed: Path) -> None:
    """Holes count: they are as large as their maker likes."""
    for name in "abcd":
        with (mixed / f"etc/x.d/{name}").open("wb") as file:
            file.truncate(400 << 10)
    for name in "abc":
        os.chown(mixed / f"etc/x.d/{name}", SERVICE_USER, SERVICE_USER)
    reader = TextFiles(str(mixed), each_once=True)
    sizes = [len(reader.read(f"/etc/x.d/{name}")) >> 10 for name in "abcd"]
    assert sizes == [400, 400, 0, 400]
    assert reader.file("/etc/x.d/d", reader=SERVICE_USER) is None  # it was returned
    assert reader.problems == [
        f"/etc/x.d/c: not read: more than 1 MiB of files that user {SERVICE_USER} owns or names; {MORE}"
    ]
    named = TextFiles(str(mixed), each_once=True)
    found = [named.file(f"/etc/x.d/{name}", reader=SERVICE_USER) for name in "dabc"]
    assert [file and file.path for file in found] == ["/etc/x.d/d", "/etc/x.d/a", None, None]
    assert [problem.partition(":")[0] for problem in named.problems] == ["/etc/x.d/b"]


@as_root
def test_what_a_user_may_not_have_read_root_may(mixed: Path) -> None:
    """Under the same name, or another one."""
    with (mixed / "etc/a").open("wb") as file:
        file.truncate(700 << 10)
    reader = TextFiles(str(mixed), each_once=True)
    os.link(mixed / "etc/a", mixed / "etc/b")
    with (mixed / "etc/c").open("wb") as file:
        file.truncate(700 << 10)
    assert reader.file("/etc/c", reader=SERVICE_USER)
    assert reader.file("/etc/a", reader=SERVICE_USER) is None
    assert reader.file("/etc/b")
    assert reader.file("/etc/a") is None
    assert len(problems_about(reader, "/etc/a: not read: more than 1 MiB")) == 1


@as_root
def test_small_files_that_users_name_are_peeked_at_within_the_same_bound(mixed: Path) -> None:
    (mixed / "etc/a").write_bytes(b"x" * (512 << 10))
    reader = TextFiles(str(mixed), max_user_bytes=1 << 20)
    peeks = [len(reader.peek("/etc/a", max_bytes=1 << 20, reader=SERVICE_USER)) >> 10 for _ in range(4)]
    assert peeks == [512, 512, 0, 0]
    assert len(reader.problems) == len(problems_about(reader, "/etc/a: not read: more than 1 MiB")) == 1
    assert len(reader.peek("/etc/a", max_bytes=1 << 20)) >> 10 == 512


@as_root
def test_a_file_that_others_may_change_has_a_limit_of_its_own(mixed: Path) -> None:
    for name in ("x.d/roots", "x.d/own", "roots", "open", "own"):
        (mixed / "etc" / name).write_bytes(b"x" * ((1 << 20) + 1))
    for name in ("x.d/own", "own"):
        os.chown(mixed / "etc" / name, SERVICE_USER, SERVICE_USER)
    (mixed / "etc/open").chmod(0o666)
    reader = TextFiles(str(mixed), max_foreign_bytes=1 << 20)
    for name in ("x.d/roots", "x.d/own", "open", "own"):
        assert reader.read(f"/etc/{name}") == ""
    assert reader.problems == [
        f"/etc/{name}: larger than 1 MiB: not read" for name in ("x.d/roots", "x.d/own", "open", "own")
    ]
    assert len(reader.read("/etc/roots")) == (1 << 20) + 1
    small = TextFiles(str(mixed), max_bytes=1 << 20, max_foreign_bytes=1 << 30)
    assert small.read("/etc/x.d/roots") == ""


def test_what_has_no_size_is_read_all_the_same() -> None:
    reader = TextFiles()
    assert "Pid:" in reader.read("/proc/self/status")
    assert reader.problems == []


@as_root
def test_links_in_a_circle_are_nothing(folder: Path) -> None:
    (folder / "etc/a").symlink_to("b")
    (folder / "etc/b").symlink_to("a")
    reader = TextFiles(str(folder))
    assert reader.file("/etc/a") is None
    assert reader.problems == []


def test_executables_are_found_below_a_folder(tmp_path: Path) -> None:
    for name in ("b", "in/a", "in/in/c", "in/in/in/d", "known/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(0o755)
    (tmp_path / "in/plain").touch(0o644)
    (tmp_path / "in/link").symlink_to("a")
    (tmp_path / "in/circle").symlink_to("..")
    (tmp_path / "in/dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "in/fifo", 0o755)
    reader = TextFiles(str(tmp_path))
    assert reader.executables("", depth=3, without={"/known"}) == ["/b", "/in/a", "/in/in/c"]
    assert reader.executables("/absent", depth=3) == reader.problems == []
    few = TextFiles(str(tmp_path), max_files=2)
    assert few.executables("/in", depth=9) == ["/in/a", "/in/in/c"]
    assert few.problems == ["/in: has 3 files: 2 were read, the other 1, from d, are not"]
