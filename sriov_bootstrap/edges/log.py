"""The log: the only module that sets up structlog. Everything goes to stderr; stdout is for answers."""

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import structlog

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.events import Event

PRIORITIES = {"info": 6, "warning": 4, "error": 3}  # sd-daemon(3)


class Log:
    """`log_format`: "console", "json", or "auto": console on a terminal, else lines with journald's priorities."""

    def __init__(self, log_format: str, *, stream: TextIO = sys.stderr) -> None:
        """Builds its own logger and changes nothing global."""
        is_console = log_format == "console" or (log_format == "auto" and stream.isatty())
        processors: list[Any] = [structlog.processors.add_log_level]
        if log_format == "json":
            processors += [structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()]
        elif is_console:
            stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
            processors += [
                stamp,
                structlog.dev.ConsoleRenderer(colors=stream.isatty() and "NO_COLOR" not in os.environ),
            ]
        else:  # journald stamps the time itself
            processors += [_journal_line]
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=processors,
        )

    def emit(self, events: Iterable[Event]) -> None:
        """Writes each event."""
        for event in events:
            self.say(event.level, event.text, **event.fields)

    def say(self, level: str, text: str, **fields: str | float) -> None:
        """Writes one line, whatever is in the text: to journald, a second line would be another entry."""
        shown = {key: printable(value) if isinstance(value, str) else value for key, value in fields.items()}
        getattr(self._logger, level)(printable(text), **shown)


def _journal_line(_logger: object, _name: str, event: dict[str, Any]) -> str:
    """`<4>text key=value`: readable as it is, and journald strips the priority."""
    text, level = event.pop("event"), event.pop("level")
    pairs = structlog.processors.LogfmtRenderer()(None, "", {key: value for key, value in event.items() if value != ""})
    return f"<{PRIORITIES[level]}>{text}" + (f" | {pairs}" if pairs else "")
