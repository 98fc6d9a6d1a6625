"""The port that Prometheus scrapes: HTTP by h11 on the daemon's own event loop.

Why not a ready-made server. prometheus_client.start_http_server looks its own name up in DNS before it listens (30 s of
boot where no DNS server answers) and starts a thread without any time-out for each connection: 200 silent peers, 200
threads. waitress and cheroot serve from threads as well; and this process forks for each kernel write, which is only
safe while it has one thread. aiohttp has none of these faults, but brings eight packages and 16 MiB (PSS; h11: 0.4)
into a daemon that should need 30. h11 does the part that is easily got wrong, the protocol; sockets, deadlines and
limits are asyncio's and below. Nothing here wakes an idle daemon: timers live only while a peer is there.
"""

import asyncio
import errno
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import cast

import h11

from sriov_bootstrap import __version__
from sriov_bootstrap.errors import SriovBootstrapError

MAX_HEADER_BYTES = 16 * 1024
MAX_CONNECTIONS = 32  # that stay; Prometheus needs one
MAX_BURST = 256  # for GRACE_SECONDS, so that many scrapes at the same moment are all answered
GRACE_SECONDS = 1.0
ACCEPT_BATCH = 32  # of one turn of the loop: a few turns pass until a request is read, together less than MAX_BURST
QUEUE = 1024  # in the kernel; who finds it full tries again after a second

TEXT = "text/plain; charset=utf-8"
INDEX = (
    "<!doctype html><title>sriov-bootstrap</title>"
    f'<h1>sriov-bootstrap {__version__}</h1><p><a href="/metrics">Metrics</a></p>\n'
).encode()

HINTS = {
    errno.EADDRINUSE: "another process has this port (see ss -ltnp): stop it, or change metrics.listen",
    errno.EADDRNOTAVAIL: "no interface has this address yet, or metrics.listen is wrong",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE: choose another for metrics.listen",
}
NO_SUCH_ADDRESS = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class Endpoint:
    """Serves what `page` returns at the moment of each scrape. Addresses are numeric: nothing is ever looked up.

    When it is full the peer that made no progress for longest gives way, never the newcomer: peers that hold
    connections and say nothing cannot keep Prometheus out, and a Prometheus that was dropped between two scrapes
    connects again without a word. `peer_errors` counts peers that owed us something, or did not speak HTTP.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        port: int,
        page: Callable[[], bytes],
        *,
        request_seconds: float = 10.0,
        idle_seconds: float = 120.0,
    ) -> None:
        """`port` 0: any free one. `request_seconds` for a request to arrive, and again for its answer to be taken.

        `idle_seconds` between two requests is more than the usual scrape intervals, so that one connection lasts.
        """
        self.port = port
        self.pages = {
            b"/metrics": (page, "text/plain; version=0.0.4; charset=utf-8"),
            b"/-/healthy": (lambda: b"ok\n", TEXT),
            b"/": (lambda: INDEX, "text/html; charset=utf-8"),
        }
        self.request_seconds = request_seconds
        self.idle_seconds = idle_seconds
        self.peer_errors = 0
        self.buffer = bytearray(MAX_HEADER_BYTES)  # for all: what is received is taken out at once
        self._addresses = tuple(addresses)
        self._servers: list[asyncio.Server] = []
        self._listeners: list[socket.socket] = []
        self._open: OrderedDict[_Connection, None] = OrderedDict()  # who gives way first is first
        self._trimming: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Raises SriovBootstrapError when it cannot listen, and may then be called again."""
        loop = asyncio.get_running_loop()
        self._listeners = self._bind()
        for listener in self._listeners:
            connection = partial(_Connection, self)
            self._servers.append(await loop.create_server(connection, sock=listener, backlog=ACCEPT_BATCH))
            listener.listen(QUEUE)  # asyncio has one number for the kernel's queue and for the batch

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
            self._open.popitem()[0].drop()
        if self._trimming:
            self._trimming.cancel()
            self._trimming = None
        await asyncio.sleep(0)  # the loop closes the sockets of the dropped

    def admit(self, connection: "_Connection") -> None:
        """A new connection, which may cost an old one its place."""
        if not self._listeners:
            connection.drop()
            return
        self._open[connection] = None
        if len(self._open) > MAX_BURST:
            self._open.popitem(last=False)[0].evict()
        elif len(self._open) > MAX_CONNECTIONS and self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._trim)

    def requeue(self, connection: "_Connection", *, is_done: bool) -> None:
        """It took its answer, and stands at the end of the queue again; or, done, at the head."""
        if connection in self._open:
            self._open.move_to_end(connection, last=not is_done)

    def release(self, connection: "_Connection") -> None:
        """It is closed."""
        self._open.pop(connection, None)

    def _trim(self) -> None:
        self._trimming = None
        while len(self._open) > MAX_CONNECTIONS:
            self._open.popitem(last=False)[0].evict()

    def _bind(self) -> list[socket.socket]:
        """A listener for each address; of several, those that this host does not have (no IPv6) may be missing."""
        listeners: list[socket.socket] = []
        missing: OSError | None = None
        for address in self._addresses:
            try:
                listeners.append(_listen(address, self.port))
            except OSError as error:
                if error.errno not in NO_SUCH_ADDRESS or len(self._addresses) == 1:
                    for listener in listeners:
                        listener.close()
                    raise _cannot_listen(address, self.port, error) from error
                missing = error
            else:
                self.port = listeners[-1].getsockname()[1]
        if missing and not listeners:
            raise _cannot_listen(" ".join(self._addresses), self.port, missing) from missing
        return listeners


