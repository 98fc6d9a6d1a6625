"""The Debian package as a file: what `make deb` has built. Its life on a host is in the lab."""

import email
import os
import subprocess
from pathlib import Path

import pytest

from sources import ROOT, deb


@pytest.fixture
def control(tmp_path: Path) -> Path:
    deb("--control", str(tmp_path / "control"))
    return tmp_path / "control"


def test_it_asks_nothing_and_has_no_configuration_file(control: Path) -> None:
    """Neither debconf (config, templates) nor conffiles: what is in /etc/sriov-bootstrap is the administrator's."""
    assert {one.name for one in control.iterdir()} == {"control", "md5sums", "postinst", "postrm", "prerm"}
    in_etc = [line.split()[-1] for line in deb("--contents").splitlines() if " ./etc/" in line]
    assert [one for one in in_etc if not one.endswith("/")] == []
    assert "./etc/sriov-bootstrap/config.d/" in in_etc


def test_no_maintainer_script_knows_of_vfs(control: Path) -> None:
    for script in ("postinst", "postrm", "prerm"):
        text = (control / script).read_text()
        assert "numvfs" not in text
        assert "/sys/" not in text
        assert "sriov-bootstrap-holders" not in text
        assert "sriov-bootstrap-reload" not in text


def test_every_unit_is_in_it() -> None:
    contents = {line.split()[-1] for line in deb("--contents").splitlines()}
    assert {f"./usr/lib/systemd/system/{unit.name}" for unit in (ROOT / "units").iterdir()} <= contents


def test_who_serves_the_metrics_is_stopped_with_the_package_and_before_another_version(control: Path) -> None:
    """The service starts it, and does not stop it."""
    assert "sriov-bootstrap-metrics.socket" in (control / "prerm").read_text()
    assert "sriov-bootstrap-metrics" not in (control / "postinst").read_text()


def test_the_service_is_enabled_by_presets_as_well() -> None:
    assert "./usr/lib/systemd/system-preset/80-sriov-bootstrap.preset" in deb("--contents")


def test_its_own_test_is_one_that_autopkgtest_finds() -> None:
    tests = ROOT / "packaging/debian/tests"
    stanza = email.message_from_string((tests / "control").read_text())
    assert os.access(tests / stanza["Tests"], os.X_OK)
    assert stanza["Depends"] == "@"
    assert set(stanza["Restrictions"].split(", ")) == {"needs-root", "isolation-container"}
    subprocess.run(["sh", "-n", tests / stanza["Tests"]], check=True)
