"""The page as a file that may be missing, broken, or of somebody else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov_bootstrap.edges import metrics
from sriov_bootstrap.exporter import page
from sriov_bootstrap.exporter.lines import LogLine
from sriov_bootstrap.exporter.page import PageFile, PageProblem, own_metrics
from sriov_bootstrap.exporter.refusals import Refusal

TEXT = b"sriov_pf_present 1.0\n"
COUNTS = dict.fromkeys(Refusal, 0)
REST = own_metrics(COUNTS)


class Desk:
    """A file, who reads it, and what that says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.prom"
        self.said: list[LogLine] = []
        self.counts = {**COUNTS}
        self.page = PageFile(str(self.path), self.counts, self.said.append, owner=os.geteuid())

    def put(self, data: bytes) -> None:
        """As the daemon does: another file takes the name."""
        new = self.path.with_suffix(".new")
        new.write_bytes(data)
        new.chmod(0o644)
        new.replace(self.path)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_the_daemon_writes_is_what_is_understood(desk: Desk) -> None:
    assert metrics.PAGE_BEGIN == page.BEGIN + b"%d\n" % page.VERSION
    assert metrics.PAGE_END == page.END
    desk.put(metrics.page_file(TEXT))
    assert desk.page.read() == TEXT + REST
    assert desk.said == []


def test_a_page_is_read_again_when_it_is_another_one_and_not_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put(metrics.page_file(TEXT))
    desk.page.read()
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", None)
        assert desk.page.read() == TEXT + REST
    desk.put(metrics.page_file(TEXT * 2))
    assert desk.page.read() == TEXT * 2 + REST


def _missing(desk: Desk) -> None:
    desk.path.unlink(missing_ok=True)


def _folder(desk: Desk) -> None:
    desk.path.unlink(missing_ok=True)
    desk.path.mkdir()


def _link(desk: Desk) -> None:
    desk.put(metrics.page_file(TEXT))
    desk.path.rename(desk.path.with_suffix(".other"))
    desk.path.symlink_to(desk.path.with_suffix(".other"))


def _fifo(desk: Desk) -> None:
    desk.path.unlink(missing_ok=True)
    os.mkfifo(desk.path)


def _open_to_others(desk: Desk) -> None:
    desk.put(metrics.page_file(b"x 1.0\n"))
    desk.path.chmod(0o666)


def _anothers(desk: Desk) -> None:
    desk.put(metrics.page_file(b"x 1.0\n"))
    desk.page._owner += 1  # noqa: SLF001 - as if it were


def _half(desk: Desk) -> None:
    desk.put(metrics.page_file(TEXT * 9)[:-20])


def _empty(desk: Desk) -> None:
    desk.put(b"")


def _newer(desk: Desk) -> None:
    desk.put(b"# sriov-bootstrap page 2\nx 1.0\n# end of page\n")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_missing, PageProblem.MISSING),
        (_folder, PageProblem.UNREADABLE),
        (_link, PageProblem.UNREADABLE),
        (_fifo, PageProblem.UNREADABLE),
        (_open_to_others, PageProblem.FOREIGN),
        (_anothers, PageProblem.FOREIGN),
        (_half, PageProblem.TRUNCATED),
        (_empty, PageProblem.TRUNCATED),
        (_newer, PageProblem.VERSION),
    ],
)
def test_what_is_no_page_of_ours_is_told_once_and_the_last_one_stays(
    desk: Desk, spoil: Callable[[Desk], None], problem: PageProblem
) -> None:
    owner = os.geteuid()
    desk.put(metrics.page_file(TEXT))
    desk.page.read()
    spoil(desk)
    desk.page.read()
    shown = desk.page.read()
    assert shown == TEXT + own_metrics(COUNTS, problem)
    assert f'sriov_bootstrap_page_problem{{reason="{problem}"}} 1.0\n'.encode() in shown
    assert shown.count(b"} 1.0\n") == 1
    (line,) = desk.said
    assert line == LogLine("warning", f"{desk.path}: {page.MEANINGS[problem]}; the last page is kept")
    if desk.path.is_dir():
        desk.path.rmdir()
    desk.page._owner = owner  # noqa: SLF001 - the other one's is gone
    desk.put(metrics.page_file(TEXT * 2))
    assert desk.page.read() == TEXT * 2 + REST
    assert desk.said[1:] == [LogLine("info", f"{desk.path}: is valid again")]


def test_a_page_that_comes_back_as_it_was_is_in_order_again(desk: Desk) -> None:
    desk.put(metrics.page_file(TEXT))
    desk.page.read()
    folder = desk.path.parent
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()  # not a folder: nothing below it can be looked at
    assert f'{{reason="{PageProblem.UNREADABLE}"}} 1.0\n'.encode() in desk.page.read()
    folder.unlink()
    away.rename(folder)
    assert desk.page.read() == TEXT + REST


def test_before_the_first_page_what_only_the_exporter_can_tell_is_there(desk: Desk) -> None:
    assert desk.page.read() == own_metrics(COUNTS, PageProblem.MISSING)


def test_what_was_refused_a_moment_ago_is_on_the_page(desk: Desk) -> None:
    desk.put(metrics.page_file(TEXT))
    assert b'sriov_bootstrap_http_refused_total{reason="slow"} 0.0\n' in desk.page.read()
    desk.counts[Refusal.SLOW] += 1
    assert b'sriov_bootstrap_http_refused_total{reason="slow"} 1.0\n' in desk.page.read()
