"""docs/doctor.md against the codes."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_doctor_explains() -> None:
    made = runpy.run_path(str(ROOT / "packaging" / "codes.py"))["page"]()
    assert (ROOT / "docs" / "doctor.md").read_text() == made, "make codes writes it anew"
