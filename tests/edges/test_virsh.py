"""virsh: what it is asked, and what its answers mean."""

import subprocess
import time

import pytest

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.pipes import Waiting
from sriov_bootstrap.edges.virsh import LEAST_SECONDS, MISSING, LibvirtAnswer, Virsh, words_of

FORGET: Waiting = lambda _: None  # noqa: E731
LIST = ["virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name"]


class Answers:
    """Gives one answer after the other, each after `seconds`, and keeps what was asked."""

    def __init__(self, *answers: tuple[int, bytes, bytes], seconds: float = 0.0) -> None:
        self.answers = [*answers]
        self.asked: list[list[str]] = []
        self.timeouts: list[float] = []
        self.waiting: list[Waiting] = []
        self._seconds = seconds

    def __call__(
        self, argv: list[str], *, timeout_seconds: float, waiting: Waiting = FORGET
    ) -> subprocess.CompletedProcess[bytes]:
        assert timeout_seconds > 0
        self.asked.append(argv)
        self.timeouts.append(timeout_seconds)
        self.waiting.append(waiting)
        time.sleep(self._seconds)
        return subprocess.CompletedProcess(argv, *self.answers.pop(0))


def test_one_question_tells_whether_it_answers_and_what_it_has() -> None:
    run = Answers((0, b"instance-00000001\n\nvm 2\n\n", b""))
    assert Virsh(run).ask() == LibvirtAnswer(domains=frozenset({"instance-00000001", "vm 2"}))
    assert run.asked == [LIST]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((127, b"", b""), MISSING),
        (
            (1, b"", b"error: failed to connect to the hypervisor\nerror: Failed to connect socket\n"),
            "libvirt does not answer: failed to connect to the hypervisor",
        ),
    ],
)
def test_why_it_cannot_be_used_is_told_in_its_words(answer: tuple[int, bytes, bytes], problem: str) -> None:
    assert Virsh(Answers(answer)).ask() == LibvirtAnswer(problem)


def test_a_libvirt_that_hangs_is_a_problem() -> None:
    def run(
        argv: list[str], *, timeout_seconds: float, waiting: Waiting = FORGET
    ) -> subprocess.CompletedProcess[bytes]:
        waiting(timeout_seconds)
        raise SriovBootstrapError(f"{argv[0]}: no answer within {timeout_seconds:.0f} s")

    assert Virsh(run).ask() == LibvirtAnswer("libvirt does not answer: virsh: no answer within 60 s")


def test_a_domain_that_is_gone_need_not_end() -> None:
    Virsh(Answers((1, b"", b"error: x"), (1, b"", b"error: failed to get domain 'a'"))).destroy("a")


@pytest.mark.parametrize(("limit_seconds", "rest"), [(10.0, 9.8), (0.1, LEAST_SECONDS)])
def test_both_questions_share_the_time_and_say_that_they_wait(limit_seconds: float, rest: float) -> None:
    run = Answers((1, b"", b"error: x"), (1, b"", b"error: failed to get domain 'a'"), seconds=0.2)
    told: list[float] = []
    Virsh(run).destroy("a", timeout_seconds=limit_seconds, waiting=told.append)
    first, second = run.timeouts
    assert first == limit_seconds
    assert rest - 1.0 <= second <= rest
    for waiting in run.waiting:
        waiting(2.0)
    assert told == [2.0, 2.0]


@pytest.mark.parametrize("state", [(0, b"running\n", b""), (1, b"", b"error: it is ill\n")])
def test_a_domain_that_does_not_end_is_an_error(state: tuple[int, bytes, bytes]) -> None:
    with pytest.raises(SriovBootstrapError, match="a: "):
        Virsh(Answers((1, b"", b"error: Failed to destroy\nerror: device is busy\n"), state)).destroy("a")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"error: Failed to create domain from x\nerror: the PF is not online\n", "the PF is not online"),
        (b"error: Failed to connect\n", "Failed to connect"),
        (b"sh: virsh: killed\n", "sh: virsh: killed"),
        (b"", "it said nothing"),
    ],
)
def test_the_first_cause_is_what_counts(said: bytes, words: str) -> None:
    assert words_of(said) == words
