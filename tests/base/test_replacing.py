"""Files that we write."""

import errno
import os
import stat
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sriov_bootstrap.base.errors import LinkError
from sriov_bootstrap.base.reading import ACL
from sriov_bootstrap.base.replacing import remove_file, replace_file

NOBODY = 65534
NO_ID = 0xFFFFFFFF
# acl(5) as the kernel takes it: user::rw-, user:65534:r--, group::---, mask::r--, other::---
READABLE_FOR_NOBODY = struct.pack(
    "<I" + "HHI" * 5, 2, 1, 6, NO_ID, 2, 4, NOBODY, 4, 0, NO_ID, 16, 4, NO_ID, 32, 0, NO_ID
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def old(folder: Path, mode: int = 0o644) -> Path:
    path = folder / "x.conf"
    path.write_text("old")
    path.chmod(mode)
    return path


def set_or_skip(path: Path, key: str, value: bytes) -> None:
    try:
        os.setxattr(path, key, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip(f"this file system has no {key}")


class Watch:
    """What is in a folder, and how open it is, each time the file system is asked for something."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.modes: set[int] = set()
        self.names: set[str] = set()
        for name in ("open", "fchown", "fchmod", "setxattr", "fsync", "replace"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name), folder))

    def _watched(self, name: str, real: Any, folder: Path) -> Any:  # noqa: ANN401
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            result = real(*args, **options)
            self.calls.append(name)
            new = [one for one in folder.iterdir() if one.name.endswith(".tmp")]
            self.names |= {one.name for one in new}
            self.modes |= {stat.S_IMODE(one.lstat().st_mode) for one in new}
            return result

        return call


@pytest.mark.parametrize("keep_owner", [True, False])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_is_never_more_open_than_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, keep_owner: bool
) -> None:
    path = old(tmp_path, mode)
    watch = Watch(tmp_path, monkeypatch)
    replace_file(str(path), b"new", keep_owner=keep_owner)
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)
    assert watch.modes == {0o600, mode}


def test_a_new_file_is_readable_for_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(f"{tmp_path}/a/b/x.conf", b"new", make=True)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a/b/x.conf") == 0o644


def test_two_that_make_the_same_folders_at_once_both_write(tmp_path: Path) -> None:
    """As a pass and a helper unit may, before the first folder in /run is there."""
    folders = [f"{tmp_path}/{number}/a/b/c/d" for number in range(50)]
    with ThreadPoolExecutor(4) as writers:
        for folder in folders:
            write = partial(replace_file, data=b"new", make=True)
            list(writers.map(write, [f"{folder}/{writer}" for writer in range(4)]))
    assert all(len(os.listdir(folder)) == 4 for folder in folders)


def test_a_mode_that_lets_others_write_is_kept_only_with_the_owner(tmp_path: Path) -> None:
    path = old(tmp_path, 0o666)
    replace_file(str(path), b"new", keep_owner=True)
    assert mode_of(path) == 0o666
    replace_file(str(path), b"new")
    assert mode_of(path) == 0o644


@needs_root
def test_the_owner_comes_before_the_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old(tmp_path, 0o640)
    os.chown(path, NOBODY, 4242)
    watch = Watch(tmp_path, monkeypatch)
    replace_file(str(path), b"new", keep_owner=True)
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, 4242, 0o640)
    assert watch.calls.index("fchown") < watch.calls.index("fchmod")
    replace_file(str(path), b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (0, os.getegid())


def test_nobody_can_guess_the_name_or_lay_a_link_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, victim = old(tmp_path), tmp_path / "victim"
    victim.write_text("untouched")
    monkeypatch.setattr(os, "urandom", lambda number: b"\0" * number)
    (tmp_path / f".sriov-bootstrap.{'00' * 8}.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        replace_file(str(path), b"new")
    assert (path.read_text(), victim.read_text()) == ("old", "untouched")
    monkeypatch.undo()
    watch = Watch(tmp_path, monkeypatch)
    for _ in range(3):
        replace_file(str(path), b"new")
    assert len(watch.names) == 3 + 1  # and the link of before


def test_the_file_and_its_folder_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    replace_file(f"{tmp_path}/x.conf", b"new", durable=True)
    assert synced[0].endswith(".tmp")
    assert synced[1:] == [str(tmp_path)]
    synced.clear()
    replace_file(f"{tmp_path}/a/x.conf", b"new", durable=True, make=True)
    assert synced[0] == str(tmp_path)
    assert synced[2:] == [f"{tmp_path}/a"]


def test_a_file_system_that_cannot_sync_a_folder_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    replace_file(f"{tmp_path}/x.conf", b"new", durable=True)
    assert (tmp_path / "x.conf").read_text() == "new"


@pytest.mark.parametrize("keep_owner", [True, False])
def test_labels_stay(tmp_path: Path, *, keep_owner: bool) -> None:
    path = old(tmp_path)
    set_or_skip(path, "user.comment", b"kept")
    replace_file(str(path), b"new", keep_owner=keep_owner)
    assert os.getxattr(path, "user.comment") == b"kept"


@needs_root
def test_an_acl_stays(tmp_path: Path) -> None:
    path = old(tmp_path, 0o600)
    set_or_skip(path, ACL, READABLE_FOR_NOBODY)
    replace_file(str(path), b"new", keep_owner=True)
    assert os.getxattr(path, ACL) == READABLE_FOR_NOBODY
    assert mode_of(path) == 0o640


@needs_root
def test_the_mask_of_an_acl_that_is_lost_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old(tmp_path, 0o600)
    set_or_skip(path, ACL, READABLE_FOR_NOBODY)

    def setxattr(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", setxattr)
    replace_file(str(path), b"new", keep_owner=True)
    assert mode_of(path) == 0o600


@needs_root
def test_an_acl_that_the_folder_gives_to_new_files_opens_no_old_one(tmp_path: Path) -> None:
    path = old(tmp_path, 0o640)
    set_or_skip(tmp_path, "system.posix_acl_default", READABLE_FOR_NOBODY)
    replace_file(str(path), b"new", keep_owner=True)
    assert ACL not in os.listxattr(path)
    assert mode_of(path) == 0o640


@pytest.mark.parametrize("follow", [True, False])
def test_a_link_in_its_place_stays_only_where_it_is_followed(tmp_path: Path, *, follow: bool) -> None:
    path = old(tmp_path)
    (tmp_path / "link").symlink_to("x.conf")
    replace_file("/link", b"new", root=str(tmp_path), follow=follow)
    assert (tmp_path / "link").is_symlink() == follow
    assert path.read_text() == ("new" if follow else "old")
    assert (tmp_path / "link").read_text() == "new"


def test_a_mask_is_replaced_and_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "x.conf").symlink_to("/dev/null")
    replace_file("/x.conf", b"new", root=str(tmp_path), follow=True)
    assert not (tmp_path / "x.conf").is_symlink()
    assert (tmp_path / "x.conf").read_text() == "new"


@needs_root
def test_nothing_is_written_by_way_of_a_link_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "nova").mkdir()
    (tmp_path / "nova/nova.conf.d").symlink_to(tmp_path / "cron.d")
    os.chown(tmp_path / "nova", NOBODY, NOBODY)
    with pytest.raises(LinkError):
        replace_file(f"{tmp_path}/nova/nova.conf.d/x.conf", b"new", make=True)
    with pytest.raises(LinkError):
        remove_file(f"{tmp_path}/nova/nova.conf.d/x.conf")
    assert list((tmp_path / "cron.d").iterdir()) == []


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.conf").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(f"{tmp_path}/x.conf", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["x.conf"]


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    path = old(tmp_path)
    (tmp_path / "link").symlink_to("x.conf")
    remove_file(f"{tmp_path}/link")
    assert path.read_text() == "old"
    assert not (tmp_path / "link").is_symlink()
