"""Folders whose files are run at boot: by a loop, by run-parts."""

import os
from pathlib import Path

import pytest

from boot_files import (
    ECHO,
    FILE,
    OTHER,
    SH,
    UNIT,
    Files,
    add_two_ports,
    diagnosed,
    migrated,
    rc_local,
    service,
    write_files,
)
from builders import PF
from fakes_host import HostTree
from sriov_bootstrap.cli import main

SOURCED = {"-etc/rc.local.d/vfs.sh": f"echo 8 > {FILE}\n"}
RUN = {"etc/rc.local.d/S50-vfs": ECHO}
LOOP = 'for s in /etc/rc.local.d/?*.sh ; do\n  [ -r "$s" ] && . "$s"\ndone'
STARTED = {"etc/foo.d/vfs": f'{SH}case "$1" in start) echo 8 > {FILE} ;; stop) echo 0 > {FILE} ;; esac\n'}


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


def each(words: str, command: str) -> Files:
    return rc_local(f"for s in {words}; do {command}; done")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({**each("/etc/rc.local.d/*.sh", ". $s"), **SOURCED}, id="sourced"),
        pytest.param({**each("/etc/rc.local.d/*.sh", '. "$s"'), **SOURCED}, id="sourced, in quotes"),
        pytest.param({**each("/etc/rc.local.d/*.sh", "sh -e ${s}"), **SOURCED}, id="by a shell"),
        pytest.param({**each("/etc/rc.local.d/*", "[ -x $s ] && $s"), **RUN}, id="if it is executable"),
        pytest.param({**each('"/etc/rc.local.d"/S*', 'if [ -x "$s" ]; then "$s" start; fi'), **RUN}, id="in an if"),
        pytest.param(
            {**rc_local('D=/etc/rc.local.d\nfor s in "$D"/*; do . "$s"; done'), **SOURCED}, id="of a variable"
        ),
        pytest.param({**rc_local("cd /etc/rc.local.d && for s in *.sh; do . ./$s; done"), **SOURCED}, id="relative"),
        pytest.param({**each("$(ls /etc/rc.local.d/*.sh)", ". $s"), **SOURCED}, id="ls"),
        pytest.param({**each("`ls /etc/rc.local.d`", "sh /etc/rc.local.d/$s"), **SOURCED}, id="ls of the folder"),
        pytest.param(
            {**rc_local("if [ -d /etc/rc.local.d ]; then\n" + LOOP + "\nfi"), **SOURCED}, id="if the folder is there"
        ),
        pytest.param(
            {**rc_local("run() { for s in $1/*; do [ -x $s ] && $s; done; }\nrun /etc/rc.local.d"), **RUN},
            id="a function",
        ),
        pytest.param({**rc_local("run-parts /etc/foo.d"), "etc/foo.d/vfs": ECHO}, id="run-parts"),
        pytest.param({**rc_local("run-parts --verbose -a start /etc/foo.d"), **STARTED}, id="run-parts -a"),
        pytest.param({**rc_local("D=/etc/foo.d\nrun-parts --arg=start ${D}"), **STARTED}, id="run-parts of a variable"),
        pytest.param({**service("ExecStart=/usr/bin/run-parts /etc/foo.d"), "etc/foo.d/vfs": ECHO}, id="in a unit"),
        pytest.param(
            {
                "etc/systemd/system/a.service": UNIT.format(
                    "ExecStart=/bin/sh -c 'for f in /etc/foo.d/*; do $$f start; done'"
                ),
                "@a.service": "",
                **STARTED,
            },
            id="a loop in a unit",
        ),
        pytest.param(
            {"etc/cron.d/x": "@reboot root run-parts /etc/foo.d\n", "etc/foo.d/vfs": ECHO}, id="in a cron table"
        ),
    ],
)
def test_the_files_of_a_folder_are_run(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {PF: 8}
    found = diagnosed(tree, capsys)
    assert {finding["code"] for finding in found} == {"SB-E301"}
    assert all("run by " in finding["remedy"] or "systemctl disable" in finding["remedy"] for finding in found)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {**rc_local("run-parts --regex='^v' /etc/foo.d"), "etc/foo.d/vfs": ECHO}, "not always run", id="--regex"
        ),
        pytest.param({**rc_local("run-parts /etc/foo.d"), "etc/foo.d/vfs.sh": ECHO}, "not always run", id="a dot"),
        pytest.param(
            {**rc_local("find /etc/rc.local.d -name '*.sh' -exec sh {} \\;"), **SOURCED},
            "whether /etc/rc.local:2 runs it is not certain",
            id="find",
        ),
        pytest.param(
            {**each("$(find /etc/rc.local.d -type f | sort)", "sh $s"), **SOURCED},
            "whether /etc/rc.local:2 runs it is not certain",
            id="a loop over find",
        ),
        pytest.param(
            {**rc_local("find /etc/foo.d -type f | xargs -n1 sh"), "-etc/foo.d/a.sh": ECHO},
            "whether /etc/rc.local:2 runs it is not certain",
            id="xargs",
        ),
        pytest.param(
            {**each("/etc/foo.d/*.sh", "$s"), "-etc/foo.d/a.sh": ECHO},
            "/etc/foo.d/a.sh is not executable, so it is not run now",
            id="not executable",
        ),
        pytest.param(
            {
                **rc_local("run-parts /etc/foo.d"),
                "etc/foo.d/vfs": f"#!/usr/bin/python3\nopen('{FILE}', 'w').write('8')\n",
            },
            "it mentions VFs in a way that is not understood",
            id="Python",
        ),
    ],
)
def test_a_file_that_may_be_run_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, problem: str
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert problem in found["problem"]
    assert found["code"] == "SB-W351"


