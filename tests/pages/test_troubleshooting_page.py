"""docs/troubleshooting.md: each command of ours prints what the page says, and no reason or errno is left out."""

import re
from pathlib import Path

import pytest

from consoles import Entry, assert_printed, entries, ours, run
from fakes_host import HostTree
from sriov_bootstrap.core.errnos import WRITE_CAUSES, name_of
from sriov_bootstrap.core.reasons import Reason
from troubles import HOSTS

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
ENTRIES = [entry for entry in ours(PAGE) if entry.output]


def test_every_host_in_trouble_is_shown() -> None:
    assert {entry.section for entry in ENTRIES} == set(HOSTS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.section}: {entry.command}")
def test_the_page_says_what_a_command_prints(tree: HostTree, capsys: pytest.CaptureFixture[str], entry: Entry) -> None:
    HOSTS[entry.section](tree)
    capsys.readouterr()
    run(tree, entry.command)
    out, err = capsys.readouterr()
    assert_printed(entry, out + err, tree.root)


def test_the_page_explains_every_reason() -> None:
    table = PAGE.partition("### The reasons")[2].partition("###")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [str(reason) for reason in Reason]


def test_the_page_explains_every_errno() -> None:
    rows = [f"| {name_of(number)} | {why.cause} | {why.remedy} |" for number, why in WRITE_CAUSES.items()]
    table = PAGE.partition("### The kernel refuses")[2].partition("## ")[0]
    assert re.findall(r"^\| E.*$", table, re.MULTILINE) == rows


def test_what_the_journal_says_is_what_the_runbook_has() -> None:
    """Which a test of the runbooks takes from a daemon that runs."""
    [loss] = [entry for entry in entries(PAGE) if entry.command.endswith(" disappeared")]
    assert f"    {loss.output}\n" in (Path(__file__).parents[2] / "docs/runbooks/SriovVfLoss.md").read_text()
