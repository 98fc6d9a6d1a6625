import errno
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov_bootstrap.base import reading
from sriov_bootstrap.base.errors import KernelError, LinkError, SriovBootstrapError
from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile
from sriov_bootstrap.edges.files import Files

ETC, USR, RUN = "etc/sriov-bootstrap", "usr/lib/sriov-bootstrap", "run/sriov-bootstrap"
STATE = f"{RUN}/state"
NOBODY = 65534
NO_ID = 0xFFFFFFFF


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path))


def write(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# -- config --


def test_config_is_looked_for_in_three_folders_the_highest_last(tmp_path: Path, files: Files) -> None:
    for name in (f"{RUN}/config.d/10.toml", f"{ETC}/config.d/20.toml", f"{ETC}/config.d/10.toml"):
        write(tmp_path / name, name.encode())
    write(tmp_path / USR / "config.d/30.toml", b"usr")
    write(tmp_path / ETC / "config.toml", b"main")
    assert files.read_config() == (
        ConfigFile(f"{tmp_path}/{USR}/config.d/30.toml", b"usr", is_drop_in=True),
        ConfigFile(f"{tmp_path}/{ETC}/config.toml", b"main"),
        ConfigFile(f"{tmp_path}/{ETC}/config.d/10.toml", f"{ETC}/config.d/10.toml".encode(), is_drop_in=True),
        ConfigFile(f"{tmp_path}/{ETC}/config.d/20.toml", f"{ETC}/config.d/20.toml".encode(), is_drop_in=True),
        ConfigFile(f"{tmp_path}/{RUN}/config.d/10.toml", f"{RUN}/config.d/10.toml".encode(), is_drop_in=True),
    )


def test_no_config_at_all_is_no_problem(files: Files) -> None:
    assert files.read_config() == ()


@pytest.mark.parametrize("name", [".10.toml", "10.toml.dpkg-old", "10.toml~", "10.conf"])
def test_what_editors_and_packages_leave_behind_is_not_read(tmp_path: Path, files: Files, name: str) -> None:
    write(tmp_path / ETC / "config.d" / name, b"left behind")
    assert files.read_config() == ()


@pytest.mark.parametrize("folder", [USR, ETC, RUN])
def test_of_a_folder_that_is_not_read_to_its_end_no_part_counts(
    tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 2)
    for name in ("10.toml", "20.toml"):
        write(tmp_path / folder / "config.d" / name)
    assert [one.problem for one in files.read_config()] == ["", ""]
    write(tmp_path / folder / "config.d/x.txt")
    problem = "cannot be read: more than 2 entries"
    assert files.read_config() == (ConfigFile(f"{tmp_path}/{folder}/config.d", problem=problem, is_drop_in=True),)


def test_what_is_no_folder_in_place_of_one_is_a_problem(tmp_path: Path, files: Files) -> None:
    write(tmp_path / ETC / "config.d")
    (found,) = files.read_config()
    assert (found.path, found.problem) == (f"{tmp_path}/{ETC}/config.d", "cannot be read: Not a directory")


def test_devices_that_are_too_many_to_look_at_are_no_devices_below_the_root(
    tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sriov_bootstrap.edges.files.MAX_DEVICES", 2)
    for name in ("a", "b"):
        write(tmp_path / f"sys/bus/pci/devices/{name}/vendor")
    files.refuse_links_out()
    (tmp_path / "sys/bus/pci/devices/c").symlink_to("../../../../../outside")
    monkeypatch.setattr(reading, "MAX_ENTRIES", 2)
    with pytest.raises(SriovBootstrapError) as caught:
        files.refuse_links_out()
    assert caught.value.message.startswith(f"{tmp_path}/sys/bus/pci/devices: more than 2 entries: cannot check that")
    assert caught.value.hint


@pytest.mark.parametrize("folder", [USR, RUN])
def test_only_etc_has_a_main_file(tmp_path: Path, files: Files, folder: str) -> None:
    write(tmp_path / folder / "config.toml", b"not looked for")
    assert files.read_config() == ()


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (0o644, 0, 0, ""),
        (0o664, 0, 0, ""),
        (0o664, 0, 4711, "is writable by users other than root (mode 0664): chmod go-w {}"),
        (0o646, 0, 0, "is writable by users other than root (mode 0646): chmod go-w {}"),
        (0o600, 4711, 0, "is owned by user 4711, who could change it: chown root {}"),
    ],
)
def test_only_root_decides_what_is_in_a_config_that_is_found(
    tmp_path: Path, files: Files, mode: int, uid: int, gid: int, problem: str
) -> None:
    path = tmp_path / "etc/sriov-bootstrap/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.chown(path, uid, gid)
    path.chmod(mode)
    (found,) = files.read_config()
    assert (found.problem, found.data) == (problem.format(path), b"" if problem else b"x")
    assert found.untrusted == (b"x" if problem else None)
    assert [file.problem for file in Files(config_paths=(str(path),)).read_config()] == [""]


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (0o755, 0, 0, ""),
        (0o775, 0, 0, ""),
        (0o1777, 0, 0, ""),
        (0o775, 0, 4711, "is in {}, where users other than root could replace it: chmod go-w {}"),
        (0o757, 0, 0, "is in {}, where users other than root could replace it: chmod go-w {}"),
        (0o755, 4711, 0, "is in {}, which is owned by user 4711, who could replace it: chown root {}"),
    ],
)
@pytest.mark.parametrize("folder", [ETC, f"{ETC}/config.d", "elsewhere", "elsewhere/links"])
def test_only_root_decides_which_file_is_found(
    tmp_path: Path, files: Files, folder: str, mode: int, uid: int, gid: int, problem: str
) -> None:
    """config.d/10.toml is a link by way of elsewhere/links to a file in etc/, so four folders have a say."""
    write(tmp_path / ETC / "real", b"x")
    for name in (f"{ETC}/config.d", "elsewhere/links"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ETC / "config.d/10.toml").symlink_to(tmp_path / "elsewhere/links/10.toml")
    (tmp_path / "elsewhere/links/10.toml").symlink_to(f"../.././{ETC}/real")
    os.chown(tmp_path / folder, uid, gid)
    (tmp_path / folder).chmod(mode)
    (found,) = files.read_config()
    assert found.problem == problem.format(tmp_path / folder, tmp_path / folder)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (f"{ETC}/config.toml", "may be writable by users other than root, by its ACL: setfacl -b {}"),
        (ETC, "is in {0}, whose ACL may let users other than root replace it: setfacl -b {0}"),
    ],
    ids=["file", "folder"],
)
def test_an_acl_that_lets_others_write_is_no_roots_decision(
    tmp_path: Path, files: Files, name: str, problem: str
) -> None:
    write(tmp_path / ETC / "config.toml", b"x")
    path = tmp_path / name
    set_acl_or_skip(path, 6)
    assert [file.problem for file in files.read_config()] == [problem.format(path)]
    set_acl_or_skip(path, 4)
    assert [file.problem for file in files.read_config()] == [""]


