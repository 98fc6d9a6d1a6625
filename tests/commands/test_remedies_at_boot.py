"""What migrate tells to remove from what runs at boot is removed to the letter: then nothing fights, the rest runs."""

import json
import subprocess
from pathlib import Path

import pytest

from boot_files import Files, take_over, write_files
from fakes_host import HostTree
from sriov_bootstrap.cli import main

ECHO = "echo 4 > /sys/class/net/ens1f0/device/sriov_numvfs"
UNITS = "etc/systemd/system"
VFS_UNIT = f"{UNITS}/vfs.service"
WANTED = f"{UNITS}/multi-user.target.wants/vfs.service"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
ONESHOT = "[Service]\nType=oneshot\n"
CRON = "-etc/cron.d/vfs"
TUNED = "-etc/tuned/vfs/tuned.conf"
NMSTATE = "-etc/nmstate/vfs.yml"
GRUB = "-etc/default/grub"
Left = dict[str, str | None]  # path -> what is in it then, None if it is gone


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf(num_vfs=4)
    tree.write("usr/sbin/update-initramfs", "")
    return tree


def _do(tree: HostTree, left: Left) -> None:
    for name, text in left.items():
        path = tree.root / name.lstrip("-")
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


def _unit(*commands: str) -> str:
    return ONESHOT + "".join(f"ExecStart={command}\n" for command in commands) + INSTALL


SETS = f"/bin/sh -c '{ECHO}'"
ENABLED = {"@vfs.service": ""}
DISABLED: Left = {VFS_UNIT: None, WANTED: None}


