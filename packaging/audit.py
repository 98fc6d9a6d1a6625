"""Known vulnerabilities of the runtime dependencies, as installed here and as the .rpm has them; a part of `make lint`.

Where vulnerability data cannot be had this says so and is no failure. pip-audit alone would not do: an index that knows
no vulnerabilities makes it say "No known vulnerabilities found".
"""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

SECONDS = 60
SPEC = Path(__file__).parent / "rpm/sriov-bootstrap.spec"
COMMAND = ["pip-audit", "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]


def main() -> int:
    here = _installed("sriov-bootstrap")
    is_bad = _ask(here)
    others = {name: version for name, version in bundled(SPEC.read_text()).items() if here.get(name) != version}
    if others:
        print("audit: what the .rpm bundles in another version")
        is_bad |= _ask(others)
    return is_bad


def bundled(spec: str) -> dict[str, str]:
    """The versions that the .rpm brings along."""
    return dict(re.findall(r"^Provides: *bundled\(python3dist\((.*)\)\) = (.*)$", spec, re.MULTILINE))


def _ask(pinned: dict[str, str]) -> bool:
    command = [str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:], "--requirement", "/dev/stdin"]
    text = "".join(f"{name}=={version}\n" for name, version in sorted(pinned.items()))
    try:
        said = subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    lines, is_bad = verdict(said, {*pinned})
    print("\n".join(lines))
    return is_bad


def verdict(said: str, names: set[str]) -> tuple[list[str], bool]:
    """What pip-audit's answer about these names comes to, and whether it is a failure."""
    try:
        found = json.loads(said)["dependencies"]
    except (ValueError, KeyError, TypeError):
        found = []
    known = [one for one in found if "vulns" in one]
    if not known:
        return ["audit: no vulnerability data reachable, skipped"], False
    unknown = sorted(names - {one["name"] for one in known})
    lines = [f"audit: no data about {', '.join(unknown)}"] if unknown else []
    bad = [line for one in known for line in _lines(one)]
    return lines + (bad or [f"audit: {len(known)} dependencies, no known vulnerability"]), bool(bad)


def _installed(name: str) -> dict[str, str]:
    """Everything that a distribution needs at run time, in the versions of this environment."""
    found: dict[str, str] = {}
    queue = [name]
    while queue:
        for requirement in metadata.requires(queue.pop()) or ():
            dependency = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
            if dependency not in found and "extra ==" not in requirement:
                try:
                    found[dependency] = metadata.version(dependency)
                except metadata.PackageNotFoundError:  # for another system or Python
                    continue
                queue.append(dependency)
    return found


def _lines(dependency: dict[str, Any]) -> list[str]:
    where = f"audit: {dependency['name']} {dependency['version']}"
    return [
        f"{where}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}" for one in dependency["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main())
