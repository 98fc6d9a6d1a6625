"""packaging/sbom.py on a package with the real dependencies and nothing in it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


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
    assert {"iproute2", "kmod", "udev"} <= names
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    refs = [one["bom-ref"] for one in bill["components"]]
    assert bill["dependencies"] == [{"ref": "pkg:generic/sriov-bootstrap@1.2.3", "dependsOn": refs}]
    assert "pkg:deb/debian/python3" in refs


def test_the_bill_of_a_package_is_always_the_same_and_names_no_address(deb: Path) -> None:
    first = sbom(deb)
    assert sbom(deb) == first
    assert "://" not in first
