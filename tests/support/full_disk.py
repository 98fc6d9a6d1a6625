"""Where nothing can be written, as to a log on a disk that is full; journald's stream, once it is gone, is like it."""

import errno
import io
from typing import NoReturn


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _text: str, /) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")
