"""packaging/audit.py: what pip-audit says, told as it is."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AUDIT = runpy.run_path(str(Path(__file__).parents[1] / "packaging/audit.py"))
Verdict = Callable[[str, set[str]], tuple[list[str], bool]]

SKIPPED = (["audit: no vulnerability data reachable, skipped"], False)
CLEAN = {"name": "h11", "version": "0.16.0", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1.3", "3.2"]}]}
OPEN = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
UNKNOWN = {"name": "jinja2", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], SKIPPED),
        ([UNKNOWN], SKIPPED),
        ([CLEAN, UNKNOWN], (["audit: no data about jinja2", "audit: 1 dependencies, no known vulnerability"], False)),
        ([CLEAN, BAD], (["audit: jinja2 3.1.0: CVE-1, mended in 3.1.3, 3.2"], True)),
        ([CLEAN, OPEN], (["audit: jinja2 3.1.0: CVE-2, mended in none"], True)),
    ],
)
def test_only_what_is_known_is_said(found: list[dict[str, Any]], expected: tuple[list[str], bool]) -> None:
    verdict: Verdict = AUDIT["verdict"]
    assert verdict(json.dumps({"dependencies": found, "fixes": []}), {"h11", "jinja2"}) == expected


@pytest.mark.parametrize("said", ["", "Traceback", "{}", "[]"])
def test_no_answer_is_no_all_clear(said: str) -> None:
    verdict: Verdict = AUDIT["verdict"]
    assert verdict(said, {"h11"}) == SKIPPED
