"""The port: which pages there are, how many peers may stay, who has a turn."""

import asyncio
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import partial

from sriov_bootstrap import __version__
from sriov_bootstrap.exporter.addresses import QUEUE
from sriov_bootstrap.exporter.connection import MAX_HEADER_BYTES, TEXT, Connection
from sriov_bootstrap.exporter.protocols import AccessRules
from sriov_bootstrap.exporter.public import PUBLIC
from sriov_bootstrap.exporter.refusals import Peer, Refusal

MAX_CONNECTIONS = 32  # that stay; Prometheus needs one
MAX_BURST = 256  # of which each may stay GRACE_SECONDS, so that many scrapes at the same moment are all answered
GRACE_SECONDS = 1.0
TURN_SECONDS = 0.01  # of CPU time in one turn of the loop, and the request that is under way then
ACCEPT_BATCH = 16  # of one turn of the loop: a few turns pass until a request is answered, together less than MAX_BURST
FIRST_TURNS = 2 * ACCEPT_BATCH

INDEX = (
    "<!doctype html><title>sriov-bootstrap</title>"
    f'<h1>sriov-bootstrap {__version__}</h1><p><a href="/metrics">Metrics</a></p>\n'
).encode()


class Endpoint:
    """Serves what `page` returns at the moment of each scrape.

    When it is full the peer that made no progress for longest gives way, never the newcomer: peers that hold
    connections and say nothing cannot keep Prometheus out, and a Prometheus that was dropped between two scrapes
    connects again without a word. It is one of the network that has the most: no address can take the places of others.
    """

    def __init__(
        self,
        page: Callable[[], bytes],
        *,
        rules: Callable[[], AccessRules] = lambda: PUBLIC,
        refused: Callable[[Refusal, Peer], None] = lambda _refusal, _peer: None,
        request_seconds: float = 10.0,
        idle_seconds: float = 120.0,
    ) -> None:
        """`request_seconds` for a request to arrive, and again for its answer to be taken.

        `rules` is asked at every connection and request. At start() it may raise: then no one is served at all.
        `idle_seconds` between two requests is more than the usual scrape intervals, so that one connection lasts.
        """
        self.pages = {
            b"/metrics": (page, "text/plain; version=0.0.4; charset=utf-8"),
            b"/-/healthy": (lambda: b"ok\n", TEXT),
            b"/": (lambda: INDEX, "text/html; charset=utf-8"),
        }
        self.rules = rules
        self.request_seconds = request_seconds
        self.idle_seconds = idle_seconds
        self.grace_seconds = GRACE_SECONDS
        self.turn_seconds = TURN_SECONDS
        self._refused = refused
        self.buffer = bytearray(MAX_HEADER_BYTES)  # for all: what is received is taken out at once
        self._servers: list[asyncio.Server] = []
        self._listeners: list[socket.socket] = []
        self._open: OrderedDict[Connection, float] = OrderedDict()  # who gives way first is first; when its grace ends
        self._networks: Counter[str] = Counter()  # of these
        self._line: OrderedDict[Connection, None] = OrderedDict()  # who has a turn next is first
        self._turn: asyncio.Handle | None = None
        self._trimming: asyncio.TimerHandle | None = None

    async def start(self, listeners: Iterable[socket.socket]) -> None:
        """Takes the sockets over, which listen already, and closes them in stop()."""
        self.rules()
        loop = asyncio.get_running_loop()
        self._listeners = list(listeners)
        for listener in self._listeners:
            connection = partial(Connection, self)
            # asyncio has one number for the kernel's queue and for the batch, and newer Pythons accept one more.
            self._servers.append(await loop.create_server(connection, sock=listener, backlog=ACCEPT_BATCH - 1))
            listener.listen(QUEUE)

    async def stop(self) -> None:
        """Closes everything at once, answers under way as well. May be started again."""
        loop = asyncio.get_running_loop()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            loop.remove_reader(listener)
        await asyncio.sleep(0)  # asyncio loses the socket of a connection that it accepts while its server closes
        for server in self._servers:
            server.close()
        self._servers.clear()
        for listener in listeners:
            listener.close()  # one that has no server, because start() was cancelled
        while self._open:
            connection = next(reversed(self._open))
            self.forget(connection)
            connection.drop()
        if self._trimming:
            self._trimming.cancel()
            self._trimming = None
        await asyncio.sleep(0)  # the loop closes the sockets of the dropped

    def admit(self, connection: Connection) -> None:
        """A new connection, which may cost an old one its place."""
        if not self._listeners:
            connection.drop()
            return
        grace_ends = asyncio.get_running_loop().time() + self.grace_seconds
        self._open[connection] = grace_ends
        self._networks[connection.peer.network] += 1
        if len(self._open) > MAX_BURST:
            self._evict_one()
        elif len(self._open) > MAX_CONNECTIONS:
            self._trim_at(grace_ends)

    def line_up(self, connection: Connection) -> None:
        """It wants a turn; in one turn of the loop each has one at most.

        All together have TURN_SECONDS. Up to FIRST_TURNS that had no answer yet do not wait for what others used up:
        who accepts more than it serves would drop peers whose turn has not come.
        """
        if connection in self._open:
            self._line[connection] = None
            self._call_next()

    def _call_next(self) -> None:
        if self._line and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._give_turns)

    def _give_turns(self) -> None:
        began, given = time.thread_time(), 0  # CPU time: who waits for a CPU serves no fewer for it
        try:
            for connection in tuple(self._line):
                may_be_first = connection.is_new and given < FIRST_TURNS
                if given and not may_be_first and time.thread_time() - began >= self.turn_seconds:
                    continue
                if connection in self._line:
                    del self._line[connection]
                    given += 1
                    connection.take_turn()
        finally:
            self._turn = None
            self._call_next()

    def requeue(self, connection: Connection, *, is_done: bool) -> None:
        """It took its answer, and stands at the end of the queue again; or, done, at the head."""
        if connection in self._open:
            self._open.move_to_end(connection, last=not is_done)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if connection in self._open:
            del self._open[connection]
            self._line.pop(connection, None)
            self._networks[connection.peer.network] -= 1
            self._networks += Counter()  # without those that have none

    def refuse(self, refusal: Refusal, peer: Peer) -> None:
        """It owed us something, or did not speak HTTP."""
        self._refused(refusal, peer)

    def _trim_at(self, when: float) -> None:
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_at(when, self._trim)

    def _trim(self) -> None:
        """Who came while others had their grace has its own: its request may be on its way."""
        self._trimming = None
        now = asyncio.get_running_loop().time()
        while len(self._open) > MAX_CONNECTIONS:
            if not self._evict_one(lambda connection: self._open[connection] <= now):
                self._trim_at(min(grace_ends for grace_ends in self._open.values() if grace_ends > now))
                return

    def _evict_one(self, may_go: Callable[[Connection], bool] = lambda _connection: True) -> bool:
        """Whether there was one: in the network that has the most, the first that may go."""
        most = max(self._networks.values())
        greediest = (connection for connection in self._open if self._networks[connection.peer.network] == most)
        victim = next(filter(may_go, greediest), None)
        if victim is None:
            return False
        self.forget(victim)
        victim.evict()
        return True
