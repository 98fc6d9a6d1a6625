"""`make servers`: what it does to all is what docs/reliability.md tells of, and ours holds what takes no time."""

import asyncio
import re
from pathlib import Path

import pytest

from servers import scenes
from servers.candidates import CANDIDATES, Site, serving
from sources import ROOT

DOCS = (ROOT / "docs/reliability.md").read_text()
COMPARE = (ROOT / "tests/servers/compare.py").read_text()


def test_the_table_has_every_scene_and_a_cell_for_each_candidate() -> None:
    section = DOCS.partition("\n## The HTTP server\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    assert table[0].split("|")[2:-1] == [f" {name} " for name in CANDIDATES]
    names = re.findall(r'Scene\(\s*"([^"]+)"', COMPARE)
    assert len(names) > 10
    assert set(names) <= {line.split("|")[1].strip() for line in table}
    assert {line.count("|") for line in table} == {len(CANDIDATES) + 2}


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (scenes.malformed, f"{len(scenes.MALFORMED)} of {len(scenes.MALFORMED)} refused"),
        (scenes.upgrade, "not supported"),
        (scenes.huge_headers, "50 times 431"),
    ],
    ids=["malformed", "upgrade", "huge headers"],
)
def test_ours_says_what_the_table_says(tmp_path: Path, act: scenes.Act, said: str) -> None:
    site = Site(tmp_path)
    site.put(b"sriov_pf_present 1.0\n")
    with serving("ours", site) as server:
        assert asyncio.run(act(server)) == said
        assert len(server.stop()) <= 1
