"""What strangers do to whoever serves the page. Each scene is harmless, bounded, and ends by itself.

A scene says in words what it saw. Beside most of them a well-behaved peer scrapes on: see compare.py.
"""

import asyncio
import base64
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from servers.candidates import HEALTHY, SCRAPE, Server, ask

LOOK_SECONDS: Final = 0.2
WATCH_SECONDS: Final = 30.0
KEPT_SCRAPE: Final = SCRAPE.replace(b"Connection: close\r\n", b"")
MALFORMED: Final = {
    "no Host": b"GET /-/healthy HTTP/1.1\r\n\r\n",
    "two lengths": HEALTHY[:-2] + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length of letters": HEALTHY[:-2] + b"Content-Length: x\r\n\r\n",
    "signed length": HEALTHY[:-2] + b"Content-Length: +1\r\n\r\nx",
    "space before the colon": HEALTHY[:-2] + b"X : y\r\n\r\n",
    "NUL in a value": HEALTHY[:-2] + b"X: a\0b\r\n\r\n",
    "unknown transfer coding": HEALTHY[:-2] + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunk of letters": HEALTHY[:-2] + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "length and chunks": HEALTHY[:-2] + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no version": b"GET /-/healthy\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}

Act = Callable[[Server], Coroutine[None, None, str]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def crowd(server: Server, count: int, said: bytes = b"") -> AsyncIterator[None]:
    """So many peers that have said this, and do nothing more; those whom nobody lets in are none."""
    loop, peers = asyncio.get_running_loop(), []
    try:
        for number in range(count):
            peers.append(socket.socket())
            peers[-1].setblocking(False)  # noqa: FBT003 - the method's own signature
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(loop.sock_connect(peers[-1], ("127.0.0.1", server.port)), 1.0)
                if said:
                    await loop.sock_sendall(peers[-1], said)
            if number % 50 == 0:
                await asyncio.sleep(0)
        yield
    finally:
        for peer in peers:
            peer.close()


async def held(server: Server, before: int, *, seconds: float = WATCH_SECONDS) -> str:
    """How many sockets it holds for such peers, and until when. Two may be those of who scrapes."""
    began, most, now = time.monotonic(), 0, 0
    while (passed := time.monotonic() - began) < seconds:
        now = server.sockets() - before
        most = max(most, now)
        if passed > 1.0 and now <= 2:
            return f"{most} at once, dropped after {passed:.0f} s"
        await asyncio.sleep(LOOK_SECONDS)
    return f"{most} at once, {now} of them after {seconds:.0f} s"


def idle(count: int) -> Act:
    async def act(server: Server) -> str:
        before = server.sockets()
        async with crowd(server, count):
            return await held(server, before)

    return act


async def never_reads(server: Server) -> str:
    """50 peers ask for a large page 20 times each, and read nothing."""
    before, loop = server.sockets(), asyncio.get_running_loop()
    peers = []
    try:
        for _ in range(50):
            peers.append(socket.socket())
            peers[-1].setblocking(False)  # noqa: FBT003 - the method's own signature
            peers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(peers[-1], ("127.0.0.1", server.port))
            await loop.sock_sendall(peers[-1], KEPT_SCRAPE * 20)
        return await held(server, before)
    finally:
        for peer in peers:
            peer.close()


def drips(beginning: bytes) -> Act:
    """A byte twice a second."""

    async def act(server: Server) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.monotonic()
        answer = asyncio.create_task(_said(reader))
        writer.write(beginning)
        while not answer.done() and time.monotonic() < began + WATCH_SECONDS:
            with suppress(ConnectionError):
                writer.write(b"x")
            await asyncio.wait({answer}, timeout=0.5)
        passed = time.monotonic() - began
        writer.transport.abort()
        if not answer.done():
            answer.cancel()
            return f"still there after {WATCH_SECONDS:.0f} s"
        status = answer.result()[9:12].decode("latin-1")
        return f"dropped after {passed:.0f} s" + (f" with {status}" if status else "")

    return act


async def pipelined(server: Server) -> str:
    """200 peers ask 100 times each at once, and read everything."""

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(KEPT_SCRAPE * 99 + SCRAPE)
        said = await _said(reader)
        writer.transport.abort()
        return said.count(b"HTTP/1.1 200")

    began = time.monotonic()
    answers = await asyncio.wait_for(asyncio.gather(*(one() for _ in range(200))), 120)
    return f"{sum(answers)} answers in {time.monotonic() - began:.0f} s"


async def huge_headers(server: Server) -> str:
    """50 peers send a header of 1 MB."""

    async def one() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HEALTHY[:-2] + b"X: " + b"x" * 2**20)
        try:
            said = await asyncio.wait_for(_said(reader), WATCH_SECONDS)
        except TimeoutError:
            return "none in time"
        finally:
            writer.transport.abort()
        return said[9:12].decode("latin-1") or "reset"

    return counted(Counter(await asyncio.gather(*(one() for _ in range(50)))))


async def malformed(server: Server) -> str:
    """Each is to be refused."""
    taken = []
    for name, request in MALFORMED.items():
        said = await asyncio.to_thread(ask, server.port, request)
        if said[9:10] not in {b"4", b"5"} and said:
            taken.append(name)
    return f"{len(MALFORMED) - len(taken)} of {len(MALFORMED)} refused" + (
        f"; taken: {', '.join(taken)}" if taken else ""
    )


async def upgrade(server: Server) -> str:
    """Whether HTTP/2 is spoken where nobody wants it."""
    request = (
        KEPT_SCRAPE[:-2]
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    )
    said = await asyncio.to_thread(ask, server.port, request)
    return "supported" if said.startswith(b"HTTP/1.1 101") else "not supported"


async def plain_at_tls(server: Server) -> str:
    said = await asyncio.to_thread(ask, server.port, SCRAPE)
    return f"{said[9:12].decode('latin-1')}, with a message" if said else "closed silently"


def own_address() -> str:
    """One of this machine that is not loopback, or OSError: all of loopback is one address for us. Nothing is sent."""
    with socket.socket(type=socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))
        return str(asked.getsockname()[0])


