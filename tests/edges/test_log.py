import io
import json

import pytest

from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.edges.log import Log

GOOD = Event(Level.INFO, "0000:3b:00.0: set sriov_numvfs from 0 to 4: changed", {"from": 0, "to": 4, "seconds": 1.25})
BAD = Event(Level.ERROR, "0000:3b:00.0: no", {"errno": "ENOSPC", "hint": "lower num_vfs, or its queues", "rule": ""})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def emitted(log_format: str, *events: Event, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    Log(log_format, stream=stream).emit(events)
    return stream.getvalue()


def test_off_a_terminal_lines_carry_the_priority_for_journald() -> None:
    assert emitted("auto", GOOD, BAD) == (
        "<6>0000:3b:00.0: set sriov_numvfs from 0 to 4: changed | from=0 to=4 seconds=1.25\n"
        '<3>0000:3b:00.0: no | errno=ENOSPC hint="lower num_vfs, or its queues"\n'
    )


@pytest.mark.parametrize(("level", "priority"), [(Level.INFO, 6), (Level.WARNING, 4), (Level.ERROR, 3)])
def test_every_level_has_its_priority(level: Level, priority: int) -> None:
    assert emitted("auto", Event(level, "text")) == f"<{priority}>text\n"


def test_json_is_one_object_a_line() -> None:
    first, second = [json.loads(line) for line in emitted("json", GOOD, BAD).splitlines()]
    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": GOOD.text, "level": "info", "from": 0, "to": 4, "seconds": 1.25}
    assert (second["level"], second["errno"], second["hint"]) == ("error", "ENOSPC", "lower num_vfs, or its queues")


def test_console_is_readable_and_plain_off_a_terminal() -> None:
    line = emitted("console", GOOD)
    assert GOOD.text in line
    assert "from=0" in line
    assert "\x1b" not in line
    assert not line.startswith("<")


def test_auto_means_console_on_a_terminal() -> None:
    line = emitted("auto", GOOD, stream=Terminal())
    assert GOOD.text in line
    assert not line.startswith("<")


def test_a_line_that_is_about_no_report_looks_like_the_others() -> None:
    stream = io.StringIO()
    Log("auto", stream=stream).say("warning", "started anew", note="state.json")
    assert stream.getvalue() == "<4>started anew | note=state.json\n"


@pytest.mark.parametrize("log_format", ["auto", "console", "json"])
def test_an_event_is_one_line_whatever_it_quotes(log_format: str) -> None:
    hostile = "a\n<0>b\x1b[2J\udcff\u2028c"
    (line,) = emitted(log_format, Event(Level.ERROR, hostile, {"hint": hostile})).splitlines()
    assert line.isprintable()
    assert len(emitted(log_format, Event(Level.ERROR, "x" * 100_000, {"hint": "y" * 100_000}))) < 4096
