"""Locks of passes and writers, on real files and with real processes."""

import contextlib
import fcntl
import os
import resource
import select
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sriov_bootstrap.base.errors import BusyError, KernelError
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import EARLIER, FOLDER, NOTE_BYTES, PASS_LOCK, RESTART_LOCK, WRITE_LOCK, Locks

ETC, USR, RUN = "etc/sriov-bootstrap", "usr/lib/sriov-bootstrap", "run/sriov-bootstrap"
LOCK = PASS_LOCK
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
def locks(tmp_path: Path) -> Locks:
    return Locks(str(tmp_path))


def never(text: str) -> None:
    pytest.fail(f"nothing had to be waited for: {text}")


# -- the lock of a pass --


def test_the_second_pass_waits_for_the_first_and_then_goes_on(locks: Locks) -> None:
    said: list[str] = []
    first = contextlib.ExitStack()
    first.enter_context(locks.hold(LOCK, timeout_seconds=0, waiting=never))

    def waiting(text: str) -> None:
        said.append(text)
        first.close()

    with locks.hold(LOCK, timeout_seconds=30, waiting=waiting):
        assert said == [f"waiting for process {os.getpid()}"]


def test_a_pass_that_does_not_end_is_named_at_the_deadline(tmp_path: Path, locks: Locks) -> None:
    with (
        locks.hold(LOCK, timeout_seconds=0, waiting=never),
        pytest.raises(BusyError) as caught,
        locks.hold(LOCK, timeout_seconds=0.01, waiting=lambda _: None),
    ):
        pytest.fail("both have the lock")
    assert caught.value.message == f"{tmp_path}/{LOCK}: process {os.getpid()} has held it for more than 0.01 s"
    assert caught.value.hint == f"find out what it is doing: cat /proc/{os.getpid()}/stack"


def test_a_pass_that_fails_lets_go_of_the_lock(locks: Locks) -> None:
    with pytest.raises(KernelError), locks.hold(LOCK, timeout_seconds=0, waiting=never):
        raise KernelError("the pass failed")
    with locks.hold(LOCK, timeout_seconds=0, waiting=never):
        pass


def test_the_lock_of_a_killed_process_is_free(locks: Locks) -> None:
    def hold(send: child.Send) -> None:
        with locks.hold(LOCK, timeout_seconds=0, waiting=never):
            send(b"held")
            signal.pause()

    holder = child.start(hold)
    assert os.read(holder.fd, 100) == b"held\n"
    os.close(holder.fd)
    with pytest.raises(BusyError), locks.hold(LOCK, timeout_seconds=0, waiting=lambda _: None):
        pytest.fail("both have the lock")
    child.end(holder.pid)
    with locks.hold(LOCK, timeout_seconds=0, waiting=never):
        pass


def test_the_lock_names_its_holder_and_nobody_before_it(tmp_path: Path, locks: Locks) -> None:
    path = tmp_path / LOCK
    path.parent.mkdir(parents=True)
    path.write_bytes(b"4194304 was here for a long time\n")
    with locks.hold(LOCK, timeout_seconds=0, waiting=never):
        assert path.read_text().split() == [f"{os.getpid()}"]


