"""What the exporter says on stderr."""

import contextlib
import io

import pytest

from full_disk import FullDisk
from sriov_bootstrap.exporter.lines import LogLine, say


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (LogLine("info", "it serves"), "<6>it serves\n"),
        (LogLine("warning", "a\nb", {"peer": "::1", "rule": ""}), "<4>a\\x0ab | peer=::1\n"),
        (LogLine("error", "no", {"why": 'no "x"'}), '<3>no | why="no \\"x\\""\n'),
    ],
)
def test_a_line_is_as_those_of_the_daemon(line: LogLine, text: str) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as stream:
        say(line)
    assert stream.getvalue() == text


def test_a_line_that_cannot_be_written_ends_nothing() -> None:
    with contextlib.redirect_stderr(FullDisk()):
        say(LogLine("error", "no access rules"))
