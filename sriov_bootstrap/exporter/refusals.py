"""What the endpoint refuses to whom: counted for the metrics, and logged once a minute at most.

The first one is logged at once, those in the minute after it are only counted, and the next line says how many.
Passwords have a line for each address, and if too many addresses guess, one line for all the others.
"""

import socket
from collections import OrderedDict
from enum import StrEnum
from typing import NamedTuple

from sriov_bootstrap.base.printable import NAME_LIMIT, printable
from sriov_bootstrap.exporter.lines import LogLine

QUIET_SECONDS = 60.0
MAX_NETWORKS = 32  # with a line a minute of their own
EVERYBODY, OTHERS = "everybody", "others"  # who is no address
LOOPBACK = "loopback"
IPV6_LOOPBACK = bytes(15) + b"\x01"
MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96: IPv4, on a socket that is for both


class Refusal(StrEnum):
    """Why; values are labels of a metric, and so API."""

    MALFORMED = "malformed"
    SLOW = "slow"
    CROWDED = "crowded"
    ANONYMOUS = "anonymous"
    WRONG = "wrong_password"
    UNCHECKED = "too_many_passwords"


MEANINGS = {
    Refusal.MALFORMED: "a peer does not speak the protocol",
    Refusal.SLOW: "a peer is too slow",
    Refusal.CROWDED: "a peer gave way to newer ones",
    Refusal.ANONYMOUS: "a peer did not give user and password",
    Refusal.WRONG: "a wrong user or password",
    Refusal.UNCHECKED: "an address tries more passwords than are checked",
}
GUESSES = {Refusal.WRONG, Refusal.UNCHECKED}


class Peer(NamedTuple):
    """`network`: whom its limits are for, see network_of()."""

    address: str = ""
    network: str = ""


def peer_at(name: object) -> Peer:
    """`name`: see socket.getpeername(). None: it is gone already. All peers of a Unix socket are one network, ""."""
    address = str(name[0]) if isinstance(name, tuple) else ""
    return Peer(address, network_of(address))


def network_of(address: str) -> str:
    """What whoever has this address can have as well: they share its limits, or new addresses would be without any.

    A host has one IPv4 address, and all of an IPv6 /64. Every user of this host has all of 127.0.0.0/8, and ::1.
    """
    if ":" not in address:
        return LOOPBACK if address.startswith("127.") else address
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if packed == IPV6_LOOPBACK:
        return LOOPBACK
    if packed.startswith(MAPPED):
        return network_of(socket.inet_ntop(socket.AF_INET, packed[len(MAPPED) :]))
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"


class _Said:
    def __init__(self, said_at: float) -> None:
        self.said_at = said_at
        self.unsaid = 0


class Refusals:
    """All since the process started."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Refusal, 0)
        self._lines: OrderedDict[str, _Said] = OrderedDict()  # who was said longest ago is first

    def note(self, refusal: Refusal, peer: Peer, *, now: float, user: str = "") -> LogLine | None:
        """Counts it. The line is what is to be said."""
        self.counts[refusal] += 1
        whose = self._whose_line(peer.network, now) if refusal in GUESSES else EVERYBODY
        line = self._lines.get(whose)
        if line and now < line.said_at + QUIET_SECONDS:
            line.unsaid += 1
            return None
        self._lines[whose] = _Said(now)
        self._lines.move_to_end(whose)
        fields: dict[str, str | int] = {"address": peer.address}
        if user:
            fields["user"] = printable(user, NAME_LIMIT)
        if line and line.unsaid:
            fields["more_since_last_line"] = line.unsaid
        level = "warning" if refusal in GUESSES else "info"
        return LogLine(level, f"metrics: {MEANINGS[refusal]}", fields)

    def _whose_line(self, network: str, now: float) -> str:
        if network in self._lines or len(self._lines) < MAX_NETWORKS:
            return network
        oldest, line = next(iter(self._lines.items()))
        if now < line.said_at + QUIET_SECONDS:
            return OTHERS
        del self._lines[oldest]
        return network
