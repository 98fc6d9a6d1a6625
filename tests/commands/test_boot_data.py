"""Numbers and names that stand in other files, and other ways to a PF's folder."""

import os

import pytest

from boot_files import FILE, SH, Files, add_two_ports, diagnosed, migrated, rc_local, service, write_files
from builders import PF, PF2, vf_address
from fakes_host import HostTree

NUMVFS = "device/sriov_numvfs"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("files", "text", "rules"),
    [
        (rc_local(f"read N < /etc/vfs; echo $N > {FILE}"), "8\n", {PF: 8}),
        (rc_local(f"C=/etc/vfs\nN=$(cut -d= -f2 $C)\necho $N > {FILE}"), "VFS=8\n", {PF: 8}),
        (rc_local(f"N=`grep ^VFS /etc/vfs | awk -F= '{{print $2}}'`; echo $N > {FILE}"), "A=1\nVFS=8\n", {PF: 8}),
        (
            rc_local(f"while read d n; do echo $n > /sys/class/net/$d/{NUMVFS}; done < /etc/vfs"),
            "# ports\nens1f0 8\nens1f1 4\n",
            {PF: 8, PF2: 4},
        ),
        (
            rc_local(f"cat /etc/vfs | while IFS=: read d n; do echo $n > /sys/class/net/$d/{NUMVFS}; done"),
            "ens1f0:8\nens1f1:4\n",
            {PF: 8, PF2: 4},
        ),
        (
            {**service("ExecStart=/opt/vfs.sh"), "opt/vfs.sh": f"{SH}echo $(cat '/etc/vfs') > {FILE}\n"},
            "8\n",
            {PF: 8},
        ),
        (
            service(f"EnvironmentFile=/etc/vf*\nExecStart=/bin/sh -c 'echo $N > {FILE}'"),
            "N=8\n",
            {PF: 8},
        ),
        (service(f"ExecStart=/usr/bin/env N=8 /bin/bash -c 'echo $N > {FILE}'"), "", {PF: 8}),
        (rc_local(f": ${{N:=8}}\necho $N > {FILE}"), "", {PF: 8}),
    ],
)
def test_what_stands_in_another_file(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, text: str, rules: dict[str, int]
) -> None:
    write_files(tree, files | {"-etc/vfs": text})
    assert migrated(tree, capsys) == rules
    assert {finding["code"][:6] for finding in diagnosed(tree, capsys)} == {"SB-E30"}


def test_a_file_that_is_none_or_too_large_is_not_known(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, rc_local(f"read N < /etc/fifo; echo $N > {FILE}\nread N < /etc/large; echo $N > {FILE}"))
    os.mkfifo(tree.root / "etc/fifo")
    tree.write("etc/large", "8\n" * 100_000)
    assert migrated(tree, capsys) == {}
    found = diagnosed(tree, capsys)
    assert all("an unknown number of them" in finding["problem"] for finding in found)
    assert [finding["code"] for finding in found] == ["SB-W351"] * len(found) != []


def test_a_script_finds_what_lies_beside_it(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    beside = 'HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)\n. "$HERE/lib.sh"\n'
    main = (
        f'#!/bin/bash\n{beside}make_vfs 8\necho 4 > "/sys/class/net/$(basename "$BASH_SOURCE")/device/sriov_numvfs"\n'
    )
    library = f"make_vfs() {{ echo $1 > {FILE}; }}\n"
    write_files(tree, {**rc_local("/opt/net/ens1f1"), "opt/net/ens1f1": main, "-opt/net/lib.sh": library})
    assert migrated(tree, capsys) == {PF: 8, PF2: 4}


@pytest.mark.parametrize(
    ("options", "rules", "code"), [("-n 8", {PF: 8}, "SB-E301"), ("", {PF: 4}, "SB-E301"), ("$OPTIONS", {}, "SB-W351")]
)
def test_getopts_takes_the_options_that_are_known(
    tree: HostTree, capsys: pytest.CaptureFixture[str], options: str, rules: dict[str, int | str], code: str
) -> None:
    script = f"{SH}N=4\nwhile getopts n: o; do case $o in n) N=$OPTARG;; esac; done\necho $N > {FILE}\n"
    write_files(tree, {**service(f"ExecStart=/bin/sh -c '/opt/vfs.sh {options}'"), "opt/vfs.sh": script})
    assert migrated(tree, capsys) == rules
    assert [finding["code"] for finding in diagnosed(tree, capsys)] == [code]


@pytest.mark.parametrize(
    "path",
    [
        f"//sys//class/net/ens1f0//{NUMVFS}",
        "/sys/class/net/./ens1f0/device/./sriov_numvfs",
        f"/sys/./bus/pci/devices/{PF}/.//sriov_numvfs",
        f"/sys/bus/pci/devices/{vf_address(PF, 0)}/physfn/sriov_numvfs",
        "/sys/class/net/ens1f0v0/device/physfn/sriov_numvfs",
        f"/sys/bus/pci/devices/{PF}/virtfn0/physfn/sriov_numvfs",
        "/sys/class/infiniband_verbs/uverbs0/device/sriov_numvfs",
    ],
)
def test_other_ways_to_a_pf(tree: HostTree, capsys: pytest.CaptureFixture[str], path: str) -> None:
    tree.add_vf(PF, 0)
    tree.link("sys/class/infiniband_verbs/uverbs0/device", f"sys/bus/pci/devices/{PF}")
    for files in (rc_local(f"echo 8 > {path}"), {"etc/tmpfiles.d/vfs.conf": f"w {path} - - - - 8\n"}):
        write_files(tree, files)
    found = diagnosed(tree, capsys)
    assert [finding["code"] for finding in found] == ["SB-E301", "SB-E317"]
    assert all(f"sets 8 VFs of {PF} (ens1f0)" in finding["problem"] for finding in found)


def test_a_vf_that_is_not_there_names_no_pf(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, rc_local("echo 8 > /sys/bus/pci/devices/0000:3b:10.0/physfn/sriov_numvfs"))
    (found,) = diagnosed(tree, capsys)
    assert found["problem"] == "sets 8 VFs of a PF that cannot be determined"
