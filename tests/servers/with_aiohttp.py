"""The page by aiohttp: what its documentation has of limits and deadlines, and nothing below it.

It has none for a request to arrive, nor for the number of peers. create_server in place of SockSite, which has no
ssl_handshake_timeout; web.Server is documented as a protocol factory.
"""

import asyncio
import json
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

sys.path[0] = str(Path(__file__).parents[1])  # a script has its own folder there, and no package

from servers.page_and_users import ANSWER_SECONDS, CHALLENGE, IDLE_SECONDS, MAX_HEADER_BYTES, PAGE_TYPE, QUEUE, Job  # noqa: E402

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(job: Job) -> web.Application:
    async def metrics(request: web.Request) -> web.StreamResponse:
        if request.can_read_body:
            return web.Response(status=413, headers={"Connection": "close"})
        page = job.page.read()
        response = web.StreamResponse(headers={"Content-Type": PAGE_TYPE})
        response.content_length = len(page)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await response.prepare(request)
                await response.write_eof(page)
        except TimeoutError:
            if request.transport:
                request.transport.abort()
            raise
        return response

    async def healthy(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok\n")

    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        header = request.headers.get("Authorization", "")
        is_admitted = job.users.known(header)
        if is_admitted is None:
            is_admitted = await asyncio.to_thread(job.users.is_right, header)
        if not is_admitted:
            return web.Response(status=401, headers={"WWW-Authenticate": CHALLENGE})
        return await handler(request)

    app = web.Application(middlewares=[web.middleware(checked)])
    app.add_routes([web.get("/metrics", metrics), web.get("/-/healthy", healthy)])
    return app


async def main(job: Job) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    limits = {"max_line_size": MAX_HEADER_BYTES, "max_field_size": MAX_HEADER_BYTES}
    runner = web.AppRunner(
        application(job), access_log=None, keepalive_timeout=IDLE_SECONDS, shutdown_timeout=1.0, **limits
    )
    await runner.setup()
    context = None
    if job.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(job.cert, job.key)
    await loop.create_server(
        runner.server,
        sock=socket.socket(fileno=job.listener),
        ssl=context,
        ssl_handshake_timeout=ANSWER_SECONDS if context else None,
        backlog=QUEUE,
    )
    await told.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(Job.read(sys.argv[1], sys.argv[3])))
    with open(sys.argv[2], "w", encoding="utf-8") as modules:
        json.dump(sorted(sys.modules), modules)
