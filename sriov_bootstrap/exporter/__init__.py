"""Serves the metrics: HTTP by h11 on one event loop, without a thread.

Why not a ready-made server. prometheus_client.start_http_server looks its own name up in DNS before it listens, and
starts a thread without any time-out for each connection: 200 silent peers, 200 threads. waitress and cheroot serve from
threads as well; and this process forks for each password, which is only safe while it has one thread. aiohttp and
hypercorn lock everyone out while idle peers hold all their files: docs/reliability.md has the measurements. h11 does
the part that is easy to get wrong, the protocol; sockets, deadlines and limits are asyncio's and below. Nothing here
wakes an idle process: timers live only while a peer is there.
"""
