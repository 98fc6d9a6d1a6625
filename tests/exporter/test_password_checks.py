"""Password checks, moment by moment: jobs are pipes, time passes only when nothing else happens."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from msgspec import Struct

from fakes_daemon import VirtualTimeLoop
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.exporter.password_checks import (
    CHECK_SECONDS,
    MAX_GUESSERS,
    MAX_REMEMBERED,
    MAX_WAITING,
    PAUSE_SECONDS,
    RIGHT,
    WRONG,
    Checks,
)
from sriov_bootstrap.exporter.refusals import Peer, Refusal, peer_at

CHEAP, DEAR = "$2y$04$cheap", "$2y$12$dear"
HOME = Peer("192.0.2.1", "192.0.2.1")
USERS = {"prometheus": CHEAP, "grafana": DEAR}


class FakeJob(Struct):
    pid: int
    fd: int
    write_end: int
    password: bytes
    hashed: str


class Stage:
    """Checks, whose jobs end when the test says so."""

    def __init__(self) -> None:
        self.loop = VirtualTimeLoop()
        self.jobs: list[FakeJob] = []
        self.ended: list[int] = []
        self.reaped: list[int] = []
        self.broken: list[bytes] = []
        self.answers: dict[str, bool | None] = {}
        self.refused: list[tuple[Refusal, Peer, str]] = []
        self.has_processes = True
        self.checks = Checks(
            self.start,
            end=self.ended.append,
            reap=self.reaped.append,
            broke=self.broken.append,
            refused=lambda *refused: self.refused.append(refused),
        )

    def start(self, password: bytes, hashed: str) -> FakeJob:
        if not self.has_processes:
            raise SriovBootstrapError("cannot start a process: Resource temporarily unavailable")
        fd, write_end = os.pipe()
        self.jobs.append(FakeJob(len(self.jobs), fd, write_end, password, hashed))
        return self.jobs[-1]

    def advance(self, seconds: float = 1e-6) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def ask(self, who: str, user: str = "prometheus", password: bytes = b"secret", *, peer: Peer = HOME) -> bool | None:
        async def main() -> bool | None:
            return self.checks.ask(user, password, USERS, self.answer_to(who), peer=peer)

        return self.loop.run_until_complete(main())

    def answer_to(self, who: str) -> "Answer":
        return Answer(self, who)

    def withdraw(self, who: str) -> None:
        async def main() -> None:
            self.checks.withdraw(self.answer_to(who))

        self.loop.run_until_complete(main())

    def end_job(self, line: bytes) -> None:
        os.write(self.jobs[-1].write_end, line)
        self.close(self.jobs[-1])
        self.advance()

    @staticmethod
    def close(job: FakeJob) -> None:
        if job.write_end >= 0:
            os.close(job.write_end)
            job.write_end = -1


class Answer(Struct, eq=True):
    stage: Stage
    who: str

    def __call__(self, is_right: bool | None) -> None:  # noqa: FBT001 - the answer
        self.stage.answers[self.who] = is_right


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    for job in made.jobs:
        made.close(job)
    made.advance(60.0)
    made.loop.close()


def test_a_right_password_is_checked_once(stage: Stage) -> None:
    assert stage.ask("a") is None
    stage.end_job(RIGHT)
    assert stage.answers == {"a": True}
    assert stage.ask("b") is True
    assert (len(stage.jobs), stage.reaped) == (1, [0])
    assert (stage.jobs[0].password, stage.jobs[0].hashed) == (b"secret", CHEAP)


def test_all_who_ask_the_same_at_once_cost_one_check(stage: Stage) -> None:
    for number in range(300):
        stage.ask(str(number))
    stage.end_job(RIGHT)
    assert len(stage.jobs) == 1
    assert list(stage.answers.values()) == [True] * 300


def test_a_wrong_password_is_checked_each_time(stage: Stage) -> None:
    for number in range(3):
        assert stage.ask(str(number), password=b"guess") is None
        stage.advance(PAUSE_SECONDS * 2)
        stage.end_job(WRONG)
    assert len(stage.jobs) == 3
    assert not any(stage.answers.values())


def test_one_check_is_made_at_a_time_and_the_next_guess_waits(stage: Stage) -> None:
    for guess in (b"1", b"2", b"3"):
        stage.ask(guess.decode(), password=guess)
    assert len(stage.jobs) == 1
    stage.end_job(WRONG)
    stage.advance(PAUSE_SECONDS / 2)
    assert len(stage.jobs) == 1
    stage.advance(PAUSE_SECONDS)
    assert [job.password for job in stage.jobs] == [b"1", b"3"]


def test_a_right_password_keeps_nobody_waiting(stage: Stage) -> None:
    stage.ask("a")
    stage.ask("b", "grafana")
    stage.end_job(RIGHT)
    assert len(stage.jobs) == 2


def test_a_remembered_password_waits_for_no_guess(stage: Stage) -> None:
    stage.ask("a")
    stage.end_job(RIGHT)
    stage.ask("thief", password=b"guess")
    assert stage.ask("b") is True


def test_a_password_is_remembered_for_its_hash(stage: Stage) -> None:
    stage.ask("a")
    stage.end_job(RIGHT)

    async def main() -> bool | None:
        return stage.checks.ask("prometheus", b"secret", {"prometheus": DEAR}, stage.answer_to("b"), peer=HOME)

    assert stage.loop.run_until_complete(main()) is None
    stage.end_job(WRONG)
    assert stage.answers["b"] is False


def test_a_name_that_nobody_has_costs_a_check_against_some_hash_and_is_never_right(stage: Stage) -> None:
    hashes: set[str] = set()
    for number in range(50):
        assert stage.ask("thief", user=f"user{number}") is None
        stage.advance(PAUSE_SECONDS * 2)
        hashes.add(stage.jobs[-1].hashed)
        stage.end_job(RIGHT)
        assert stage.answers["thief"] is False
    assert hashes == {CHEAP, DEAR}


def test_a_name_that_nobody_has_costs_the_same_each_time(stage: Stage) -> None:
    for _ in range(3):
        stage.ask("thief", user="root")
        stage.advance(PAUSE_SECONDS * 2)
        stage.end_job(WRONG)
    assert len({job.hashed for job in stage.jobs}) == 1


def test_a_check_that_nobody_waits_for_is_not_made(stage: Stage) -> None:
    stage.ask("a")
    stage.ask("b", password=b"guess")
    stage.ask("c", password=b"guess")
    stage.withdraw("b")
    stage.withdraw("c")
    stage.end_job(RIGHT)
    assert len(stage.jobs) == 1


def test_a_check_that_somebody_else_waits_for_is_made(stage: Stage) -> None:
    stage.ask("a")
    stage.ask("b")
    stage.withdraw("a")
    stage.end_job(RIGHT)
    assert stage.answers == {"b": True}


def test_a_check_that_nobody_waits_for_any_more_is_ended_and_counts_as_a_guess(stage: Stage) -> None:
    stage.ask("a")
    stage.withdraw("a")
    assert stage.ended == [0]
    stage.ask("b")
    assert len(stage.jobs) == 1
    stage.advance(PAUSE_SECONDS * 2)
    assert len(stage.jobs) == 2


def test_a_check_that_takes_too_long_is_ended(stage: Stage) -> None:
    stage.ask("a")
    stage.advance(CHECK_SECONDS + 1)
    assert (stage.ended, stage.answers) == ([0], {"a": False})


@pytest.mark.parametrize("line", [b"", b"!ModuleNotFoundError: No module named 'bcrypt'"])
def test_a_check_that_broke_opens_nothing_and_is_said_once(stage: Stage, line: bytes) -> None:
    for who in ("a", "b"):
        stage.ask(who)
        stage.advance(PAUSE_SECONDS * 2)
        stage.end_job(line)
    assert (stage.answers, stage.broken) == ({"a": False, "b": False}, [line])


def test_without_a_process_to_be_had_nobody_is_let_in(stage: Stage) -> None:
    stage.has_processes = False
    stage.ask("a")
    assert (stage.answers, stage.broken) == (
        {"a": False},
        [b"cannot start a process: Resource temporarily unavailable"],
    )
    stage.has_processes = True
    stage.advance(PAUSE_SECONDS * 2)
    stage.ask("b")
    stage.end_job(RIGHT)
    assert stage.answers["b"] is True


def test_what_is_remembered_is_bounded(stage: Stage) -> None:
    users = {f"user{number}": CHEAP for number in range(MAX_REMEMBERED + 1)}

    async def ask(user: str) -> bool | None:
        return stage.checks.ask(user, b"", users, stage.answer_to(user), peer=HOME)

    for user in users:
        assert stage.loop.run_until_complete(ask(user)) is None
        stage.end_job(RIGHT)
    assert stage.loop.run_until_complete(ask(f"user{MAX_REMEMBERED}")) is True
    assert stage.loop.run_until_complete(ask("user0")) is None


def thief(number: int) -> Peer:
    return Peer(f"198.51.100.{number}", f"198.51.100.{number}")


def loopback(number: int) -> Peer:
    return peer_at((f"127.0.{number // 250}.{number % 250 + 1}", 40000))


@pytest.mark.parametrize(
    "guessers",
    [
        [HOME] * 40,
        [thief(1)] * 40,
        [thief(number) for number in range(40)],
        [loopback(number) for number in range(40)],
    ],
    ids=["same address", "another", "one each", "loopback"],
)
def test_a_first_check_waits_for_one_guess_however_many_guess(stage: Stage, guessers: list[Peer]) -> None:
    """Each guesses again as soon as it is told; between two of them comes who knows the password."""
    asked = 0

    def guess_again() -> None:
        nonlocal asked
        for number, peer in enumerate(guessers):
            if f"thief {number}" not in waiting:
                waiting.add(f"thief {number}")
                asked += 1
                stage.ask(f"thief {number}", password=b"guess %d" % asked, peer=peer)

    waiting: set[str] = set()
    for _ in range(100):
        guess_again()
        stage.end_job(WRONG)
        waiting -= stage.answers.keys()
        stage.answers.clear()
        guess_again()
        stage.advance(PAUSE_SECONDS * 1.5)
    guesses = len(stage.jobs)
    assert stage.ask("prometheus") is None
    stage.end_job(WRONG)
    stage.advance(PAUSE_SECONDS * 1.5)
    assert [job.password for job in stage.jobs[guesses:]] == [b"secret"]
    stage.end_job(RIGHT)
    assert stage.answers["prometheus"] is True
    assert stage.ask("prometheus") is True


def test_a_first_check_waits_for_one_guess_though_each_is_from_a_new_loopback_address(stage: Stage) -> None:
    """Whoever has an account on the host has 16 million of them, of which none has guessed before."""
    asked = 0

    def guess() -> None:
        nonlocal asked
        asked += 1
        stage.ask(f"thief {asked}", password=b"guess %d" % asked, peer=loopback(asked))

    guess()
    stage.end_job(WRONG)
    guess()
    stage.advance(PAUSE_SECONDS * 1.5)
    assert stage.ask("prometheus") is None
    for _ in range(40):
        guess()
    stage.end_job(WRONG)
    guess()
    stage.advance(PAUSE_SECONDS * 1.5)
    assert [job.password for job in stage.jobs] == [b"guess 1", b"guess 2", b"secret"]


def test_who_has_not_guessed_goes_first_and_who_guessed_takes_turns(stage: Stage) -> None:
    for number, peer in enumerate((thief(1), thief(1), thief(1), thief(2), thief(2), thief(3))):
        stage.ask(str(number), password=b"%d" % number, peer=peer)
    for _ in range(5):
        stage.end_job(WRONG)
        stage.advance(PAUSE_SECONDS * 1.5)
    assert [job.password for job in stage.jobs] == [b"0", b"5", b"4", b"2", b"3", b"1"]


def test_a_right_password_makes_up_for_wrong_ones(stage: Stage) -> None:
    for password, end in ((b"typo", WRONG), (b"secret", RIGHT)):
        stage.ask("a", password=password)
        stage.end_job(end)
        stage.advance(PAUSE_SECONDS * 1.5)
    stage.ask("thief", password=b"0", peer=thief(1))
    stage.ask("thief", password=b"1", peer=thief(1))
    stage.ask("b", "grafana")
    stage.end_job(WRONG)
    stage.advance(PAUSE_SECONDS * 1.5)
    assert stage.jobs[-1].hashed == DEAR


def test_the_oldest_of_too_many_that_wait_is_told_with_the_next_result(stage: Stage) -> None:
    for number in range(MAX_WAITING + 3):
        stage.ask(str(number), password=b"%d" % number)
    stage.ask("elsewhere", peer=thief(1))
    assert stage.answers == {}
    stage.withdraw("2")
    stage.end_job(WRONG)
    assert stage.answers == {"0": False, "1": None}
    assert stage.refused == [(Refusal.WRONG, HOME, "prometheus"), (Refusal.UNCHECKED, HOME, "prometheus")]


def test_a_check_stays_for_those_of_other_addresses(stage: Stage) -> None:
    stage.ask("busy", "grafana")
    stage.ask("a", peer=thief(1))
    stage.ask("b")
    for number in range(MAX_WAITING):
        stage.ask(str(number), password=b"%d" % number)
    stage.end_job(RIGHT)
    assert stage.answers == {"busy": True, "b": None}
    while "a" not in stage.answers:
        stage.end_job(RIGHT)
    assert stage.answers["a"] is True


def test_a_check_that_broke_is_no_guess_to_be_counted(stage: Stage) -> None:
    stage.ask("a")
    stage.end_job(b"")
    assert stage.refused == []


def test_addresses_that_guessed_are_not_remembered_without_bound(stage: Stage) -> None:
    for number in range(MAX_GUESSERS + 2):
        stage.ask("thief", password=b"guess", peer=Peer(str(number), str(number)))
        stage.end_job(WRONG)
        stage.advance(PAUSE_SECONDS * 1.5)
    stage.ask("busy", peer=Peer("2", "2"))
    stage.ask("0", password=b"0", peer=Peer("0", "0"))
    stage.ask("1001", password=b"1", peer=Peer("1001", "1001"))
    stage.end_job(RIGHT)
    assert stage.jobs[-1].password == b"0"
