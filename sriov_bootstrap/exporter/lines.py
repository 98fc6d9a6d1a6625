"""What the exporter says: lines that journald understands. structlog would be a fifth of its memory."""

from typing import NamedTuple

from sriov_bootstrap.base.printable import printable, write_stderr

PRIORITIES = {"info": 6, "warning": 4, "error": 3}  # sd-daemon(3)
NO_FIELDS: dict[str, str | int] = {}


class LogLine(NamedTuple):
    """One line of the log."""

    level: str
    text: str
    fields: dict[str, str | int] = NO_FIELDS


def say(line: LogLine) -> None:
    """Writes it to stderr, as edges/log.py writes those of the daemon."""
    pairs = " ".join(f"{key}={_quote(value)}" for key, value in line.fields.items() if value != "")
    text = f"<{PRIORITIES[line.level]}>{printable(line.text)}" + (f" | {pairs}" if pairs else "")
    write_stderr(f"{text}\n")


def _quote(value: str | int) -> str:
    text = printable(str(value))
    if not {" ", '"', "="} & {*text}:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
