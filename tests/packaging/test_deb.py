"""The Debian package as a file: what `make deb` has built. Its life on a host is in the lab."""

import email
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from installed import DAEMON, METRICS_UNITS, Chroot, assert_both_start, complaints
from sources import ROOT, deb

STOPPED = f"invoke stop {' '.join(METRICS_UNITS)}"


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
        assert "sriov-bootstrap-load" not in text


def test_every_unit_is_in_it() -> None:
    contents = {line.split()[-1] for line in deb("--contents").splitlines()}
    assert {f"./usr/lib/systemd/system/{unit.name}" for unit in (ROOT / "units").iterdir()} <= contents


def test_the_links_of_runbooks_lead_somewhere_on_a_host() -> None:
    """Alerts name them below /usr/share/sriov-bootstrap, which has not all pages."""
    contents = {line.split()[-1] for line in deb("--contents").splitlines()}
    links = {
        f"./usr/share/sriov-bootstrap/{name}"
        for page in (ROOT / "docs/runbooks").glob("*.md")
        for name in re.findall(r"\]\(\.\./([^)#]+)", page.read_text())
    }
    assert links
    assert links <= contents


class Root(Chroot):
    """A folder as the root of a host, with Debian's own dpkg; what it asks of systemd is written down."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "/usr/bin/dpkg", "/usr/bin/dpkg-query")
        self.write("var/lib/dpkg/status", "")
        for name in ("info", "updates", "triggers"):
            (folder / "var/lib/dpkg" / name).mkdir()
        self.listen_to("usr/bin/deb-systemd-invoke", "invoke ")
        self.listen_to("usr/bin/deb-systemd-helper", "helper ")
        self.write("usr/bin/systemctl", "#!/bin/sh\n").chmod(0o755)
        self.write("usr/bin/py3clean", "#!/bin/sh\n").chmod(0o755)

    def dpkg(self, *words: str | Path) -> None:
        self.run("dpkg", f"--root={self.folder}", "--force-depends,downgrade", *words)

    def calls(self) -> list[str]:
        """What was started, restarted and stopped."""
        return [call for call in super().calls() if call.startswith("invoke ")]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


def _package(tmp_path: Path, version: str, *, is_bare: bool = False) -> Path:
    """The package as another version; bare: one from before the units of the metrics, with nothing to say."""
    tree = tmp_path / version
    deb("--raw-extract", str(tree))
    if is_bare:
        for unit in (tree / "usr/lib/systemd/system").glob("sriov-bootstrap-metrics*"):
            unit.unlink()
        (tree / "DEBIAN/prerm").unlink()
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    package = tmp_path / f"{version}.deb"
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build"]
    subprocess.run([*command, tree, package], check=True, stdout=subprocess.DEVNULL)
    return package


def test_both_start_at_the_first_boot_of_where_it_was_installed(control: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    deb("--extract", str(tree))
    enabled = re.findall(r"deb-systemd-helper enable '(\S+)'", (control / "postinst").read_text())
    subprocess.run(["systemctl", f"--root={tree}", "enable", *enabled], check=True, capture_output=True)
    assert_both_start(tree)
    assert complaints(tree) == []


def test_who_serves_the_metrics_goes_with_the_package_and_what_was_handed_over_with_it(
    root: Root, tmp_path: Path
) -> None:
    """The service starts them, and does not stop them."""
    earlier = _package(tmp_path, "0.0.9", is_bare=True)
    ours, newer = (_package(tmp_path, version) for version in ("0.1.0", "99"))

    root.dpkg("--install", earlier)
    assert root.calls() == [f"invoke start {DAEMON}"]
    root.dpkg("--install", ours)
    assert root.calls() == [f"invoke restart {DAEMON}"]  # whose start is that of the others

    handed = root.hand_over()
    root.dpkg("--install", newer)
    assert root.calls() == [STOPPED, f"invoke restart {DAEMON}"]
    assert root.handed() == handed  # a web_config that is broken meanwhile: the last good one

    root.dpkg("--install", earlier)
    assert root.calls() == [STOPPED, f"invoke restart {DAEMON}"]
    assert root.handed() == set()

    root.dpkg("--install", ours)
    root.calls()
    root.hand_over()
    root.dpkg("--remove", "sriov-bootstrap")
    assert root.calls() == [STOPPED, f"invoke stop {DAEMON}"]
    assert root.handed() == set()


def test_removal_from_an_image_leaves_this_host_alone(control: Path, root: Root) -> None:
    """DPKG_ROOT: dpkg runs the scripts on the host that makes the image."""
    (root.folder / "image").mkdir()
    shutil.copytree(root.folder / "run", root.folder / "image/run")
    in_image = {root.write(f"image/{one.relative_to(root.folder)}", "") for one in root.hand_over()}
    handed = root.handed()
    for script, word in (("prerm", "remove"), ("postrm", "purge")):
        # What debhelper has put into them is its own matter.
        ours = (control / script).read_text().partition("# Automatically added")[0]
        root.write(script, ours)
        command = ["unshare", "--map-root-user", f"--root={root.folder}", "sh", f"/{script}", word]
        subprocess.run(["env", "-i", "PATH=/usr/bin:/bin", "DPKG_ROOT=/image", *command], check=True)
    assert root.calls() == []
    assert root.handed() == handed
    assert not any(path.exists() for path in in_image)


def test_no_folder_that_somebody_makes_where_a_lock_was_breaks_a_purge(control: Path, root: Root) -> None:
    """/run/lock is writable for all users."""
    (root.folder / "run/lock/sriov-bootstrap.lock").mkdir(parents=True)
    ours = (control / "postrm").read_text().partition("# Automatically added")[0]
    root.write("postrm", ours)
    written = root.write("etc/modprobe.d/sriov-bootstrap-igb.conf", "")
    command = ["unshare", "--map-root-user", f"--root={root.folder}", "sh", "/postrm", "purge"]
    subprocess.run(["env", "-i", "PATH=/usr/bin:/bin", *command], check=True)
    assert not written.exists()


def test_the_service_is_enabled_by_presets_as_well() -> None:
    assert "./usr/lib/systemd/system-preset/80-sriov-bootstrap.preset" in deb("--contents")


def test_its_own_test_is_one_that_autopkgtest_finds() -> None:
    tests = ROOT / "packaging/debian/tests"
    stanza = email.message_from_string((tests / "control").read_text())
    assert os.access(tests / stanza["Tests"], os.X_OK)
    assert stanza["Depends"] == "@"
    assert set(stanza["Restrictions"].split(", ")) == {"needs-root", "isolation-container"}
    subprocess.run(["sh", "-n", tests / stanza["Tests"]], check=True)
