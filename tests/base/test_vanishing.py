import os
from pathlib import Path

from sriov_bootstrap.base.vanishing import attribute, attribute_text, content, link_of, names_in


def test_what_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "vendor").write_text("0x8086\n")
    (tmp_path / "driver").symlink_to("drivers/igb")
    assert attribute_text(f"{tmp_path}/vendor") == "0x8086"
    assert attribute(f"{tmp_path}/vendor", 4) == b"0x80"
    assert content(f"{tmp_path}/vendor", 100) == b"0x8086\n"
    assert link_of(f"{tmp_path}/driver") == "drivers/igb"
    assert sorted(names_in(str(tmp_path))) == ["driver", "vendor"]


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("x" * 101)
    (tmp_path / "link").symlink_to("large")
    os.mkfifo(tmp_path / "fifo")
    gone = f"{tmp_path}/gone"
    assert (attribute(gone), content(gone, 100), link_of(gone), names_in(gone)) == (b"", b"", "", [])
    assert (attribute(str(tmp_path)), link_of(f"{tmp_path}/large"), names_in(f"{tmp_path}/large")) == (b"", "", [])
    assert attribute(f"{tmp_path}/link") == b"", "an attribute is no link"
    assert content(f"{tmp_path}/large", 100) == b"", "larger than it may be"
    assert (attribute(f"{tmp_path}/fifo"), content(f"{tmp_path}/fifo", 100)) == (b"", b"")
