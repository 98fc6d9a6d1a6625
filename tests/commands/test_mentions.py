"""The last net: what mentions VFs and is not understood is named, and nothing else is."""

import json
import os
from collections.abc import Iterator

import pytest

from builders import PF
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
SH = "#!/bin/sh\n"
COUNT = "virtual-function-count"
PYTHON = "#!/usr/bin/env python3\n"
UNIT = "[Service]\nType=oneshot\n{}\n"
Files = dict[str, str]


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf()
    tree.configure(rule(4))
    return tree


def write_files(tree: HostTree, files: Files) -> None:
    for path, text in files.items():
        tree.write(path, text).chmod(0o755)


def run_json(tree: HostTree, capsys: pytest.CaptureFixture[str], verb: str) -> tuple[dict[str, object], str]:
    code = main([verb, "--json"], root=str(tree.root))
    assert verb != "migrate" or code == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def mentioned(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The places that both verbs name; nothing else is found."""
    answer, err = run_json(tree, capsys, "migrate")
    places = [one["place"] for one in answer["unclear"]]  # type: ignore[attr-defined]
    assert answer["not_understood"] == len(places)
    assert ("not understood: " in err) is bool(places)
    assert answer["lines"] == []
    found = run_json(tree, capsys, "doctor")[0]["findings"]
    conflicts = [one for one in found if one["code"][4] == "3"]  # type: ignore[attr-defined]
    assert all("it mentions VFs in a way that is not understood" in one["problem"] for one in conflicts)
    assert sorted(one["place"] for one in conflicts) == sorted(places)
    return [str(place) for place in places]


def rc_local(text: str) -> Files:
    return {"etc/rc.local": f"{SH}{text}\n"}


PROGRAM = f"\x7fELF\0{'x' * 5000}{FILE}\0"
SPLIT = (
    "import os, sys\nfor pair in sys.argv[3].split():\n    dev, n = pair.split(':')\n"
    "    with open(os.path.join('/sys/class/net', dev, 'device', 'sriov_numvfs'), 'w') as f:\n        f.write(n)\n"
)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        pytest.param(
            {
                "etc/systemd/system/vfs.service": UNIT.format("ExecStart=/usr/local/bin/vfs.sh"),
                "usr/local/bin/vfs.sh": f'{SH}. /etc/default/vfs\n/usr/local/bin/vfs.py --start --vfs "$LIST"\n',
                "etc/default/vfs": 'LIST="ens1f0:8 ens1f1:4"\n',
                "usr/local/bin/vfs.py": PYTHON + SPLIT,
            },
            "/usr/local/bin/vfs.py:5",
            id="Python",
        ),
        pytest.param(
            {
                "etc/systemd/system/vfs.service": UNIT.format("ExecStart=/usr/bin/python3 /opt/vfs.py"),
                "opt/vfs.py": f"open('{FILE}', 'w').write('8')\n",
            },
            "/opt/vfs.py:1",
            id="Python, by its interpreter",
        ),
        pytest.param(
            {**rc_local("perl -w /opt/vfs.pl"), "opt/vfs.pl": f'open(my $f, ">", "{FILE}");\nprint $f 8;\n'},
            "/opt/vfs.pl:1",
            id="Perl",
        ),
        pytest.param(
            {
                **rc_local("/opt/vfs.py"),
                "opt/vfs.py": f"{PYTHON}PATH = '{FILE}'\nimport os\nos.system(f'echo 8 > {{PATH}}')\n",
            },
            "/opt/vfs.py:2",
            id="a constant",
        ),
        pytest.param(rc_local(f"write_sysfs {FILE} 8"), "/etc/rc.local:2", id="an unknown command"),
        pytest.param(rc_local(f"sed -i s/0/8/ {FILE}"), "/etc/rc.local:2", id="sed"),
        pytest.param(rc_local(f"python3 -c \"open('{FILE}', 'w').write('8')\""), "/etc/rc.local:2", id="-c"),
        pytest.param(rc_local("modprobe ixgbe max_vfs=8"), "/etc/rc.local:2", id="modprobe"),
        pytest.param(rc_local("nmcli connection modify pf sriov.total-vfs 8"), "/etc/rc.local:2", id="nmcli"),
        pytest.param(rc_local("true\nnetplan set a.virtual-function-count=8"), "/etc/rc.local:3", id="netplan"),
        pytest.param(
            rc_local(f"awk 'BEGIN {{ print 8 > \"{FILE}\" }}'"), "/etc/rc.local:2", id="awk"
        ),
        pytest.param(
            {"etc/systemd/system/a.service": UNIT.format("ExecStart=/opt/bin/make --num-vfs=8")},
            "/etc/systemd/system/a.service:3",
            id="a program",
        ),
        pytest.param(
            {"etc/tuned/vfs/tuned.conf": f"[script]\nx = echo 8 >> {FILE}\n"}, "/etc/tuned/vfs/tuned.conf:2", id="tuned"
        ),
        pytest.param(rc_local(f"exec {{fd}}> {FILE}\necho 8 >&$fd"), "/etc/rc.local:3", id="a named descriptor"),
        pytest.param(rc_local(f"python3 <<E\nopen('{FILE}', 'w').write('8')\nE"), "/etc/rc.local:2", id="its input"),
        pytest.param(rc_local(f'echo "echo 8 > {FILE}" | at now'), "/etc/rc.local:2", id="at"),
        pytest.param(
            {"etc/cloud/cloud.cfg.d/9.cfg": f"# {FILE}\nbootcmd:\n  - echo 8 > {FILE}\n"},
            "/etc/cloud/cloud.cfg.d/9.cfg:3",
            id="bootcmd",
        ),
        pytest.param({"etc/inittab": f"v:2:once:/bin/sh -c 'echo 8 > {FILE}'\n"}, "/etc/inittab:1", id="inittab"),
        pytest.param(
            {"etc/network/interfaces": "iface a\n  sriov-numvfs 8\n"}, "/etc/network/interfaces:2", id="key"
        ),
        pytest.param(
            {"etc/systemd/system/a.service": UNIT.format("ExecStart=/opt/x --max-vfs 8")},
            "/etc/systemd/system/a.service:3",
            id="max-vfs",
        ),
        pytest.param(
            rc_local("devlink dev param set pci/0000:3b:00.0 name mlx5_num_vfs value 8 cmode runtime"),
            "/etc/rc.local:2",
            id="devlink",
        ),
        pytest.param({"etc/rc.conf": "SRIOV_NUM_VFS=8\n"}, "/etc/rc.conf:1", id="capitals"),
        pytest.param(
            {"var/lib/cloud/instance/user-data.txt": "runcmd:\n - /opt/x maxvfs=8\n"},
            "/var/lib/cloud/instance/user-data.txt:2",
            id="user-data",
        ),
        pytest.param(
            {**rc_local("/opt/x"), "opt/x": f"{PYTHON}import subprocess\nsubprocess.run(['x', '--max-vfs', '8'])\n"},
            "/opt/x:3",
            id="an option in Python",
        ),
        pytest.param(
            rc_local(f"systemd-run -p StandardOutput=file:{FILE} echo 8"), "/etc/rc.local:2", id="systemd-run"
        ),
        pytest.param(
            {
                "etc/systemd/system/a.service": UNIT.format("ExecStart=/usr/bin/ansible-playbook -c local /opt/a.yml"),
                "opt/a.yml": f"# VFs\n- hosts: all\n  tasks:\n  - shell: echo 8 > {FILE}\n",
            },
            "/opt/a.yml:4",
            id="a playbook",
        ),
        pytest.param(
            {
                "etc/systemd/system/a.service": UNIT.format(
                    "WorkingDirectory=/srv\nExecStart=ansible-playbook ./a.yaml"
                ),
                "srv/a.yaml": "- hosts: all\n  vars: {num_vfs: 8}\n",
            },
            "/srv/a.yaml:2",
            id="a playbook of a folder",
        ),
        pytest.param(
            {
                "etc/cron.d/a": "@reboot root ansible-pull -U https://a.example/b.git -d /srv/b\n",
                "srv/b/local.yml": "- hosts: all\n  roles: [vfs]\n",
                "srv/b/roles/vfs/tasks/main.yml": f"- copy: {{dest: {FILE}, content: '8'}}\n",
            },
            "/srv/b/roles/vfs/tasks/main.yml:1",
            id="a role",
        ),
        pytest.param({**rc_local("/opt/x --all"), "opt/x": PROGRAM}, "/opt/x", id="a compiled program"),
        pytest.param(
            {"etc/systemd/system/a.service": UNIT.format("ExecStart=/usr/sbin/make-vfs"), "usr/sbin/make-vfs": PROGRAM},
            "/usr/sbin/make-vfs",
            id="a compiled program of a unit",
        ),
        pytest.param(
            {"etc/cron.d/a": "@reboot root /usr/local/sbin/vfs\n", "usr/local/sbin/vfs": PROGRAM},
            "/usr/local/sbin/vfs",
            id="a compiled program of cron",
        ),
        pytest.param(
            rc_local(f"(crontab -l; echo '@reboot echo 8 > {FILE}') | crontab -"), "/etc/rc.local:2", id="added to cron"
        ),
        pytest.param(
            {"etc/netplan/a.yaml": f"network: {{}}\n---\nnetwork:\n  ethernets:\n    a: {{{COUNT}: 8}}\n"},
            "/etc/netplan/a.yaml:5",
            id="a second document, which netplan does not read",
        ),
        pytest.param(
            {"etc/nmstate/a.yml": "desiredState:\n  interfaces:\n  - ethernet: {sr-iov: {total-vfs: 8}}\n"},
            "/etc/nmstate/a.yml:3",
            id="a file of another shape",
        ),
        pytest.param(
            {"var/lib/cloud/seed/nocloud/network-config": f"ethernets:\n  a: {{{COUNT}: 8}}\n"},
            "/var/lib/cloud/seed/nocloud/network-config:2",
            id="a seed of cloud-init",
        ),
        pytest.param(
            {"var/lib/rancher/k3s/server/manifests/vf.yaml": "kind: SriovNetworkNodePolicy\nspec: {numVfs: 8}\n"},
            "/var/lib/rancher/k3s/server/manifests/vf.yaml:2",
            id="a manifest that k3s applies",
        ),
        pytest.param(
            {f"var/lib/vdsm/persistence/netconf/devices/{PF}": '{"sriov": {"numvfs": 8}}\n'},
            f"/var/lib/vdsm/persistence/netconf/devices/{PF}:1",
            id="what oVirt has stored",
        ),
        pytest.param(
            {"etc/systemd/system-generators/vf": f"{SH}cat > $1/vf.service <<X\n[Service]\nExecStart=tee {FILE}\nX\n"},
            "/etc/systemd/system-generators/vf:2",
            id="a generator of units",
        ),
        pytest.param(
            rc_local(f"{{ cat /etc/x; echo 'echo 8 > {FILE}'; }} > /usr/local/sbin/later"),
            "/etc/rc.local:2",
            id="a script of several parts",
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str
) -> None:
    write_files(tree, files)
    assert mentioned(tree, capsys) == [place]


@pytest.mark.parametrize(
    ("text", "place", "mention", "what"),
    [
        (
            f"{PYTHON}x = '{FILE}'\nopen('{FILE}', 'w')\n",
            "/opt/vfs:2",
            "a mention of VFs in line 2, and in 1 more",
            "line 2 of /opt/vfs",
        ),
        (PROGRAM, "/opt/vfs", "a program that mentions the number of VFs", "/opt/vfs"),
    ],
    ids=["a script", "a compiled program"],
)
def test_it_is_said_who_runs_it_and_how_often_it_is_mentioned(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, place: str, mention: str, what: str
) -> None:
    write_files(tree, {**rc_local("/opt/vfs"), "opt/vfs": text})
    assert main(["migrate"], root=str(tree.root)) == 0
    out, err = capsys.readouterr()
    assert f"#   {place}: {mention}\n" in out
    assert f"#       look at {what} (run by /etc/rc.local:2), and take out" in out
    assert err == "not understood: 1 file mentions VFs in a way that is not understood\n"


@pytest.mark.parametrize(
    ("files", "num_vfs"),
    [
        ({"etc/tmpfiles.d/vfs.conf": f"# VFs\nw {FILE} - - - - 7\n"}, 7),
        ({"usr/lib/tmpfiles.d/vfs.conf": f'w+! "{FILE}"  -  -  -  -  0x2\n'}, 2),
        ({"etc/tuned/a/tuned.conf": f"[sysfs]\n{FILE} = 6\n"}, 6),
        ({"etc/modprobe.d/igb.conf": "options igb max-vfs=5\n"}, 5),
        ({"proc/cmdline": "ro igb.max-vfs=5\n"}, 5),
        ({"boot/grub/custom.cfg": "linux /vmlinuz ro igb.max-vfs=5\n"}, 5),
        ({"etc/modprobe.d/igb.conf": f"install igb modprobe -i igb; echo 5 > {FILE}\n"}, 5),
    ],
)
def test_other_files_with_lines_that_are_understood(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, num_vfs: int
) -> None:
    write_files(tree, files)
    rules = run_json(tree, capsys, "migrate")[0]["rules"]
    assert [(rule["match"], rule["num_vfs"]) for rule in rules] == [({"pci_address": PF}, num_vfs)]  # type: ignore[attr-defined]


# -- what is harmless --

READS = (
    f"cat {FILE}",
    f"n=$(cat {FILE})",
    f"[ -e {FILE} ] || exit 0",
    f'if [ "$(cat {FILE})" -gt 0 ]; then logger "VFs are there"; fi',
    f"grep -q 0 {FILE} && echo none",
    f"echo 'usage: echo 8 > {FILE}'",
    f'logger -t vfs "could not write {FILE}"',
    f"while [ ! -e {FILE} ]; do sleep 1; done",
    f"read -r n < {FILE}",
    f"awk '{{print $1}}' {FILE}",
    f"sed -n p {FILE}",
    f"python3 -c \"print(open('{FILE}').read())\"",
    f"# echo 8 > {FILE}",
    f"true # echo 8 > {FILE}",
    f"cp {FILE} /tmp/count",
    f"chmod 0644 {FILE}",
    f"num_vfs=$(cat {FILE}); [ $num_vfs -eq 0 ] || exit",
    "max_vfs=$(cat /sys/class/net/ens1f0/device/sriov_totalvfs)",
    "modinfo -p ixgbe | grep max_vfs",
    f"cat <<EOF\necho 8 > {FILE}\nEOF",
    "find /sys -name sriov_numvfs | wc -l",
    f"stat -c %a {FILE} >/dev/null 2>&1",
    "for f in /sys/class/net/*/device/sriov_numvfs; do echo $f: $(cat $f); done >> /var/log/vfs",
    "echo 8 > /tmp/sriov_numvfs",
    "echo 7 > /sys/class/drm/card0/device/sriov_numvfs",
)  # fmt: skip
PROGRAMS = (
    f"{PYTHON}print(open('{FILE}').read())\n",
    f"{PYTHON}from pathlib import Path\nn = Path('{FILE}').read_text()\nPath('/run/vfs').write_text(n)\n",
    f'{PYTHON}"""Reads {FILE}, and writes a page."""\nopen("/run/page", "w").write("1")\n',
    f"{PYTHON}# open('{FILE}', 'w')\nopen('/run/x', 'w').write('1')\n",
    f"{PYTHON}import logging\nlogging.warning('no sriov_numvfs here')\n",
    f"#!/usr/bin/perl\nopen(my $f, '<', '{FILE}') or die;\nmy $n = <$f>;\n",
)
COMMANDS = (
    "modprobe br_netfilter", "sysctl -p", "ip link set ens1f0 up", "ethtool -K ens1f0 gro on", "mount -a", "exit 0",
    "echo performance > /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "service x start",
    "iptables-restore < /etc/iptables", "echo 1 > /proc/sys/net/ipv4/ip_forward", "touch /run/ready",
    "for c in /sys/devices/system/cpu/cpu*/online; do echo 1 > $c; done", "tuned-adm profile throughput-performance",
)  # fmt: skip
OTHERS = {
    "etc/systemd/system/x{}.service": UNIT.format("ExecStart=/usr/sbin/x --vfs={}\nEnvironment=num_vfs={}"),
    "etc/udev/rules.d/{}.rules": 'SUBSYSTEM=="net", ATTR{{device/sriov_numvfs}}!="0", NAME="pf{}"\n',
    "etc/cron.d/x{}": "*/5 * * * * root cat " + FILE + " > /run/vfs{}\n",
    "etc/modprobe.d/x{}.conf": "options x{} debug=1\n# max_vfs=8\n",
    "etc/tmpfiles.d/x{}.conf": "d /run/x{} 0755 root root\n# w " + FILE + " - - - - 8\n",
    "etc/network/interfaces.d/x{}": "iface eth{} inet dhcp\n  # pre-up echo 8 > " + FILE + "\n",
    "etc/systemd/system/y{}.service": UNIT.format("ExecStart=/usr/sbin/NetworkManager --n{} {}"),
    "etc/sysctl.d/x{}.conf": "net.core.somaxconn = {}\n",
}


def harmless_files() -> Iterator[tuple[str, str]]:
    """Two hundred, as they are found: many that have nothing to do with VFs, and some that only look."""
    for number, line in enumerate(READS):
        yield f"etc/network/if-up.d/reads{number}", f"{SH}{line}\n"
    for number, text in enumerate(PROGRAMS):
        yield f"etc/NetworkManager/dispatcher.d/{number}", text
    for number in range(20):
        for path, text in OTHERS.items():
            yield path.format(number), text.format(*[number] * 2)
    for number, line in enumerate(COMMANDS):
        yield f"etc/cron.daily/job{number}", f"{SH}{line}\n"
    for number in range(20):
        lines = [*COMMANDS[number % 7 :: 2], *READS[number % 5 :: 7]]
        yield f"etc/libvirt/hooks/qemu.d/{number}", SH + "\n".join(lines) + "\n"


def test_two_hundred_harmless_files_have_no_hit(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    files = {**dict(harmless_files()), "usr/sbin/NetworkManager": PROGRAM, "usr/local/sbin/idle": PROGRAM}
    assert len(files) >= 200
    write_files(tree, files)
    for number in range(20):
        tree.link(f"etc/systemd/system/a.target.wants/x{number}.service", f"etc/systemd/system/x{number}.service")
    assert mentioned(tree, capsys) == []
    assert main(["migrate"], root=str(tree.root)) == 0
    assert capsys.readouterr().out.startswith("# Nothing was found that sets VFs on this host. To see")


def test_what_cannot_be_looked_into_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, rc_local("/opt/large\n/opt/fifo\n/opt/ring\n/opt/folder\nansible-playbook /opt/large.yml"))
    for name in ("large", "large.yml"):
        path = tree.write(f"opt/{name}", "")
        with path.open("wb") as file:
            file.truncate(1 << 30)
        path.chmod(0o755)
    os.mkfifo(tree.root / "opt/fifo", 0o755)
    (tree.root / "opt/ring").symlink_to("ring")
    (tree.root / "opt/folder").mkdir()
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Nothing was found that sets VFs on this host, where it could be looked at.")
    assert "# not seen: /opt/large: " in out
    assert "# not seen: /opt/large.yml: " in out


def test_no_more_programs_are_looked_into_than_anyone_has(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        names = [f"/opt/p{number}-{index}" for index in range(60)]
        write_files(tree, {f"etc/network/if-up.d/{number}": SH + "\n".join(names) + "\n"})
        write_files(tree, {name[1:]: "\x7fELF\0" for name in names})
    assert main(["migrate"], root=str(tree.root)) == 0
    assert "is not looked into: 256 other programs were" in capsys.readouterr().out


def test_the_folder_above_a_script_is_no_file_that_was_not_seen(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    above = 'HERE=/opt/net/bin\nTOP=`cd "$HERE"/.. && pwd`\n. "$HERE/.."\n'
    write_files(tree, rc_local("/opt/net/bin/go.sh") | {"opt/net/bin/go.sh": SH + above})
    assert main(["migrate"], root=str(tree.root)) == 0
    assert "not seen" not in capsys.readouterr().out


def test_nothing_is_only_said_where_all_was_looked_at(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("var/lib/docker/overlay2/x", "")
    (tree.root / "etc/rc.local").mkdir()
    assert main(["migrate"], root=str(tree.root)) == 0
    assert capsys.readouterr().out == (
        "# Nothing was found that sets VFs on this host, where it could be looked at. "
        "To see the current VFs: sriov-bootstrap init\n"
        "# not seen: /etc/rc.local: is not a regular file\n"
        "# not seen: /var/lib/docker: containers are not looked at\n"
    )
