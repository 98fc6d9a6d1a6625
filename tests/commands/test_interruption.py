"""Signals and lost terminals, for verbs that have to put back what they have begun."""

import errno
import io
import signal
import sys
from collections.abc import Iterator

import pytest

from sriov_bootstrap.commands.interruption import ENDINGS, ended_by_signals
from sriov_bootstrap.commands.terminal import progress_printer, write_note


@pytest.fixture(autouse=True)
def _handlers_are_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDINGS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDINGS)
def test_each_is_an_interruption_within_the_block_alone(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("first", "second"), [ENDINGS, ENDINGS[::-1], ENDINGS[:1] * 2])
def test_what_the_first_has_begun_the_next_does_not_interrupt(first: signal.Signals, second: signal.Signals) -> None:
    """systemd-logind sends both at the end of a session, one right after the other."""
    put_back = list[bool]()

    def work() -> None:
        try:
            signal.raise_signal(first)
        finally:
            signal.raise_signal(second)
            put_back.append(True)

    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        work()
    assert put_back == [True]


def test_what_is_ignored_stays_so() -> None:
    """nohup(1)."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class LostTerminal(io.StringIO):
    """stderr after the connection has ended: EIO."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, _: str, /) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_that_nobody_reads_any_more_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", LostTerminal(is_terminal=is_terminal))
    monkeypatch.setattr("sriov_bootstrap.commands.terminal.FIRST_SAY_SECONDS", 0.0)
    progress_printer()("0000:3b:00.0: putting its VFs back")
    write_note("a VF is left alone")
