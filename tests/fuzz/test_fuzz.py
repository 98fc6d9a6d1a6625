"""Bytes from other processes: whatever they are, nothing is raised that is not of the error family."""

import contextlib

import msgspec
import pytest
from hypothesis import example
from hypothesis import strategies as st

from builders import PF
from fuzzing import bytes_like, fuzzed
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.followup import UnitOutcome, UnitResult, UnitState
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.edges import child, iproute
from sriov_bootstrap.edges.child import Completed
from sriov_bootstrap.machine import jobs, pipe_messages

DEEP = b"[" * 100_000
END = msgspec.json.encode(jobs.JobEnd(State(boot_id="b")))
ANSWERS = tuple(
    msgspec.json.encode(one)
    for one in (
        pipe_messages.Done(Result(SetNumVfs(PF, 0, 4), Outcome.FAILED, errno=16, message="said no", hint="wait")),
        pipe_messages.Refused("not asked for", "look"),
        pipe_messages.Stuck("modinfo hangs", "wait"),
        pipe_messages.BusFailed("no bus", "wait"),
        pipe_messages.Units((UnitState("a.service"),)),
        pipe_messages.Restarted((UnitResult("a.service", UnitOutcome.DONE),)),
    )
)
LINKS = b'[{"ifname": "ens1f0", "altnames": ["enp59s0f0"], "addr_info": [{"local": "192.0.2.1", "prefixlen": 24}]}]'


@fuzzed(line=bytes_like(END))
@example(DEEP)
@example(b"")
@example(b'{"state": {"report": {"notes": ["\xff"]}}}')
@example(b'{"state": {"x": ' + DEEP)
@example(child.CRASH + b"\xff")
def test_any_bytes_are_the_end_of_a_job_or_say_that_it_broke(line: bytes) -> None:
    with contextlib.suppress(SriovBootstrapError):
        assert isinstance(jobs.end_of(line), jobs.JobEnd)


@fuzzed(line=bytes_like(*ANSWERS))
@example(DEEP)
@example(b"")
@example(b'{"kind": "busfailed", "message": "\xff", "hint": ""}')
@example(b'{"kind": "done", "x": ' + DEEP)
@example(child.CRASH + b"\xff")
def test_any_bytes_are_an_answer_or_say_that_there_is_none(line: bytes) -> None:
    with contextlib.suppress(SriovBootstrapError):
        assert isinstance(
            pipe_messages.decode(line, PF), pipe_messages.Done | pipe_messages.Units | pipe_messages.Restarted
        )


@pytest.mark.parametrize("returncode", [0, 255])
@fuzzed(out=bytes_like(LINKS), error=st.binary(max_size=50))
@example(out=DEEP, error=b"novf")
@example(out=b'[{"ifname": "\xff"}]', error=b"")
def test_any_words_of_ip_are_links_or_a_problem(returncode: int, out: bytes, error: bytes) -> None:
    links = iproute.read_links(lambda _: Completed(returncode, out, error))
    assert not (links.by_name and links.problem)
    assert all(links.by_name)
    assert returncode == 0 or links.problem.startswith("ip failed: ")