class _Connection(asyncio.BufferedProtocol):
    """One peer. No task of its own: bytes come in, an answer goes out, one timer says how long that may take."""

    _transport: asyncio.Transport
    _deadline: asyncio.TimerHandle

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._is_idle = False
        self._is_blocked = False
        self._is_leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # blocked until the kernel has all of it
        self._deadline = asyncio.get_running_loop().call_later(self._endpoint.request_seconds, self.evict)
        self._endpoint.admit(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._deadline.cancel()
        self._endpoint.release(self)

    def drop(self) -> None:
        self._transport.abort()

    def evict(self) -> None:
        """It was too slow, or its place is needed."""
        self._endpoint.peer_errors += not (self._is_idle or self._is_leaving)
        self.drop()

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._endpoint.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_leaving:
            return
        if self._is_idle:
            self._is_idle = False
            self._wait(self._endpoint.request_seconds)
        self._http.receive_data(bytes(self._endpoint.buffer[:nbytes]))
        self._advance()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        if not self._is_leaving:
            self._transport.resume_reading()
            self._advance()

    def _advance(self) -> None:
        """Answers every request that has arrived in full, but no faster than the peer takes the answers."""
        while not (self._is_blocked or self._is_leaving or self._transport.is_closing()):
            if self._http.our_state is h11.DONE:
                self._begin_again()
            try:
                request = self._http.next_event()
                if not isinstance(request, h11.Request):
                    return
                has_body = not isinstance(self._http.next_event(), h11.EndOfMessage)
            except h11.RemoteProtocolError as error:
                self._endpoint.peer_errors += 1
                self._send(HTTPStatus(error.error_status_hint), is_last=True)
            else:
                self._answer(request, has_body=has_body)
        if self._is_blocked and not self._is_leaving:
            self._transport.pause_reading()  # or a peer that asks and never reads fills our memory

    def _begin_again(self) -> None:
        self._http.start_next_cycle()
        self._endpoint.requeue(self, is_done=False)
        self._is_idle = not self._http.trailing_data[0]
        self._wait(self._endpoint.idle_seconds if self._is_idle else self._endpoint.request_seconds)

    def _answer(self, request: h11.Request, *, has_body: bool) -> None:
        """A body is never read: its connection ends with the answer."""
        found = self._endpoint.pages.get(request.target.partition(b"?")[0])
        send = partial(self._send, is_head=request.method == b"HEAD", is_last=has_body)
        if found is None:
            send(HTTPStatus.NOT_FOUND)
        elif request.method not in {b"GET", b"HEAD"}:
            send(HTTPStatus.METHOD_NOT_ALLOWED)
        elif has_body:
            send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            page, content_type = found
            send(HTTPStatus.OK, page(), content_type=content_type)

    def _send(
        self,
        status: HTTPStatus,
        body: bytes | None = None,
        *,
        content_type: str = TEXT,
        is_head: bool = False,
        is_last: bool = False,
    ) -> None:
        body = f"{status.value} {status.phrase}\n".encode() if body is None else body
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        headers += [("Allow", "GET, HEAD")] if status is HTTPStatus.METHOD_NOT_ALLOWED else []
        headers += [("Connection", "close")] if is_last else []
        events = [h11.Response(status_code=status, reason=status.phrase, headers=headers), h11.EndOfMessage()]
        if not is_head:
            events.insert(1, h11.Data(data=body))
        self._wait(self._endpoint.request_seconds)
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
        if self._http.our_state is not h11.DONE:
            self._leave()

    def _leave(self) -> None:
        """Says goodbye and throws away what still comes, until the peer closes or the deadline is over.

        Closing with unread data in the kernel would send a reset, and the peer could lose the answer (RFC 9112, 9.6).
        """
        self._is_leaving = True
        self._endpoint.requeue(self, is_done=not self._is_blocked)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _wait(self, seconds: float) -> None:
        self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.evict)


def _listen(address: str, port: int) -> socket.socket:
    """An OSError for everything that can be wrong. inet_pton first: bind() would ask DNS about what is no address."""
    host, _, scope = address.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.inet_pton(family, host)
    where = (host, port) if family == socket.AF_INET else (host, port, 0, socket.if_nametoindex(scope) if scope else 0)
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # or :: would take 0.0.0.0 as well
        listener.bind(where)
        listener.listen(QUEUE)  # only now it is sure that nobody else listens here
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(address: str, port: int, error: OSError) -> SriovBootstrapError:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return SriovBootstrapError(
        f"metrics: cannot listen on {where}: {error.strerror or error}",
        hint=HINTS.get(error.errno or 0, "metrics.listen must be ADDRESS:PORT of this host"),
    )
