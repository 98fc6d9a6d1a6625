"""A well-behaved peer, in a process of its own: `scraper.py PORT WISHES` scrapes until its standard input ends.

Says a line after the first scrape. At the end, as JSON: how long each took; how much CPU time the serving thread used
meanwhile, for whomever, which does not depend on what else the machine does; what became of those that failed. WISHES
is JSON: pid, of who serves; ca, for TLS; login; source, an address; count, at least so many scrapes.
"""

import base64
import json
import select
import socket
import ssl
import sys
import time
from collections import Counter
from typing import Any

PAUSE_SECONDS = 0.05
GIVE_UP_SECONDS = 30.0


def scrape(port: int, wishes: dict[str, Any]) -> str:
    """What went wrong; the empty string is a whole page."""
    login = base64.b64encode(wishes.get("login", "").encode()).decode()
    request = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\r\n"
    parts = []
    try:
        source = (wishes.get("source", "127.0.0.1"), 0)
        with socket.create_connection(("127.0.0.1", port), GIVE_UP_SECONDS, source) as peer:
            used = peer
            if wishes.get("ca"):
                used = ssl.create_default_context(cafile=wishes["ca"]).wrap_socket(peer, server_hostname="localhost")
            used.sendall(request.encode())
            while part := used.recv(1 << 20):
                parts.append(part)
    except OSError as error:
        return type(error).__name__
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    status = head[9:12].decode("latin-1")
    if status != "200":
        return status or "nothing"
    return "" if f"content-length: {len(body)}\r\n" in f"{head.decode('latin-1').lower()}\r\n" else "truncated"


def used_by(pid: int) -> float:
    """CPU time of its first thread, the one with the loop; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0


def main(port: int, wishes: dict[str, Any]) -> None:
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    failures = Counter[str]()
    while len(seconds) < wishes.get("count", 1) or not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        began, had = time.monotonic(), used_by(wishes["pid"])
        failure = scrape(port, wishes)
        seconds.append(time.monotonic() - began)
        cpu_seconds.append(used_by(wishes["pid"]) - had)
        failures.update([failure] if failure else [])
        if len(seconds) == 1:
            print("scraping", flush=True)
    json.dump({"seconds": seconds, "cpu_seconds": cpu_seconds, "failures": failures}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
