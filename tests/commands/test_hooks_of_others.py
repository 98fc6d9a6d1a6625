"""Executable files below /etc that some daemon's settings name: what sets VFs in them is a doubt, not nothing."""

import pytest

from boot_files import ECHO, FILE, SH, add_two_ports, diagnosed, migrated, service, write_files
from builders import PF
from fakes_host import HostTree
from sriov_bootstrap.cli import main

UNKNOWN = "what runs it, and when, is not known"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    "path", ["etc/keepalived/vfs.sh", "etc/openvpn/server/up", "etc/acpi/a/b/vfs", "etc/frr/vfs.pl", "etc/vfs"]
)
def test_a_script_that_nothing_known_runs(tree: HostTree, capsys: pytest.CaptureFixture[str], path: str) -> None:
    write_files(tree, {path: ECHO})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert (found["code"], found["place"]) == ("SB-W351", f"/{path}:2")
    assert found["problem"].endswith(f'for which rule "tenant-a" asks for 16 ({UNKNOWN})')


def test_a_program_of_another_language(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {"etc/zfs/zed.d/vfs.py": f"#!/usr/bin/python3\nopen('{FILE}', 'w').write('8')\n"})
    assert migrated(tree, capsys) == {}
    assert [one["place"] for one in diagnosed(tree, capsys)] == ["/etc/zfs/zed.d/vfs.py:2"]


def test_what_is_known_to_run_it_is_said_instead(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, service("ExecStart=/etc/vfs/set", **{"etc/vfs/set": ECHO}))
    assert migrated(tree, capsys) == {PF: 8}
    assert [one["code"] for one in diagnosed(tree, capsys)] == ["SB-E301"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("-etc/keepalived/vfs.sh", ECHO),  # not executable
        ("etc/keepalived/vfs.sh.bak", ECHO),
        ("etc/keepalived/vfs.dpkg-old", ECHO),
        ("etc/init.d/vfs", ECHO),  # in no run level
        ("etc/a/b/c/d/vfs", ECHO),  # too deep
        ("etc/keepalived/vfs.sh", f"{SH}cat {FILE}\n"),
        ("etc/keepalived/vfs.sh", f"{SH}logger started\n"),
    ],
)
def test_what_sets_nothing_is_not_named(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    write_files(tree, {path: text})
    assert main(["migrate"], root=str(tree.root)) == 0
    assert capsys.readouterr().out.startswith("# Nothing was found that sets VFs on this host.")
    assert diagnosed(tree, capsys) == []


def test_a_link_is_not_followed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("opt/vfs", ECHO).chmod(0o755)
    tree.link("etc/keepalived/vfs.sh", "opt/vfs")
    tree.link("etc/keepalived/loop", "etc")
    assert diagnosed(tree, capsys) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/keepalived/keepalived.conf", 'vrrp_instance a {{\n  notify_master "{} up"\n}}\n'),
        ("etc/openvpn/server/a.conf", "dev tun\nup {}\n"),
        ("etc/acpi/events/lid", "event=button/lid.*\naction={}\n"),
        ("var/spool/incron/root", "/run/vfs IN_CREATE {}\n"),
        ("root/.config/systemd/user/vfs.service", "[Service]\nExecStart={}\n"),
    ],
)
def test_a_script_that_some_settings_name(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    write_files(tree, {f"-{path}": text.format("/usr/local/sbin/vfs"), "usr/local/sbin/vfs": ECHO})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert (found["code"], found["place"]) == ("SB-W351", "/usr/local/sbin/vfs:2")
    assert f"whether /{path}:" in found["problem"]


@pytest.mark.parametrize("path", ["etc/systemd/user/vfs.service", "root/.config/systemd/user/vfs.service"])
def test_a_unit_of_roots_user_manager(tree: HostTree, capsys: pytest.CaptureFixture[str], path: str) -> None:
    write_files(tree, {f"-{path}": f"[Service]\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\n"})
    assert migrated(tree, capsys) == {}
    assert [(one["code"], one["place"]) for one in diagnosed(tree, capsys)] == [("SB-W367", f"/{path}:2")]
