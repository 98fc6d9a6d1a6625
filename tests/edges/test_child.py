import os
import resource
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sriov_bootstrap.base import pipes
from sriov_bootstrap.base.errors import SriovBootstrapError, StuckError
from sriov_bootstrap.base.pipes import STDERR_BYTES
from sriov_bootstrap.edges import child

ENOUGH = 30.0  # seconds: no test waits that long unless something is broken
AT_ONCE = 0.05


def never_answer(_send: child.Send) -> None:
    signal.pause()


def say_and_stay(send: child.Send) -> None:
    send(b"here")
    signal.pause()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The write end is the test's to close."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)


# -- call --


def test_where_there_is_no_room_for_a_process_that_is_said_and_nothing_stays_open() -> None:
    """In a child: a limit on its processes, as TasksMax= of the unit is one. Root has none but a cgroup's."""

    def try_to_fork(send: child.Send) -> None:
        os.setresuid(65534, 65534, 65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        before = os.listdir("/proc/self/fd")
        try:
            child.start(never_answer)
        except SriovBootstrapError as error:
            kept = "" if os.listdir("/proc/self/fd") == before else " and files stay open"
            send(f"{error.message}{kept}".encode())

    if os.geteuid():
        pytest.skip("becomes nobody")
    said = child.call(try_to_fork, what="it", timeout_seconds=ENOUGH)
    assert said == b"cannot start a process: Resource temporarily unavailable"


def test_who_may_be_lost_is_the_first_that_the_kernel_ends() -> None:
    def work(send: child.Send) -> None:
        child.be_the_first_to_go()
        send(Path("/proc/self/oom_score_adj").read_bytes().strip())

    assert child.call(work, what="it", timeout_seconds=ENOUGH) == b"500"


def test_a_call_returns_the_last_line() -> None:
    def work(send: child.Send) -> None:
        send(b"begun")
        send(b"half done")
        send(b'{"kind":"ended"}')

    assert child.call(work, what="a write", timeout_seconds=ENOUGH) == b'{"kind":"ended"}'


def test_a_line_stays_one_line() -> None:
    assert child.call(lambda send: send(b"one\ntwo"), what="a write", timeout_seconds=ENOUGH) == b"one two"


def test_a_long_line_arrives_whole() -> None:
    line = b"x" * (1 << 20)  # sixteen times what a pipe holds
    assert child.call(lambda send: send(line), what="a write", timeout_seconds=ENOUGH) == line


@pytest.mark.parametrize(
    "chunks",
    [(b"a\nb\n",), (b"a", b"\nb\n"), (b"a\n", b"b", b"\n"), (b"a\n", b"\n", b"b"), (b"a\nb", b"", b"\n\n")],
)
def test_the_last_line_is_the_same_however_it_arrives(monkeypatch: pytest.MonkeyPatch, chunks: tuple[bytes]) -> None:
    left = [*filter(None, chunks), b""]
    monkeypatch.setattr(pipes, "_read_chunk", lambda *_: (0, left.pop(0)))
    assert child.call(lambda _: None, what="it", timeout_seconds=ENOUGH) == b"b"


def test_lines_before_the_last_take_no_room_and_one_without_end_ends_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipes, "LINE_BYTES", 1 << 20)
    line = b"x" * ((1 << 20) - 1)

    def work(send: child.Send) -> None:
        for _ in range(4):
            send(line)

    def go_on(send: child.Send) -> None:
        send(line * 2)
        signal.pause()

    assert child.call(work, what="it", timeout_seconds=ENOUGH) == line
    with pytest.raises(SriovBootstrapError) as caught:
        child.call(go_on, what="it", timeout_seconds=ENOUGH)
    assert caught.value.message == "it: the answer is longer than 1 MiB"


def test_a_crash_is_an_exception_here() -> None:
    def crash(send: child.Send) -> None:
        send(b"begun")
        raise LookupError("no such\nthing")

    with pytest.raises(SriovBootstrapError) as caught:
        child.call(crash, what="0000:3b:00.0: a write", timeout_seconds=ENOUGH)
    assert caught.value.message.startswith("0000:3b:00.0: a write: ")
    assert caught.value.message.endswith("LookupError: no such | thing")
    assert caught.value.hint == "this is a bug: please report it"


def test_a_child_that_is_killed_gives_an_empty_line() -> None:
    def be_killed(_send: child.Send) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    assert child.call(be_killed, what="a write", timeout_seconds=ENOUGH) == b""


