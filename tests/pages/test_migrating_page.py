"""docs/migrating.md: each of its hosts is made, and `migrate` prints what the page says."""

import re
from pathlib import Path

import pytest

from builders import PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
SECTION = r"^## ([^\n]*)\n\n`/([^\n]*)`:\n\n```\n(.*?)```\n\nbecomes\n\n```toml\n(.*?)```\n"
SECTIONS = re.findall(SECTION, PAGE, re.MULTILINE | re.DOTALL)


def test_every_section_is_tried() -> None:
    assert [title for title, *_ in SECTIONS] == re.findall(r"^## (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("title", "path", "before", "after"), SECTIONS, ids=[title for title, *_ in SECTIONS])
def test_the_page_says_what_migrate_prints(
    tree: HostTree, capsys: pytest.CaptureFixture[str], title: str, path: str, before: str, after: str
) -> None:
    assert title
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF2, netdev="ens1f1")
    tree.write(path, before).chmod(0o755)
    assert main(["migrate"], root=str(tree.root)) == 0
    assert capsys.readouterr().out.partition("--once --dry-run\n\n")[2] == after
