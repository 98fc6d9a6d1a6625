"""What sets VFs at boot, as people publish it: what `migrate` makes of it, and where `doctor` says it is."""

import os
import subprocess

import pytest

from boot_files import (
    ECHO,
    FILE,
    NUMVFS,
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
from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.decode import ConfigFile, decode


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


BOTH = {PF: 8, PF2: 8}
SET_VFS = f"set_vfs() {{\n  echo $2 > /sys/class/net/$1{NUMVFS}\n}}\n"
TEMPLATE = UNIT.format(f"ExecStart=/bin/sh -c 'echo 8 > /sys/class/net/%i{NUMVFS}'")


@pytest.mark.parametrize(
    ("files", "rules", "places"),
    [
        # -- numbers and redirections --
        pytest.param(rc_local(f"echo 8 > {FILE} 2>/dev/null || true"), {PF: 8}, ["rc.local:2"], id="2>"),
        pytest.param(rc_local(f"echo 8 2>/dev/null | tee {FILE}"), {PF: 8}, ["rc.local:2"], id="2> before a pipe"),
        pytest.param(rc_local(f"echo 8 1> {FILE} 2>&1"), {PF: 8}, ["rc.local:2"], id="1>"),
        pytest.param(rc_local(f"echo 0x8 > {FILE}"), {PF: 8}, ["rc.local:2"], id="hexadecimal"),
        pytest.param(rc_local(f"echo 010 &> {FILE}"), {PF: 8}, ["rc.local:2"], id="octal"),
        pytest.param(rc_local(f"printf '%d' 0x10 > {FILE}"), {PF: 16}, ["rc.local:2"], id="printf"),
        pytest.param(rc_local(f"cat <<< $((2 * 4)) > {FILE}"), {PF: 8}, ["rc.local:2"], id="arithmetic"),
        pytest.param(rc_local(f"tee {FILE} >/dev/null <<EOF\n8\nEOF"), {PF: 8}, ["rc.local:2"], id="here-document"),
        pytest.param(rc_local(f"echo 08 > {FILE}"), {}, ["rc.local:2"], id="no number to the kernel"),
        pytest.param(
            rc_local(f"echo 8 > {FILE}\necho 0 > {FILE}\necho 4 > {FILE}"),
            {PF: 4},
            ["rc.local:2", "rc.local:3", "rc.local:4"],
            id="8, 0, 4",
        ),
        pytest.param(
            rc_local(f"echo 8 > {FILE}\necho 4 > {FILE}"), {PF: 8}, ["rc.local:2", "rc.local:3"], id="8, 4: EBUSY"
        ),
        # -- several commands that say one text --
        pytest.param(
            rc_local(f"{{ echo N=8; echo 'echo $N > {FILE}'; }} | sh"), {PF: 8}, ["rc.local:2"], id="a block into sh"
        ),
        pytest.param(
            rc_local(f"(lspci; echo 'echo 8 > {FILE}') | bash"), {PF: 8}, ["rc.local:2"], id="with an unknown part"
        ),
        pytest.param(rc_local(f"{{ lspci; echo 8; }} > {FILE}"), {}, ["rc.local:2"], id="no number of an unknown text"),
        # -- paths --
        pytest.param(
            rc_local("echo 4 > /sys/class/infiniband/mlx5_0/device/sriov_numvfs"), {PF: 4}, ["rc.local:2"], id="RDMA"
        ),
        pytest.param(
            rc_local("for d in /sys/class/infiniband/*/device; do echo 8 > $d/sriov_numvfs; done"),
            BOTH,
            ["rc.local:2"],
            id="each RDMA device",
        ),
        pytest.param(
            rc_local(f'echo 8 > "/sys/module/mlx5_core/drivers/pci:mlx5_core/{PF}/sriov_numvfs"'),
            {PF: 8},
            ["rc.local:2"],
            id="module",
        ),
        pytest.param(
            rc_local("echo 8 | tee /sys/bus/pci/drivers/mlx5_core/0*/sriov_numvfs"), BOTH, ["rc.local:2"], id="driver"
        ),
        pytest.param(
            rc_local(f"cd /sys/devices/pci0000:3a/0000:3a:00.0/{PF}/net/ens1f0/device/ && echo 8 > ./sriov_numvfs"),
            {PF: 8},
            ["rc.local:2"],
            id="a folder",
        ),
        pytest.param(
            rc_local("echo 8 > /sys/class/net/bond0/lower_ens1f1/device/sriov_numvfs"),
            {PF2: 8},
            ["rc.local:2"],
            id="a port of a bond",
        ),
        pytest.param(
            rc_local("echo 4 > /sys/class/infiniband/$1/device/sriov_numvfs"), {}, ["rc.local:2"], id="any RDMA device"
        ),
        pytest.param(
            rc_local("for f in $(find /sys/devices -name sriov_numvfs); do\n  echo 8 > $f\ndone"),
            {},
            ["rc.local:3"],
            id="find",
        ),
        pytest.param(
            rc_local(f"for f in `ls /sys/class/net/*{NUMVFS}`; do echo 8 > $f; done"), BOTH, ["rc.local:2"], id="ls"
        ),
        pytest.param(
            rc_local("find /sys -name sriov_numvfs | while read -r f; do echo 8 > $f; done"),
            {},
            ["rc.local:2"],
            id="while read",
        ),
        # -- values --
        pytest.param(
            rc_local(f'if [ "$(uname -r)" = 6.1 ]; then N=0x10\nelse N=8; fi\necho $N > {FILE}'),
            {},
            ["rc.local:4"],
            id="two numbers, and no VFs",
        ),
        pytest.param(rc_local(f"N=4\nN=$((N * 2))\necho ${{N:-2}} > {FILE}"), {PF: 8}, ["rc.local:4"], id="default"),
        pytest.param(
            rc_local(f"{SET_VFS}set_vfs ens1f0 8\nset_vfs ens1f1 4"), {PF: 8, PF2: 4}, ["rc.local:3"] * 2, id="function"
        ),
        # -- reach --
        pytest.param(
            service("ExecStart=/usr/sbin/make-vfs", **{"usr/sbin/make-vfs": ECHO}), {PF: 8}, ["make-vfs:2"], id="sbin"
        ),
        pytest.param(
            {**rc_local("true\n# make-vfs\n; make-vfs"), "usr/local/bin/make-vfs": ECHO},
            {PF: 8},
            ["make-vfs:2"],
            id="after a comment",
        ),
        pytest.param(
            service("ExecStart=make-vfs", **{"usr/bin/make-vfs": ECHO}), {PF: 8}, ["make-vfs:2"], id="by its name"
        ),
        pytest.param(
            {**rc_local("/opt/net/boot.sh"), "opt/net/boot.sh": f"{SH}/opt/net/vfs.sh\n", "opt/net/vfs.sh": ECHO},
            {PF: 8},
            ["vfs.sh:2"],
            id="a script of a script",
        ),
        pytest.param(
            {
                **rc_local("/opt/net/boot.sh ens1f1 8"),
                "opt/net/boot.sh": f'{SH}. "$(dirname "$0")"/lib/pf.sh\nset_vfs "$@"\n',
                "-opt/net/lib/pf.sh": SET_VFS,
            },
            {PF2: 8},
            ["pf.sh:2"],
            id="sourced, with arguments",
        ),
        pytest.param(
            {**rc_local("cd /opt/net\n. ./pf.sh\nset_vfs ens1f0 8"), "-opt/net/pf.sh": SET_VFS},
            {PF: 8},
            ["pf.sh:2"],
            id="sourced from the folder",
        ),
        pytest.param(
            service(
                'Environment="PORT=ens1f0" N=8\n'
                f"ExecStart=/usr/bin/bash -c 'echo \"$N\" > /sys/class/net/$PORT{NUMVFS}'"
            ),
            {PF: 8},
            ["vfs.service:4"],
            id="Environment=",
        ),
        pytest.param(
            {
                "etc/systemd/system/sriov@.service": UNIT.format(
                    "EnvironmentFile=-/etc/default/sriov/%i\n"
                    f"ExecStart=/bin/sh -c 'echo ${{SRIOV_VFS:-0}} > /sys/class/net/%i{NUMVFS}'"
                ),
                "@sriov@ens1f0.service": "",
                "etc/default/sriov/ens1f0": "SRIOV_VFS=8\n",
            },
            {PF: 8},
            ["sriov@.service:4"],
            id="EnvironmentFile= of an instance",
        ),
        pytest.param(
            {
                "etc/systemd/system/vf@.service": TEMPLATE.partition("[Install]")[0],
                "etc/systemd/system/libvirtd.service.d/a.conf": "[Unit]\nRequires=vf@ens1f0.service\n",
            },
            {PF: 8},
            ["vf@.service:3"],
            id="Requires= of a drop-in",
        ),
        pytest.param(
            {
                **service("ExecStart=/usr/sbin/make-vfs", **{"usr/sbin/make-vfs": ECHO}),
                "etc/systemd/system/late.timer": "[Timer]\nOnBootSec=60\nUnit=vfs.service\n",
            },
            {PF: 8},
            ["make-vfs:2"],
            id="timer",
        ),
        pytest.param(
            {
                "etc/systemd/system/vfs.service": UNIT.format("ExecStart=-/usr/sbin/make-vfs"),
                "etc/systemd/system/vfs.timer": "[Timer]\nOnBootSec=60\n",
                "@vfs.timer": "",
                "usr/sbin/make-vfs": ECHO,
            },
            {PF: 8},
            ["make-vfs:2"],
            id="timer of the same name",
        ),
        pytest.param(
            {
                "etc/systemd/system/vf@.service": TEMPLATE,
                "etc/udev/rules.d/9.rules": 'SUBSYSTEM=="net", KERNEL=="ens1f1", ENV{SYSTEMD_WANTS}+="vf@%k.service"\n',
            },
            {PF2: 8},
            ["vf@.service:3"],
            id="SYSTEMD_WANTS",
        ),
        pytest.param(
            {
                "etc/systemd/system/vf@.service": TEMPLATE,
                "etc/udev/rules.d/9.rules": 'SUBSYSTEM=="net", ENV{SYSTEMD_WANTS}="vf@$name.service"\n',
            },
            {},
            ["vf@.service:3"],
            id="SYSTEMD_WANTS, of any netdev",
        ),
        pytest.param(
            {
                **rc_local('NAME=vfs\nDAEMON=/usr/sbin/$NAME\n[ -x "$DAEMON" ] || exit 0\n$DAEMON start'),
                "usr/sbin/vfs": ECHO,
                "usr/sbin/other": f"{SH}echo 4 > {OTHER}\n",
            },
            {PF: 8},
            ["vfs:2"],
            id="a name in a folder",
        ),
        pytest.param(
            {"etc/init.d/vfs": f'{SH}case "$1" in\nstart) echo 8 > {FILE};;\nstop) echo 0 > {FILE};;\nesac\n',
             "etc/rc2.d/S20vfs": ""},
            {PF: 8},
            ["vfs:3"],
            id="init script",
        ),
        pytest.param(
            {"etc/network/interfaces": f"auto ens1f0\niface ens1f0 inet manual\n\tpre-up\techo 8 > {FILE}\n"},
            {PF: 8},
            ["interfaces:3"],
            id="TABs",
        ),
        pytest.param({"etc/systemd/system-generators/vfs": ECHO}, {PF: 8}, ["vfs:2"], id="generator"),
        pytest.param(
            {"etc/modprobe.d/a.conf": "install mlx5_core modprobe -i mlx5_core; /opt/vfs\n", "opt/vfs": ECHO},
            {PF: 8},
            ["vfs:2"],
            id="install of a module",
        ),
        pytest.param(
            {"etc/udev/rules.d/9.rules": 'KERNEL=="ens1f0", RUN+="make-vfs %k"\n', "usr/lib/udev/make-vfs": ECHO},
            {PF: 8},
            ["make-vfs:2"],
            id="udev, by a name alone",
        ),
        pytest.param(
            {"etc/udev/rules.d/9.rules": 'KERNEL=="ens1f0", IMPORT{program}="/opt/vfs"\n', "opt/vfs": ECHO},
            {PF: 8},
            ["9.rules:1"],
            id="udev, IMPORT",
        ),
        pytest.param(
            {"etc/udev/rules.d/9.rules": 'NAME=="ens1f1", ATTR{device/sriov_numvfs}="8"\n'},
            {PF2: 8},
            ["9.rules:1"],
            id="udev, NAME",
        ),
        pytest.param(
            {"etc/udev/rules.d/9.rules": 'KERNEL=="ens1f0", ATTR{[net/ens1f1]device/sriov_numvfs}="8"\n'},
            {PF2: 8},
            ["9.rules:1"],
            id="udev, of another device",
        ),
        pytest.param(
            {"etc/udev/rules.d/9.rules": f'KERNEL=="ens1f0", ATTR{{[pci/{PF2}]sriov_numvfs}}="8"\n'},
            {PF2: 8},
            ["9.rules:1"],
            id="udev, of another function",
        ),
        pytest.param(
            service(f"EnvironmentFile=/etc/vfs\nExecStart=/bin/sh -c 'echo $N > {FILE}'", **{"etc/vfs": "N =8\n"}),
            {PF: 8},
            ["vfs.service:4"],
            id="EnvironmentFile= with blanks",
        ),
        pytest.param(rc_local(f"N=8\nsudo bash <<E\necho $N > {FILE}\nE"), {PF: 8}, ["rc.local:3"], id="shell, fed"),
        pytest.param(rc_local(f"echo 'echo 8 > {FILE}' | sh -e"), {PF: 8}, ["rc.local:2"], id="shell in a pipe"),
        pytest.param(
            rc_local(f"exec 3> /run/log 2> /dev/null\necho 8 > {FILE}"), {PF: 8}, ["rc.local:3"], id="other descriptors"
        ),
        pytest.param(rc_local(f"trap\ntrap - EXIT\necho 8 > {FILE}"), {PF: 8}, ["rc.local:4"], id="trap of nothing"),
        pytest.param(
            {
                "etc/tuned/vfs/tuned.conf": f"[sysfs]\n{FILE}=8\n",
                "etc/tuned/active_profile": "vfs\n",
            },
            {PF: 8},
            ["tuned.conf:2"],
            id="tuned, the active profile",
        ),
        # -- who names a script --
        *(
            pytest.param(
                rc_local(line) | {"usr/local/sbin/setvfs": ECHO}, {PF: 8}, ["setvfs:2"], id=f"a program by {line}"
            )
            for line in ("sudo setvfs", "bash $(which setvfs)", "sh `command -v setvfs`", "nohup sudo setvfs &")
        ),
        *(
            pytest.param(
                {
                    "etc/systemd/system/a.service": UNIT.format(lines),
                    "@a.service": "",
                    "-etc/default/a": "SCRIPT=/opt/a.sh\n",
                    "opt/a.sh": ECHO,
                },
                {PF: 8},
                ["a.sh:2"],
                id=lines.partition("\n")[0],
            )
            for lines in (
                "EnvironmentFile=-/etc/default/a\nExecStart=/bin/sh $SCRIPT",
                "EnvironmentFile=/etc/default/*\nExecStart=/bin/sh -c ${SCRIPT}",
                "LoadCredential=run:/opt/a.sh\nExecStart=/bin/sh %d/run",
            )
        ),
        pytest.param(
            rc_local(f"ls /sys/class/net | xargs -I{{}} sh -c 'echo 8 > /sys/class/net/{{}}{NUMVFS}'"),
            {PF: 8, PF2: 8},
            ["rc.local:2"],
            id="what a folder has, by xargs",
        ),
    ],
)  # fmt: skip
def test_what_sets_vfs_is_found(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, rules: dict[str, int], places: list[str]
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == rules
    found = diagnosed(tree, capsys)
    assert [os.path.basename(finding["place"]) for finding in found] == places


EACH = "for i in /sys/class/net/*; do\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (rc_local(f"trap 'echo 0 > {FILE}' EXIT"), f"may set 0 VFs of {PF} (ens1f0)"),
        (
            rc_local(f"{EACH}d=$(basename $i)\ncase $d in ens1f1) echo 8 > /sys/class/net/$d{NUMVFS};; esac\ndone"),
            f"may set 8 VFs of {PF2} (ens1f1)",
        ),
        (
            rc_local(
                f"{EACH}drv=$(basename $(readlink $i/device/driver))\n"
                f'[ "$drv" = mlx5_core ] && echo 8 > $i{NUMVFS}\ndone'
            ),
            f"may set 8 VFs of {PF} (ens1f0)",
        ),
        (
            rc_local(
                "n=$(basename $(readlink /sys/class/net/ens1f0/device/driver))\n"
                "echo 8 > /sys/bus/pci/devices/$n/sriov_numvfs"
            ),
            "sets 8 VFs of a PF that cannot be determined",
        ),
        (
            rc_local(f"{EACH}case ${{i##*/}} in ens1f1) echo 8 > $i{NUMVFS};; esac\ndone"),
            f"may set 8 VFs of {PF} (ens1f0)",
        ),
        (
            {"etc/tuned/vfs/tuned.conf": f"[sysfs]\n{FILE}=8\n", "etc/tuned/active_profile": "balanced\n"},
            f"may set 8 VFs of {PF} (ens1f0)",
        ),
        *(
            ({"etc/udev/rules.d/9.rules": f'SUBSYSTEM=="net", {match}, ATTR{{device/sriov_numvfs}}="8"\n'}, problem)
            for match, problem in {
                'ATTR{address}=="3C:FD:FE:AA:BB:00"': f"may set 8 VFs of {PF} (ens1f0)",
                'ATTR{address}=="3C:FD:FE:*", KERNEL=="ens1f0"': f"may set 8 VFs of {PF} (ens1f0)",
                'ATTR{address}=="3C:FD:FE:AA:BB:02|3c:fd:fe:aa:bb:00"': f"may set 8 VFs of {PF} (ens1f0)",
            }.items()
        ),
    ],
)
def test_what_may_be_set_is_no_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, problem: str
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["problem"].startswith(problem)