def test_a_child_that_never_answers_is_killed_at_the_deadline() -> None:
    with pytest.raises(StuckError) as caught:
        child.call(never_answer, what="D-Bus", timeout_seconds=AT_ONCE)
    assert caught.value.message == "D-Bus: no answer after 0.05 s"
    assert not is_alive(caught.value.pid)


def test_a_child_that_may_not_be_killed_is_left_behind() -> None:
    writer = child.start(never_answer)
    with pytest.raises(StuckError) as caught:
        next_line(writer, child.lines_of(writer), timeout_seconds=AT_ONCE)
    os.close(writer.fd)
    assert caught.value.message == "a write: no answer after 0.05 s"
    assert is_alive(writer.pid)
    child.end(writer.pid)
    assert not is_alive(writer.pid)


def next_line(writer: child.Child, lines: pipes.PipeLines, *, timeout_seconds: float = ENOUGH) -> bytes:
    return child.next_line(lines, writer, what="a write", timeout_seconds=timeout_seconds, waiting=lambda _: None)


def test_each_line_of_a_child_is_waited_for_and_then_its_end() -> None:
    def work(send: child.Send) -> None:
        assert [send(b"one"), send(b"two")] == [True, True]

    writer = child.start(work)
    lines = child.lines_of(writer)
    assert [next_line(writer, lines) for _ in range(4)] == [b"one", b"two", b"", b""]
    os.close(writer.fd)
    child.see_off(writer)
    assert not is_alive(writer.pid)


def test_a_child_learns_that_nobody_listens_any_more(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe

    def work(send: child.Send) -> None:
        assert send(b"begun")
        while send(b"still there"):
            pass
        os.write(write_end, b"noticed")

    writer = child.start(work, keep=(write_end,))
    assert next_line(writer, child.lines_of(writer)) == b"begun"
    os.close(writer.fd)
    assert os.read(read_end, 100) == b"noticed"
    child.see_off(writer)


def test_a_child_with_an_endless_line_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "LINE_BYTES", 1 << 16)
    writer = child.start(lambda send: send(b"x" * (1 << 17)))
    with pytest.raises(SriovBootstrapError, match="a write: the answer is longer than"):
        next_line(writer, child.lines_of(writer))
    os.close(writer.fd)
    child.see_off(writer)
    assert not is_alive(writer.pid)


def test_who_waits_is_told_how_long() -> None:
    waited: list[float] = []
    with pytest.raises(StuckError):
        child.call(never_answer, what="a write", timeout_seconds=AT_ONCE, waiting=waited.append)
    assert waited
    assert waited[-1] >= AT_ONCE


