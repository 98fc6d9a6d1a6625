"""The lock files: `locks.py [--upgrade]` writes packaging/locks/*.txt, and the list of bundled libraries in the spec.

runtime.txt is what the .rpm brings along, dev.txt is .venv, and the others are venvs of tests, from the lists beside
them. Each has the hashes of every file of a version, so that it serves every Python from 3.11 on and every
architecture, and no address: where files come from is a matter of who installs them. A version changes when it must,
or with --upgrade.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "packaging/locks"
SPEC = ROOT / "packaging/rpm/sriov-bootstrap.spec"
RUNTIME = FOLDER / "runtime.txt"

ENTRY = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[a-z0-9.!+]+)(?: ; (?P<marker>[\w .<>=!'()]+))?(?: --hash=sha256:[0-9a-f]{64})+"
)
BUNDLED = re.compile(r"(?:^Provides: +bundled\(.*\n)+", re.MULTILINE)
# An additional index may have a single wheel of a version, and hide the hashes of all others.
ONE_INDEX = {"UV_INDEX": "", "UV_FIND_LINKS": ""}
COMPILE = ["pip", "compile", "-", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"]
COMPILE += ["--no-emit-index-url", "--quiet", "--custom-compile-command", "make locks"]


def main(options: list[str]) -> None:
    for name, wanted in sorted(requirements().items(), key=lambda one: one[0] != RUNTIME.stem):
        print(f"locks: {name}")
        command = [sys.executable, str(ROOT / "packaging/uv.py"), *COMPILE]
        # .venv runs the libraries that the .rpm bundles.
        same = ["--constraints", str(RUNTIME)] if name == "dev" else []
        target = ["--output-file", str(FOLDER / f"{name}.txt")]
        environment = {**os.environ, **ONE_INDEX}
        asked = "\n".join(wanted)
        subprocess.run([*command, *same, *target, *options], check=True, text=True, input=asked, env=environment)
    SPEC.write_text(with_bundled(SPEC.read_text(), pinned(RUNTIME.read_text())))


def requirements() -> dict[str, list[str]]:
    """The inputs of each lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    lists = {path.stem: _lines(path.read_text()) for path in FOLDER.glob("*.in")}
    dev = [*project["build-system"]["requires"], *runtime, *project["dependency-groups"]["dev"]]
    return {"runtime": runtime, "dev": dev, **lists}


def faults(lock: str, wanted: list[str]) -> list[str]:
    """Why nothing may be installed from this lock file; an empty list if it is in order."""
    found = []
    versions: dict[str, list[str]] = {}
    for line in _lines(lock):
        if entry := ENTRY.fullmatch(line):
            versions.setdefault(entry["name"], []).append(entry["version"])
        else:
            found.append(f"neither a version nor its hashes, and nothing else belongs here: {line[:80]}")
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name not in versions:
            found.append(f"{requirement} is wanted, and missing")
        found += [
            f"{requirement} is wanted, and {name} is {version}"
            for version in versions.get(name, ())
            if not requirement.specifier.contains(version, prereleases=True)
        ]
    return found


def pinned(lock: str) -> dict[str, str]:
    """Name -> version, for a lock file with one version per name."""
    return {entry["name"]: entry["version"] for entry in map(ENTRY.fullmatch, _lines(lock)) if entry}


def with_bundled(spec: str, versions: dict[str, str]) -> str:
    lines = [f"bundled(python3dist({name})) = {version}" for name, version in sorted(versions.items())]
    return BUNDLED.sub("".join(f"Provides:       {line}\n" for line in lines), spec, count=1)


def _lines(text: str) -> list[str]:
    """Lines without comments and empty ones, with continuation lines joined."""
    joined = re.sub(r" *\\\n *", " ", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


if __name__ == "__main__":
    main(sys.argv[1:])
