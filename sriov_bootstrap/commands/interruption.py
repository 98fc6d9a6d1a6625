"""SIGTERM and SIGHUP as Ctrl-C, for verbs that put back or delete on their way out what they have begun."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP: the terminal, or the connection that it stands for, has ended.
ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within this block the first of these signals raises KeyboardInterrupt; one that is ignored (nohup) stays so.

    A session that ends sends both, and the second must not interrupt what the first has begun.
    """
    is_ending = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt

    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
