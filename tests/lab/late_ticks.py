"""`late_ticks.py PID CONSOLE`: hold up a QEMU's main loop, as a busy machine does, until its guest prints something.

The main loop is what makes the guest's timer tick, and the thread that PID names; the processors go on meanwhile. It is
stopped by ptrace(2), since a signal would stop all threads: a process of its own, or whoever waits for QEMU would be
told of each stop.
"""

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Final

SEIZE: Final = 0x4206  # linux/ptrace.h
INTERRUPT: Final = 0x4207
CONTINUE: Final = 7
WAIT_ALL: Final = 0x40000000  # linux/wait.h: __WALL

# See qemu.NO_TIMER_CHECK: the kernel wants five ticks within 160 million cycles, and gets one each time it runs.
STOPPED_SECONDS: Final = 0.15
RUNNING_SECONDS: Final = 0.003

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request: int, pid: int) -> None:
    if _LIBC.ptrace(request, pid, None, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"ptrace of process {pid}")


def hold_up(pid: int, console: Path) -> None:
    """Return when the console has text; ProcessLookupError when the process ends before."""
    _ptrace(SEIZE, pid)
    while not (console.exists() and console.stat().st_size):
        _ptrace(INTERRUPT, pid)
        os.waitpid(pid, WAIT_ALL)
        time.sleep(STOPPED_SECONDS)
        _ptrace(CONTINUE, pid)
        time.sleep(RUNNING_SECONDS)


if __name__ == "__main__":
    hold_up(int(sys.argv[1]), Path(sys.argv[2]))
