"""Processes: the only module that starts one, and that leaves one behind.

Whatever may never return (a write to /sys, a read that needs a kernel lock, a bus that hangs, modprobe) runs in a
process of its own. A thread would not do: a process with a thread stuck in the kernel cannot exit. fork and not exec,
because a new interpreter costs more than the write. This process must therefore have one thread only.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sriov_bootstrap.base.errors import SriovBootstrapError, StuckError
from sriov_bootstrap.base.pipes import STDERR_BYTES, PipeLines, TooLongError, Waiting, read_all, read_last_line
from sriov_bootstrap.base.printable import one_line

Send = Callable[[bytes], bool]  # whether anybody still listens
Work = Callable[[Send], object]
BUG = "this is a bug: please report it"
CRASH = b"!"  # first byte of the line that carries a traceback; JSON never begins with it
COMMAND_SECONDS = 30.0
OOM_SCORE_ADJ = "500"  # proc_pid_oom_score_adj(5): as if it had half of the unit's memory


class Child(NamedTuple):
    """A process at work. Its lines arrive on `fd`, which reports end-of-file when it is over."""

    pid: int
    fd: int


class Completed(NamedTuple):
    """A command that ended on its own."""

    returncode: int
    stdout: bytes
    stderr: bytes


def start(work: Work, *, keep: Iterable[int] = ()) -> Child:
    """Runs `work(send)` in a process of its own; each `send(line)` reaches the parent as a line of Child.fd.

    It keeps no file of ours open but `keep`: a process that is left behind must not hold a terminal, a pipe to ssh or
    the port of the metrics. SriovBootstrapError if no process can be started.
    """
    read_end, write_end = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:  # EAGAIN, ENOMEM: fork(2)
        os.close(read_end)
        os.close(write_end)
        hint = "check TasksMax= and MemoryMax= of the unit, and whether the host has free memory"
        raise SriovBootstrapError(f"cannot start a process: {error.strerror}", hint=hint) from error
    if pid == 0:
        _become_child(work, write_end, {write_end, *keep})
    os.close(write_end)
    return Child(pid, read_end)


def call(
    work: Work,
    *,
    what: str,
    timeout_seconds: float,
    keep: Iterable[int] = (),
    waiting: Waiting = lambda _passed_seconds: None,
) -> bytes:
    """Waits for `work` and returns its last line; `waiting` gets the time that has passed every two seconds.

    SriovBootstrapError for an endless answer. StuckError after the deadline: by then the process has been killed.
    """
    child = start(work, keep=keep)
    return finish(child, what=what, timeout_seconds=timeout_seconds, waiting=waiting)


def progress(say: Callable[[str], None], what: str) -> Waiting:
    """`waiting` that says how long something takes: a job of the daemon that is silent for long is given up."""
    return lambda passed_seconds: say(f"{what}: {passed_seconds:.0f} s so far")


def finish(
    child: Child,
    *,
    what: str,
    timeout_seconds: float,
    waiting: Waiting = lambda _passed_seconds: None,
) -> bytes:
    """The same for a process that was started before: the time that it may take counts from now."""
    try:
        last = read_last_line(child.fd, time.monotonic(), timeout_seconds, waiting)
    except TooLongError as error:
        end(child.pid)
        raise SriovBootstrapError(f"{what}: {error}", hint=BUG) from error
    finally:
        os.close(child.fd)
    if last is None:
        end(child.pid)
        raise StuckError(f"{what}: no answer after {timeout_seconds:g} s", pid=child.pid)
    os.waitpid(child.pid, 0)
    return line_or_crash(last, what)


def lines_of(child: Child) -> PipeLines:
    """What it will say, for next_line()."""
    return PipeLines(child.fd)


def next_line(lines: PipeLines, child: Child, *, what: str, timeout_seconds: float, waiting: Waiting) -> bytes:
    """What it says next, b"" if it has ended. The time that this may take counts from now.

    StuckError after the deadline; it is left running, and finds nobody listening when it goes on. SriovBootstrapError
    for an endless line.
    """
    try:
        line = lines.next(timeout_seconds, waiting)
    except TooLongError as error:
        end(child.pid)
        raise SriovBootstrapError(f"{what}: {error}", hint=BUG) from error
    if line is None:
        raise StuckError(f"{what}: no answer after {timeout_seconds:g} s", pid=child.pid)
    return line


def see_off(child: Child) -> None:
    """Waits for the end of one that has said its last line."""
    with contextlib.suppress(ChildProcessError):  # it said too much, and was killed
        os.waitpid(child.pid, 0)


def line_or_crash(line: bytes, what: str) -> bytes:
    """The line, or the crash that it carries as an exception."""
    if line.startswith(CRASH):
        raise SriovBootstrapError(f"{what}: {line[1:].decode(errors='replace').strip()}", hint=BUG)
    return line


def run(
    argv: list[str],
    *,
    timeout_seconds: float = COMMAND_SECONDS,
    waiting: Waiting = lambda _passed_seconds: None,
) -> Completed:
    """Runs a command without a shell. A command that cannot be started ends like the shell's: 127 and a message.

    The first STDERR_BYTES of its stderr are kept. SriovBootstrapError for more than STDOUT_BYTES.
    """
    out, out_child = os.pipe()
    err, err_child = os.pipe()
    try:
        pid = _spawn(argv, out_child, err_child)
    except OSError as error:
        os.close(out)
        os.close(err)
        return Completed(127, b"", f"{argv[0]}: {error.strerror}".encode())
    finally:
        os.close(out_child)
        os.close(err_child)
    texts = {out: bytearray(), err: bytearray()}
    try:
        is_done = read_all(texts, time.monotonic(), timeout_seconds, waiting, answer=out)
    except TooLongError as error:
        end(pid)
        raise SriovBootstrapError(f"{' '.join(argv)}: {error}", hint="run it by hand to see what it prints") from error
    finally:
        os.close(out)
        os.close(err)
    if not is_done:
        end(pid)
        raise StuckError(f"{' '.join(argv)}: not finished after {timeout_seconds:g} s", pid=pid)
    _, status = os.waitpid(pid, 0)
    return Completed(os.waitstatus_to_exitcode(status), bytes(texts[out]), bytes(texts[err]))


def launch(argv: list[str]) -> Child:
    """Starts a command without waiting for it: what it says, on stdout and stderr alike, arrives on `fd`.

    SriovBootstrapError if it cannot be started.
    """
    out, out_child = os.pipe()
    os.set_blocking(out, False)
    try:
        return Child(_spawn(argv, out_child, out_child), out)
    except OSError as error:
        os.close(out)
        raise SriovBootstrapError(f"{argv[0]}: {error.strerror}", hint=f"install {argv[0]}") from error
    finally:
        os.close(out_child)


def has_ended(launched: Child) -> bool:
    """Whether a command has ended. It is not reaped: until end(), nothing else can have its pid."""
    return os.waitid(os.P_PID, launched.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def said_by(launched: Child) -> bytes:
    """What it has said since it was asked last, STDERR_BYTES at most."""
    try:
        return os.read(launched.fd, STDERR_BYTES)
    except BlockingIOError:
        return b""


def _spawn(argv: list[str], out: int, err: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, err, 2),
    ]
    environment = {**os.environ, "LC_ALL": "C"}
    return os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsigmask=(), setsid=True)


def end(pid: int) -> None:
    """Kills one of our children and reaps it if it can die; one stuck in the kernel stays behind."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        reap(pid, timeout_seconds=1.0)