def set_acl_or_skip(path: Path, bits: int) -> None:
    """acl(5) as the kernel takes it: user::rwx, user:65534:bits, group::r-x, mask::bits, other::r-x."""
    entries = ((1, 7, NO_ID), (2, bits, NOBODY), (4, 5, NO_ID), (16, bits, NO_ID), (32, 5, NO_ID))
    try:
        os.setxattr(path, reading.ACL, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries))
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("this file system has no ACLs")


def test_named_files_replace_the_search(tmp_path: Path) -> None:
    write(tmp_path / ETC / "config.toml", b"main")
    mine = str(write(tmp_path / "mine.toml", b"mine"))
    assert Files(str(tmp_path), (mine, "/nowhere.toml")).read_config() == (
        ConfigFile(mine, b"mine"),
        ConfigFile("/nowhere.toml", problem="cannot be read: No such file or directory"),
    )


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(_fifo, "is not a regular file", id="FIFO that nobody writes to"),
        pytest.param(_folder, "is not a regular file", id="folder"),
        pytest.param(_device, "is not a regular file", id="device without end"),
        pytest.param(_loop, "cannot be read: Too many levels of symbolic links", id="unreadable"),
        pytest.param(_dangling, "cannot be read: No such file or directory", id="dangling link"),
    ],
)
@pytest.mark.parametrize("place", ["config.toml", "config.d/10.toml"])
def test_what_is_no_file_is_a_problem_and_hangs_nothing(
    tmp_path: Path,
    files: Files,
    make: Callable[[Path], None],
    problem: str,
    place: str,
) -> None:
    path = tmp_path / ETC / place
    path.parent.mkdir(parents=True)
    make(path)
    assert files.read_config() == (ConfigFile(str(path), problem=problem, is_drop_in="config.d" in place),)


