"""Files that the command line names, which the operator answers for: read within a limit, never written."""

import os
import sys

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.base.reading import open_regular, read_names

STATUS_BYTES = 1 << 24  # 16 MiB: a host with a thousand VFs needs one
LOG_BYTES = 1 << 24  # from the end: nova-compute writes at level DEBUG, and looks at its host each minute
STDIN = "-"


def read_named(path: str) -> bytes:
    """All of it; "-" is standard input. Raises UsageError."""
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(STATUS_BYTES)
        with open_regular(path) as file:
            return file.read(STATUS_BYTES)
    except OSError as error:
        raise UsageError((f"{path}: cannot be read: {error.strerror or error}",)) from None


def read_end(path: str) -> str:
    """The end of a log. Raises UsageError."""
    try:
        with open_regular(path) as file:
            if file.descriptor >= 0:
                os.lseek(file.descriptor, max(0, file.status.st_size - LOG_BYTES), os.SEEK_SET)
            return file.read(LOG_BYTES, is_cut=True).decode(errors="replace")
    except OSError as error:
        raise UsageError((f"{path}: cannot be read: {error.strerror or error}",)) from None


def json_files(folder: str) -> tuple[str, ...] | None:
    """The names in it that end in .json; None if it is no folder."""
    if not os.path.isdir(folder):
        return None
    names, _ = read_names(folder)
    return tuple(name for name in names if name.endswith(".json"))
