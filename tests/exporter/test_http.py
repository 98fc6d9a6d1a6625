"""The metrics endpoint over real loopback sockets: good peers are answered, bad ones cost nothing and go."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from http.client import HTTPResponse
from io import BytesIO
from typing import Self, cast

import pytest

from endpoints import LONG, STAND_IN, WatchedEndpoint
from sriov_bootstrap.exporter.addresses import listener
from sriov_bootstrap.exporter.connection import MAX_REQUESTS
from sriov_bootstrap.exporter.endpoint import MAX_BURST, MAX_CONNECTIONS, TURN_SECONDS
from sriov_bootstrap.exporter.refusals import Refusal

LOCALHOST = ("127.0.0.1", "::1")
PAGE = b"sriov_pf_present 1.0\n"
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(
    page: Callable[[], bytes] = lambda: PAGE,
    *,
    request_seconds: float = LONG,
    idle_seconds: float = LONG,
    turn_seconds: float = TURN_SECONDS,
) -> AsyncIterator[WatchedEndpoint]:
    endpoint = WatchedEndpoint(page, request_seconds=request_seconds, idle_seconds=idle_seconds)
    endpoint.turn_seconds = turn_seconds
    await endpoint.start_on(*LOCALHOST)
    try:
        yield endpoint
    finally:
        await endpoint.stop()


@asynccontextmanager
async def peer(endpoint: WatchedEndpoint, *, host: str = "127.0.0.1", source: str = "") -> AsyncIterator[Streams]:
    """A connection whose end is not held against the test: many tests are about resets."""
    local_addr = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(host, endpoint.port, local_addr=local_addr)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(endpoint: WatchedEndpoint, request: bytes, *, host: str = "127.0.0.1") -> bytes:
    """What the endpoint says until it closes."""
    async with peer(endpoint, host=host) as (reader, writer):
        writer.write(request)
        return await reader.read()


async def dropped(reader: asyncio.StreamReader) -> None:
    """Returns when the endpoint has closed the connection, with or without a reset."""
    with suppress(ConnectionResetError):
        await reader.read()


async def flood(deaf: socket.socket, request: bytes) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(deaf, request)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


class Received:
    """What HTTPResponse wants of a socket: Python's own client reads the answer, and needs no thread for it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self.data)


def exchange(method: str, path: str) -> tuple[HTTPResponse, bytes]:
    async def main() -> bytes:
        async with serving() as endpoint:
            return await ask(endpoint, f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())

    received = Received(asyncio.run(main()))
    with closing(HTTPResponse(cast("socket.socket", received), method=method)) as response:
        response.begin()
        return response, response.read()


def test_a_scrape_gets_the_page() -> None:
    response, body = exchange("GET", "/metrics")
    assert (response.status, response.reason, body) == (200, "OK", PAGE)
    assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"


def test_a_query_does_not_hide_the_page() -> None:
    assert exchange("GET", "/metrics?name=x")[1] == PAGE


def test_head_says_how_long_the_page_is_and_no_more() -> None:
    response, body = exchange("HEAD", "/metrics")
    assert (response.status, response.getheader("Content-Length"), body) == (200, str(len(PAGE)), b"")


def test_the_front_page_links_to_the_metrics() -> None:
    response, body = exchange("GET", "/")
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    assert b'<a href="/metrics">' in body


def test_the_health_page_says_ok() -> None:
    assert exchange("GET", "/-/healthy")[1] == b"ok\n"


