"""Bytes from other processes: whatever they are, nothing is raised that is not of the error family."""

import contextlib

import msgspec
from hypothesis import example
from hypothesis import strategies as st

from builders import PF
from fuzzing import bytes_like, fuzzed, spoilt
from netlink import address, done, link, pf_link, vf_info
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.netlink import RTM_GETLINK
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.followup import UnitOutcome, UnitResult, UnitState
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.edges import child, rtnetlink, vf_attributes
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
        pipe_messages.Units((UnitState("a.service", "not-found", "inactive"),)),
        pipe_messages.Restarted((UnitResult("a.service", UnitOutcome.DONE),)),
    )
)
LINKS = link(2, b"ens1f0", b"enp59s0f0", xdp=1) + done()
VFS = pf_link(2, b"ens1f0", [vf_info(0), vf_info(1, "02:00:00:00:00:01", guids=(1, 2))])
ADDRESSES = address(2, "192.0.2.1/24") + address(2, "2001:db8::1/64") + done()


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


@fuzzed(links=spoilt(LINKS) | st.binary(max_size=80), addresses=spoilt(ADDRESSES) | st.binary(max_size=80))
@example(links=LINKS, addresses=ADDRESSES)
@example(links=b"", addresses=b"")
@example(links=LINKS[:16] + b"\xff" * 60, addresses=ADDRESSES)
def test_any_answer_of_the_kernel_is_links_or_a_problem(links: bytes, addresses: bytes) -> None:
    found = rtnetlink.read_links(lambda request: [links if request == RTM_GETLINK else addresses])
    assert not (found.by_name and found.problem)
    assert all(found.by_name)
    assert found.problem.isprintable()


@fuzzed(answer=spoilt(VFS) | st.binary(max_size=80))
@example(answer=VFS)
@example(answer=b"")
@example(answer=VFS[:32] + b"\xff" * 60)
def test_any_answer_of_the_kernel_is_a_pf_or_a_problem(answer: bytes) -> None:
    found = vf_attributes.read_pf_links(["ens1f0"], lambda _kind, _body, _flags: [answer])
    assert not (found.by_name and found.problem)
    assert found.problem.isprintable()
