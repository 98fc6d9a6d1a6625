"""By what the cache tells a kept guest from another: without a guest."""

from pathlib import Path

from lab.cache import files_below


def test_bytecode_beside_a_source_is_no_input(tmp_path: Path) -> None:
    sources = [tmp_path / "bench" / "measure.py", tmp_path / "hold-device"]
    for path in (*sources, tmp_path / "bench" / "__pycache__" / "measure.cpython-311.pyc"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    assert files_below(tmp_path) == sources