def test_the_work_goes_on_when_nobody_listens_any_more(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    may_go_on, let_go_on = os.pipe()

    def work(send: child.Send) -> None:
        os.read(may_go_on, 1)
        send(b"nobody hears this")
        os.write(write_end, b"done")

    started = child.start(work, keep=(write_end, may_go_on))
    os.close(started.fd)
    os.write(let_go_on, b"!")
    os.close(write_end)
    assert os.read(read_end, 100) == b"done"
    os.close(may_go_on)
    os.close(let_go_on)
    assert child.reap(started.pid, timeout_seconds=ENOUGH)


# -- what a child holds --


def test_a_child_does_not_hold_our_port() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        started = child.start(say_and_stay)
        assert os.read(started.fd, 100) == b"here\n"
    with socket.socket() as again:
        again.bind(address)
    os.close(started.fd)
    child.end(started.pid)


def test_a_child_does_not_hold_our_pipes(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    started = child.start(say_and_stay)
    assert os.read(started.fd, 100) == b"here\n"
    os.close(write_end)
    assert os.read(read_end, 1) == b""  # end-of-file: nobody else has it open
    os.close(started.fd)
    child.end(started.pid)


def test_a_child_keeps_what_it_is_given(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    started = child.start(never_answer, keep=(write_end,))
    os.close(write_end)
    assert not select.select([read_end], [], [], 0)[0]
    child.end(started.pid)
    assert os.read(read_end, 1) == b""
    os.close(started.fd)


def test_a_child_has_no_terminal_and_no_output_of_ours() -> None:
    def where(send: child.Send) -> None:
        send(" ".join(os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)).encode())

    assert child.call(where, what="a look", timeout_seconds=ENOUGH) == b"/dev/null /dev/null /dev/null"


def test_a_child_is_not_ended_with_our_session_but_by_its_own_sigterm() -> None:
    def say_session(send: child.Send) -> None:
        send(f"{os.getsid(0) == os.getpid()}".encode())
        signal.pause()

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as the daemon, which has a handler
    try:
        started = child.start(say_session)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert os.read(started.fd, 100) == b"True\n"
    os.close(started.fd)
    os.kill(started.pid, signal.SIGTERM)
    assert child.reap(started.pid, timeout_seconds=ENOUGH)


# -- the end of a child --


def test_ending_a_child_that_has_ended_is_no_error() -> None:
    started = child.start(lambda _: None)
    assert os.read(started.fd, 1) == b""
    os.close(started.fd)
    child.end(started.pid)
    child.end(started.pid)


def test_a_child_that_goes_on_is_not_waited_for_for_ever() -> None:
    started = child.start(never_answer)
    os.close(started.fd)
    assert not child.reap(started.pid, timeout_seconds=0)
    child.end(started.pid)


# -- launch --


def test_a_command_that_has_ended_keeps_its_pid_until_it_is_told_to_end() -> None:
    launched = child.launch(["true"])
    os.close(launched.fd)
    descriptor = os.pidfd_open(launched.pid)
    assert select.select([descriptor], [], [], ENOUGH)[0]
    os.close(descriptor)
    assert child.has_ended(launched)
    assert child.has_ended(launched)
    os.kill(launched.pid, 0)  # it is still our child, and no stranger is killed in its place
    child.end(launched.pid)


def test_a_command_that_goes_on_has_not_ended() -> None:
    launched = child.launch(["sleep", "60"])
    os.close(launched.fd)
    assert not child.has_ended(launched)
    child.end(launched.pid)


# -- run --


def test_a_command_gives_its_exit_code_and_both_outputs() -> None:
    completed = child.run(["sh", "-c", "echo answer; echo problem >&2; exit 3"])
    assert completed == child.Completed(3, b"answer\n", b"problem\n")


def test_a_command_that_is_missing_ends_as_in_a_shell() -> None:
    completed = child.run(["no-such-command", "x"])
    assert completed == child.Completed(127, b"", b"no-such-command: No such file or directory")


def test_a_command_that_was_killed_has_a_negative_exit_code() -> None:
    assert child.run(["sh", "-c", "kill -9 $$"]).returncode == -signal.SIGKILL


def test_a_command_reads_nothing_and_speaks_english() -> None:
    assert child.run(["sh", "-c", "cat; echo $LC_ALL"]).stdout == b"C\n"


def test_a_command_that_does_not_end_is_killed_at_the_deadline() -> None:
    began = time.monotonic()
    with pytest.raises(StuckError) as caught:
        child.run(["sleep", "60"], timeout_seconds=AT_ONCE)
    assert caught.value.message == "sleep 60: not finished after 0.05 s"
    assert not is_alive(caught.value.pid)
    assert time.monotonic() - began < ENOUGH


def test_large_outputs_on_both_sides_do_not_block_each_other() -> None:
    script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"
    completed = child.run(["sh", "-c", script])
    assert (len(completed.stdout), len(completed.stderr)) == (1_000_000, STDERR_BYTES)


def test_of_what_a_command_complains_the_beginning_is_kept() -> None:
    completed = child.run(["sh", "-c", "echo first >&2; head -c 1000000 /dev/zero >&2; echo last >&2"])
    assert completed.stderr == b"first\n" + bytes(STDERR_BYTES - 6)


def test_a_command_that_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "STDOUT_BYTES", 1 << 20)
    completed = child.run(["head", "-c", str(1 << 20), "/dev/zero"])
    assert completed == child.Completed(0, bytes(1 << 20), b"")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SriovBootstrapError) as caught:
        child.run(["sh", "-c", "cat /dev/zero"], timeout_seconds=ENOUGH)
    assert caught.value.message == "sh -c cat /dev/zero: it printed more than 1 MiB and was killed"
    assert caught.value.hint
    assert os.listdir("/proc/self/fd") == before


def test_who_waits_for_a_command_is_told_how_long() -> None:
    waited: list[float] = []
    with pytest.raises(StuckError):
        child.run(["sleep", "60"], timeout_seconds=AT_ONCE, waiting=waited.append)
    assert waited
    assert waited[-1] >= AT_ONCE
