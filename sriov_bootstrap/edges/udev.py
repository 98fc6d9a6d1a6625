"""udev: the only module that listens to it. An event only means "look again"; what it says is not used.

pyudev 0.24 never recovers from one overflow of the receive buffer: its Poll raises on POLLERR without reading the
socket, for ever. So the socket is peeked at first: a real receive clears the error (ENOBUFS, once), and a full look
makes up for what was lost.
"""

import contextlib
import errno
import os
import socket

import pyudev
from msgspec import Struct

SUBSYSTEMS = ("pci", "net")
BUFFER_BYTES = 8 << 20  # a burst of 1,000 VFs is 2 MB; the default of 128 MiB is allocated from kernel memory we share
MOST_AT_ONCE = 20_000  # during a storm, the event loop needs its turn
VIRTUAL = "/devices/virtual/"  # the taps and veths of VMs and containers: never a PF, never a VF


class Poke(Struct, frozen=True):
    """What a look at the socket gave: whether some event concerns a real device, and whether events were lost."""

    is_relevant: bool = False
    was_overflow: bool = False


class Udev:
    """A listener on the messages of systemd-udevd, which come after its rules have run and names are settled."""

    def __init__(self, buffer_bytes: int = BUFFER_BYTES) -> None:
        """Subscribes at once, so that nothing between this and the first look is lost."""
        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        for subsystem in SUBSYSTEMS:
            self._monitor.filter_by(subsystem)
        with contextlib.suppress(OSError):  # without CAP_NET_ADMIN: a smaller one overflows sooner, which is harmless
            self._monitor.set_receive_buffer_size(buffer_bytes)
        self._monitor.start()
        self._socket = socket.socket(fileno=os.dup(self._monitor.fileno()))

    def fileno(self) -> int:
        """For the event loop; readable also after an overflow."""
        return self._monitor.fileno()  # type: ignore[no-any-return]

    def drain(self) -> Poke:
        """Receives what is there, without blocking."""
        is_relevant = was_overflow = False
        for _ in range(MOST_AT_ONCE):
            try:
                self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                device = self._monitor.poll(timeout=0)
            except BlockingIOError:
                break
            except ValueError:  # libudev's EINVAL: an unreadable event still means "look again"
                is_relevant = True
                continue
            except OSError as error:
                if error.errno not in {errno.ENOBUFS, None}:  # pyudev raises a bare OSError for POLLERR
                    raise
                was_overflow = True
                continue
            is_relevant |= device is not None and not device.sys_path.startswith(f"/sys{VIRTUAL}")
        return Poke(is_relevant, was_overflow)