@pytest.mark.parametrize(
    ("files", "left", "remedy"),
    [
        pytest.param(
            {CRON: f"SHELL=/bin/sh\n@reboot root {ECHO}\n@daily root /bin/true\n"},
            {CRON: "SHELL=/bin/sh\n@daily root /bin/true\n"},
            "delete line 2 of /etc/cron.d/vfs: sed -i 2d /etc/cron.d/vfs",
            id="cron",
        ),
        pytest.param(
            {CRON: f"@reboot root {ECHO}; /usr/bin/other\n"},
            {CRON: "@reboot root :; /usr/bin/other\n"},
            "in an editor, replace the command that sets VFs in line 1 of /etc/cron.d/vfs with : ",
            id="cron, with another command",
        ),
        pytest.param(
            {"-etc/tmpfiles.d/v.conf": "w /sys/class/net/ens1f0/device/sriov_numvfs - - - - 4\nd /run/x\n"},
            {"etc/tmpfiles.d/v.conf": "d /run/x\n"},
            "remove line 1 from /etc/tmpfiles.d/v.conf",
            id="tmpfiles.d",
        ),
        pytest.param(
            {TUNED: "[sysfs]\n/sys/class/net/ens1f0/device/sriov_numvfs=4\n[sysctl]\nvm.swappiness=1\n"},
            {TUNED: "[sysfs]\n[sysctl]\nvm.swappiness=1\n"},
            "remove line 2 from /etc/tuned/vfs/tuned.conf",
            id="tuned",
        ),
        pytest.param(
            {TUNED: "[script]\nscript=vfs.sh\n", "etc/tuned/vfs/vfs.sh": f"#!/bin/sh\n{ECHO}\ntrue\n"},
            {"etc/tuned/vfs/vfs.sh": "#!/bin/sh\ntrue\n"},
            "delete line 2 of /etc/tuned/vfs/vfs.sh (run by /etc/tuned/vfs/tuned.conf:2): sed -i 2d ",
            id="tuned's script",
        ),
        pytest.param(
            {NMSTATE: "interfaces:\n- name: ens1f0\n  ethernet: {sr-iov: {total-vfs: 4}}\n  mtu: 9000\n"},
            {NMSTATE: "interfaces:\n- name: ens1f0\n  ethernet: {}\n  mtu: 9000\n"},
            "remove sr-iov of that interface from /etc/nmstate/vfs.yml, and from its profile: nmcli ",
            id="nmstate",
        ),
        pytest.param(
            {"-etc/initramfs-tools/modules": "igb max_vfs=4\nloop\n"},
            {"etc/initramfs-tools/modules": "igb\nloop\n"},
            "remove max_vfs from line 1 of /etc/initramfs-tools/modules, then: update-initramfs -u",
            id="list of modules",
        ),
        pytest.param(
            {GRUB: 'GRUB_CMDLINE_LINUX="quiet igb.max_vfs=4"\n', "-proc/cmdline": "quiet igb.max_vfs=4\n"},
            {GRUB: 'GRUB_CMDLINE_LINUX="quiet"\n', "proc/cmdline": "quiet\n"},  # which a reboot does
            "remove igb.max_vfs=4 from line 1 of /etc/default/grub, then: update-grub, or grub2-mkconfig -o ",
            id="kernel command line",
        ),
        pytest.param(
            {"-etc/modprobe.d/v.conf": f"install igb modprobe -i igb; {ECHO}\n"},
            {"etc/modprobe.d/v.conf": "install igb modprobe -i igb; :\n"},
            "in an editor, replace the command that sets VFs in line 1 of /etc/modprobe.d/v.conf with : ",
            id="modprobe's install",
        ),
        pytest.param(
            {"-etc/netplan/v.yaml": "network:\n  ethernets:\n    ens1f0: {networkmanager: {passthrough: "
                                    '{sriov.total-vfs: "4"}}, dhcp4: true}\n'},
            {"etc/netplan/v.yaml": "network:\n  ethernets:\n    ens1f0: {dhcp4: true}\n"},
            'remove "sriov.total-vfs" of ens1f0 from /etc/netplan/v.yaml, then: netplan generate',
            id="netplan's passthrough",
        ),
        pytest.param(
            {VFS_UNIT: _unit(SETS), **ENABLED},
            DISABLED,
            f"systemctl disable vfs.service (it does nothing else), and remove /{VFS_UNIT}",
            id="unit",
        ),
        pytest.param(
            {VFS_UNIT: _unit(SETS, "/usr/bin/other"), **ENABLED},
            {VFS_UNIT: _unit("/usr/bin/other")},
            f"remove the command that sets VFs from line 3 of /{VFS_UNIT}, then: systemctl daemon-reload; what else",
            id="unit with another command",
        ),
        pytest.param(
            {
                f"{UNITS}/other.service.d/v.conf": f"[Service]\nExecStartPre={SETS}\n",
                f"{UNITS}/other.service": _unit("/usr/bin/other"),
                "@other.service": "",
            },
            {f"{UNITS}/other.service.d/v.conf": "[Service]\n"},
            f"remove the command that sets VFs from line 2 of /{UNITS}/other.service.d/v.conf, then: systemctl",
            id="drop-in",
        ),
        pytest.param(
            {VFS_UNIT: _unit("/opt/vfs"), **ENABLED, "opt/vfs": f"#!/bin/sh\nif true; then\n  {ECHO}\nfi\nip link\n"},
            {"opt/vfs": "#!/bin/sh\nif true; then\n  :\nfi\nip link\n"},
            "in an editor, replace the command that sets VFs in line 3 of /opt/vfs (run by ",
            id="script of a unit, with another command",
        ),
        pytest.param(
            {VFS_UNIT: _unit("/opt/vfs"), **ENABLED, "opt/vfs": f"#!/bin/sh\n{ECHO}\n"},
            DISABLED,
            f"systemctl disable vfs.service (it does nothing else), and remove /{VFS_UNIT}",
            id="script of a unit",
        ),
        pytest.param(
            {
                VFS_UNIT: f"{ONESHOT}ExecStart={SETS}\n",
                f"{UNITS}/libvirtd.service.d/v.conf": "[Unit]\nRequires=vfs.service\nAfter=vfs.service\n",
            },
            {VFS_UNIT: None, f"{UNITS}/libvirtd.service.d/v.conf": "[Unit]\nAfter=vfs.service\n"},
            f"systemctl disable vfs.service (it does nothing else), and remove /{VFS_UNIT}, and what starts it from ",
            id="unit that another one requires",
        ),
        pytest.param(
            {
                VFS_UNIT: f"{ONESHOT}ExecStart={SETS}\n",
                f"{UNITS}/vfs.timer": "[Timer]\nOnBootSec=1\n",
                "@vfs.timer": "",
            },
            {VFS_UNIT: None, f"{UNITS}/multi-user.target.wants/vfs.timer": None},
            f"systemctl disable vfs.service vfs.timer (it does nothing else), and remove /{VFS_UNIT}",
            id="timer",
        ),
    ],
)  # fmt: skip
def test_what_is_said_is_done(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, left: Left, remedy: str
) -> None:
    write_files(tree, files)
    take_over(tree, capsys, remedy)
    _do(tree, left)
    for path in _scripts(tree, left):
        subprocess.run(["bash", "-n", path], check=True, capture_output=True)
    main(["doctor", "--json"], root=str(tree.root))
    assert [one for one in json.loads(capsys.readouterr().out)["findings"] if one["code"][4] == "3"] == []


def _scripts(tree: HostTree, left: Left) -> list[Path]:
    return [tree.root / name for name, text in left.items() if text and text.startswith("#!")]
