"""With real netlink, in a network namespace of its own: the events that are sent here reach nobody else.

udevd's part, which is to send the messages, is played by the test: libudev takes them from any UID 0.
"""

import ctypes
import os
import select
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes_systemd import Forked
from sriov_bootstrap.edges.udev import BUFFER_BYTES, Udev

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # include/uapi/linux/sched.h
NETLINK_KOBJECT_UEVENT, UDEV_GROUP = 15, 2
PF_PATH = "/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0"
SMALLEST_BUFFER = 1  # the kernel makes it 4.5 KiB


def murmur2(data: bytes) -> int:
    """MurmurHash2, by which libudev lets the kernel filter messages."""
    value = len(data)
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        mixed = word * 0x5BD1E995 & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 24) * 0x5BD1E995 & 0xFFFFFFFF
        value = value * 0x5BD1E995 & 0xFFFFFFFF ^ mixed
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return value ^ value >> 15


def message(devpath: str, subsystem: str, action: str = "change") -> bytes:
    """As systemd/src/libsystemd/sd-device/device-monitor.c has it: monitor_netlink_header and the properties."""
    texts = {"ACTION": action, "DEVPATH": devpath, "SUBSYSTEM": subsystem, "SEQNUM": "4711"}
    properties = b"".join(f"{key}={value}\0".encode() for key, value in texts.items())
    fixed = (
        struct.pack("@8s", b"libudev") + struct.pack(">I", 0xFEEDCAFE) + struct.pack("@III", 40, 40, len(properties))
    )
    return fixed + struct.pack(">IIII", murmur2(subsystem.encode()), 0, 0, 0) + properties


class Stage:
    """A listener and somebody who sends what udevd would."""

    def __init__(self, buffer_bytes: int = BUFFER_BYTES) -> None:
        self.udev = Udev(buffer_bytes)
        self._sender = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)

    def send(self, devpath: str = PF_PATH, subsystem: str = "pci", *, times: int = 1) -> None:
        for _ in range(times):
            self.send_raw(message(devpath, subsystem))

    def send_raw(self, data: bytes) -> None:
        self._sender.sendto(data, (0, UDEV_GROUP))

    def is_readable(self) -> bool:
        return bool(select.select([self.udev.fileno()], [], [], 0)[0])

    def look(self) -> list[bool]:
        poke = self.udev.drain()
        return [poke.is_relevant, poke.was_overflow]


NOTHING, SOMETHING, LOST = [False, False], [True, False], [True, True]


def in_own_namespace(work: Callable[[], object]) -> Any:  # noqa: ANN401 - what `work` returned
    """Runs it where nobody else listens, and returns its value."""

    def enter_and_work() -> object:
        user = os.geteuid()
        flags = CLONE_NEWNET | (CLONE_NEWUSER if user else 0)
        if ctypes.CDLL(None, use_errno=True).unshare(flags):
            return f"unshare: {os.strerror(ctypes.get_errno())}"
        if user:
            Path("/proc/self/uid_map").write_text(f"0 {user} 1\n")
        return [work()]

    answer = Forked(enter_and_work).result()
    if isinstance(answer, str):
        pytest.skip(f"no network namespace to be had here: {answer}")
    return answer[0]


@pytest.mark.parametrize(
    ("devpath", "subsystem", "poke"),
    [
        pytest.param(PF_PATH, "pci", SOMETHING, id="a PCI device"),
        pytest.param(f"{PF_PATH}/net/ens1f0", "net", SOMETHING, id="the netdev of one"),
        pytest.param("/devices/virtual/net/tap0", "net", NOTHING, id="a tap of a VM"),
    ],
)
def test_an_event_counts_when_a_real_device_is_behind_it(devpath: str, subsystem: str, poke: list[bool]) -> None:
    def listen() -> object:
        stage = Stage()
        before = stage.is_readable()
        stage.send(devpath, subsystem)
        return [before, stage.is_readable(), stage.look(), stage.is_readable(), stage.look()]

    assert in_own_namespace(listen) == [False, True, poke, False, NOTHING]


def test_events_of_other_subsystems_do_not_even_wake_us() -> None:
    def listen() -> object:
        stage = Stage()
        stage.send("/devices/pci0000:00/0000:00:04.0/virtio0/block/vda", "block")
        return [stage.is_readable(), stage.look()]

    assert in_own_namespace(listen) == [False, NOTHING]


def test_one_real_device_among_many_virtual_ones_counts() -> None:
    def listen() -> object:
        stage = Stage()
        stage.send("/devices/virtual/net/tap0", "net", times=50)
        stage.send()
        stage.send("/devices/virtual/net/tap0", "net", times=50)
        return [stage.look(), stage.is_readable()]

    assert in_own_namespace(listen) == [SOMETHING, False]


def test_an_overflow_is_reported_once_and_hearing_goes_on() -> None:
    def listen() -> object:
        stage = Stage(SMALLEST_BUFFER)
        stage.send(times=1000)
        looks = [stage.is_readable(), stage.look(), stage.is_readable(), stage.look()]
        stage.send()
        return [*looks, stage.is_readable(), stage.look()]

    assert in_own_namespace(listen) == [True, LOST, False, NOTHING, True, SOMETHING]


def test_every_overflow_is_reported() -> None:
    def listen() -> object:
        stage = Stage(SMALLEST_BUFFER)
        looks = []
        for _ in range(20):
            stage.send(times=1000)
            looks.append(stage.look())
        return [*looks, stage.look()]

    assert in_own_namespace(listen) == [*[LOST] * 20, NOTHING]


def test_a_burst_of_a_thousand_vfs_fits() -> None:
    def listen() -> object:
        stage = Stage()
        stage.send(times=4000)
        return [stage.look(), stage.look()]

    assert in_own_namespace(listen) == [SOMETHING, NOTHING]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x", id="short"),
        pytest.param(message(PF_PATH, "pci").replace(b"libudev", b"LIBUDEV"), id="another prefix"),
        pytest.param(message(PF_PATH, "pci")[:60], id="cut off"),
        pytest.param(message(PF_PATH, "pci").replace(b"DEVPATH", b"DEVPATX"), id="a property is missing"),
    ],
)
def test_a_message_that_makes_no_sense_does_not_stop_the_listener(data: bytes) -> None:
    def listen() -> object:
        stage = Stage()
        stage.send_raw(data)
        looks = [stage.look()[1]]
        stage.send()
        return [*looks, stage.look()]

    assert in_own_namespace(listen) == [False, SOMETHING]
