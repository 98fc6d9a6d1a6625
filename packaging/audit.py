"""Known vulnerabilities of the runtime dependencies in packaging/locks/runtime.txt: audit.py [--release].

These versions are in the .rpm, and in .venv. What there is no vulnerability data about is "not audited": a release
stops there, `make lint` goes on. pip-audit alone would not do: an index that knows no vulnerabilities makes it say "No
known vulnerabilities found".
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

RUNTIME = Path(__file__).parent / "locks/runtime.txt"
SECONDS = 60
COMMAND = ["pip-audit", "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]


class Verdict(NamedTuple):
    lines: list[str]
    is_bad: bool
    is_complete: bool


def main(options: list[str]) -> int:
    lines, is_bad, is_complete = _ask(dict(re.findall(r"^([a-z0-9-]+)==(\S+)", RUNTIME.read_text(), re.MULTILINE)))
    print("\n".join(lines))
    return is_bad or ("--release" in options and not is_complete)


def _ask(versions: dict[str, str]) -> Verdict:
    command = [str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:], "--requirement", "/dev/stdin"]
    text = "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    try:
        said = subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return verdict(said, {*versions})


def verdict(said: str, names: set[str]) -> Verdict:
    """pip-audit's answer about these names, summarised."""
    try:
        found = json.loads(said)["dependencies"]
    except (ValueError, KeyError, TypeError):
        found = []
    known = [one for one in found if "vulns" in one]
    unknown = sorted(names - {one["name"] for one in known})
    lines = [f"not audited: {', '.join(unknown)}: no vulnerability data within reach"] if unknown else []
    bad = [line for one in known for line in _lines(one)]
    if known and not bad:
        lines.append(f"audit: {len(known)} dependencies, no known vulnerability")
    return Verdict([*lines, *bad], is_bad=bool(bad), is_complete=not unknown)


def _lines(dependency: dict[str, Any]) -> list[str]:
    where = f"audit: {dependency['name']} {dependency['version']}"
    return [
        f"{where}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}" for one in dependency["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
