"""One peer of the endpoint: bytes come in, an answer goes out, one timer says how long that may take. No task.

What comes is only kept, and reading stops: it is understood, decrypted and answered in the peer's turns, which
endpoint.py gives, one request at a time. So no peer holds the event loop for longer than one request, and all of them
together not for much longer. A peer has at most one buffer of unprocessed bytes here.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import cast

import h11

from sriov_bootstrap.exporter.protocols import AccessRules, Channel, House, OnVerdict
from sriov_bootstrap.exporter.refusals import Peer, Refusal, peer_at

MAX_HEADER_BYTES = 16 * 1024
MAX_REQUESTS = 100  # of one connection: at a scrape every 15 s that is 25 minutes
TEXT = "text/plain; charset=utf-8"
CHALLENGE = 'Basic realm="sriov-bootstrap", charset="UTF-8"'


class Connection(asyncio.BufferedProtocol):
    """See above. TLS and passwords change nothing of its limits: they are part of the time that a request has."""

    _transport: asyncio.Transport
    _deadline: asyncio.TimerHandle
    _rules: AccessRules
    _channel: Channel

    def __init__(self, endpoint: House) -> None:
        self.peer = Peer()
        self._endpoint = endpoint
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._received = b""
        self._has_spoken = False
        self._is_idle = False
        self._is_blocked = False
        self._is_leaving = False
        self._requests = 0
        self._waiting: OnVerdict | None = None  # for a password
        self._due: Callable[[], None] | None = None  # an answer whose verdict is there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = peer_at(transport.get_extra_info("peername"))
        self._transport.set_write_buffer_limits(high=0)  # blocked until the kernel has all of it
        self._deadline = asyncio.get_running_loop().call_later(self._endpoint.request_seconds, self._be_late)
        self._endpoint.admit(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._deadline.cancel()
        self._endpoint.forget(self)
        if self._waiting:
            self._rules.withdraw(self._waiting)
            self._waiting = None

    def drop(self) -> None:
        self._transport.abort()

    def evict(self, refusal: Refusal = Refusal.CROWDED) -> None:
        """Its place is needed. Who owes us nothing is not refused anything."""
        if not (self._is_idle or self._is_leaving or self._waiting or self._due):
            self._endpoint.refuse(refusal, self.peer)
        self.drop()

    def _be_late(self) -> None:
        self.evict(Refusal.SLOW)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._endpoint.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_leaving:
            return
        self._received = bytes(self._endpoint.buffer[:nbytes])
        if self._is_idle:
            self._is_idle = False
            self._wait(self._endpoint.request_seconds)
        self._line_up()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        if not self._is_held_up:
            self._line_up()

    @property
    def is_new(self) -> bool:
        """It has had no answer yet."""
        return not self._requests

    @property
    def _is_held_up(self) -> bool:
        """A peer takes one answer before it gets the next, or one that asks and never reads would fill our memory."""
        return bool(self._is_blocked or self._waiting or self._is_leaving or self._transport.is_closing())

    def _line_up(self) -> None:
        self._transport.pause_reading()
        self._endpoint.line_up(self)

    def take_turn(self) -> None:
        """Takes in what has come and answers one request of it; without one it is time to read on."""
        if self._is_leaving or self._transport.is_closing():
            return
        if self._due:
            answer, self._due = self._due, None
            answer()
            has_answered = True
        else:
            has_answered = self._has_taken_in() and not self._is_held_up and self._has_advanced()
        if self._is_held_up:
            return
        if has_answered:
            self._endpoint.line_up(self)
        elif self._channel.is_over:
            self._leave()
        else:
            self._transport.resume_reading()

    def _has_taken_in(self) -> bool:
        if not self._has_spoken:
            self._has_spoken = True
            self._rules = self._endpoint.rules()
            self._channel = self._rules.open_channel()
        if self._received:
            received, self._received = self._received, b""
            try:
                data = self._channel.receive(received)
            except ConnectionError:
                self._endpoint.refuse(Refusal.MALFORMED, self.peer)
                self._leave()
                return False
            self._transport.write(self._channel.take())
            if data:
                self._http.receive_data(data)
        return True

    def _has_advanced(self) -> bool:
        """One request that has arrived in full, if there is one."""
        if self._http.our_state is h11.DONE:
            self._begin_again()
        try:
            request = self._http.next_event()
            if not isinstance(request, h11.Request):
                return False
            _refuse_two_lengths(request)
            has_body = not isinstance(self._http.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            self._endpoint.refuse(Refusal.MALFORMED, self.peer)
            self._send(HTTPStatus(error.error_status_hint), is_last=True)
        else:
            self._receive(request, has_body=has_body)
        return True

    def _begin_again(self) -> None:
        self._http.start_next_cycle()
        self._endpoint.requeue(self, is_done=False)
        self._is_idle = not self._http.trailing_data[0]
        self._wait(self._endpoint.idle_seconds if self._is_idle else self._endpoint.request_seconds)

    def _receive(self, request: h11.Request, *, has_body: bool) -> None:
        """Asks who it is before anything else. A peer that came under other rules is to come again."""
        rules = self._endpoint.rules()
        self._requests += 1
        is_last = has_body or rules is not self._rules or self._requests >= MAX_REQUESTS
        answer = partial(self._answer, request, has_body=has_body, is_last=is_last)
        header = next((value for name, value in request.headers if name == b"authorization"), b"")
        later = partial(self._on_verdict, answer)
        self._rules = rules
        is_admitted = rules.admits(header, self.peer, later)
        if is_admitted is None:
            self._wait(self._endpoint.request_seconds)
            self._waiting = later
        else:
            answer(is_admitted=is_admitted)

    def _on_verdict(self, answer: Callable[..., None], is_admitted: bool | None) -> None:  # noqa: FBT001 - the verdict
        """Many may wait for the same verdict: each answers when it is its turn."""
        self._waiting = None
        if not self._transport.is_closing():
            self._due = partial(answer, is_admitted=is_admitted)
            self._line_up()

    def _answer(self, request: h11.Request, *, has_body: bool, is_last: bool, is_admitted: bool | None) -> None:
        """A body is never read: its connection ends with the answer."""
        found = self._endpoint.pages.get(request.target.partition(b"?")[0])
        send = partial(self._send, is_head=request.method == b"HEAD", is_last=is_last)
        if is_admitted is None:
            send(HTTPStatus.TOO_MANY_REQUESTS, extra=[("Retry-After", "1")])
        elif not is_admitted:
            send(HTTPStatus.UNAUTHORIZED, extra=[("WWW-Authenticate", CHALLENGE)])
        elif found is None:
            send(HTTPStatus.NOT_FOUND)
        elif request.method not in {b"GET", b"HEAD"}:
            send(HTTPStatus.METHOD_NOT_ALLOWED, extra=[("Allow", "GET, HEAD")])
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
        extra: Iterable[tuple[str, str]] = (),
        is_head: bool = False,
        is_last: bool = False,
    ) -> None:
        body = f"{status.value} {status.phrase}\n".encode() if body is None else body
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), *extra, *self._rules.headers]
        headers += [("Connection", "close")] if is_last else []
        events = [h11.Response(status_code=status, reason=status.phrase, headers=headers), h11.EndOfMessage()]
        if not is_head:
            events.insert(1, h11.Data(data=body))
        self._wait(self._endpoint.request_seconds)
        self._channel.send(b"".join(self._http.send(event) or b"" for event in events))
        self._transport.write(self._channel.take())
        if self._http.our_state is not h11.DONE:
            self._leave()

    def _leave(self) -> None:
        """Says goodbye and throws away what still comes, until the peer closes or the deadline is over.

        Closing with unread data in the kernel would send a reset, and the peer could lose the answer (RFC 9112, 9.6).
        """
        self._channel.close()
        self._transport.write(self._channel.take())
        self._is_leaving = True
        self._endpoint.requeue(self, is_done=not self._is_blocked)
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _wait(self, seconds: float) -> None:
        self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._be_late)


def _refuse_two_lengths(request: h11.Request) -> None:
    """h11 takes the chunks. A proxy before us that takes the length has let another request through (RFC 9112, 6.1)."""
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
        raise h11.RemoteProtocolError("Content-Length beside Transfer-Encoding")
