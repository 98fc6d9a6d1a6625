"""Password checks, moment by moment: jobs are pipes, time passes only when nothing else happens."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from msgspec import Struct

from fakes_daemon import VirtualTimeLoop
from sriov_bootstrap.checking import CHECK_SECONDS, MAX_REMEMBERED, PAUSE_SECONDS, RIGHT, WRONG, Checks
from sriov_bootstrap.errors import SriovBootstrapError

CHEAP, DEAR = "$2y$04$cheap", "$2y$12$dear"
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
        self.answers: dict[str, bool] = {}
        self.has_processes = True
        self.checks = Checks(self.start, end=self.ended.append, reap=self.reaped.append, broke=self.broken.append)

    def start(self, password: bytes, hashed: str) -> FakeJob:
        if not self.has_processes:
            raise SriovBootstrapError("no process can be started: Resource temporarily unavailable")
        fd, write_end = os.pipe()
        self.jobs.append(FakeJob(len(self.jobs), fd, write_end, password, hashed))
        return self.jobs[-1]

    def advance(self, seconds: float = 1e-6) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def ask(self, who: str, user: str = "prometheus", password: bytes = b"secret") -> bool | None:
        async def main() -> bool | None:
            return self.checks.ask(user, password, USERS, self.answer_to(who))

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

    def __call__(self, is_right: bool) -> None:  # noqa: FBT001 - the answer
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
    assert [job.password for job in stage.jobs] == [b"1", b"2"]


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
        return stage.checks.ask("prometheus", b"secret", {"prometheus": DEAR}, stage.answer_to("b"))

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
        [b"no process can be started: Resource temporarily unavailable"],
    )
    stage.has_processes = True
    stage.advance(PAUSE_SECONDS * 2)
    stage.ask("b")
    stage.end_job(RIGHT)
    assert stage.answers["b"] is True


def test_what_is_remembered_is_bounded(stage: Stage) -> None:
    users = {f"user{number}": CHEAP for number in range(MAX_REMEMBERED + 1)}

    async def ask(user: str) -> bool | None:
        return stage.checks.ask(user, b"", users, stage.answer_to(user))

    for user in users:
        assert stage.loop.run_until_complete(ask(user)) is None
        stage.end_job(RIGHT)
    assert stage.loop.run_until_complete(ask(f"user{MAX_REMEMBERED}")) is True
    assert stage.loop.run_until_complete(ask("user0")) is None
