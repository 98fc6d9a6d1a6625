"""One web server that is a fleet: /host/N/metrics of each host, and /targets for HTTP service discovery.

A page is made anew when it is older than a pass, and only sent otherwise, whoever asks: so do the daemon, which writes
it, and the exporter, which sends it. What it costs to make pages stays small beside what is measured, and that a
thousand exporters run on a thousand hosts makes no difference to the Prometheus that is.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from fleet.hosts import Host

ADDRESS: Final = "127.0.0.1"
METRICS_PORT: Final = 10049


@dataclass(slots=True)
class Fleet:
    """The hosts, and the page of each as it is now."""

    hosts: list[Host]
    seconds_between_passes: float = 60.0
    pages: dict[int, tuple[float, bytes]] = field(default_factory=dict)

    def answer(self, path: str, *, own_address: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        if path == "/targets":
            return 200, "application/json", json.dumps(self.targets(own_address)).encode()
        with suppress(IndexError, ValueError):
            _, kind, number, page = path.split("/")
            host = self.hosts[int(number)]
            if (kind, page) == ("host", "metrics") and not host.is_down:
                return 200, "text/plain; version=0.0.4", self._page(host)
        return 503, "text/plain", b""

    def targets(self, own_address: str) -> list[dict[str, object]]:
        """Return what discovery says. All are at one address here: the path tells them apart, and names are given."""
        return [
            {
                "targets": [own_address],
                "labels": host.labels
                | {"__metrics_path__": f"/host/{number}/metrics", "instance": f"{host.name}:{METRICS_PORT}"},
            }
            for number, host in enumerate(self.hosts)
        ]

    def _page(self, host: Host) -> bytes:
        now = time.time()
        made_at, page = self.pages.get(host.number, (0.0, b""))
        if not made_at or (now - made_at >= self.seconds_between_passes and not host.is_silent):
            # The first passes are spread, or the whole fleet would make the later ones at once.
            age = self.seconds_between_passes * (host.number % 97) / 97 if not made_at else 0.0
            made_at, page = now - age, host.make_pass(now - age)
            self.pages[host.number] = made_at, page
        return page


@contextmanager
def serving(fleet: Fleet) -> Iterator[str]:
    """Serve in a thread of its own; its address."""
    ready: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(lambda reader, writer: _converse(fleet, reader, writer), ADDRESS, 0)
        ready.append(f"{ADDRESS}:{server.sockets[0].getsockname()[1]}")
        started.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serve())  # a task of this thread: since Python 3.14 all_tasks() sees no others
        loop.close()

    thread = threading.Thread(target=run, name="fleet")
    thread.start()
    started.wait(10)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(lambda: [one.cancel() for one in asyncio.all_tasks(loop)])
        thread.join()


async def _converse(fleet: Fleet, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection, which Prometheus keeps."""
    own = "{}:{}".format(*writer.get_extra_info("sockname"))
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while request := await reader.readuntil(b"\r\n\r\n"):
            status, kind, body = fleet.answer(request.split(b" ", 2)[1].decode(), own_address=own)
            head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
    writer.close()
