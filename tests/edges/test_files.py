import contextlib
import errno
import os
import resource
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile
from sriov_bootstrap.core.plan import Jam
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import NOTE_BYTES, Files
from sriov_bootstrap.errors import BusyError, SysfsError

ETC, USR, RUN = "etc/sriov-bootstrap", "usr/lib/sriov-bootstrap", "run/sriov-bootstrap"
LOCK = "run/lock/sriov-bootstrap.lock"
JAM = Jam(
    4711,
    "0000:3b:00.0",
    "set sriov_numvfs from 0 to 7",
    since=7.0,
    limit_seconds=95.0,
    is_overdue=False,
    began_at=1000.0,
)
NOBODY = 65534


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path))


def write(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def never(text: str) -> None:
    pytest.fail(f"nothing had to be waited for: {text}")


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


@pytest.mark.parametrize("folder", [USR, RUN])
def test_only_etc_has_a_main_file(tmp_path: Path, files: Files, folder: str) -> None:
    write(tmp_path / folder / "config.toml", b"not looked for")
    assert files.read_config() == ()


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (0o644, 0, 0, ""),
        (0o664, 0, 0, ""),
        (0o664, 0, 4711, "can be written by others than root (mode 0664): chmod go-w it"),
        (0o646, 0, 0, "can be written by others than root (mode 0646): chmod go-w it"),
        (0o600, 4711, 0, "belongs to user 4711, who could change it: chown root it"),
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
    assert [file.problem for file in files.read_config()] == [problem]
    assert [file.problem for file in Files(config_paths=(str(path),)).read_config()] == [""]


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "problem"),
    [
        (0o755, 0, 0, ""),
        (0o775, 0, 0, ""),
        (0o1777, 0, 0, ""),
        (0o775, 0, 4711, "is in {}, where others than root could replace it: chmod go-w {}"),
        (0o757, 0, 0, "is in {}, where others than root could replace it: chmod go-w {}"),
        (0o755, 4711, 0, "is in {}, which belongs to user 4711, who could replace it: chown root {}"),
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
    assert [path.name for path in (tmp_path / RUN).iterdir()] == ["state.json"]


def test_state_is_readable_for_everybody_whatever_the_umask(tmp_path: Path, files: Files) -> None:
    before = os.umask(0o077)
    try:
        files.save_state(b"{}")
    finally:
        os.umask(before)
    assert (tmp_path / RUN / "state.json").stat().st_mode & 0o777 == 0o644


def test_state_that_cannot_be_saved_says_why_and_what_it_costs(tmp_path: Path, files: Files) -> None:
    write(tmp_path / "run")
    path = f"{tmp_path}/{RUN}/state.json"
    assert files.save_state(b"{}") == (
        f"{path} could not be saved: Not a directory: a restart of the service forgets what it counted"
    )


def test_a_failed_replacement_leaves_the_old_file_and_no_other(tmp_path: Path, files: Files) -> None:
    (tmp_path / RUN / "state.json/old").mkdir(parents=True)
    assert "Is a directory" in files.save_state(b"{}")
    assert [path.name for path in (tmp_path / RUN).iterdir()] == ["state.json"]


def test_a_file_is_replaced_below_the_root(tmp_path: Path, files: Files) -> None:
    path = write(tmp_path / "etc/modprobe.d/sriov-bootstrap-igb.conf", b"options igb max_vfs=32\n")
    files.write_file("/etc/modprobe.d/sriov-bootstrap-igb.conf", "options igb max_vfs=7\n")
    assert path.read_text() == "options igb max_vfs=7\n"
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_cannot_be_written_fails_with_its_errno(tmp_path: Path, files: Files) -> None:
    with pytest.raises(SysfsError) as caught:
        files.write_file("/etc/modprobe.d/igb.conf", "")
    assert caught.value.message == "/etc/modprobe.d/igb.conf: No such file or directory"
    assert caught.value.errno == errno.ENOENT
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_read_once(tmp_path: Path, files: Files) -> None:
    files.forget_answer("holders")
    assert files.read_answer("holders") == b""
    write(tmp_path / RUN / "holders.answer", b"{}")
    assert files.read_answer("holders") == b"{}"
    files.forget_answer("holders")
    assert files.read_answer("holders") == b""


def test_an_answer_that_cannot_be_taken_away_passes_for_no_other(tmp_path: Path, files: Files) -> None:
    (tmp_path / RUN / "holders.answer").mkdir(parents=True)
    with pytest.raises(SysfsError, match=r"holders\.answer: Is a directory"):
        files.forget_answer("holders")


def test_the_kill_switch_is_a_file(tmp_path: Path, files: Files) -> None:
    assert not files.is_disabled()
    write(tmp_path / ETC / "disabled")
    assert files.is_disabled()


# -- the lock of a pass --


def test_the_second_pass_waits_for_the_first_and_then_goes_on(files: Files) -> None:
    said: list[str] = []
    first = contextlib.ExitStack()
    first.enter_context(files.locked(LOCK, timeout_seconds=0, waiting=never))

    def waiting(text: str) -> None:
        said.append(text)
        first.close()

    with files.locked(LOCK, timeout_seconds=30, waiting=waiting):
        assert said == [f"waiting for process {os.getpid()}"]


def test_a_pass_that_does_not_end_is_named_at_the_deadline(tmp_path: Path, files: Files) -> None:
    with (
        files.locked(LOCK, timeout_seconds=0, waiting=never),
        pytest.raises(BusyError) as caught,
        files.locked(LOCK, timeout_seconds=0.01, waiting=lambda _: None),
    ):
        pytest.fail("both have the lock")
    assert caught.value.message == f"{tmp_path}/{LOCK}: process {os.getpid()} holds it for more than 0.01 s"
    assert caught.value.hint == f"see what it does: cat /proc/{os.getpid()}/stack"


def test_a_pass_that_fails_lets_go_of_the_lock(files: Files) -> None:
    with pytest.raises(SysfsError), files.locked(LOCK, timeout_seconds=0, waiting=never):
        raise SysfsError("the pass failed")
    with files.locked(LOCK, timeout_seconds=0, waiting=never):
        pass


def test_the_lock_of_a_killed_process_is_free(files: Files) -> None:
    def hold(send: child.Send) -> None:
        with files.locked(LOCK, timeout_seconds=0, waiting=never):
            send(b"held")
            signal.pause()

    holder = child.start(hold)
    assert os.read(holder.fd, 100) == b"held\n"
    os.close(holder.fd)
    with pytest.raises(BusyError), files.locked(LOCK, timeout_seconds=0, waiting=lambda _: None):
        pytest.fail("both have the lock")
    child.end(holder.pid)
    with files.locked(LOCK, timeout_seconds=0, waiting=never):
        pass


def test_the_lock_names_its_holder_and_nobody_before_it(tmp_path: Path, files: Files) -> None:
    path = write(tmp_path / LOCK, b"4194304 was here for a long time\n")
    with files.locked(LOCK, timeout_seconds=0, waiting=never):
        assert path.read_text().split() == [f"{os.getpid()}"]


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path, files: Files) -> None:
    victim = write(tmp_path / "shadow", b"root:*:\n")
    (tmp_path / LOCK).parent.mkdir(parents=True)
    (tmp_path / LOCK).symlink_to(victim)
    with pytest.raises(BusyError) as caught, files.locked(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("the link was followed")
    assert caught.value.message == f"{tmp_path}/{LOCK}: cannot be locked: Too many levels of symbolic links"
    assert caught.value.hint == "run as root"
    assert victim.read_bytes() == b"root:*:\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_lock_of_somebody_else_is_refused(tmp_path: Path, files: Files) -> None:
    path = write(tmp_path / LOCK)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(BusyError) as caught, files.locked(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("it was locked all the same")
    assert caught.value.message == f"{path}: belongs to user {NOBODY}, not to us"
    assert caught.value.hint == f"remove it: rm {path}"


# -- the lock of a writer --


def test_without_a_writer_there_is_no_jam(files: Files) -> None:
    assert files.read_jam(1000.0) is None
    lock = files.begin_write()
    files.note_writer(lock, JAM)
    os.close(lock)
    assert files.read_jam(1000.0) is None


@pytest.mark.parametrize(
    ("now", "is_overdue"), [pytest.param(1095.0, False, id="in time"), pytest.param(1095.1, True, id="overdue")]
)
def test_a_write_under_way_tells_who_does_what_since_when(files: Files, now: float, *, is_overdue: bool) -> None:
    lock = files.begin_write()
    files.note_writer(lock, JAM)
    assert files.read_jam(now) == msgspec.structs.replace(JAM, is_overdue=is_overdue)
    os.close(lock)


def test_a_writer_that_has_not_yet_said_what_it_does_is_a_write_under_way(files: Files) -> None:
    earlier = files.begin_write()
    files.note_writer(earlier, JAM)
    os.close(earlier)
    lock = files.begin_write()
    now = JAM.began_at + 10 * JAM.limit_seconds
    unnamed = Jam(0, "", "a write", since=0.0, limit_seconds=1.0, is_overdue=False, began_at=now)
    assert files.read_jam(now) == unnamed
    os.close(lock)


def test_no_write_begins_beside_another(files: Files) -> None:
    lock = files.begin_write()
    with pytest.raises(BusyError) as caught:
        files.begin_write()
    assert caught.value.message == "an earlier write to the kernel has not come back"
    assert caught.value.hint == "see sriov-bootstrap status"
    os.close(lock)
    os.close(files.begin_write())


def test_the_age_of_a_write_is_not_that_of_the_clock(files: Files) -> None:
    """`since` is for people; where the clock jumps, the write is neither older nor younger for it."""
    lock = files.begin_write()
    for since in (0.0, 4e9):
        files.note_writer(lock, msgspec.structs.replace(JAM, since=since))
        in_time, overdue = files.read_jam(1095.0), files.read_jam(1095.1)
        assert in_time
        assert overdue
        assert (in_time.is_overdue, overdue.is_overdue) == (False, True)
    os.close(lock)


# -- no room, or no writing at all, in /run --


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file can be written beyond that, as on a full disk: the kernel's own EFBIG in place of its ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_locks_hold_on_a_full_disk(files: Files) -> None:
    with file_size_limit(0):
        with files.locked(LOCK, timeout_seconds=0, waiting=never):
            with pytest.raises(BusyError) as caught, files.locked(LOCK, timeout_seconds=0, waiting=lambda _: None):
                pytest.fail("both have the lock")
            assert "process unknown holds it" in caught.value.message
        lock = files.begin_write()
        files.note_writer(lock, JAM)
        jam = files.read_jam(1000.0)
        os.close(lock)
        assert files.save_state(b"{}").startswith(f"{files._state} could not be saved: ")  # noqa: SLF001
    assert jam
    assert (jam.pid, jam.is_overdue) == (0, False)
    assert files.read_jam(1000.0) is None


def test_a_disk_that_fills_up_later_still_takes_who_writes(files: Files) -> None:
    """A lock file is never cut, so the kernel has room for it as long as it is there."""
    os.close(files.begin_write())
    with file_size_limit(NOTE_BYTES):
        lock = files.begin_write()
        files.note_writer(lock, JAM)
        assert files.read_jam(1000.0) == JAM
        os.close(lock)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Makes /run of the tree read-only, where this machine lets us mount."""
    run = tmp_path / "run"
    run.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "lab", run], capture_output=True, check=False).returncode
    ):
        pytest.skip("nothing can be mounted here")

    def make_read_only() -> None:
        subprocess.run(["mount", "-o", "remount,ro", run], check=True)

    yield make_read_only
    subprocess.run(["umount", "--lazy", run], check=True)


def test_a_run_that_became_read_only_keeps_nobody_from_working(files: Files, read_only: Callable[[], None]) -> None:
    with files.locked(LOCK, timeout_seconds=0, waiting=never):
        os.close(files.begin_write())
    read_only()
    with (
        files.locked(LOCK, timeout_seconds=0, waiting=never),
        pytest.raises(BusyError),
        files.locked(LOCK, timeout_seconds=0, waiting=lambda _: None),
    ):
        pytest.fail("both have the lock")
    lock = files.begin_write()
    files.note_writer(lock, JAM)
    assert files.read_jam(1000.0)
    os.close(lock)
    assert "Read-only file system" in files.save_state(b"{}")


def test_a_run_that_was_never_writable_is_named(files: Files, read_only: Callable[[], None]) -> None:
    read_only()
    with pytest.raises(BusyError) as caught, files.locked(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("there is nothing to lock")
    assert caught.value.message.endswith("cannot be locked: Read-only file system")
    assert caught.value.hint == "make it writable"


def test_a_look_at_the_jam_never_keeps_a_write_from_beginning(files: Files) -> None:
    def look_all_the_time(send: child.Send) -> None:
        send(b"looking")
        while True:
            files.read_jam(1000.0)

    os.close(files.begin_write())
    looker = child.start(look_all_the_time)
    try:
        assert os.read(looker.fd, 100) == b"looking\n"
        for _ in range(2000):
            os.close(files.begin_write())
    finally:
        os.close(looker.fd)
        child.end(looker.pid)


def test_a_write_outlives_the_pass_that_began_it(files: Files) -> None:
    started, say_started = os.pipe()

    def be_stuck(send: child.Send, lock: int) -> None:
        files.note_writer(lock, msgspec.structs.replace(JAM, pid=os.getpid()))
        send(b"stuck")
        signal.pause()

    def begin_and_die(send: child.Send) -> None:
        lock = files.begin_write()
        writer = child.start(lambda told: be_stuck(told, lock), keep=(lock,))
        send(os.read(writer.fd, 100))
        os.kill(os.getpid(), signal.SIGKILL)

    assert child.call(begin_and_die, what="a pass", timeout_seconds=10, keep=(say_started,)) == b"stuck "
    os.close(started)
    os.close(say_started)
    jam = files.read_jam(1000.0)
    assert jam == msgspec.structs.replace(JAM, pid=jam.pid if jam else 0)
    with pytest.raises(BusyError):
        files.begin_write()

    writer = os.pidfd_open(jam.pid)
    signal.pidfd_send_signal(writer, signal.SIGKILL)
    assert select.select([writer], [], [], 10)[0]
    os.close(writer)
    assert files.read_jam(1000.0) is None
    os.close(files.begin_write())
