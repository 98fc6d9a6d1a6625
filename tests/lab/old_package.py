"""The .deb of another commit: what an upgrade comes from, and what a build is measured against. Kept by its commit."""

import os
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from .building import ISOLATED, BuildError
from .cache import cached_folder

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "sriov-bootstrap.deb"
MEGABYTES: Final = 100


class UnknownCommitError(BuildError):
    """This is a shallow clone, or none."""


def commit_of(name: str, root: Path = ROOT) -> str:
    """Return the whole hash of a commit that git knows by this name; UnknownCommitError."""
    ended = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise UnknownCommitError(f"{name} is no commit of {root}: fetch the whole history, or name another one")
    return ended.stdout.strip()


def package_of(name: str, root: Path = ROOT, build: Callable[[str, Path], None] | None = None) -> Path:
    """Return the .deb of a commit, built as that commit builds it, by `make deb`, if it is not in the cache yet."""
    commit = commit_of(name, root)
    make = build or partial(_build, root=root)
    return cached_folder(f"package-{commit[:16]}", lambda scratch: make(commit, scratch), megabytes=MEGABYTES) / PACKAGE


def _build(commit: str, scratch: Path, root: Path) -> None:
    """In a tree of its own, by its own Makefile, but for `setup`: what builds is Debian's, and here already."""
    tree = scratch / "tree"
    export(commit, tree, root)
    version = re.search('__version__ = "(.*)"', (tree / "sriov_bootstrap/__init__.py").read_text())
    if not version:
        raise BuildError(f"{commit} is no commit of sriov-bootstrap")
    target = f"dist/sriov-bootstrap_{version[1]}_all.deb"
    # Neither our variables nor our jobs: we may run below a make of our own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment.pop("SOURCE_DATE_EPOCH", None)
    # Isolated: what make starts, such as dpkg-buildpackage, ends with us.
    command = [*ISOLATED, "make", "-s", "-o", "setup", target]
    ended = subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise BuildError(f"the package of {commit} cannot be built:\n{ended.stdout}{ended.stderr}")
    (scratch / "image").mkdir()
    (tree / target).rename(scratch / "image" / PACKAGE)


def export(commit: str, tree: Path, root: Path = ROOT) -> None:
    """Put the files of a commit into a new folder. No worktree: nothing of it stays behind in the repository."""
    tree.mkdir()
    with subprocess.Popen(["git", "archive", commit], cwd=root, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "--extract", "--no-same-owner"], cwd=tree, stdin=archive.stdout, check=True)
    if archive.returncode:
        raise BuildError(f"git archive {commit} failed in {root}")
