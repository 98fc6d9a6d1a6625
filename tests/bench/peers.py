"""Hostile peers: WAVES of PEERS, each with PIPELINED requests at once. `peers.py PORT` says how many were answered."""

import selectors
import socket
import sys
import time
from contextlib import suppress
from typing import Final

PEERS, WAVES, PIPELINED = 200, 5, 100
DEADLINE_SECONDS: Final = 60.0  # of all
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: a\r\n"
PIPELINE: Final = (REQUEST + b"\r\n") * (PIPELINED - 1) + REQUEST + b"Connection: close\r\n\r\n"
ANSWER: Final = b"HTTP/1.1 200"


def besiege(port: int, *, peers: int = PEERS, waves: int = WAVES) -> int:
    """They read what they get, as somebody does who wants to keep the server busy."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    return sum(_wave(port, peers, deadline) for _ in range(waves))


def _wave(port: int, peers: int, deadline: float) -> int:
    answers = 0
    tails: dict[socket.socket, bytes] = {}  # of what was read last: an answer may begin there
    with selectors.DefaultSelector() as selector:
        for _ in range(peers):
            peer = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
            with suppress(OSError):  # it had to give way already
                peer.sendall(PIPELINE)
            selector.register(peer, selectors.EVENT_READ, peer)
        while (open_ones := list(selector.get_map().values())) and time.monotonic() < deadline:
            for key, _ in selector.select(1.0):
                received = _received(key.data)
                data = tails.get(key.data, b"") + received
                answers += data.count(ANSWER)
                tails[key.data] = data[1 - len(ANSWER) :]
                if not received:
                    selector.unregister(key.data)
                    key.data.close()
        for key in open_ones:
            key.data.close()
    return answers


def _received(peer: socket.socket) -> bytes:
    with suppress(OSError):  # it gave way to another one
        return peer.recv(1 << 16)
    return b""


if __name__ == "__main__":
    print(besiege(int(sys.argv[1])))
