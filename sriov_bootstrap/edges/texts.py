"""Text files of others, read for doctor alone: never waits, takes no more than fits, notes what it missed."""

import errno
import glob
import os
import stat

MAX_BYTES = 1 << 23  # modules.alias of a distribution's kernel is the largest of them, with 2 MB
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Texts:
    """Everything below `root`, "" for the real one. `problems`: what is there and could not be read, and why."""

    def __init__(self, root: str = "") -> None:
        """Reads nothing yet."""
        self._root = root
        self.problems: list[str] = []

    def read(self, path: str) -> str:
        """A file's text; "" where there is none, or where it cannot be read, which is noted."""
        try:
            descriptor = os.open(f"{self._root}{path}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._note(path, error)
            return ""
        try:
            return self._read(path, descriptor)
        except OSError as error:
            self._note(path, error)
            return ""
        finally:
            os.close(descriptor)

    def read_matching(self, *patterns: str) -> dict[str, str]:
        """Path -> text of the files that match these shell globs, in the order of the globs, then of the names."""
        found: dict[str, str] = {}
        for pattern in patterns:
            self._note_closed(pattern.rpartition("/")[0])
            paths = sorted(glob.glob(glob.escape(self._root) + pattern))
            found |= {path: self.read(path) for path in (one.removeprefix(self._root) for one in paths)}
        return {path: text for path, text in found.items() if text}

    def _read(self, path: str, descriptor: int) -> str:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # also /dev/null, which masks a file
            return ""
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self.problems.append(f"{path}: larger than {MAX_BYTES >> 20} MiB: not read")
            return ""
        return data.decode(errors="replace")

    def _note(self, path: str, error: OSError) -> None:
        if error.errno not in ABSENT:
            advice = ": run it as root" if error.errno in {errno.EACCES, errno.EPERM} else ""
            self.problems.append(f"{path}: cannot be read: {error.strerror}{advice}")

    def _note_closed(self, folder: str) -> None:
        """A folder that may not be listed looks empty to glob."""
        try:
            os.scandir(f"{self._root}{folder}").close()
        except OSError as error:
            self._note(folder, error)
