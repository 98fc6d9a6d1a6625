"""Passwords: one check at a time in a process of its own, right ones remembered, guesses slowed down.

A check is bcrypt, 70 ms of CPU and more, which the event loop must not wait for. A Prometheus with the right password
costs one, and a thousand peers with wrong ones a fraction of one CPU. A name that nobody has is checked as well,
against the hash of a name that somebody has: how long the answer takes says nothing about who there is.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping

from sriov_bootstrap.errors import SriovBootstrapError
from sriov_bootstrap.ports import Job
from sriov_bootstrap.watching import Running

RIGHT, WRONG = b"right", b"wrong"  # what a job says of a password
PAUSE_SECONDS = 0.25  # after a wrong password
CHECK_SECONDS = 10.0  # a check that takes longer has lost the peer that waits for it
MAX_REMEMBERED = 100

Answer = Callable[[bool], None]


class _Check:
    def __init__(self, password: bytes, hashed: str, *, is_known: bool) -> None:
        self.password = password
        self.hashed = hashed
        self.is_known = is_known
        self.answers: list[Answer] = []


class Checks:
    """`start(password, hashed)` begins a job that says RIGHT or WRONG; `end(pid)` kills it, `reap(pid)` takes its end.

    `broke(line)` gets what a job said instead, once: nobody can log in until that is mended.
    """

    def __init__(
        self,
        start: Callable[[bytes, str], Job],
        *,
        end: Callable[[int], None],
        reap: Callable[[int], None],
        broke: Callable[[bytes], None],
    ) -> None:
        """Starts nothing yet."""
        self._start = start
        self._end = end
        self._reap = reap
        self._broke = broke
        self._has_broken = False
        self._secret = os.urandom(32)  # what is remembered is of no use to anybody else
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: OrderedDict[bytes, _Check] = OrderedDict()
        self._now: tuple[bytes, _Check, Running] | None = None
        self._timer: asyncio.TimerHandle | None = None  # the deadline of a check, or the pause after one

    def ask(self, user: str, password: bytes, users: Mapping[str, str], answer: Answer) -> bool | None:
        """Whether it is this user's password; None: `answer` will be called, at once with all who ask the same."""
        hashed = users.get(user)
        known, hashed = hashed is not None, hashed or self._stand_in(user, users)
        key = self._digest(user.encode(errors="surrogateescape"), hashed.encode(), password)
        if known and key in self._right:
            self._right.move_to_end(key)
            return True
        if self._now and self._now[0] == key:
            self._now[1].answers.append(answer)
            return None
        check = self._waiting.setdefault(key, _Check(password, hashed, is_known=known))
        check.answers.append(answer)
        self._begin()
        return None

    def withdraw(self, answer: Answer) -> None:
        """Nobody waits for that answer any more: a check that was for it alone is not made, or ended."""
        for key, check in tuple(self._waiting.items()):
            if answer in check.answers:
                check.answers.remove(answer)
                if not check.answers:
                    del self._waiting[key]
        if self._now and answer in self._now[1].answers:
            self._now[1].answers.remove(answer)
            if not self._now[1].answers:
                self._give_up()

    def _stand_in(self, user: str, users: Mapping[str, str]) -> str:
        """Always the same for a name, and nobody else can tell which: hashes may differ in their cost."""
        hashes = sorted(users.values())
        return hashes[int.from_bytes(self._digest(user.encode(errors="surrogateescape"))) % len(hashes)]

    def _digest(self, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"".join(hashlib.sha256(part).digest() for part in parts), "sha256")

    def _begin(self) -> None:
        if self._now or self._timer or not self._waiting:
            return
        key, check = self._waiting.popitem(last=False)
        try:
            job = self._start(check.password, check.hashed)
        except (OSError, SriovBootstrapError) as error:  # no process to be had
            self._on_result(key, check, str(error).encode())
            return
        self._now = key, check, Running(job, self._on_end)
        self._timer = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._give_up)

    def _on_end(self, line: bytes) -> None:
        if self._now:
            (key, check, running), self._now = self._now, None
            self._reap(running.pid)
            self._on_result(key, check, line)

    def _give_up(self) -> None:
        if self._now:
            (key, check, running), self._now = self._now, None
            running.let_go()
            self._end(running.pid)
            self._on_result(key, check, WRONG)

    def _on_result(self, key: bytes, check: _Check, line: bytes) -> None:
        if line not in {RIGHT, WRONG} and not self._has_broken:
            self._has_broken = True
            self._broke(line)
        if self._timer:
            self._timer.cancel()
            self._timer = None
        is_right = line == RIGHT and check.is_known
        if is_right:
            self._right[key] = None
            if len(self._right) > MAX_REMEMBERED:
                self._right.popitem(last=False)
        else:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._on_pause_end)
        for answer in tuple(check.answers):
            answer(is_right)
        self._begin()

    def _on_pause_end(self) -> None:
        self._timer = None
        self._begin()
