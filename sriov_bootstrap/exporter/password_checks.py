"""Passwords: one check at a time in a process of its own, right ones remembered, guesses slowed down.

A check is bcrypt, 70 ms of CPU or more, which the event loop must not wait for. A Prometheus with the right password
costs one check, and never waits after that; a thousand peers with wrong ones cost a fraction of one CPU.

A peer waiting for its first check must not wait for those that guess. Addresses take turns: next is one that has not
guessed wrong, or not for the longest time; refusals.py says which count as one. Within an address the newest is next,
chosen before a wrong answer is sent: a peer that guesses again is then older than any that came in between, however
many guess. MAX_WAITING per address may wait; the oldest gives way, and only learns so with the next result, or asking
again would push the others out.

An unknown name is checked too, against the hash of an existing one: how long the answer takes does not reveal which
names exist.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.processes import Running
from sriov_bootstrap.exporter.refusals import Peer, Refusal

if TYPE_CHECKING:
    from sriov_bootstrap.base.processes import Job

RIGHT, WRONG = b"right", b"wrong"  # what a job says of a password
PAUSE_SECONDS = 0.25  # after a wrong password
CHECK_SECONDS = 10.0  # a check that takes longer has lost the peer that waits for it
MAX_REMEMBERED = 100
MAX_WAITING = 8  # different passwords of one address
MAX_GUESSERS = 1000  # addresses

OnAnswer = Callable[[bool | None], None]  # None: not checked, too many of this address wait


class _Check:
    def __init__(self, user: str, password: bytes, hashed: str, *, is_known: bool) -> None:
        self.user = user
        self.password = password
        self.hashed = hashed
        self.is_known = is_known
        self.answers: list[tuple[OnAnswer, Peer]] = []
        self.networks: set[str] = set()  # of all who asked, also of those who have gone


class Checks:
    """`start(password, hashed)` begins a job that says RIGHT or WRONG; `end(pid)` kills it, `reap(pid)` takes its end.

    `broke(line)` gets what a job said instead, once: no one can log in until it is fixed. `refused` is called for each
    peer that is not let in, with the name that it gave.
    """

    def __init__(
        self,
        start: "Callable[[bytes, str], Job]",
        *,
        end: Callable[[int], None],
        reap: Callable[[int], None],
        broke: Callable[[bytes], None],
        refused: Callable[[Refusal, Peer, str], None],
    ) -> None:
        """Starts nothing yet."""
        self._start = start
        self._end = end
        self._reap = reap
        self._broke = broke
        self._refused = refused
        self._has_broken = False
        self._secret = os.urandom(32)  # what is remembered is useless elsewhere
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._guessed: OrderedDict[str, None] = OrderedDict()  # networks; who has not guessed for longest is first
        self._waiting: OrderedDict[bytes, _Check] = OrderedDict()  # who asked last is last
        self._next: bytes | None = None
        self._displaced: list[tuple[OnAnswer, Peer, str]] = []
        self._now: tuple[bytes, _Check, Running] | None = None
        self._timer: asyncio.TimerHandle | None = None  # the deadline of a check, or the pause after one

    def ask(self, user: str, password: bytes, users: Mapping[str, str], answer: OnAnswer, *, peer: Peer) -> bool | None:
        """Whether it is this user's password; None: `answer` will be called, at once with all who ask the same."""
        hashed = users.get(user)
        known, hashed = hashed is not None, hashed or self._stand_in(user, users)
        key = self._digest(user.encode(errors="surrogateescape"), hashed.encode(), password)
        if known and key in self._right:
            self._right.move_to_end(key)
            return True
        if self._now and self._now[0] == key:
            check = self._now[1]
        else:
            self._make_room(peer.network, key)
            check = self._waiting.setdefault(key, _Check(user, password, hashed, is_known=known))
            self._waiting.move_to_end(key)
        check.answers.append((answer, peer))
        check.networks.add(peer.network)
        self._begin()
        return None

    def withdraw(self, answer: OnAnswer) -> None:
        """Nothing waits for that answer any more: a check only for it is not started, or is ended."""
        self._displaced = [waiter for waiter in self._displaced if waiter[0] != answer]
        for key, check in tuple(self._waiting.items()):
            if _forget_answer(check, answer):
                del self._waiting[key]
        if self._now and _forget_answer(self._now[1], answer):
            self._give_up()

    def _make_room(self, network: str, key: bytes) -> None:
        theirs = [other for other, check in self._waiting.items() if network in check.networks and other != key]
        for oldest in theirs[: max(0, len(theirs) + 1 - MAX_WAITING)]:
            check = self._waiting[oldest]
            gone = [waiter for waiter in check.answers if waiter[1].network == network]
            check.answers = [waiter for waiter in check.answers if waiter not in gone]
            check.networks.discard(network)
            self._displaced += [(answer, peer, check.user) for answer, peer in gone]
            if not check.answers:
                del self._waiting[oldest]

    def _choose(self) -> None:
        order = {network: place for place, network in enumerate(self._guessed, 1)}
        newest_first = reversed(self._waiting.items())
        ranked = ((min(order.get(network, 0) for network in check.networks), key) for key, check in newest_first)
        self._next = min(ranked, key=lambda ranking: ranking[0], default=(0, None))[1]

    def _stand_in(self, user: str, users: Mapping[str, str]) -> str:
        """Always the same for a name, and unpredictable from outside: hashes may differ in their cost."""
        hashes = sorted(users.values())
        return hashes[int.from_bytes(self._digest(user.encode(errors="surrogateescape"))) % len(hashes)]

    def _digest(self, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"".join(hashlib.sha256(part).digest() for part in parts), "sha256")

    def _begin(self) -> None:
        if self._now or self._timer or not self._waiting:
            return
        if self._next not in self._waiting:
            self._choose()
        key = cast("bytes", self._next)
        check = self._waiting.pop(key)
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
            for network in check.networks:
                self._guessed.pop(network, None)
            if len(self._right) > MAX_REMEMBERED:
                self._right.popitem(last=False)
        else:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._on_pause_end)
            self._remember_guess(check.networks)
        self._choose()
        told, self._displaced = self._displaced, []
        for answer, peer in check.answers:
            if not is_right and line in {RIGHT, WRONG}:
                self._refused(Refusal.WRONG, peer, check.user)
            answer(is_right)
        for answer, peer, user in told:
            self._refused(Refusal.UNCHECKED, peer, user)
            answer(None)
        self._begin()

    def _remember_guess(self, networks: Iterable[str]) -> None:
        for network in networks:
            self._guessed[network] = None
            self._guessed.move_to_end(network)
        while len(self._guessed) > MAX_GUESSERS:
            self._guessed.popitem(last=False)

    def _on_pause_end(self) -> None:
        self._timer = None
        self._begin()


def _forget_answer(check: _Check, answer: OnAnswer) -> bool:
    """Whether that was the last one who waits for this check."""
    before = len(check.answers)
    check.answers = [waiter for waiter in check.answers if waiter[0] != answer]
    return len(check.answers) < before and not check.answers
