"""What the guest reports on its serial port: JSON lines with its nonce; anything else there is passed over."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.base.undecodable import UNDECODABLE

T = TypeVar("T")

PANIC = "Kernel panic"
LAST_CHARACTERS = 300


class Line(Struct, frozen=True):
    """What every line has."""

    nonce: str
    stage: str


class GuestDevice(Struct, frozen=True):
    """A NIC of the guest as it sees it; `driver` and `mac` "" where it has none."""

    address: str
    vendor_id: str = ""
    device_id: str = ""
    driver: str = ""
    netdev: str = ""
    mac: str = ""


class GuestLink(Struct, frozen=True):
    """Of a netdev, after it was set up; `speed` in Mbit/s, None where the driver tells none."""

    mac: str
    carrier: int = 0
    speed: int | None = None


class GuestFrame(Struct, frozen=True):
    """Whether a frame from one VF came in at the other, by their MACs."""

    sender: str
    receiver: str
    received: int = 0


class GuestModule(Struct, frozen=True):
    """A module that the guest could not load."""

    path: str
    problem: str


class GuestGateway(Struct, frozen=True):
    """Which MAC answered for an address, "" if none did."""

    address: str
    mac: str = ""


class Booted(Struct, frozen=True):
    """That the guest's own program runs."""

    kernel: str


class GuestReport(Struct, frozen=True):
    """All that has come so far."""

    booted: Booted | None = None
    modules: tuple[GuestModule, ...] = ()
    devices: tuple[GuestDevice, ...] = ()
    links: tuple[GuestLink, ...] = ()
    frames: tuple[GuestFrame, ...] = ()
    gateway: GuestGateway | None = None
    is_complete: bool = False


def parse_report(data: bytes, nonce: str) -> GuestReport:
    """Never raises. A line without the nonce is not the guest's; one that is cut off is not there yet."""
    known = ((line, _decode(line, Line)) for line in data.split(b"\n")[:-1])
    stages = [(found.stage, line) for line, found in known if found and found.nonce == nonce]

    def of(stage: str, kind: type[T]) -> tuple[T, ...]:
        lines = (line for name, line in stages if name == stage)
        return tuple(found for line in lines if (found := _decode(line, kind)))

    return GuestReport(
        booted=next(iter(of("booted", Booted)), None),
        modules=of("module", GuestModule),
        devices=of("device", GuestDevice),
        links=of("link", GuestLink),
        frames=of("frame", GuestFrame),
        gateway=next(iter(of("gateway", GuestGateway)), None),
        is_complete=any(name == "end" for name, _ in stages),
    )


def last_words(console: bytes) -> str:
    """What a guest said last, in one line: of a kernel that panicked what it says of it, without the registers."""
    lines = [line.strip() for line in console.decode(errors="replace").splitlines() if line.strip()]
    panic = next((number for number, line in enumerate(lines) if PANIC in line), len(lines))
    return printable(" | ".join(lines[: panic + 1])[-LAST_CHARACTERS:])


def _decode(line: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(line, type=kind)
    except UNDECODABLE:
        return None
