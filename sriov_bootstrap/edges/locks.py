"""flock(2): which process runs a pass, restarts or writes now. Nothing else takes these locks or knows their holders.

Two rules for this file:

1. A lock is held by a process, not by a file. What a lock file says is for people, and for telling the age of a write;
   whether the lock is held, the kernel alone knows.
2. Locks are taken in one order: ours, then the one of 0.1.0; restart.lock and verify.lock before pass.lock, pass.lock
   before write.lock.

Theory of operation
-------------------

The daemon, an operator's `--once`, `release` and a helper unit are independent processes that may all want to change
the same VFs. There are three locks for all PFs, all in /run/sriov-bootstrap/state, where only root can create files:

- pass.lock: one pass at a time. Whoever holds it also owns state.json.
- restart.lock: one round of restarts at a time.
- write.lock: held by the process that writes to the kernel, and by no other.

And verify.lock: one `verify` at a time, or whoever cleans up after one that was killed.

And one for each PF, bind-ADDRESS.lock: held by the process that binds its VFs. A probe that hangs is in the way of its
PF alone, so these processes need not know of each other, or of a write to another PF.

flock, because the kernel drops such a lock when the last process that has the file open ends, however it ends. There
is no lock to clean up after a kill -9, and none that outlives a boot. It belongs to the open file description, so a
fork passes it on: the pass opens write.lock, its writer inherits the descriptor, and the pass closes its own when it
stops waiting.

That is the point of write.lock. A write that hangs cannot be killed, and the pass that began it leaves it behind. Its
writer sits in the kernel holding the lock, so every later process, after any restart, sees that a write is under way
and adds none to the jam. The writer notes in the file who it is, what it writes, since when and for how long at most;
from that a reader tells a write that is merely slow from one that is stuck (`Jam`). A pass waits for the former and
works around the latter. The age is measured on the monotonic clock, as Unix time jumps.

Reading a jam means trying the lock, shared, for a moment. Two readers never disturb each other; a writer that meets
one tries again for a second (READER_SECONDS) before it believes in another writer.

A lock has to work on the worst day. A full disk must not break it, so a note is overwritten in place, at a fixed size,
and never truncated: no page has to be found. A read-only /run must not either: a file that exists is opened read-only.
And only root may hold us up: files are 0600, links are not followed, and files of others are not used.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from sriov_bootstrap.base.errors import BusyError
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.base.reading import make_folder
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.base.vanishing import names_in
from sriov_bootstrap.core.surroundings import Jam

FOLDER = "run/sriov-bootstrap/state"
PASS_LOCK, RESTART_LOCK, WRITE_LOCK = (f"{FOLDER}/{name}.lock" for name in ("pass", "restart", "write"))
VERIFY_LOCK = f"{FOLDER}/verify.lock"
BINDING = "bind-"  # the beginning of a file's name; a PCI address follows
# Where version 0.1.0 has them. One of its processes may run beside us until it ends, or the host reboots: the daemon
# until an upgrade restarts it, its pass that has begun to write, a --once, a write that does not return.
EARLIER = {
    PASS_LOCK: "run/lock/sriov-bootstrap.lock",
    RESTART_LOCK: "run/sriov-bootstrap/restart.lock",
    WRITE_LOCK: "run/sriov-bootstrap/write.lock",
}
LOCK_POLL_SECONDS = 0.05
READER_SECONDS = 1.0  # read_jam() holds the write lock for a moment, too
NOTE_BYTES = 1024
READ_BYTES = 4096  # that are looked at, however large the file is


class Locks:
    """All of them below `root`, "" for the real one."""

    def __init__(self, root: str = "") -> None:
        """Takes none yet."""
        self._root = root
        self._write_lock = f"{root}/{WRITE_LOCK}"
        self._earlier_write_lock = f"{root}/{EARLIER[WRITE_LOCK]}"

    @contextlib.contextmanager
    def hold(self, name: str, *, timeout_seconds: float, waiting: Callable[[str], None]) -> Iterator[None]:
        """Holds PASS_LOCK or RESTART_LOCK, and its earlier one if that exists. BusyError at the deadline."""
        path, earlier = f"{self._root}/{name}", f"{self._root}/{EARLIER[name]}"
        held = [_open_lock(path)]
        try:
            _flock(held[0], path, timeout_seconds, waiting)
            if (descriptor := _open_earlier(earlier)) is not None:  # looked for under our own: one order for all of us
                held.append(descriptor)
                _flock(descriptor, earlier, timeout_seconds, waiting)
            yield
        finally:
            for descriptor in held:
                os.close(descriptor)

    def begin_write(self) -> int:
        """Takes the write lock and returns its descriptor, for the writer to keep. BusyError while another has it."""
        return _begin(self._write_lock, lambda: _is_held(self._earlier_write_lock))

    @contextlib.contextmanager
    def hold_verify(self) -> Iterator[None]:
        """Held by a `verify` for as long as it has VFs, and to clean up after one. BusyError while another has it."""
        descriptor = _open_lock(f"{self._root}/{VERIFY_LOCK}")
        try:
            if not _is_taken(descriptor):
                message = f"another verify is under way, or being cleaned up after, in process {_holder(descriptor)}"
                raise BusyError(message, hint="try again when it has ended")
            _write_note(descriptor, f"{os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)

    def is_verifying(self) -> bool:
        """Whether a `verify` is under way, in whatever process."""
        return _is_held(f"{self._root}/{VERIFY_LOCK}")

    def begin_binding(self, pci_address: str) -> int:
        """The same for the VFs of one PF and their drivers."""
        return _begin(f"{self._root}/{FOLDER}/{BINDING}{pci_address}.lock", lambda: False)

    def forget_binding(self, pci_address: str) -> None:
        """Removes the lock of one that has ended: only whoever has the pass lock begins another."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self._root}/{FOLDER}/{BINDING}{pci_address}.lock")

    def read_bindings(self, now: float) -> dict[str, Jam]:
        """PCI address of a PF -> the process that binds its VFs. `now` on CLOCK_MONOTONIC."""
        folder = f"{self._root}/{FOLDER}"
        found = (name for name in names_in(folder) if name.startswith(BINDING) and name.endswith(".lock"))
        jams = {name[len(BINDING) : -len(".lock")]: _read_jam(f"{folder}/{name}", now) for name in sorted(found)}
        return {address: replace(jam, pci_address=address) for address, jam in jams.items() if jam}

    @staticmethod
    def note_writer(descriptor: int, jam: Jam) -> None:
        """Records in the lock file what is writing what: the writer calls it before it writes."""
        _write_note(descriptor, to_json(jam))

    def read_jam(self, now: float) -> Jam | None:
        """The write in progress in another process, None if there is none. `now` on CLOCK_MONOTONIC."""
        return _read_jam(self._write_lock, now) or _read_jam(self._earlier_write_lock, now)