@pytest.mark.parametrize("path", ["/favicon.ico", "/metrics/", "//metrics", "/../etc/passwd", "*"])
def test_any_other_path_is_not_found(path: str) -> None:
    response, body = exchange("GET", path)
    assert (response.status, body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_any_other_method_is_refused_with_the_allowed_ones(method: str) -> None:
    response, _ = exchange(method, "/metrics")
    assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),  # a TLS peer at a plain port
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (GET[:-2] + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b"413"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", b"413"),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"405"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (LAST_GET, b"200"),
        (GET + LAST_GET, b"200"),
        (GET[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + LAST_GET, b"200"),
        (GET[:-2] + b"X: " + b"x" * 2**20, b"431"),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_each_request_is_answered_and_its_connection_closed(request_bytes: bytes, status: bytes) -> None:
    async def test() -> None:
        async with serving() as endpoint:
            answer = await ask(endpoint, request_bytes)
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert answer.count(b"HTTP/1.1") == request_bytes.count(b"GET /metrics") or status != b"200"
            assert endpoint.refused == ({Refusal.MALFORMED: 1} if status in {b"400", b"431", b"501"} else {})

    run(test)


def test_a_request_may_come_byte_by_byte() -> None:
    async def test() -> None:
        async with serving() as endpoint, peer(endpoint) as (reader, writer):
            for index in range(len(LAST_GET)):
                writer.write(LAST_GET[index : index + 1])
                await asyncio.sleep(0)
            assert (await reader.read()).endswith(PAGE)

    run(test)


def test_one_connection_serves_many_scrapes_and_each_sees_the_newest_page() -> None:
    async def test() -> None:
        pages = iter([b"first\n", b"second\n"])
        async with serving(lambda: next(pages)) as endpoint, peer(endpoint) as (reader, writer):
            for expected in (b"first\n", b"second\n"):
                writer.write(GET)
                assert (await reader.readuntil(expected)).startswith(b"HTTP/1.1 200")

    run(test)


@pytest.mark.parametrize("beginning", [b"", GET[:20], GET + GET[:20]], ids=["silent", "half", "half of the second"])
def test_a_peer_that_does_not_finish_its_request_is_dropped_at_the_deadline(beginning: bytes) -> None:
    async def test() -> None:
        async with serving(request_seconds=0.05) as endpoint, peer(endpoint) as (reader, writer):
            writer.write(beginning)
            await dropped(reader)
            assert endpoint.refused == {Refusal.SLOW: 1}

    run(test)


def test_the_deadline_holds_for_a_peer_that_sends_a_byte_now_and_then() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async def test() -> None:
        async with serving(request_seconds=0.1) as endpoint, peer(endpoint) as (reader, writer):
            writer.write(GET[:-2])
            dripping = asyncio.create_task(drip(writer))
            await dropped(reader)
            dripping.cancel()

    run(test)


def test_an_idle_connection_is_closed_and_its_peer_not_blamed() -> None:
    async def test() -> None:
        async with serving(idle_seconds=0.05) as endpoint, peer(endpoint) as (reader, writer):
            writer.write(GET)
            await reader.readuntil(PAGE)
            await dropped(reader)
            assert not endpoint.refused

    run(test)


def test_a_peer_that_never_reads_is_dropped_at_the_deadline_and_makes_no_pages() -> None:
    made: list[None] = []

    def page() -> bytes:
        made.append(None)
        return bytes(2**20)

    async def test() -> None:
        async with serving(page, request_seconds=0.2) as endpoint:
            with closing(socket.socket()) as deaf:
                deaf.setblocking(False)  # noqa: FBT003 - the method's own signature
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", endpoint.port))
                with pytest.raises((ConnectionResetError, BrokenPipeError)):
                    await flood(deaf, GET * 100)
            assert len(made) < 20  # the kernel's buffers hold a few
            assert endpoint.refused == {Refusal.SLOW: 1}

    run(test)


def test_a_peer_that_asks_much_and_resets_leaves_no_trace_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with serving(lambda: bytes(2**12)) as endpoint:
            for _ in range(5):
                rude = socket.create_connection(("127.0.0.1", endpoint.port))
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                rude.sendall(GET * 300)
                rude.close()
                assert (await ask(endpoint, LAST_GET)).startswith(b"HTTP/1.1 200")

    run(test)
    assert not caplog.records


def test_pages_larger_than_the_buffers_arrive_whole_and_in_order() -> None:
    async def test() -> None:
        async with serving(lambda: bytes(2**22)) as endpoint:
            assert len(await ask(endpoint, GET * 4 + LAST_GET)) > 5 * 2**22

    run(test)


class Turns:
    """Counts the turns of the loop while it is open."""

    def __init__(self) -> None:
        self.count = 0
        self._handle: asyncio.Handle | None = None

    def __enter__(self) -> Self:
        self._count()
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle:
            self._handle.cancel()

    def _count(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._count)


@pytest.mark.parametrize(("peers", "turn_seconds"), [(1, LONG), (8, 0.0)], ids=["of one peer", "of all peers"])
def test_whoever_waits_in_the_loop_gets_a_turn_between_two_pipelined_requests(peers: int, turn_seconds: float) -> None:
    async def test() -> None:
        with Turns() as turns:
            served: list[int] = []

            def page() -> bytes:
                served.append(turns.count)
                return PAGE

            async with serving(page, turn_seconds=turn_seconds) as endpoint:
                answers = await asyncio.gather(*(ask(endpoint, GET * 40 + LAST_GET) for _ in range(peers)))
            assert [answer.count(PAGE) for answer in answers] == [41] * peers
            assert len(set(served[peers:])) == 40 * peers  # the first answers of all may share one

    run(test)


def test_who_asks_once_is_answered_among_those_who_ask_without_end() -> None:
    async def test() -> None:
        served: list[bytes] = []
        async with serving() as endpoint, AsyncExitStack() as stack:
            page, content_type = endpoint.pages[b"/metrics"]

            def healthy() -> bytes:
                served.append(b"once")
                return b"ok\n"

            def counted() -> bytes:
                served.append(b"greedy")
                return page()

            endpoint.pages[b"/metrics"] = counted, content_type
            endpoint.pages[b"/-/healthy"] = healthy, content_type
            greedy = [await stack.enter_async_context(peer(endpoint)) for _ in range(8)]
            for _, writer in greedy:
                writer.write(GET * 90)
            await greedy[0][0].readuntil(PAGE)
            assert (await ask(endpoint, LAST_GET.replace(b"/metrics", b"/-/healthy"))).endswith(b"ok\n")
            assert served.index(b"once") < 8 * 90 / 2

    run(test)


def test_a_connection_ends_after_a_number_of_requests_and_says_so() -> None:
    async def test() -> None:
        async with serving() as endpoint:
            answer = await ask(endpoint, GET * (MAX_REQUESTS + 50))
            assert answer.count(PAGE) == MAX_REQUESTS
            assert answer.count(b"\r\nConnection: close\r\n") == 1
            assert answer.rpartition(b"HTTP/1.1 ")[2].count(b"Connection: close") == 1
            assert not endpoint.refused

    run(test)


def test_a_peer_that_shuts_its_side_down_gets_all_its_answers() -> None:
    async def test() -> None:
        async with serving() as endpoint, peer(endpoint) as (reader, writer):
            writer.write(GET * 40)
            writer.write_eof()
            assert (await reader.read()).count(PAGE) == 40

    run(test)


def test_500_idle_peers_do_not_keep_a_scrape_out() -> None:
    async def test() -> None:
        async with serving() as endpoint:
            peers = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(500)]
            try:
                assert (await ask(endpoint, LAST_GET)).endswith(PAGE)
                gone = [asyncio.create_task(dropped(reader)) for reader, _ in peers]
                await asyncio.gather(*gone[:-MAX_CONNECTIONS])
                assert not any(task.done() for task in gone[-MAX_CONNECTIONS + 1 :])  # the scrape may have cost one
            finally:
                for _, writer in peers:
                    writer.transport.abort()
            await asyncio.gather(*gone)

    run(test)


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.{}.{}"], ids=["one address", "a new one each time"])
def test_an_address_with_many_connections_costs_no_other_its_own(source: str) -> None:
    """All of 127.0.0.0/8 is one: every user of the host has it."""

    async def test() -> None:
        async with serving() as endpoint, AsyncExitStack() as stack:
            oldest = await asyncio.open_connection("127.0.0.1", endpoint.port, local_addr=(STAND_IN, 0))
            sources = [source.format(number // 250, number % 250 + 1) for number in range(2 * MAX_BURST)]
            greedy = [await stack.enter_async_context(peer(endpoint, source=address)) for address in sources]
            oldest[1].write(GET)
            assert (await oldest[0].readuntil(PAGE)).startswith(b"HTTP/1.1 200")
            await asyncio.gather(*(dropped(reader) for reader, _ in greedy[: 2 * MAX_BURST - MAX_CONNECTIONS]))
            oldest[1].write(LAST_GET)
            assert (await oldest[0].read()).endswith(PAGE)
            oldest[1].close()
            assert endpoint.refused[Refusal.CROWDED] >= 2 * MAX_BURST - MAX_CONNECTIONS

    run(test)


def test_who_comes_at_the_end_of_a_burst_is_answered() -> None:
    async def test() -> None:
        async with serving() as endpoint, AsyncExitStack() as stack:
            endpoint.grace_seconds = 0.2
            idle = [await stack.enter_async_context(peer(endpoint)) for _ in range(MAX_CONNECTIONS + 1)]
            await endpoint.until_admitted(len(idle))
            endpoint.grace_seconds = LONG
            late = [await stack.enter_async_context(peer(endpoint)) for _ in range(2 * MAX_CONNECTIONS)]
            await dropped(idle[0][0])
            for reader, writer in late:
                writer.write(LAST_GET)
                assert (await reader.read()).endswith(PAGE)

    run(test)


def test_who_is_new_costs_no_other_address_its_connection() -> None:
    async def test() -> None:
        async with serving() as endpoint, AsyncExitStack() as stack:
            endpoint.grace_seconds = 0.0
            oldest = await asyncio.open_connection("127.0.0.1", endpoint.port, local_addr=(STAND_IN, 0))
            await endpoint.until_admitted(1)
            endpoint.grace_seconds = 0.2
            greedy = [await stack.enter_async_context(peer(endpoint)) for _ in range(2 * MAX_CONNECTIONS)]
            await asyncio.gather(*(dropped(reader) for reader, _ in greedy[: MAX_CONNECTIONS + 1]))
            oldest[1].write(LAST_GET)
            assert (await oldest[0].read()).endswith(PAGE)
            oldest[1].close()

    run(test)


@pytest.mark.parametrize("host", LOCALHOST)
def test_the_limits_of_a_peer_are_those_of_its_network(host: str) -> None:
    async def test() -> None:
        async with serving() as endpoint:
            await ask(endpoint, b"nonsense\r\n\r\n", host=host)
            assert endpoint.refused == {Refusal.MALFORMED: 1}  # endpoints.py has seen of whom

    run(test)


def test_300_scrapes_at_the_same_moment_are_all_answered() -> None:
    async def test() -> None:
        async with serving(turn_seconds=LONG) as endpoint:  # a slow machine takes longer than the real one
            answers = await asyncio.gather(*(ask(endpoint, LAST_GET) for _ in range(300)))
            assert all(answer.endswith(PAGE) for answer in answers)
            assert not endpoint.refused

    run(test)


def test_localhost_is_served_on_both_of_its_addresses() -> None:
    async def test() -> None:
        async with serving() as endpoint:
            for host in LOCALHOST:
                assert (await ask(endpoint, LAST_GET, host=host)).endswith(PAGE)

    run(test)


def test_stop_closes_every_connection_and_the_port_can_be_had_at_once() -> None:
    async def test() -> None:
        async with serving() as endpoint, peer(endpoint) as idle, peer(endpoint) as half:
            idle[1].write(GET)
            await idle[0].readuntil(PAGE)
            half[1].write(GET[:20])
            await endpoint.stop()
            await dropped(idle[0])
            await dropped(half[0])
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", endpoint.port)
            await endpoint.start([listener("127.0.0.1", endpoint.port)])
            assert (await ask(endpoint, LAST_GET)).endswith(PAGE)

    run(test)


@pytest.mark.parametrize("turns", range(6))
def test_a_peer_that_connects_while_we_stop_is_closed_too(turns: int) -> None:
    async def test() -> None:
        async with serving() as endpoint:
            late = socket.create_connection(("127.0.0.1", endpoint.port))
            for _ in range(turns):
                await asyncio.sleep(0)
            await endpoint.stop()
            reader, writer = await asyncio.open_connection(sock=late)
            await dropped(reader)
            writer.close()

    run(test)


def test_no_timer_is_left_when_no_peer_is() -> None:
    def timers() -> list[asyncio.TimerHandle]:
        return [timer for timer in vars(asyncio.get_running_loop())["_scheduled"] if not timer.cancelled()]

    async def test() -> None:
        async with serving() as endpoint:
            assert not timers()
            async with peer(endpoint) as (reader, writer):
                writer.write(GET)
                await reader.readuntil(PAGE)
                assert timers()
            while timers():  # noqa: ASYNC110 - until the endpoint has seen the peer go; no deadline of its is near
                await asyncio.sleep(0)

    run(test)