def test_a_link_to_dev_null_reads_as_empty(tmp_path: Path, files: Files) -> None:
    path = tmp_path / ETC / "config.d/10.toml"
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")
    assert files.read_config() == (ConfigFile(str(path), is_drop_in=True),)


def test_a_huge_file_is_read_only_as_far_as_it_takes_to_refuse_it(tmp_path: Path, files: Files) -> None:
    with write(tmp_path / ETC / "config.toml").open("wb") as file:
        file.truncate(1 << 40)  # a hole: nothing on the disk
    (found,) = files.read_config()
    assert len(found.data) == MAX_FILE_BYTES + 1


def test_reading_config_leaves_no_file_open(tmp_path: Path, files: Files) -> None:
    (tmp_path / ETC / "config.toml").mkdir(parents=True)
    before = os.listdir("/proc/self/fd")
    files.read_config()
    assert os.listdir("/proc/self/fd") == before


# -- state.json and modprobe.d --


def test_state_comes_back_as_it_was_saved(tmp_path: Path, files: Files) -> None:
    assert files.read_state() == b""
    assert files.save_state(b"{}") == ""
    assert files.save_state(b'{"format":1}') == ""
    assert files.read_state() == b'{"format":1}'
    assert [path.name for path in (tmp_path / STATE).iterdir()] == ["state.json"]


def test_state_is_readable_for_everybody_whatever_the_umask(tmp_path: Path, files: Files) -> None:
    before = os.umask(0o077)
    try:
        files.save_state(b"{}")
    finally:
        os.umask(before)
    assert (tmp_path / STATE / "state.json").stat().st_mode & 0o777 == 0o644


def test_state_that_cannot_be_saved_says_why_and_what_it_costs(tmp_path: Path, files: Files) -> None:
    write(tmp_path / "run")
    path = f"{tmp_path}/{STATE}/state.json"
    assert files.save_state(b"{}") == (
        f"{path} could not be saved: Not a directory: a restart of the service will reset its counters"
    )


