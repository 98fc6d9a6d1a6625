"""Exec lines as systemd reads them, drop-ins that several units share, and places where a mention counts."""

import pytest

from boot_files import FILE, NUMVFS, SH, UNIT, Files, add_two_ports, diagnosed, migrated, service, write_files
from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.formats.unit_files import commands


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


BOTH = {PF: 8, PF2: 8}
DROP_IN = f"[Service]\nExecStartPre=/bin/sh -c 'echo 8 > {FILE}'\n"
OTHER = UNIT.format("ExecStart=/usr/bin/x")


@pytest.mark.parametrize(
    ("value", "variables", "expected"),
    [
        ("/bin/sh -c 'echo ${N} $N $$N'", {"N": "4"}, ("/bin/sh -c 'echo 4 $N $N'",)),
        (":/bin/sh -c 'echo ${N}'", {"N": "4"}, ("/bin/sh -c 'echo ${N}'",)),
        ("/x $W ${W} $V", {"W": "a b"}, ("/x a b 'a b'",)),
        ("-@/bin/sh other -c x", {}, ("/bin/sh -c x",)),
        ("/a 'b ; c' ; /d", {}, ("/a 'b ; c'", "/d")),
        ("", {}, ()),
        (";", {}, ()),
    ],
)
def test_commands_of_a_line(value: str, variables: dict[str, str], expected: tuple[str, ...]) -> None:
    assert commands(value, variables) == expected


@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        (f"Environment=N=4\nExecStart=/bin/bash -c 'N=8; echo ${{N}} > {FILE}'", {PF: 4}),
        (f"Environment=N=4\nExecStart=:/bin/bash -c 'N=8; echo ${{N}} > {FILE}'", {PF: 8}),
        (f"Environment=N=4\nExecStart=/bin/bash -c 'N=8; echo $N > {FILE}'", {PF: 8}),
        (f"ExecStart=/bin/sh -c 'for n in ens1f0 ens1f1; do echo 8 > /sys/class/net/$${{n}}{NUMVFS}; done'", BOTH),
        (f"ExecStart=/bin/sh -c 'for n in ens1f0 ens1f1; do echo 8 > /sys/class/net/${{n}}{NUMVFS}; done'", {}),
        (f'ExecStart=/bin/sh -c "for n in ens1f0 ens1f1; do echo 8 > /sys/class/net/$n{NUMVFS}; done"', BOTH),
        (f'ExecStart=/bin/sh -c "n=ens1f0; echo \\"8\\" > \\"/sys/class/net/$n{NUMVFS}\\""', {PF: 8}),
        (f"ExecStart=/bin/sh -c 'echo 0 > {FILE} ; echo 8 > {FILE}'", {PF: 8}),
    ],
)
def test_what_systemd_makes_of_variables_and_quotes(
    tree: HostTree, capsys: pytest.CaptureFixture[str], lines: str, rules: dict[str, int | str]
) -> None:
    write_files(tree, service(lines))
    assert migrated(tree, capsys) == rules


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"etc/systemd/system/a-b-c.service": OTHER, "@a-b-c.service": ""}, "a-b-.service.d/v.conf"),
        ({"etc/systemd/system/a-b-c.service": OTHER, "@a-b-c.service": ""}, "a-.service.d/v.conf"),
        ({"etc/systemd/system/a.service": OTHER, "@a.service": ""}, "service.d/v.conf"),
        ({"etc/systemd/system/a-b.service": OTHER}, ""),
    ],
)
def test_drop_ins_that_units_share(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str
) -> None:
    write_files(tree, files | {f"etc/systemd/system/{place or 'a-.service.d/v.conf'}": DROP_IN})
    assert migrated(tree, capsys) == ({PF: 8} if place else {})
    assert [found["place"] for found in diagnosed(tree, capsys)] == ([f"/etc/systemd/system/{place}:2"] * bool(place))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/containers/systemd/v.container", f"[Container]\nExec=sh -c 'echo 8 > {FILE}'\n"),
        ("etc/kubernetes/manifests/v.yaml", f"spec:\n- command: [sh, -c, 'echo 8 > {FILE}']\n"),
        ("etc/supervisor/conf.d/v.conf", f"[program:v]\ncommand=sh -c 'echo 8 > {FILE}'\n"),
        ("etc/monit/conf.d/v", f"check host x\n  start program = 'echo 8 > {FILE}'\n"),
        ("etc/dracut.conf.d/v.conf", '# VFs\nkernel_cmdline+=" ixgbe.max_vfs=8 "\n'),
        ("etc/anacrontab", f"# jobs\n1 5 v echo 8 > {FILE}\n"),
        ("var/lib/cloud/seed/nocloud/user-data", f"#cloud-config\nbootcmd: ['echo 8 > {FILE}']\n"),
        ("boot/firmware/user-data", f"#cloud-config\nbootcmd: ['echo 8 > {FILE}']\n"),
    ],
)
def test_places_of_which_a_mention_counts(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    write_files(tree, {path: text})
    assert migrated(tree, capsys) == {}
    assert [(found["code"], found["place"]) for found in diagnosed(tree, capsys)] == [("SB-W367", f"/{path}:2")]


@pytest.mark.parametrize(
    "path",
    [
        "etc/sysconfig/network/scripts/v.sh",
        "etc/sysconfig/network/if-up.d/v",
        "etc/infiniband/post-start-hook.sh",
        "sbin/ifup-pre-local",
    ],
)
def test_more_hooks(tree: HostTree, capsys: pytest.CaptureFixture[str], path: str) -> None:
    write_files(tree, {path: f"{SH}echo 8 > {FILE}\n"})
    assert migrated(tree, capsys) == {PF: 8}
