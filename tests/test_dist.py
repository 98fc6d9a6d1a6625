"""The wheel and the source distribution: what is in them, and that anybody can build the same bytes."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "pyproject.toml")
FOLDERS = ("docs", "packaging", "sriov_bootstrap", "tests", "units")
EPOCH = 1_800_000_000  # 2027-01-15


def _build(folder: Path, umask: int, time: int) -> Path:
    """Build a copy of the checkout as another user on another day would, and give the folder of the results."""
    before = os.umask(umask)
    try:
        folder.mkdir()
        for name in FILES:
            shutil.copyfile(ROOT / name, folder / name)
        for name in FOLDERS:
            shutil.copytree(
                ROOT / name, folder / name, copy_function=_copy, ignore=shutil.ignore_patterns("__pycache__")
            )
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


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(tmp_path_factory.mktemp("first") / "a", 0o022, 1_600_000_000)


@pytest.fixture(scope="module")
def metadata(dist: Path) -> Message:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        (name,) = [one for one in content.namelist() if one.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(content.read(name))


def _names(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as content:
        return {one.name.partition("/")[2] for one in content.getmembers() if one.isfile()}


def test_the_same_sources_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    other = _build(tmp_path / "elsewhere", 0o077, 1_700_000_000)
    names = sorted(one.name for one in dist.iterdir())
    assert names == sorted(one.name for one in other.iterdir())
    assert len(names) == 2
    for name in names:
        assert (dist / name).read_bytes() == (other / name).read_bytes(), name


def test_what_was_built_can_be_read_by_everybody_and_is_of_one_time(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as content:
        members = content.getmembers()
    assert {one.mtime for one in members} == {EPOCH}
    assert {(one.uid, one.uname) for one in members} == {(0, "root")}
    assert {one.mode for one in members} == {0o644, 0o755}
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as zipped:
        assert {one.date_time for one in zipped.infolist()} == {(2027, 1, 15, 8, 0, 0)}
        assert {one.external_attr >> 16 for one in zipped.infolist()} == {0o100644}
        assert zipped.testzip() is None


def test_the_source_distribution_has_everything_that_a_package_is_made_from(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    here = {
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    made = {"PKG-INFO", "setup.cfg"}
    assert _names(sdist) - {one for one in _names(sdist) if ".egg-info/" in one} == here | {*FILES} | made


def test_the_wheel_has_the_units_and_manuals_that_a_venv_needs(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        shared = {one.partition(".data/data/share/")[2] for one in content.namelist() if ".data/data/share/" in one}
        units = {one for one in shared if one.startswith("sriov-bootstrap/units/")}
        assert {Path(one).name for one in units} == {one.name for one in (ROOT / "units").iterdir()}
        assert {one for one in shared if one.startswith("man/")} == {
            "man/man5/sriov-bootstrap.toml.5",
            "man/man8/sriov-bootstrap.8",
        }
        assert not [one for one in content.namelist() if one.startswith(("tests/", "packaging/", "build_backend"))]


def test_the_metadata_is_complete(metadata: Message) -> None:
    for field in ("Name", "Version", "Summary", "Author", "Maintainer", "Keywords", "Requires-Python", "License-File"):
        assert metadata[field], field
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# sriov-bootstrap" in str(metadata.get_payload())
    assert {one.split(",")[0] for one in metadata.get_all("Project-URL") or []} == {"Homepage", "Issues"}
    classifiers = metadata.get_all("Classifier") or []
    assert "License :: OSI Approved :: Apache Software License" in classifiers
    assert "Environment :: OpenStack" in classifiers
