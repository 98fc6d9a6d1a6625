"""What running guests write goes with them, also when nobody was left to remove it: without a guest."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from lab.scratch import PREFIX, scratch_folder
from sources import ROOT

# Uses a folder until its stdin ends.
USER: Final = """\
import sys
from pathlib import Path

from lab.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "disk").write_text("much")
    print(folder, flush=True)
    sys.stdin.read()
"""


def user_of_a_folder(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-c", USER, str(cache)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def folder_of(user: subprocess.Popen[str]) -> Path:
    assert user.stdout
    return Path(user.stdout.readline().strip())


def folders(cache: Path) -> set[Path]:
    return set(cache.glob(f"{PREFIX}*"))


def test_a_folder_is_gone_when_its_guest_has_ended(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "disk").write_text("much")
        assert folders(tmp_path) == {folder}
    assert folders(tmp_path) == set()


def test_the_folder_of_a_killed_run_is_removed_by_the_next_one_and_no_folder_in_use_is(tmp_path: Path) -> None:
    with user_of_a_folder(tmp_path) as killed, user_of_a_folder(tmp_path) as alive:
        left, used = folder_of(killed), folder_of(alive)
        killed.kill()
        killed.wait()
        assert folders(tmp_path) == {left, used}
        with scratch_folder(tmp_path) as own:
            assert folders(tmp_path) == {used, own}
            assert (used / "disk").read_text() == "much"
    assert folders(tmp_path) == set()


def test_a_folder_that_was_left_before_it_was_locked_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}left").mkdir()
    with scratch_folder(tmp_path) as own:
        assert folders(tmp_path) == {own}
