"""packaging/sbom.py, on a .deb with the real dependencies and nothing in it, and on what a .rpm brings along."""

import base64
import hashlib
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BUNDLED = runpy.run_path(str(ROOT / "packaging/sbom.py"))["bundled"]
SUMS = PurePosixPath("wheels.sha256")


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    control = (ROOT / "packaging/debian/control").read_text()
    found = re.search(r"^Depends: ((?:.*,\n)*.*)\n", control, re.MULTILINE)
    assert found
    depends = [one.strip() for one in found[1].split(",") if "$" not in one]
    folder = tmp_path / "tree/DEBIAN"
    folder.mkdir(parents=True)
    (folder / "control").write_text(
        f"Package: sriov-bootstrap\nVersion: 1.2.3\nArchitecture: all\nMaintainer: x <x@x.invalid>\nDescription: x\n"
        f"Depends: {', '.join(depends)}, python3:any\n"
    )
    command = ["dpkg-deb", "--build", str(tmp_path / "tree"), str(tmp_path / "it.deb")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "it.deb"


def sbom(deb: Path) -> str:
    command = [sys.executable, str(ROOT / "packaging/sbom.py"), str(deb)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_bill_names_every_runtime_dependency(deb: Path) -> None:
    bill: dict[str, Any] = json.loads(sbom(deb))
    names = {one["name"] for one in bill["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = {re.split("[^a-z0-9-]", one.lower())[0] for one in project["dependencies"]}
    assert {f"python3-{one.removeprefix('py') if one == 'pyyaml' else one}" for one in runtime} <= names
    assert {"kmod", "udev"} <= names
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    refs = [one["bom-ref"] for one in bill["components"]]
    assert bill["dependencies"] == [{"ref": "pkg:generic/sriov-bootstrap@1.2.3", "dependsOn": refs}]
    assert "pkg:deb/debian/python3" in refs


def test_the_bill_of_a_package_is_always_the_same_and_names_no_address(deb: Path) -> None:
    first = sbom(deb)
    assert sbom(deb) == first
    assert "://" not in first


def _wheel(files: dict[PurePosixPath, bytes], name: str, version: str) -> None:
    """Unpack one with a single module among these files."""
    module, info = f"{name}.py", f"{name}-{version}.dist-info"
    content = {module: b"x = 1\n", f"{info}/METADATA": f"Name: {name}\nVersion: {version}\n".encode()}
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(one).digest()).decode().rstrip('=')},{len(one)}"
        for path, one in content.items()
    ]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode()
    files |= {PurePosixPath(path): one for path, one in content.items()}
    files[SUMS] = files.get(SUMS, b"") + f"{'0' * 64}  {name}-{version}-py3-none-any.whl\n".encode()


@pytest.fixture
def unpacked() -> dict[PurePosixPath, bytes]:
    files = {PurePosixPath("sriov_bootstrap/cli.py"): b"", PurePosixPath("__pycache__/some_lib.cpython-312.pyc"): b""}
    _wheel(files, "some_lib", "1.0")
    return files


def test_a_library_is_listed_with_the_hash_of_its_wheel(unpacked: dict[PurePosixPath, bytes]) -> None:
    (found,) = BUNDLED(unpacked)
    assert (found["purl"], found["hashes"][0]["content"]) == ("pkg:pypi/some-lib@1.0", "0" * 64)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("some_lib.py", b"x = 2\n"),
        ("other.py", b""),
        ("other-1.dist-info/METADATA", b"Name: other\nVersion: 1\n"),
        ("wheels.sha256", b""),
        ("wheels.sha256", b"0  some_lib-1.0-py3-none-any.whl\n0  other-1-py3-none-any.whl\n"),
    ],
    ids=["changed", "from nowhere", "a library from nowhere", "no wheel", "a wheel that is not there"],
)
def test_a_package_that_is_not_what_it_says_has_no_bill(
    unpacked: dict[PurePosixPath, bytes], path: str, content: bytes
) -> None:
    with pytest.raises(SystemExit, match="sbom: "):
        BUNDLED(unpacked | {PurePosixPath(path): content})


def test_a_file_that_is_gone_is_missed(unpacked: dict[PurePosixPath, bytes]) -> None:
    del unpacked[PurePosixPath("some_lib.py")]
    with pytest.raises(SystemExit, match=r"some_lib\.py is not what"):
        BUNDLED(unpacked)
