"""The bounds of a look, in a process of its own: what it may not have is small."""

import resource
import signal

import pytest

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.limits import limit_resources


def said(text: str) -> bytes:
    """What a look says that does this and may use 16 MiB and a second."""

    def work(send: child.Send) -> None:
        try:
            with limit_resources("the look", memory_bytes=16 << 20, cpu_seconds=0):
                exec(text)  # noqa: S102 - our own text
        except SriovBootstrapError as error:
            send(error.message.encode())
        else:
            send(b"done")

    return child.call(work, what="a test", timeout_seconds=120.0)


def test_what_is_within_the_bounds_is_done() -> None:
    assert said("b'x' * 1024") == b"done"


def test_memory_beyond_the_bound_ends_the_look() -> None:
    assert said("bytearray(256 << 20)") == b"the look: gave up: it needs more than 16 MiB of memory"


def test_time_beyond_the_bound_ends_the_look() -> None:
    """The signal is sent by hand: nothing here burns a second."""
    assert said("import signal; signal.raise_signal(signal.SIGXCPU)") == b"the look: gave up after 0 s of CPU time"


def test_the_process_is_as_before_when_the_look_is_over() -> None:
    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU)
    before = [resource.getrlimit(kind) for kind in kinds], signal.getsignal(signal.SIGXCPU)
    with limit_resources("the look"):
        assert all(resource.getrlimit(kind)[0] > 0 for kind in kinds)
        assert resource.getrlimit(resource.RLIMIT_CPU)[0] != before[0][1][0]
    assert ([resource.getrlimit(kind) for kind in kinds], signal.getsignal(signal.SIGXCPU)) == before
    with pytest.raises(SriovBootstrapError, match="a bug"), limit_resources("the look"):
        raise SriovBootstrapError("a bug")
    assert ([resource.getrlimit(kind) for kind in kinds], signal.getsignal(signal.SIGXCPU)) == before
