"""Tables; colour, progress and questions, on a terminal."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from sriov_bootstrap.base.printable import printable, write_stderr

FIRST_SAY_SECONDS = 2.0


def in_colour(text: str, colour: str) -> str:
    """`colour` is a number of ECMA-48 (SGR). Only on a terminal, and not if NO_COLOR is set."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def table_cells(rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The cells of a table, each as wide as the widest of its column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def can_ask() -> bool:
    """Whether somebody reads stderr and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_agreed(question: str) -> bool:
    """Asks on a terminal; everything but `y` and `yes` is a no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def progress_printer() -> Callable[[str], None]:
    """Progress on stderr: at once and in place on a terminal, else after 2, 4, 8, 16, ... seconds.

    Where nobody reads it any more, as after a connection was lost, it goes nowhere: what is under way has to end well.
    """
    began = time.monotonic()
    next_at = began + FIRST_SAY_SECONDS
    is_terminal = sys.stderr.isatty()

    def say(text: str) -> None:
        nonlocal next_at
        text = printable(text)
        if is_terminal:
            write_stderr(f"\r\x1b[K{text}" if text else "\r\x1b[K")
        elif text and (now := time.monotonic()) >= next_at:
            next_at = now + (now - began)
            write_stderr(f"{text}\n")

    return say


def write_note(text: str) -> None:
    """A line on stderr, of work that goes on; like progress, it goes nowhere where nobody reads it any more."""
    write_stderr(f"{printable(text)}\n")
