"""A copy of the checkout, what `python -m build` makes of it, and what `make deb` has made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "pyproject.toml")
FOLDERS = ("docs", "packaging", "sriov_bootstrap", "tests", "units")
EPOCH = 1_800_000_000  # 2027-01-15


def build(folder: Path, umask: int, time: int) -> Path:
    """Build as another user on another day would, in another folder; give the folder of the results."""
    before = os.umask(umask)
    try:
        folder.mkdir()
        for name in FILES:
            shutil.copyfile(ROOT / name, folder / name)
        without = shutil.ignore_patterns("__pycache__")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, folder / name, copy_function=_copy, ignore=without)
        for path in folder.rglob("*"):
            os.utime(path, (time, time))
        command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", str(folder)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
        subprocess.run(command, check=True, capture_output=True, env=environment)
    finally:
        os.umask(before)
    return folder / "dist"


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