def be_the_first_to_go() -> None:
    """For expendable processes: of all that share our unit's memory, the kernel kills this one first."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(OOM_SCORE_ADJ)


def reap(pid: int, *, timeout_seconds: float) -> bool:
    """Waits for a child to end, but not for ever."""
    descriptor = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([descriptor], [], [], timeout_seconds)
    finally:
        os.close(descriptor)
    if ready:
        os.waitpid(pid, 0)
    return bool(ready)


def _become_child(work: Work, write_end: int, keep: set[int]) -> None:
    """Never returns."""
    import gc

    try:
        gc.freeze()  # the parent's objects are never collected here: they hold file numbers that will be reused
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        _close_all_but(keep)
        try:
            work(lambda line: _send(write_end, line))
        except BaseException:  # noqa: BLE001 - whatever it was, it goes to the parent
            import traceback

            last_words = "\n".join(traceback.format_exc().strip().splitlines()[-3:])
            _send(write_end, CRASH + one_line(last_words.encode(errors="surrogatepass")).encode())
    finally:
        os._exit(0)


def _close_all_but(keep: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor not in keep:  # noqa: PLR2004 - stderr
            with contextlib.suppress(OSError):  # the listing's own descriptor is already closed
                os.close(descriptor)


def _send(descriptor: int, line: bytes) -> bool:
    """False: the parent has ended or given up. What is being done goes on all the same."""
    view = memoryview(line.replace(b"\n", b" ") + b"\n")
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        return False
    return True
