"""The package of an earlier commit, as far as that goes without a VM."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import old_package
from lab.building import BuildError
from sources import ROOT
from waiting import until

PACKAGE_OF = "import sys, pathlib, lab.old_package; lab.old_package.package_of('HEAD', pathlib.Path(sys.argv[1]))"
# Its build is another program's, and takes long.
MAKEFILE = """\
dist/sriov-bootstrap_1_all.deb:
\t@sh -c 'echo $$$$ >"$$STARTED"; sleep 300; :'
"""


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


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are built by root")
def test_a_build_ends_with_who_started_it(repository: Path, tmp_path: Path) -> None:
    (repository / "Makefile").write_text(MAKEFILE)
    (repository / "sriov_bootstrap").mkdir()
    (repository / "sriov_bootstrap/__init__.py").write_text('__version__ = "1"\n')
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "build")
    started = tmp_path / "started"
    variables = {"PYTHONPATH": str(ROOT / "tests"), "XDG_CACHE_HOME": str(tmp_path), "STARTED": str(started)}
    command = [sys.executable, "-c", PACKAGE_OF, str(repository)]
    with subprocess.Popen(command, env={**os.environ, **variables}) as process:
        try:
            until(lambda: started.exists() and started.read_text(), deadline_seconds=60, what="the build to start")
            assert working_in(tmp_path)
        finally:
            process.kill()
    until(lambda: not working_in(tmp_path), deadline_seconds=20, what="the end of the build")


def working_in(folder: Path) -> list[str]:
    """Return the processes whose folder is below this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(path / "cwd")).is_relative_to(folder):
                found.append(path.name)
        except OSError:  # it has ended, or is a thread of the kernel
            continue
    return found
