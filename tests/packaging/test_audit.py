"""packaging/audit.py: what pip-audit says, told as it is."""

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"
AUDIT = runpy.run_path(str(PACKAGING / "audit.py"))
Verdict = Callable[[str, set[str]], tuple[list[str], bool, bool]]

NOTHING = (["not audited: h11, jinja2: no vulnerability data within reach"], False, False)
NOT_JINJA2 = "not audited: jinja2: no vulnerability data within reach"
CLEAN = {"name": "h11", "version": "0.16.0", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1.3", "3.2"]}]}
OPEN = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
UNKNOWN = {"name": "jinja2", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], NOTHING),
        ([UNKNOWN], NOTHING),
        ([CLEAN, UNKNOWN], ([NOT_JINJA2, "audit: 1 dependencies, no known vulnerability"], False, False)),
        ([CLEAN, BAD], (["audit: jinja2 3.1.0: CVE-1, mended in 3.1.3, 3.2"], True, True)),
        ([CLEAN, OPEN], (["audit: jinja2 3.1.0: CVE-2, mended in none"], True, True)),
    ],
)
def test_only_what_is_known_is_said(found: list[dict[str, Any]], expected: tuple[list[str], bool, bool]) -> None:
    verdict: Verdict = AUDIT["verdict"]
    assert verdict(json.dumps({"dependencies": found, "fixes": []}), {"h11", "jinja2"}) == expected


@pytest.mark.parametrize("said", ["", "Traceback", "{}", "[]"])
def test_no_answer_is_no_all_clear(said: str) -> None:
    verdict: Verdict = AUDIT["verdict"]
    assert verdict(said, {"h11", "jinja2"}) == NOTHING


@pytest.mark.parametrize(
    ("found", "anywhere", "release"), [([], 0, 1), ([CLEAN, UNKNOWN], 0, 1), ([CLEAN], 0, 0), ([BAD], 1, 1)]
)
def test_a_release_stops_where_there_is_no_data(
    tmp_path: Path, found: list[dict[str, Any]], anywhere: int, release: int
) -> None:
    """As `make lint` and `make release` run it, beside a pip-audit that says this."""
    (tmp_path / "packaging/locks").mkdir(parents=True)
    lines = "".join(f"{one['name']}==1 \\\n    --hash=sha256:0\n" for one in found or [CLEAN])
    (tmp_path / "packaging/locks/runtime.txt").write_text(lines)
    script = shutil.copy(PACKAGING / "audit.py", tmp_path / "packaging")
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.symlink_to(sys.executable)
    pip_audit = tmp_path / "bin/pip-audit"
    pip_audit.write_text(f"#!/bin/sh\necho '{json.dumps({'dependencies': found})}'\n")
    pip_audit.chmod(0o755)
    for options, status in (([], anywhere), (["--release"], release)):
        ended = subprocess.run([python, "-I", script, *options], check=False, capture_output=True, text=True)
        assert ended.returncode == status, ended.stderr
        assert ("not audited: " in ended.stdout) == (release > anywhere)


def test_the_release_is_told_to_stop() -> None:
    said = subprocess.run(
        ["make", "-C", PACKAGING.parent, "--dry-run", "release"], check=True, capture_output=True, text=True
    )
    assert "packaging/audit.py --release\n" in said.stdout
