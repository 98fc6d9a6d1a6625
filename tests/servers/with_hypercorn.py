"""The page by hypercorn: what its documentation has of limits and deadlines, and nothing below it.

read_timeout counts from byte to byte, and between two requests as well, so no connection lasts from one scrape to the
next. There is none for an answer: the application has its own. Nothing switches HTTP/2 off where there is no TLS.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

sys.path[0] = str(Path(__file__).parents[1])  # a script has its own folder there, and no package

from servers.page_and_users import ANSWER_SECONDS, CHALLENGE, MAX_HEADER_BYTES, PAGE_TYPE, QUEUE, Job  # noqa: E402

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
PAGES = {"/metrics", "/-/healthy"}


class Application:
    """ASGI."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        headers = {name.lower(): value for name, value in scope["headers"]}
        header = headers.get(b"authorization", b"").decode("latin-1")
        is_admitted = self._job.users.known(header)
        if is_admitted is None:
            is_admitted = await asyncio.to_thread(self._job.users.is_right, header)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._answer(scope, headers, send, is_admitted=is_admitted)

    async def _answer(
        self, scope: dict[str, Any], headers: dict[bytes, bytes], send: Send, *, is_admitted: bool
    ) -> None:
        more: list[tuple[bytes, bytes]] = []
        status, body = 200, b"ok\n"
        if not is_admitted:
            status, more = 401, [(b"www-authenticate", CHALLENGE.encode())]
        elif scope["path"] not in PAGES:
            status = 404
        elif scope["method"] not in {"GET", "HEAD"}:
            status = 405
        elif b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            status, more = 413, [(b"connection", b"close")]
        elif scope["path"] == "/metrics":
            body, more = self._job.page.read(), [(b"content-type", PAGE_TYPE.encode())]
        if status != 200:
            body = b"%d\n" % status
        told = [(b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def main(job: Job) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    config = Config()
    config.bind = [f"fd://{job.listener}"]
    config.backlog = QUEUE
    config.loglevel = "WARNING"
    config.read_timeout = int(ANSWER_SECONDS)
    config.keep_alive_timeout = ANSWER_SECONDS
    config.ssl_handshake_timeout = ANSWER_SECONDS
    config.graceful_timeout = config.shutdown_timeout = 1.0
    config.keep_alive_max_requests = 100
    config.h11_max_incomplete_size = MAX_HEADER_BYTES
    config.alpn_protocols = ["http/1.1"]  # no HTTP/2 over TLS
    config.include_server_header = False
    if job.cert:
        config.certfile, config.keyfile = job.cert, job.key
    await serve(Application(job), config, shutdown_trigger=told.wait)


if __name__ == "__main__":
    asyncio.run(main(Job.read(sys.argv[1], sys.argv[3])))
    with open(sys.argv[2], "w", encoding="utf-8") as modules:
        json.dump(sorted(sys.modules), modules)