def crowd_of_one_address(other: str) -> Act:
    """600 peers of one address hold half a request each. Another address has had its place for longer."""

    async def act(server: Server) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(other, 0))
        async with AsyncExitStack() as stack:
            stack.callback(writer.transport.abort)
            writer.write(KEPT_SCRAPE)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            async with crowd(server, 600, KEPT_SCRAPE[:20]):
                await asyncio.sleep(3.0)
                writer.write(SCRAPE)
                said = await _said(reader)
        keeps_it = said.startswith(b"HTTP/1.1 200")
        return "the other address keeps its connection" if keeps_it else "the other address loses it"

    return act


def guessers(address: str) -> Act:
    """33 peers guess for ten seconds, another password each time.

    After three a right password comes for the first time, from this address; theirs is 127.0.0.1.
    """

    async def act(server: Server) -> str:
        end = time.monotonic() + 10.0
        guesses = Counter[str]()

        async def guess(number: int) -> None:
            count = 0
            while (left := end - time.monotonic()) > 0:
                count += 1
                guesses[await _status_of_login(server, f"prometheus:{number}-{count}", left)] += 1

        async def first() -> str:
            await asyncio.sleep(3.0)
            before = guesses["401"]
            status = await _status_of_login(server, "grafana:second", WATCH_SECONDS, address=address)
            waited = guesses["401"] - before
            return f"admitted after {waited} guesses" if status == "200" else f"told {status} after {waited} guesses"

        asked = asyncio.create_task(first())
        await asyncio.gather(*(guess(number) for number in range(33)))
        return f"the right one is {await asked}; {guesses['401']} guesses checked"

    return act


async def _status_of_login(server: Server, login: str, seconds: float, *, address: str = "127.0.0.1") -> str:
    header = b"Authorization: Basic " + base64.b64encode(login.encode()) + b"\r\n\r\n"
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
            try:
                writer.write(SCRAPE[:-2] + header)
                return (await _said(reader))[9:12].decode("latin-1")
            finally:
                writer.transport.abort()
    return "nothing in time"


async def _said(reader: asyncio.StreamReader) -> bytes:
    parts = []
    with suppress(ConnectionError):
        while part := await reader.read(1 << 20):
            parts.append(part)
    return b"".join(parts)


def counted(answers: Counter[str]) -> str:
    return ", ".join(f"{count} times {answer}" for answer, count in answers.most_common())
