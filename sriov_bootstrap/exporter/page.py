"""The page: the latest file from the daemon, and what only the exporter knows.

The file is sent as it is. It is checked at each scrape, and read again if it has changed. A file that is not one of
our pages is reported, in the log and by a metric, and the last valid one is kept: without a series, alerts end.
"""

import errno
import os
import stat
from collections.abc import Callable, Mapping
from enum import StrEnum

from sriov_bootstrap.exporter.lines import LogLine
from sriov_bootstrap.exporter.refusals import Refusal

BEGIN, END = b"# sriov-bootstrap page ", b"# end of page\n"
VERSION = 1  # of what we understand; edges/metrics.py writes it
MAX_BYTES = 64 << 20  # 16384 VFs have 2.5 MB
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class PageProblem(StrEnum):
    """Why the file is no page; values are labels of a metric, and so API."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    TRUNCATED = "truncated"
    VERSION = "version"


MEANINGS = {
    PageProblem.MISSING: "does not exist: sriov-bootstrap.service has not run since boot",
    PageProblem.UNREADABLE: "cannot be read",
    PageProblem.FOREIGN: "was not written by root",
    PageProblem.TRUNCATED: "is incomplete",
    PageProblem.VERSION: "is from another version: restart sriov-bootstrap-metrics.service",
}


class PageFile:
    """What a scrape gets. `owner` alone may have written the file; `counts` may grow at any time."""

    def __init__(
        self, path: str, counts: Mapping[Refusal, int], say: Callable[[LogLine], None], *, owner: int = 0
    ) -> None:
        """Reads nothing yet."""
        self._path = path
        self._counts = counts
        self._say = say
        self._owner = owner
        self._stamp: tuple[int, ...] | None = None
        self._text = b""
        self.problem: PageProblem | None = None

    def read(self) -> bytes:
        """For each scrape."""
        self._read_if_new()
        return self._text + own_metrics(self._counts, self.problem)

    def _read_if_new(self) -> None:
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError as error:
            self._stamp = None  # it may come back as it was
            self._on_problem(PageProblem.MISSING if error.errno == errno.ENOENT else PageProblem.UNREADABLE)
            return
        stamp = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        if stamp != self._stamp:
            self._stamp = stamp
            self._on_problem(self._take())

    def _take(self) -> PageProblem | None:
        try:
            descriptor = os.open(self._path, FLAGS)
        except OSError:
            return PageProblem.UNREADABLE
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return PageProblem.UNREADABLE
            if status.st_uid != self._owner or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return PageProblem.FOREIGN
            data = _read_all(descriptor, status.st_size)
        except OSError:
            return PageProblem.UNREADABLE
        finally:
            os.close(descriptor)
        return self._understand(data)

    def _understand(self, data: bytes) -> PageProblem | None:
        begin = data.find(b"\n") + 1
        if not data.startswith(BEGIN) or not data.endswith(b"\n" + END):
            return PageProblem.TRUNCATED
        if data[:begin] != BEGIN + b"%d\n" % VERSION:
            return PageProblem.VERSION
        self._text = data[begin : -len(END)]  # one copy: it may be megabytes
        return None

    def _on_problem(self, problem: PageProblem | None) -> None:
        """Said when it is another one."""
        if problem is not self.problem:
            self.problem = problem
            text = f"{MEANINGS[problem]}; the last page is kept" if problem else "is valid again"
            self._say(LogLine("warning" if problem else "info", f"{self._path}: {text}"))


def own_metrics(counts: Mapping[Refusal, int], problem: PageProblem | None = None) -> bytes:
    """The rest of the page. Its label values are words of ours: nothing in them has to be escaped."""
    lines = [
        "# HELP sriov_bootstrap_http_refused_total What the endpoint refused, by reason.",
        "# TYPE sriov_bootstrap_http_refused_total counter",
        *(f'sriov_bootstrap_http_refused_total{{reason="{refusal}"}} {float(counts[refusal])}' for refusal in Refusal),
        "# HELP sriov_bootstrap_page_problem 1 while the file with the metrics is not valid, for this reason.",
        "# TYPE sriov_bootstrap_page_problem gauge",
        *(f'sriov_bootstrap_page_problem{{reason="{reason}"}} {float(reason is problem)}' for reason in PageProblem),
    ]
    return ("\n".join(lines) + "\n").encode()


def _read_all(descriptor: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(descriptor, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