@pytest.mark.parametrize(
    "files",
    [
        {**each("/opt/foo.d/*", "[ -x $s ] && $s"), "-opt/foo.d/vfs": ECHO},
        {**each("/opt/foo.d/*", "cat $s"), "opt/foo.d/vfs": ECHO},
        {**rc_local("run-parts --test /opt/foo.d"), "opt/foo.d/vfs": ECHO.replace("echo 8", "cat")},
        {**rc_local("# run-parts /opt/foo.d"), "opt/foo.d/vfs": ECHO},
        {**rc_local("run-parts"), "opt/foo.d/vfs": ECHO},
        {**rc_local("mkdir /tmp/$NAME"), "tmp/vfs": ECHO},
        {**each("/opt/foo.d/*.txt", ". $s"), "opt/foo.d/vfs": ECHO},
        {**rc_local("D=/\nrun-parts $D\nrun-parts $E\nfor s in $E/*; do . $s; done"), "vfs": ECHO},
    ],
)
def test_a_file_that_is_not_run_is_nothing(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, files)
    assert (migrated(tree, capsys), diagnosed(tree, capsys)) == ({}, [])


def test_the_folders_of_cron_are_said_once(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    table = "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"
    daily = "25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n"
    files = {"etc/cron.hourly/vfs": ECHO, "etc/cron.daily/vfs": f"{SH}echo 7 > {OTHER}\n"}
    write_files(tree, {"etc/crontab": f"SHELL=/bin/sh\n{table}{daily}", **files})
    assert [finding["place"] for finding in diagnosed(tree, capsys)] == [
        "/etc/cron.hourly/vfs:2",
        "/etc/cron.daily/vfs:2",
    ]


def test_what_is_no_file_in_a_folder_that_is_run(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {**each("/etc/rc.local.d/*", ". $s"), "etc/rc.local.d/z": ECHO})
    folder = Path(tree.root / "etc/rc.local.d")
    os.mkfifo(folder / "fifo")
    (folder / "ring").symlink_to("ring")
    (folder / "folder").mkdir()
    (folder / "gone").symlink_to("/nowhere")
    with open(folder / "large", "wb") as file:
        file.truncate(1 << 30)
    (folder / "binary").write_bytes(b"\x7fELF\0" + FILE.encode())
    main(["migrate"], root=str(tree.root))
    out, err = capsys.readouterr()
    assert "\nnum_vfs = 8\n" in out
    assert "not seen: /etc/rc.local.d/fifo: is not a regular file" in err
    assert "not seen: /etc/rc.local.d/large: " in err


def test_a_folder_of_many_files_is_read_in_part(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {**each("/etc/rc.local.d/*", ". $s"), **{f"etc/rc.local.d/{n:03}": SH for n in range(100)}})
    main(["migrate"], root=str(tree.root))
    assert "/etc/rc.local: runs more than 64 scripts: the others were not read" in capsys.readouterr().out
