"""The files that a script runs out of folders: by globs and by run-parts."""

import pytest

from sriov_bootstrap.formats.shell import ScriptSurroundings, follow
from sriov_bootstrap.formats.shell_files import ScriptFiles

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
ECHO = f"echo 8 > {FILE}"
TEXTS = {"/d/b.sh": ECHO, "/d/a.sh": ":", "/d/.hidden.sh": ":", "/d/plain": ECHO, "/e/x": ECHO}


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("/d/*.sh", ["/d/a.sh", "/d/b.sh"]),
        ("/d/.*", ["/d/.hidden.sh"]),
        ("/d/[pq]l?in", ["/d/plain"]),
        ("/d/plain", []),
        ("/nowhere/*", []),
        ("/sys/class/net/*", []),
        (f"/d/{'*' * 2000}", []),
    ],
)
def test_a_glob_fits_what_was_read(pattern: str, paths: list[str]) -> None:
    assert ScriptFiles(TEXTS).find_matching(pattern) == paths


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("for f in /d/*; do . $f; done", [("/d/b.sh", False), ("/d/plain", False)]),
        ("for f in /x/*; do . $f; done", []),
        ("run-parts /d", [("/d/b.sh", True), ("/d/plain", False)]),
        ("run-parts -- /d/", [("/d/b.sh", True), ("/d/plain", False)]),
        ("run-parts --lsbsysinit /d", [("/d/b.sh", True), ("/d/plain", True)]),
        ("run-parts --list /d; run-parts", []),
        ("run-parts /e", []),
        ("[ -x /e/x ] && /e/x; [ -r /e/x ] && . /e/x", [("/e/x", False)]),
        ("/e/x", [("/e/x", True)]),
        ("bash -x /e/x", [("/e/x", False)]),
        ("/d/$(date +%a)", [("/d/b.sh", True), ("/d/plain", True)]),
    ],
)
def test_what_is_run_out_of_a_folder(text: str, places: list[tuple[str, bool]]) -> None:
    around = ScriptSurroundings(files=ScriptFiles(TEXTS, frozenset({"/e/x"})))
    found = [(write.place.path, write.is_conditional) for write in follow(text, around).writes]
    assert found == places


def test_a_loop_over_a_full_folder_is_cut() -> None:
    texts = {f"/d/{number:03}": ":" for number in range(200)}
    assert len(follow("for f in /d/*; do . $f; done", ScriptSurroundings(files=ScriptFiles(texts))).followed) == 128
