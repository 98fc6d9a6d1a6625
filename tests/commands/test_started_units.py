"""Units and scripts that a command starts: each by what names it."""

import pytest

from boot_files import ECHO, FILE, NUMVFS, SH, Files, add_two_ports, diagnosed, migrated, rc_local, service, write_files
from builders import PF, PF2
from fakes_host import HostTree


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


TEMPLATE = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo 8 > /sys/class/net/%i{NUMVFS}'\n"
DISABLED = f"[Service]\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\n[Install]\nWantedBy=multi-user.target\n"
UNITS = {"etc/systemd/system/vf@.service": TEMPLATE, "etc/systemd/system/vfs.service": DISABLED}


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        (rc_local("systemctl start vfs"), {PF: 8}),
        (rc_local("systemctl --no-block start vf@ens1f1.service"), {PF2: 8}),
        (rc_local("systemctl restart vf@ens1f0 vf@ens1f1"), {PF: 8, PF2: 8}),
        (rc_local("systemctl enable --now vf@ens1f0"), {PF: 8}),
        ({"etc/cron.d/v": "@reboot root systemctl start 'vf@ens1f1'\n"}, {PF2: 8}),
        (service("ExecStart=/usr/bin/systemctl start vf@ens1f0.service"), {PF: 8}),
        (rc_local("/opt/a.sh") | {"opt/a.sh": f"{SH}systemctl start vf@ens1f0\n"}, {PF: 8}),
        (rc_local("service vfs start"), {PF: 8}),
    ],
)
def test_units_that_a_command_starts(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, rules: dict[str, int | str]
) -> None:
    write_files(tree, UNITS | files)
    assert migrated(tree, capsys) == rules
    assert all("and what starts it from" in found["remedy"] for found in diagnosed(tree, capsys))


WAITS = "[Unit]\nWants=vf@%i.service\n"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"etc/systemd/system/network@ens1f1.service": WAITS}, id="an instance"),
        pytest.param(
            {
                "etc/systemd/system/network@.service": "[Service]\nExecStart=/bin/true\n",
                "etc/systemd/system/network@ens1f1.service.d/vfs.conf": WAITS,
            },
            id="its drop-in",
        ),
    ],
)
def test_what_an_instance_wants_has_its_name(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, UNITS | files)
    assert migrated(tree, capsys) == {PF2: 8}


@pytest.mark.parametrize(
    "files",
    [
        rc_local("for n in ens1f0 ens1f1; do systemctl start vf@$n; done"),
        {"etc/udev/rules.d/v.rules": 'KERNEL=="ens1f1", RUN+="/usr/bin/systemctl start vf@%k.service"\n'},
        {"etc/network/interfaces": "auto ens1f0\niface ens1f0 inet manual\n  up systemctl start vf@$IFACE\n"},
    ],
)
def test_an_instance_that_is_not_known_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    write_files(tree, UNITS | files)
    assert migrated(tree, capsys) == {}
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-W352"]


@pytest.mark.parametrize(
    "text",
    [
        "systemctl stop vf@ens1f0",
        "systemctl enable vfs",
        "systemctl enable vfs  # start it by hand",
        "systemctl status vfs; systemctl is-active vf@ens1f0",
        "# systemctl start vfs",
        "service vfs status",
    ],
)
def test_what_starts_nothing(tree: HostTree, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write_files(tree, UNITS | rc_local(text))
    assert migrated(tree, capsys) == {}
    assert diagnosed(tree, capsys) == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("sh < /opt/setup", {PF: 8}),
        ("/bin/bash -s </opt/setup", {PF: 8}),
        ("cat /opt/setup | sh", {PF: 8}),
        ("cat /opt/setup | sudo bash -s", {PF: 8}),
        ("service setup start", {PF: 8}),
        ("invoke-rc.d setup start", {PF: 8}),
    ],
)
def test_scripts_at_the_input_of_a_shell(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, rules: dict[str, int | str]
) -> None:
    write_files(tree, rc_local(text) | {"-opt/setup": ECHO, "etc/init.d/setup": ECHO})
    assert migrated(tree, capsys) == rules


@pytest.mark.parametrize(
    "text",
    [
        "find /etc/vf.d -type f | sort | xargs -n1 sh",
        "ls /etc/vf.d/*.sh | parallel bash {}",
        "bash -s ens1f0 < /etc/vf.d/a.sh",
        "envsubst < /etc/vf.d/a.sh | sh",
    ],
)
def test_scripts_that_are_handed_on(tree: HostTree, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write_files(tree, rc_local(text) | {"-etc/vf.d/a.sh": f"echo 8 > {FILE}\n"})
    assert [found["code"][4:] for found in diagnosed(tree, capsys)] in (["351"], ["301"])


@pytest.mark.parametrize("text", ["wc -l < /opt/notes", "cat /opt/notes | logger", "sh < /run/lock/notes"])
def test_files_that_no_shell_reads(tree: HostTree, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write_files(tree, rc_local(text) | {"-opt/notes": ECHO, "-run/lock/notes": "no\n"})
    assert diagnosed(tree, capsys) == []
