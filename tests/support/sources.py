"""A copy of the checkout, what `python -m build` makes of it, and what `make deb` has made."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "pyproject.toml")
FOLDERS = ("docs", "packaging", "sriov_bootstrap", "tests", "units")
EPOCH = 1_800_000_000  # 2027-01-15


def build(folder: Path, umask: int, time: int) -> Path:
    """Build as another user on another day would, in another folder; give the folder of the results."""
    copy(folder, umask, time)
    run_in(folder, umask, sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", folder)
    return folder / "dist"


def copy(folder: Path, umask: int, time: int) -> None:
    """Take what somebody else's clone would have, of that time."""
    before = os.umask(umask)
    try:
        folder.mkdir()
        for name in FILES:
            shutil.copyfile(ROOT / name, folder / name)
        without = shutil.ignore_patterns("__pycache__")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, folder / name, copy_function=_copy, ignore=without)
    finally:
        os.umask(before)
    for path in folder.rglob("*"):
        os.utime(path, (time, time))


def run_in(folder: Path, umask: int, *command: str | Path, epoch: int = EPOCH) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environment, umask=umask
    )
    assert ended.returncode == 0, ended.stderr


def bill(package: Path) -> dict[str, Any]:
    """What packaging/sbom.py says of it."""
    command = [sys.executable, str(ROOT / "packaging/sbom.py"), str(package)]
    said: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said


def _copy(source: str, target: str) -> None:
    """Take the content, and of the mode only whether it can be executed: the rest is the umask's, as in a clone."""
    shutil.copyfile(source, target)
    if os.stat(source).st_mode & 0o100:
        os.chmod(target, os.stat(target).st_mode | 0o100)


def deb(option: str, *words: str) -> str:
    """What dpkg-deb says of the Debian package; a test that asks is skipped where there is none."""
    package = os.environ.get("SRIOV_BOOTSTRAP_DEB", "")
    if not Path(package).is_file():
        pytest.skip("no Debian package to look at: make deb")
    return subprocess.run(["dpkg-deb", option, package, *words], check=True, capture_output=True, text=True).stdout