def _begin(path: str, is_blocked: Callable[[], bool]) -> int:
    descriptor = _open_lock(path)
    if not _is_taken(descriptor, is_blocked):
        os.close(descriptor)
        raise BusyError("an earlier write to the kernel has not returned", hint="see sriov-bootstrap status")
    _write_note(descriptor, b"")  # its content is about an earlier write, and would look like a stuck one
    return descriptor


def _read_jam(path: str, now: float) -> Jam | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block us
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        jam = msgspec.json.decode(os.pread(descriptor, READ_BYTES, 0), type=Jam)
    except (OSError, *UNDECODABLE):  # it was only just taken, and nothing is written to it yet
        return Jam(0, "", "a write", since=0.0, limit_seconds=1.0, is_overdue=False, began_at=now)
    finally:
        os.close(descriptor)
    return replace(jam, is_overdue=now - jam.began_at > jam.limit_seconds)


def _is_held(path: str) -> bool:
    return _read_jam(path, 0.0) is not None


def _open_lock(path: str) -> int:
    """Mode 0600: any process that can read a file can lock it, and would keep us from working.

    A link is not followed, and another user's file not used: the folder is root's, so there is none.
    """
    try:
        try:
            descriptor = _open_to_lock(path)
        except FileNotFoundError:
            _make_folders(path)
            descriptor = _open_to_lock(path)
    except OSError as error:
        hint = "make it writable" if error.errno in {errno.EROFS, errno.ENOSPC} else "run as root"
        raise BusyError(f"{path}: cannot be locked: {error.strerror}", hint=hint) from error
    owner = os.fstat(descriptor).st_uid
    if owner != os.geteuid():
        os.close(descriptor)
        raise BusyError(f"{path}: is owned by user {owner}, not by us", hint=f"remove it: rm {path}")
    return descriptor


def _make_folders(path: str) -> None:
    """Those above a path. makedirs would create them as open, or as closed, as the umask makes them."""
    folder = path.rpartition("/")[0] or "/"
    if not os.path.isdir(folder):
        _make_folders(folder)
        with suppress(FileExistsError):  # another process of ours has been faster
            make_folder(folder)


def _open_earlier(path: str) -> int | None:
    """A lock that 0.1.0 may hold, None if there is none; never created. Nothing is written to it: it may be read-only.

    On Debian, /run/lock is writable for all users: a file that 0.1.0 would not have created or used must not block us.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    is_private = stat.S_ISREG(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077 and status.st_nlink == 1
    if is_private and status.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    return None


def _open_to_lock(path: str) -> int:
    """Files on a file system that has become read-only can still be locked."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | flags)


def _write_note(descriptor: int, text: bytes) -> None:
    """Replaces the content of a lock file; never truncates it, because a full disk gives no page back.

    It is for people, and for the age of a write. If it cannot be written, the lock still holds.
    """
    with contextlib.suppress(OSError):
        size = max(NOTE_BYTES, min(os.fstat(descriptor).st_size, READ_BYTES))
        os.pwrite(descriptor, text.ljust(size), 0)


def _is_taken(descriptor: int, is_blocked: Callable[[], bool] = lambda: False) -> bool:
    """Whether we have it now. A reader has it for a moment; one that keeps it for READER_SECONDS is none."""
    deadline = time.monotonic() + READER_SECONDS
    while not _try_lock(descriptor) or is_blocked():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOCK_POLL_SECONDS)
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").partition("\n")[0].strip() or "unknown"


def _try_lock(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flock(descriptor: int, path: str, timeout_seconds: float, waiting: Callable[[str], None]) -> None:
    began = time.monotonic()
    while not _try_lock(descriptor):
        holder = _holder(descriptor)
        if time.monotonic() - began > timeout_seconds:
            message = f"{path}: process {holder} has held it for more than {timeout_seconds:g} s"
            raise BusyError(message, hint=f"find out what it is doing: cat /proc/{holder}/stack")
        waiting(f"waiting for process {holder}")
        time.sleep(LOCK_POLL_SECONDS)
    _write_note(descriptor, f"{os.getpid()}\n".encode())