def test_a_loop_that_leaves_out_the_loopback_device_is_certain(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tree, rc_local(f'{EACH}[ "${{i##*/}}" = lo ] && continue\necho 8 > $i{NUMVFS}\ndone'))
    assert migrated(tree, capsys) == {PF: 8, PF2: 8}


HOOK = f'if [ "$1" = "ens1f0" ] && [ "$2" = up ]; then\n  echo 8 > /sys/class/net/$1{NUMVFS}\nfi\n'
CASE = f'case "$IFACE" in\n  ens1f0) echo 8 > /sys/class/net/$IFACE{NUMVFS} ;;\nesac\n'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/NetworkManager/dispatcher.d/99-vfs", HOOK),
        ("sbin/ifup-local", CASE.replace("IFACE", "1")),
        ("etc/network/if-up.d/vfs", CASE),
        ("etc/network/if-up.d/vfs", f"[ x$IFACE = xens1f0 ] || exit 0\necho 8 > /sys/class/net/$IFACE{NUMVFS}\n"),
        (
            "etc/NetworkManager/dispatcher.d/99-vfs",
            f'[[ $2 == up ]] || exit\n[[ $1 != "ens1f0" ]] && exit\necho 8 > /sys/class/net/$1{NUMVFS}\n',
        ),
    ],
)
def test_a_hook_knows_the_name_that_it_compares(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    write_files(tree, {path: SH + text})
    main(["migrate"], root=str(tree.root))
    out = capsys.readouterr().out
    assert f'# match = {{ pci_address = "{PF}" }}\n# num_vfs = 8\n' in out
    (found,) = diagnosed(tree, capsys)
    assert found["problem"].startswith(f"may set 8 VFs of {PF} (ens1f0)")


def test_rc_local_is_said_once_although_a_unit_of_systemd_runs_it(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = "[Service]\nType=forking\nExecStart=/etc/rc.local start\n"
    write_files(tree, rc_local(f"echo 8 > {FILE}") | {"usr/lib/systemd/system/rc-local.service": unit})
    assert [finding["place"] for finding in diagnosed(tree, capsys)] == ["/etc/rc.local:2"]


def test_of_several_numbers_the_one_that_is_there_is_taken(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(8):
        tree.add_vf(PF, index)
    (tree.device() / "sriov_numvfs").write_text("8\n")
    text = f'case "$(hostname -s)" in\n  cmp1) N=8 ;;\n  *) N=4 ;;\nesac\necho $N > {FILE}'
    write_files(tree, rc_local(text))
    main(["migrate"], root=str(tree.root))
    out = capsys.readouterr().out
    assert "# the line may set any of these: 4, 8\n[[pf]]\n" in out
    assert "num_vfs = 8\n" in out
    (found,) = diagnosed(tree, capsys)
    assert found["code"] == "SB-W351"
    assert found["problem"].startswith("sets 4 or 8 VFs of ")


WRITE = f"echo 8 > {FILE}"


@pytest.mark.parametrize(
    "text",
    [
        f"modprobe igb\n{WRITE}\nexit 0\n",
        f"if [ -e {FILE} ]; then\n  {WRITE}\nfi\nexit 0\n",
        f"for i in 1; do {WRITE}; done\n",
        f"set_vfs() {{\n  {WRITE}\n}}\nset_vfs\n",
        f'case "$(uname -m)" in\nx86_64)\n  {WRITE}\n  ;;\nesac\n',
        f"true &&\n  {WRITE}\n",
        f"echo 8 |\n  tee {FILE}\n",
        f"{{ {WRITE}; }}\nwhile [ ! -e {FILE} ]; do\n  {WRITE}\ndone\n",
    ],
)
def test_after_the_remedy_the_script_runs_and_sets_nothing(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Followed as it is said: the line is deleted, or `:` put in the command's place."""
    path = tree.write("etc/rc.local", SH + text)
    path.chmod(0o755)
    while found := diagnosed(tree, capsys):
        number = int(found[-1]["place"].rpartition(":")[2])
        lines = path.read_text().split("\n")
        if found[-1]["remedy"].startswith("delete line"):
            assert found[-1]["remedy"].endswith(f": sed -i {number}d /etc/rc.local")
            del lines[number - 1]
        else:
            assert found[-1]["remedy"].startswith(f"in an editor, replace the command that sets VFs in line {number} ")
            lines[number - 1] = lines[number - 1].replace(WRITE, ":", 1).replace(f"tee {FILE}", ":")
        assert "\n".join(lines) != path.read_text()
        path.write_text("\n".join(lines))
    subprocess.run(["bash", "-n", path], check=True, capture_output=True)
    assert migrated(tree, capsys) == {}


@pytest.mark.parametrize(("there", "rules"), [(0, {}), (2, {}), (4, {PF: 4}), (8, {PF: 8})])
@pytest.mark.parametrize("numbers", [(4, 8), (8, 4)])
@pytest.mark.parametrize(
    "paths",
    [
        ("etc/udev/rules.d/60.rules", "etc/udev/rules.d/70.rules"),
        ("usr/lib/udev/rules.d/60.rules", "etc/udev/rules.d/70.rules"),
    ],
)
def test_udev_rules_that_disagree_are_left_to_the_operator(
    tree: HostTree,
    capsys: pytest.CaptureFixture[str],
    paths: tuple[str, str],
    numbers: tuple[int, int],
    there: int,
    rules: dict[str, int],
) -> None:
    """Unless the VFs that exist are what one of them asks for."""
    (tree.device(PF) / "sriov_numvfs").write_text(f"{there}\n")
    for index in range(there):
        tree.add_vf(PF, index)
    for path, number in zip(paths, numbers, strict=True):
        tree.write(path, f'SUBSYSTEM=="net", ACTION=="add", KERNEL=="ens1f0", ATTR{{device/sriov_numvfs}}="{number}"\n')
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    assert {one.match.pci_address: one.num_vfs for one in decode([ConfigFile("m.toml", out.encode())]).pf} == rules
    assert "# the lines disagree: 4, 8\n" in out
    found = diagnosed(tree, capsys)
    assert {(one["code"], one["place"]) for one in found} == {("SB-E303", f"/{path}:1") for path in paths}


OF_ADDRESS = "echo 8 > /sys/bus/pci/devices/$B/sriov_numvfs"


@pytest.mark.parametrize(
    "told",
    [
        "ethtool -i ens1f0 | grep bus-info | awk '{print $2}'",
        "ethtool --driver ens1f0 | awk '/bus-info/ {print $2}'",
        "grep PCI_SLOT_NAME /sys/class/net/ens1f0/device/uevent | cut -d= -f2",
        "sed -n 's/^PCI_SLOT_NAME=//p' /sys/class/net/ens1f0/device/uevent",
        "cat /sys/class/net/ens1f0/device/uevent | grep PCI_SLOT_NAME | tail -1 | cut -d= -f2",
        'basename "$(readlink -f /sys/class/net/ens1f0/device)"',
        "basename $(readlink /sys/class/net/ens1f0/device)",
    ],
)
def test_the_address_of_a_netdev_is_that_of_its_pf(
    tree: HostTree, capsys: pytest.CaptureFixture[str], told: str
) -> None:
    write_files(tree, rc_local(f"B=$({told})\n{OF_ADDRESS}"))
    assert migrated(tree, capsys) == {PF: 8}
    assert [one["code"] for one in diagnosed(tree, capsys)] == ["SB-E301"]


@pytest.mark.parametrize(
    "told",
    [
        "ethtool -i ens1f0 | grep driver | awk '{print $2}'",
        "ethtool -i | grep bus-info",
        "ethtool ens1f0 | grep bus-info",
        "ethtool -i $1 | grep bus-info | awk '{print $2}'",
        "cat /sys/class/net/ens1f0/device/uevent | head -1",
        "basename $(readlink /sys/class/net/ens1f0/device/driver)",
    ],
)
def test_of_another_text_the_pf_is_not_known(tree: HostTree, capsys: pytest.CaptureFixture[str], told: str) -> None:
    write_files(tree, rc_local(f"B=$({told})\n{OF_ADDRESS}"))
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert "of a PF that cannot be determined" in found["problem"]
