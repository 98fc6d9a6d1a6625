"""Versions as packagers write them, and what follows for VFs."""

import pytest

from sriov_bootstrap.core.nova_version import NovaVersion, series_of


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("34.0.0", 34),
        ("34", 34),
        ("33.0.0~rc1", 33),
        ("33.0.0.0rc1", 33),
        ("26.2.2+ds", 26),
        ("26.2.2+dfsg1", 26),
        ("33.1.0.dev5", None),
        ("33.1.0~git2026", None),
        ("29.1.0+git2024061314.5e2a4a6f", None),
        ("33.1.0-0.20260601.git", None),
        ("", None),
        ("a.b", None),
        ("1" * 400, None),
    ],
)
def test_a_snapshot_belongs_to_no_series(text: str, series: int | None) -> None:
    assert series_of(text) == series


@pytest.mark.parametrize(
    ("text", "nova", "finds"),
    [("31.9.9", 31, False), ("32.0.0", 32, True), ("33.0.2", 33, True), ("34.0.0", 34, False), ("13.0.0", None, False)],
)
def test_two_series_find_new_vfs_without_a_restart(text: str, nova: int | None, *, finds: bool) -> None:
    version = NovaVersion(text, "dpkg")
    assert (version.nova, version.finds_new_vfs) == (nova, finds)


def test_a_version_says_where_it_was_found() -> None:
    assert str(NovaVersion("34.0.0", "in /opt/venv")) == "nova 34.0.0 (in /opt/venv)"