@pytest.mark.parametrize("umask", [0, 0o022, 0o027, 0o077])
def test_other_users_may_look_into_the_folders_of_locks(tmp_path: Path, locks: Locks, umask: int) -> None:
    """The exporter reads what is in them, and QEMU boots from there."""
    before = os.umask(umask)
    try:
        with locks.hold(LOCK, timeout_seconds=0, waiting=never):
            pass
    finally:
        os.umask(before)
    made = [folder for folder in (tmp_path / LOCK).parents if folder.is_relative_to(tmp_path) and folder != tmp_path]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in made} == {0o755}
    assert stat.S_IMODE((tmp_path / LOCK).stat().st_mode) == 0o600


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path, locks: Locks) -> None:
    victim = tmp_path / "shadow"
    victim.write_bytes(b"root:*:\n")
    (tmp_path / LOCK).parent.mkdir(parents=True)
    (tmp_path / LOCK).symlink_to(victim)
    with pytest.raises(BusyError) as caught, locks.hold(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("the link was followed")
    assert caught.value.message == f"{tmp_path}/{LOCK}: cannot be locked: Too many levels of symbolic links"
    assert caught.value.hint == "run as root"
    assert victim.read_bytes() == b"root:*:\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_lock_of_somebody_else_is_refused(tmp_path: Path, locks: Locks) -> None:
    path = tmp_path / LOCK
    path.parent.mkdir(parents=True)
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(BusyError) as caught, locks.hold(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("it was locked all the same")
    assert caught.value.message == f"{path}: is owned by user {NOBODY}, not by us"
    assert caught.value.hint == f"remove it: rm {path}"


# -- beside version 0.1.0, which has its locks elsewhere --


@contextlib.contextmanager
def held_by_the_version_before(root: Path, name: str, text: bytes = b"4711\n") -> Iterator[Path]:
    """Its file, made and locked as it does that."""
    path = root / EARLIER[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, text, 0)
    try:
        yield path
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", [PASS_LOCK, RESTART_LOCK])
def test_what_the_version_before_has_begun_is_waited_for(tmp_path: Path, locks: Locks, name: str) -> None:
    with held_by_the_version_before(tmp_path, name) as path:
        with pytest.raises(BusyError) as caught, locks.hold(name, timeout_seconds=0, waiting=lambda _: None):
            pytest.fail("both have the lock")
        assert caught.value.message == f"{path}: process 4711 has held it for more than 0 s"
    with locks.hold(name, timeout_seconds=0, waiting=never):
        pass


@pytest.mark.parametrize("name", [PASS_LOCK, RESTART_LOCK])
def test_the_version_before_begins_nothing_beside_us(tmp_path: Path, locks: Locks, name: str) -> None:
    with held_by_the_version_before(tmp_path, name) as path:
        pass
    with (
        locks.hold(name, timeout_seconds=0, waiting=never),
        path.open("rb+") as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_no_write_begins_beside_one_of_the_version_before(tmp_path: Path, locks: Locks) -> None:
    with held_by_the_version_before(tmp_path, WRITE_LOCK, msgspec.json.encode(JAM)):
        assert locks.read_jam(1000.0) == JAM
        with pytest.raises(BusyError):
            locks.begin_write()
    assert locks.read_jam(1000.0) is None
    os.close(locks.begin_write())


def _a_fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _an_open_file(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


def _a_link(path: Path) -> None:
    target = path.parent / "other"
    target.touch(0o600)
    path.symlink_to(target)


def _a_file_with_another_name(path: Path) -> None:
    target = path.parent / "other"
    target.touch(0o600)
    path.hardlink_to(target)


def _a_file_of_somebody_else(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize(
    "make",
    [
        _a_fifo,
        _an_open_file,
        _a_link,
        _a_file_with_another_name,
        pytest.param(
            _a_file_of_somebody_else, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it away")
        ),
    ],
)
def test_what_the_version_before_has_not_made_holds_nobody_up(
    tmp_path: Path, locks: Locks, make: Callable[[Path], None]
) -> None:
    """/run/lock is open for everybody on Debian."""
    path = tmp_path / EARLIER[PASS_LOCK]
    path.parent.mkdir(parents=True)
    make(path)
    holder = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with locks.hold(PASS_LOCK, timeout_seconds=0, waiting=never):
        pass
    os.close(holder)


def test_there_is_no_lock_where_others_may_make_files() -> None:
    folders = {name.rpartition("/")[0] for name in (PASS_LOCK, RESTART_LOCK, WRITE_LOCK)}
    assert folders == {"run/sriov-bootstrap/state"}


# -- the lock of a writer --


def test_without_a_writer_there_is_no_jam(locks: Locks) -> None:
    assert locks.read_jam(1000.0) is None
    lock = locks.begin_write()
    locks.note_writer(lock, JAM)
    os.close(lock)
    assert locks.read_jam(1000.0) is None


@pytest.mark.parametrize(
    ("now", "is_overdue"), [pytest.param(1095.0, False, id="in time"), pytest.param(1095.1, True, id="overdue")]
)
def test_a_write_under_way_tells_who_does_what_since_when(locks: Locks, now: float, *, is_overdue: bool) -> None:
    lock = locks.begin_write()
    locks.note_writer(lock, JAM)
    assert locks.read_jam(now) == msgspec.structs.replace(JAM, is_overdue=is_overdue)
    os.close(lock)


def test_a_writer_that_has_not_yet_said_what_it_does_is_a_write_under_way(locks: Locks) -> None:
    earlier = locks.begin_write()
    locks.note_writer(earlier, JAM)
    os.close(earlier)
    lock = locks.begin_write()
    now = JAM.began_at + 10 * JAM.limit_seconds
    unnamed = Jam(0, "", "a write", since=0.0, limit_seconds=1.0, is_overdue=False, began_at=now)
    assert locks.read_jam(now) == unnamed
    os.close(lock)


def test_no_write_begins_beside_another(locks: Locks) -> None:
    lock = locks.begin_write()
    with pytest.raises(BusyError) as caught:
        locks.begin_write()
    assert caught.value.message == "an earlier write to the kernel has not returned"
    assert caught.value.hint == "see sriov-bootstrap status"
    os.close(lock)
    os.close(locks.begin_write())


def test_the_age_of_a_write_is_not_that_of_the_clock(locks: Locks) -> None:
    """`since` is for people; where the clock jumps, the write is neither older nor younger for it."""
    lock = locks.begin_write()
    for since in (0.0, 4e9):
        locks.note_writer(lock, msgspec.structs.replace(JAM, since=since))
        in_time, overdue = locks.read_jam(1095.0), locks.read_jam(1095.1)
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


def test_locks_hold_on_a_full_disk(tmp_path: Path, locks: Locks) -> None:
    with file_size_limit(0):
        with locks.hold(LOCK, timeout_seconds=0, waiting=never):
            with pytest.raises(BusyError) as caught, locks.hold(LOCK, timeout_seconds=0, waiting=lambda _: None):
                pytest.fail("both have the lock")
            assert "process unknown has held it" in caught.value.message
        lock = locks.begin_write()
        locks.note_writer(lock, JAM)
        jam = locks.read_jam(1000.0)
        os.close(lock)
        assert Files(str(tmp_path)).save_state(b"{}").startswith(f"{tmp_path}/{FOLDER}/state.json could not")
    assert jam
    assert (jam.pid, jam.is_overdue) == (0, False)
    assert locks.read_jam(1000.0) is None


def test_a_disk_that_fills_up_later_still_takes_who_writes(locks: Locks) -> None:
    """A lock file is never cut, so the kernel has room for it as long as it is there."""
    os.close(locks.begin_write())
    with file_size_limit(NOTE_BYTES):
        lock = locks.begin_write()
        locks.note_writer(lock, JAM)
        assert locks.read_jam(1000.0) == JAM
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


def test_a_run_that_became_read_only_keeps_nobody_from_working(
    tmp_path: Path, locks: Locks, read_only: Callable[[], None]
) -> None:
    with locks.hold(LOCK, timeout_seconds=0, waiting=never):
        os.close(locks.begin_write())
    read_only()
    with (
        locks.hold(LOCK, timeout_seconds=0, waiting=never),
        pytest.raises(BusyError),
        locks.hold(LOCK, timeout_seconds=0, waiting=lambda _: None),
    ):
        pytest.fail("both have the lock")
    lock = locks.begin_write()
    locks.note_writer(lock, JAM)
    assert locks.read_jam(1000.0)
    os.close(lock)
    assert "Read-only file system" in Files(str(tmp_path)).save_state(b"{}")


def test_a_run_that_was_never_writable_is_named(locks: Locks, read_only: Callable[[], None]) -> None:
    read_only()
    with pytest.raises(BusyError) as caught, locks.hold(LOCK, timeout_seconds=0, waiting=never):
        pytest.fail("there is nothing to lock")
    assert caught.value.message.endswith("cannot be locked: Read-only file system")
    assert caught.value.hint == "make it writable"


def test_a_look_never_keeps_a_write_or_a_verify_from_beginning(locks: Locks) -> None:
    def look_all_the_time(send: child.Send) -> None:
        send(b"looking")
        while True:
            locks.read_jam(1000.0)
            locks.is_verifying()

    os.close(locks.begin_write())
    with locks.hold_verify():
        assert locks.is_verifying()
    looker = child.start(look_all_the_time)
    try:
        assert os.read(looker.fd, 100) == b"looking\n"
        for _ in range(2000):
            os.close(locks.begin_write())
            with locks.hold_verify():
                pass
    finally:
        os.close(looker.fd)
        child.end(looker.pid)


def test_a_write_outlives_the_pass_that_began_it(locks: Locks) -> None:
    started, say_started = os.pipe()

    def be_stuck(send: child.Send, lock: int) -> None:
        locks.note_writer(lock, msgspec.structs.replace(JAM, pid=os.getpid()))
        send(b"stuck")
        signal.pause()

    def begin_and_die(send: child.Send) -> None:
        lock = locks.begin_write()
        writer = child.start(lambda told: be_stuck(told, lock), keep=(lock,))
        send(os.read(writer.fd, 100))
        os.kill(os.getpid(), signal.SIGKILL)

    assert child.call(begin_and_die, what="a pass", timeout_seconds=10, keep=(say_started,)) == b"stuck "
    os.close(started)
    os.close(say_started)
    jam = locks.read_jam(1000.0)
    assert jam == msgspec.structs.replace(JAM, pid=jam.pid if jam else 0)
    with pytest.raises(BusyError):
        locks.begin_write()

    writer = os.pidfd_open(jam.pid)
    signal.pidfd_send_signal(writer, signal.SIGKILL)
    assert select.select([writer], [], [], 10)[0]
    os.close(writer)
    assert locks.read_jam(1000.0) is None
    os.close(locks.begin_write())
