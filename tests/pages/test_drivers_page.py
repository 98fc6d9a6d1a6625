"""docs/drivers.md against the table of drivers."""

import runpy
from pathlib import Path
from typing import get_args

from msgspec.structs import fields

from sriov_bootstrap.core.driver_sources import ALWAYS_SAID
from sriov_bootstrap.core.drivers import Driver, VfAttribute

ROOT = Path(__file__).parents[2]
MADE = runpy.run_path(str(ROOT / "packaging" / "drivers.py"))


def test_the_page_is_what_the_table_says() -> None:
    assert (ROOT / "docs" / "drivers.md").read_text() == MADE["page"](), "make drivers writes it anew"


def test_every_field_and_attribute_has_its_column() -> None:
    said = {field.name for field in fields(Driver)} - set(ALWAYS_SAID)
    assert set(MADE["TITLES"]) == said | set(get_args(VfAttribute))