def test_a_failed_replacement_leaves_the_old_file_and_no_other(tmp_path: Path, files: Files) -> None:
    (tmp_path / STATE / "state.json/old").mkdir(parents=True)
    assert "Is a directory" in files.save_state(b"{}")
    assert [path.name for path in (tmp_path / STATE).iterdir()] == ["state.json"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_but_root_makes_files_beside_the_state(tmp_path: Path, files: Files, umask: int) -> None:
    (tmp_path / "run").mkdir()
    before = os.umask(umask)
    try:
        files.save_state(b"{}")
    finally:
        os.umask(before)
    assert [(tmp_path / one).stat().st_mode & 0o022 for one in (RUN, STATE)] == [0, 0]


def test_what_the_version_before_knew_counts_until_we_write_and_after_a_way_back(tmp_path: Path, files: Files) -> None:
    earlier = write(tmp_path / RUN / "state.json", b"of 0.1.0")
    write(tmp_path / RUN / "findings.json", b"found by 0.1.0")
    assert (files.read_state(), files.read_findings()) == (b"of 0.1.0", b"found by 0.1.0")
    assert files.save_state(b"ours") == ""
    assert files.read_state() == b"ours"
    earlier.write_bytes(b"of a downgrade")
    os.utime(earlier, (time.time() + 1, time.time() + 1))
    assert files.read_state() == b"of a downgrade"
    assert files.save_state(b"ours again") == ""  # also where the clock was set back since
    assert files.read_state() == b"ours again"
    assert earlier.read_bytes() == b"of a downgrade"


def test_a_file_is_replaced_below_the_root(tmp_path: Path, files: Files) -> None:
    path = write(tmp_path / "etc/modprobe.d/sriov-bootstrap-igb.conf", b"options igb max_vfs=32\n")
    files.write_file("/etc/modprobe.d/sriov-bootstrap-igb.conf", "options igb max_vfs=7\n")
    assert path.read_text() == "options igb max_vfs=7\n"
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_cannot_be_written_fails_with_its_errno(tmp_path: Path, files: Files) -> None:
    with pytest.raises(KernelError) as caught:
        files.write_file("/etc/modprobe.d/igb.conf", "")
    assert caught.value.message == "/etc/modprobe.d/igb.conf: No such file or directory"
    assert caught.value.errno == errno.ENOENT
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_read_where_root_alone_makes_files(tmp_path: Path, files: Files) -> None:
    assert files.read_answer("holders") == b""
    write(tmp_path / RUN / "holders.answer", b"{}")
    assert files.read_answer("holders") == b"{}"


def test_the_kill_switch_is_a_file(tmp_path: Path, files: Files) -> None:
    assert not files.is_disabled()
    write(tmp_path / ETC / "disabled")
    assert files.is_disabled()


# -- files of others --


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to nova")
@pytest.mark.parametrize("place", ["nova.conf.d", "nova.conf.d/x.conf"])
def test_a_link_in_a_folder_of_a_services_user_is_no_way_for_root(tmp_path: Path, place: str) -> None:
    """Without a root, as on a host: the paths are real ones."""
    secret = write(tmp_path / "cron.d/x.conf", b"secret")
    link = tmp_path / "nova" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(secret if place.endswith(".conf") else secret.parent)
    os.chown(link.parent, NOBODY, NOBODY)
    path = f"{tmp_path}/nova/nova.conf.d/x.conf"
    problem = f"{link}: is a link in {link.parent}, which is owned by user {NOBODY}: not followed"
    with pytest.raises(LinkError, match=re.escape(problem)):
        Files().read_text(path)
    with pytest.raises(LinkError, match=re.escape(problem)):
        Files().install_file(path, "new")
    assert secret.read_bytes() == b"secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to nova")
def test_a_folder_of_a_services_user_is_written_to(tmp_path: Path) -> None:
    path = write(tmp_path / "nova/x.conf", b"old")
    os.chown(path.parent, NOBODY, NOBODY)
    os.chown(path, NOBODY, NOBODY)
    Files().install_file(f"{path.parent}/nova.conf.d/x.conf", "new")
    Files().install_file(str(path), "new")
    assert path.read_text() == (path.parent / "nova.conf.d/x.conf").read_text() == "new"
    assert path.stat().st_uid == NOBODY


@pytest.mark.parametrize(
    ("make", "problem"),
    [(_fifo, "is not a regular file"), (_device, "is not a regular file"), (_folder, "Is a directory")],
)
def test_a_file_to_compare_with_that_is_none_is_said(
    tmp_path: Path, files: Files, make: Callable[[Path], None], problem: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(SriovBootstrapError, match=f"/x: cannot be read: {problem}"):
        files.read_text("/x")


def test_a_file_to_compare_with_has_a_limit(tmp_path: Path, files: Files) -> None:
    with write(tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SriovBootstrapError, match="/x: cannot be read: larger than 1 MiB"):
        files.read_text("/x")
    with write(tmp_path / RUN / "state.json").open("wb") as file:
        file.truncate(1 << 40)
    assert files.read_state() == b""


def test_a_template_is_used_whole_or_not_at_all(tmp_path: Path, files: Files) -> None:
    write(tmp_path / ETC / "templates/x.j2", b"x" * (MAX_FILE_BYTES + 1))
    assert files.read_template("x.j2") == ConfigFile(f"{tmp_path}/{ETC}/templates/x.j2", problem="larger than 1 MiB")


def test_drop_ins_that_are_elsewhere_are_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "outside/10.toml", b"x")
    image = tmp_path / "image"
    (image / ETC).mkdir(parents=True)
    (image / ETC / "config.d").symlink_to("../../../outside")
    (found,) = Files(str(image)).read_config()
    assert found.path == f"{image}/{ETC}/config.d"
    assert found.problem.endswith(f"is a link to ../../../outside, which is not below {image}")
