"""Files that the command line names."""

import io
import sys
from pathlib import Path

import pytest

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.edges import named_files
from sriov_bootstrap.edges.named_files import json_files, read_end, read_named


def test_a_file_is_read_whole_and_a_log_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nova-compute.log"
    path.write_bytes(b"first\nlast \xff\n")
    assert read_named(str(path)) == b"first\nlast \xff\n"
    monkeypatch.setattr(named_files, "LOG_BYTES", 7)
    assert read_end(str(path)) == "last \N{REPLACEMENT CHARACTER}\n"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert read_named("-") == b"{}"


@pytest.mark.parametrize("read", [read_named, read_end])
def test_what_cannot_be_read_is_wrong_usage(tmp_path: Path, read: object) -> None:
    for path, problem in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=problem):
            read(str(path))  # type: ignore[operator]


def test_only_a_directory_has_names(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "notes.txt"):
        (tmp_path / name).touch()
    assert json_files(str(tmp_path)) == ("a.json", "b.json")
    assert json_files(str(tmp_path / "a.json")) is None


def test_dev_null_is_an_empty_log() -> None:
    assert read_end("/dev/null") == ""
