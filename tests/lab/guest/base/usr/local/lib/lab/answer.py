"""Answers the lab's questions in the guest: a process for each connection, which takes one question after the other.

Who connects sends the image's secret first, and gets it back. A question is a letter, two lengths and two texts; an
answer is an exit status, two lengths, and what was said. Over ssh a connection costs an emulated CPU three seconds,
which each test would pay; and a session for each question ten times as much as a command does here, and a command ten
times as much as a look at a file.
"""

import glob
import io
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable

PORT = 1022
KEY_FILE = "/etc/lab-key"
FETCH_SECONDS = 20.0

Answer = tuple[int, bytes, bytes]


def command(words: bytes, stdin: bytes) -> Answer:
    """Run a command in a shell. 255, as ssh has it, for one that a signal ended."""
    shell: list[bytes] = [b"/bin/bash", b"-c", words]
    if stdin:
        done = subprocess.run(shell, check=False, capture_output=True, input=stdin)
    else:
        done = subprocess.run(shell, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode if done.returncode >= 0 else 255, done.stdout, done.stderr


def read(path: bytes, offset: bytes) -> Answer:
    """Return what is in a file, from an offset on."""
    try:
        with open(path, "rb") as file:
            if int(offset or 0):
                file.seek(int(offset))
            return 0, file.read(), b""
    except OSError as error:
        return 1, b"", str(error).encode()


def paths(patterns: bytes, _: bytes) -> Answer:
    """Return the paths that fit shell patterns; one a line, both."""
    return 0, b"".join(path + b"\n" for pattern in patterns.splitlines() for path in sorted(glob.glob(pattern))), b""


def fetch(request: bytes, port: bytes) -> Answer:
    """Send this to a port of the loopback interface, and return what comes back until the other end closes."""
    try:
        with socket.create_connection(("localhost", int(port)), FETCH_SECONDS) as peer:
            peer.sendall(request)
            with peer.makefile("rb") as answer:
                return 0, answer.read(), b""
    except OSError as error:
        return 1, b"", str(error).encode()


KINDS: dict[bytes, Callable[[bytes, bytes], Answer]] = {b"c": command, b"r": read, b"p": paths, b"f": fetch}


def answer(peer: io.BufferedRWPair, secret: bytes) -> None:
    """Answer until the other end closes."""
    if peer.read(len(secret)) != secret:
        return
    peer.write(secret)
    peer.flush()
    while header := peer.read(9):
        kind, *lengths = struct.unpack(">cII", header)
        status, out, err = KINDS[kind](*(peer.read(length) for length in lengths))
        peer.write(struct.pack(">BII", status, len(out), len(err)) + out + err)
        peer.flush()


def main() -> None:
    """Serve until the guest ends."""
    with open(KEY_FILE, "rb") as file:
        secret = file.read()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets children that have ended
    server = socket.create_server(("", PORT), backlog=16)
    while True:
        connection, _ = server.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            try:
                with connection, connection.makefile("rwb") as peer:
                    answer(peer, secret)
            except (OSError, struct.error):  # the test has let go of it
                pass
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    main()
