"""The package of an earlier commit, as far as that goes without a VM; and what of `make bench BASE=` does."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from lab import old_package
from lab.bench import base_lines
from lab.building import BuildError
from sources import ROOT
from sriov_bootstrap.cli import main

BENCH = ROOT / "tests/lab/guest/bench"  # programs for the guest: files, and no package


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=lab", "-c", "user.email=lab@localhost"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of one file."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("before", "now"):
        (folder / "file").write_text(text)
        git(folder, "add", "file")
        git(folder, "commit", "--quiet", "--message", text)
    return folder


def test_the_files_are_those_of_the_commit_and_the_checkout_stays_as_it_is(repository: Path, tmp_path: Path) -> None:
    commit = old_package.commit_of("HEAD~1", repository)
    assert commit == git(repository, "rev-parse", "HEAD~1")
    old_package.export(commit, tmp_path / "tree", repository)
    assert (tmp_path / "tree/file").read_text() == "before"
    assert (repository / "file").read_text() == "now"
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize("name", ["0" * 40, "no-such-branch", "--all", ""])
def test_what_is_no_commit_is_said(repository: Path, name: str) -> None:
    with pytest.raises(BuildError, match="is no commit of"):
        old_package.commit_of(name, repository)


def test_a_build_is_kept_by_its_commit(monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = []

    def build(commit: str, scratch: Path) -> None:
        built.append(commit)
        (scratch / "image").mkdir()
        (scratch / "image" / old_package.PACKAGE).write_text(commit)

    commits = [git(repository, "rev-parse", name) for name in ("HEAD", "HEAD~1", "HEAD")]
    found = [old_package.package_of(one, repository, build).read_text() for one in commits]
    assert found == commits
    assert built == commits[:2]


def test_the_big_tree_is_a_host_on_which_all_is_as_desired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "big"
    runpy.run_path(str(BENCH / "big_tree.py"))["make"](str(root), pfs=3, vfs=9)
    config = root / "etc/sriov-bootstrap/config.toml"
    config.write_text(config.read_text().replace("num_vfs = 256", "num_vfs = 9"))
    assert main(["--once", "--json"], root=str(root)) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert [pf["num_vfs"] for pf in report["pfs"]] == [9, 9, 9]
    assert report["results"] == []


def test_a_build_is_started_from_its_folder_and_from_no_other(tmp_path: Path) -> None:
    package = tmp_path / "ours/usr/lib/python3/dist-packages/sriov_bootstrap"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("import sys\ndef main(root):\n    print([root, *sys.argv[1:]])\n")
    started = runpy.run_path(str(BENCH / "measure.py"))["started"](str(tmp_path), "ours", root="/r")
    argv = [sys.executable, *started[1:], "--once"]
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == "['/r', '--once']\n"


def test_the_ratios_are_ours_to_the_base() -> None:
    seconds = {"ours once": [1.0, 9.0, 2.0], "base once": [4.0], "ours big": [3.0], "base big": [2.0, 2.0]}
    assert [(line.key, line.value, line.target) for line in base_lines(seconds)] == [
        ("base_once", 0.5, 1.0),
        ("base_big", 1.5, 1.0),
    ]


def test_the_memory_of_each_process_is_told() -> None:
    found = runpy.run_path(str(BENCH / "measure.py"))["daemon"](0.0, [os.getpid()] * 2)
    assert [len(values) for values in found.values()] == [2, 2]
    assert all(kib > 0 for kib in found["pss"])


def test_make_hands_the_commit_on() -> None:
    command = ["make", "--dry-run", "-o", "setup", "-o", "lab-setup", "bench"]
    for words, wanted in (([], "bench.py"), (["BASE=796f9ed"], "bench.py --base 796f9ed")):
        said = subprocess.run([*command, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        assert said.rstrip().endswith(wanted)
