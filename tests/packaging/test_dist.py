"""The wheel and the source distribution: what is in them, and that anybody can build the same bytes."""

import email
import os
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from sources import EPOCH, FILES, FOLDERS, ROOT, bill, build, copy, run_in

pytestmark = pytest.mark.timeout(300)  # whole builds, on a machine that may be busy


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
    other = build(tmp_path / "elsewhere", 0o077, 1_700_000_000)
    names = sorted(one.name for one in dist.iterdir())
    assert names == sorted(one.name for one in other.iterdir())
    assert len(names) == 2
    for name in names:
        assert (dist / name).read_bytes() == (other / name).read_bytes(), name


def test_the_same_sources_give_the_same_debian_package(tmp_path: Path) -> None:
    """The first one is that of `make deb`."""
    package = Path(os.environ.get("SRIOV_BOOTSTRAP_DEB", ""))
    if not package.is_file():
        pytest.skip("no Debian package to compare with: make deb")
    folders = [ROOT / name for name in ("docs", "packaging", "sriov_bootstrap", "units")]
    files = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
    if package.stat().st_mtime < max(path.stat().st_mtime for path in files):
        pytest.skip("the Debian package is older than what it is made from: make deb")
    tree = tmp_path / "elsewhere"
    copy(tree, 0o077, 1_700_000_000)
    (tree / ".venv").symlink_to(Path(sys.prefix))
    run_in(tree, 0o077, "make", f"dist/{package.name}")
    assert (tree / "dist" / package.name).read_bytes() == package.read_bytes()


def test_the_bill_of_each_says_what_pip_fetches(dist: Path) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for package in dist.iterdir():
        said = bill(package)
        assert said["metadata"]["component"]["name"] == "sriov-bootstrap"
        assert [one["properties"][0]["value"] for one in said["components"]] == dependencies
        assert {"pkg:pypi/pyyaml", "pkg:pypi/h11"} <= {one["purl"] for one in said["components"]}


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
