"""The bill of materials of a package, as CycloneDX: sbom.py FILE > FILE.cdx.json; FILE is .deb, .rpm, .whl or .tar.gz.

All of it is read from the package. A .rpm brings libraries along, each with its version, the wheel that it came in and
that wheel's hash; a file of theirs that is not as its author made it is an error, and so is one that nobody made. What
else a package needs it takes from the host or from the index: it is listed with the bounds that the package states.
The same package gives the same text: no time, no random number.
"""

import base64
import csv
import email
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

NAMESPACE = uuid.UUID("5c7f6c4e-5f0b-4d0e-9c57-6a2f7e2f3a11")  # of this project
OURS = "sriov_bootstrap"
WHEELS = "wheels.sha256"  # written by the spec
Component = dict[str, Any]


def main(package: Path) -> None:
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    (reader,) = [read for ending, read in READERS.items() if package.name.endswith(ending)]
    name, version, components = reader(package)
    listed = {one["bom-ref"]: one for one in components}
    ours = f"pkg:generic/{name}@{version}"
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": name,
                "version": version,
                "purl": ours,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": [*listed.values()],
        "dependencies": [{"ref": ours, "dependsOn": [*listed]}],
    }
    print(json.dumps(document, indent=2))


def _deb(package: Path) -> tuple[str, str, list[Component]]:
    name, version, depends = (_said("dpkg-deb", "--field", package, one) for one in ("Package", "Version", "Depends"))
    wanted = sorted({one.strip() for group in depends.split(",") for one in group.split("|")})
    return name, version, [_debian(one) for one in wanted]


def _debian(stated: str) -> Component:
    """`python3-h11 (>= 0.14)`, `python3:any`."""
    name = stated.split(maxsplit=1)[0]
    return _needed(name, f"pkg:deb/debian/{name.partition(':')[0]}", "debian:depends", stated)


def _rpm(package: Path) -> tuple[str, str, list[Component]]:
    name, version = _said("rpm", "-qp", "--qf", "%{NAME} %{VERSION}-%{RELEASE}", package).split()
    requires = sorted({*_said("rpm", "-qp", "--requires", package).splitlines()})
    needed = [_capability(one) for one in requires if not one.startswith(("rpmlib(", "rtld("))]
    with package.open("rb") as content:
        archive = subprocess.run(["rpm2archive", "-n", "-"], check=True, capture_output=True, stdin=content).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        found = {one.name: files.extractfile(one) for one in files if one.isfile()}
        contents = {PurePosixPath(path): file.read() for path, file in found.items() if file}
    (sums,) = [path for path in contents if path.name == WHEELS]
    return name, version, [*bundled(_below(contents, sums.parent)), *needed]


def _capability(stated: str) -> Component:
    """`kmod`, `python(abi) = 3.12`, `/bin/sh`; for `libc.so.6(GLIBC_2.34)(64bit)` the library, once."""
    name = stated.split(maxsplit=1)[0]
    if ".so." in name:
        name = stated = name.partition("(")[0]
    is_package = re.fullmatch("[a-z][a-z0-9+-]*", name)
    return _needed(name, f"pkg:rpm/{name}" if is_package else f"capability:{name}", "rpm:requires", stated)


def bundled(files: dict[PurePosixPath, bytes]) -> list[Component]:
    """The libraries in a folder of unpacked wheels; SystemExit if anything else is in it, or has changed."""
    sums = (line.split() for line in files[PurePosixPath(WHEELS)].decode().splitlines())
    wheels = {_normal("-".join(wheel.split("-")[:2])): (wheel, digest) for digest, wheel in sums}
    components, known = [], {PurePosixPath(WHEELS)}
    for path in sorted(one for one in files if one.match("*.dist-info/METADATA") and one.parts[0] != OURS):
        metadata = email.message_from_bytes(files[path])
        name, version = _normal(metadata["Name"]), metadata["Version"]
        try:
            wheel, digest = wheels.pop(_normal(f"{name}-{version}"))
        except KeyError:
            raise SystemExit(f"sbom: {name} {version} is in the package, and in no wheel of {WHEELS}") from None
        known |= _recorded(files, path.with_name("RECORD"))
        components.append(
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "properties": [{"name": "python:wheel", "value": wheel}],
            }
        )
    # Our own package is not a wheel, and compiled files are made during the build.
    strange = [one for one in files if one not in known and one.parts[0] != OURS and one.parent.name != "__pycache__"]
    if strange or wheels:
        what = ", ".join([*map(str, sorted(strange)), *sorted(wheels)])
        raise SystemExit(f"sbom: the package and {WHEELS} do not agree about {what}")
    return components


def _recorded(files: dict[PurePosixPath, bytes], record: PurePosixPath) -> set[PurePosixPath]:
    """The files of a wheel, each verified against the wheel's own list."""
    rows = [(PurePosixPath(row[0]), row[1]) for row in csv.reader(files[record].decode().splitlines()) if row]
    for path, said in rows:
        digest = base64.urlsafe_b64encode(hashlib.sha256(files.get(path, b"")).digest()).decode().rstrip("=")
        if path not in files or (said and said != f"sha256={digest}"):
            raise SystemExit(f"sbom: {path} is not what {record} says")
    return {path for path, _ in rows}


def _wheel(package: Path) -> tuple[str, str, list[Component]]:
    with zipfile.ZipFile(package) as content:
        return _metadata(content.read(name) for name in content.namelist() if name.endswith(".dist-info/METADATA"))


def _sdist(package: Path) -> tuple[str, str, list[Component]]:
    with tarfile.open(package) as content:
        found = [content.extractfile(one) for one in content if re.fullmatch("[^/]+/PKG-INFO", one.name)]
        return _metadata(one.read() for one in found if one)


def _metadata(found: Iterable[bytes]) -> tuple[str, str, list[Component]]:
    (text,) = found
    metadata = email.message_from_bytes(text)
    wanted = [one for one in metadata.get_all("Requires-Dist") or [] if "extra ==" not in one]  # pip leaves these out
    names = [(_normal(re.split(r"[^\w.-]", one, maxsplit=1)[0]), one) for one in wanted]
    components = [_needed(one, f"pkg:pypi/{one}", "python:requires", stated) for one, stated in names]
    return metadata["Name"], metadata["Version"], components


def _needed(name: str, ref: str, field: str, stated: str) -> Component:
    """A component outside the package; a reference that is a package URL is also given as one."""
    purl = {"purl": ref} if ref.startswith("pkg:") else {}
    properties = [{"name": field, "value": stated}]
    return {"type": "library", "bom-ref": ref, "name": name, **purl, "properties": properties}


def _below(files: dict[PurePosixPath, bytes], folder: PurePosixPath) -> dict[PurePosixPath, bytes]:
    return {path.relative_to(folder): content for path, content in files.items() if path.is_relative_to(folder)}


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _said(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


READERS = {".deb": _deb, ".rpm": _rpm, ".whl": _wheel, ".tar.gz": _sdist}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
