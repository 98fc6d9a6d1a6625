"""The bill of materials of a .deb, as CycloneDX: sbom.py FILE.deb > FILE.cdx.json.

What the package contains is this project alone; everything else is Debian's, in the versions that the host has. So the
components are the Debian packages that it depends on, with the bounds that it states, and none of PyPI's. The same .deb
gives the same text: no time, no random number.
"""

import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("5c7f6c4e-5f0b-4d0e-9c57-6a2f7e2f3a11")  # this project's own


def main(deb: Path) -> None:
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    name, version, depends = (_field(deb, field) for field in ("Package", "Version", "Depends"))
    wanted = sorted({one.strip() for group in depends.split(",") for one in group.split("|")})
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
        "components": [_component(one) for one in wanted],
        "dependencies": [{"ref": ours, "dependsOn": [_ref(one) for one in wanted]}],
    }
    print(json.dumps(document, indent=2))


def _field(deb: Path, field: str) -> str:
    command = ["dpkg-deb", "--field", str(deb), field]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _component(dependency: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _ref(dependency),
        "name": dependency.split(maxsplit=1)[0],
        "purl": _ref(dependency),
        "properties": [{"name": "debian:depends", "value": dependency}],
    }


def _ref(dependency: str) -> str:
    """`python3-h11 (>= 0.14)`, `python3:any` -> a package URL."""
    return f"pkg:deb/debian/{dependency.split(maxsplit=1)[0].partition(':')[0]}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
