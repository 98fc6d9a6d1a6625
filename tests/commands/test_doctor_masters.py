"""Two masters on one host: what `doctor` says of real files in a tree."""

import json
import os
from pathlib import Path

import pytest

from builders import PF, PF2
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
ECHO = f"echo 7 > {FILE}"
DISPATCHED = "etc/NetworkManager/dispatcher.d/50-vfs"
UNIT = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c '{ECHO}'\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF2, netdev="ens1f1")
    tree.configure(rule(4))
    return tree


def findings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    main(["doctor", "--json"], root=str(tree.root))
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["findings"]
    return [one for one in found if one["code"][4] == "3"]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("etc/rc.local", f"#!/bin/sh -e\n{ECHO}\nexit 0\n", ("SB-E301", "/etc/rc.local:2")),
        ("etc/rc.d/rc.local", f"{ECHO}\n", ("SB-E301", "/etc/rc.d/rc.local:1")),
        ("etc/init.d/boot.local", f"{ECHO}\n", ("SB-E301", "/etc/init.d/boot.local:1")),
        ("etc/network/if-up.d/vfs", f"#!/bin/sh\n{ECHO}\n", ("SB-E301", "/etc/network/if-up.d/vfs:2")),
        (DISPATCHED, f"{ECHO}\n", ("SB-E301", f"/{DISPATCHED}:1")),
        (
            "etc/network/interfaces",
            f"auto ens1f0\niface ens1f0\n up {ECHO}\n",
            ("SB-E313", "/etc/network/interfaces:3"),
        ),
        ("etc/network/interfaces.d/a", f"pre-up {ECHO}\n", ("SB-E313", "/etc/network/interfaces.d/a:1")),
        ("etc/crontab", f"@reboot root {ECHO}\n", ("SB-E314", "/etc/crontab:1")),
        ("etc/cron.d/vfs", f"@reboot root {ECHO}\n", ("SB-E314", "/etc/cron.d/vfs:1")),
        ("var/spool/cron/crontabs/root", f"@reboot {ECHO}\n", ("SB-E314", "/var/spool/cron/crontabs/root:1")),
        (
            "etc/udev/rules.d/70-vfs.rules",
            'ACTION=="add", SUBSYSTEM=="net", ENV{ID_NET_DRIVER}=="igb", ATTR{device/sriov_numvfs}="7"\n',
            ("SB-E303", "/etc/udev/rules.d/70-vfs.rules:1"),
        ),
        (
            "etc/systemd/network/10-pf.link",
            f"[Match]\nPath=pci-{PF}\n[Link]\nSR-IOVVirtualFunctions=7\n",
            ("SB-E304", "/etc/systemd/network/10-pf.link:4"),
        ),
        (
            "etc/netplan/50-cloud-init.yaml",
            "network:\n  ethernets:\n    ens1f0:\n      virtual-function-count: 7\n",
            ("SB-E305", "/etc/netplan/50-cloud-init.yaml:4"),
        ),
        (
            "etc/NetworkManager/system-connections/a.nmconnection",
            "[connection]\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=7\n",
            ("SB-E306", "/etc/NetworkManager/system-connections/a.nmconnection:4"),
        ),
        (
            "etc/sysconfig/network-scripts/ifcfg-ens1f0",
            "DEVICE=ens1f0\nSRIOV_TOTAL_VFS=7\n",
            ("SB-E306", "/etc/sysconfig/network-scripts/ifcfg-ens1f0:2"),
        ),
        (
            "etc/NetworkManager/NetworkManager.conf",
            "[device]\nmatch-device=interface-name:ens1f0\nsriov-num-vfs=7\n",
            ("SB-E319", "/etc/NetworkManager/NetworkManager.conf:3"),
        ),
        (
            "run/NetworkManager/conf.d/vfs.conf",
            "[device-vfs]\nmatch-device=driver:igb\nsriov-num-vfs=7\n",
            ("SB-E319", "/run/NetworkManager/conf.d/vfs.conf:3"),
        ),
        (
            "etc/os-net-config/config.json",
            '{"network_config": [{"type": "sriov_pf", "name": "ens1f0", "numvfs": 7}]}',
            ("SB-E307", "/etc/os-net-config/config.json:1"),
        ),
        (
            "etc/nmstate/pf.yml",
            "interfaces:\n- name: ens1f0\n  ethernet: {sr-iov: {total-vfs: 7}}\n",
            ("SB-E318", "/etc/nmstate/pf.yml:3"),
        ),
        (
            "etc/nmstate/pf.yaml",
            "interfaces:\n- name: ens1f0\n  ethernet: {sr-iov: {total-vfs: 7}}\n",
            ("SB-E318", "/etc/nmstate/pf.yaml:3"),
        ),
        (
            "etc/sriov-netplan-shim/interfaces.yaml",
            "interfaces:\n  ens1f0:\n    num_vfs: 7\n",
            ("SB-E308", "/etc/sriov-netplan-shim/interfaces.yaml:3"),
        ),
        (
            "etc/cloud/cloud.cfg.d/99-net.cfg",
            "network: {version: 2, ethernets: {ens1f0: {virtual-function-count: 7}}}\n",
            ("SB-W366", "/etc/cloud/cloud.cfg.d/99-net.cfg:1"),
        ),
        ("etc/sysfs.conf", "class/net/ens1f0/device/sriov_numvfs = 7\n", ("SB-E315", "/etc/sysfs.conf:1")),
        ("etc/sysfs.d/vfs.conf", "class/net/ens1f0/device/sriov_numvfs = 7\n", ("SB-W365", "/etc/sysfs.d/vfs.conf:1")),
        (f"etc/driverctl.d/{PF}", "vfio-pci\n", ("SB-E309", f"/etc/driverctl.d/{PF}:1")),
        ("usr/lib/modprobe.d/igb.conf", "options igb max_vfs=7\n", ("SB-E310", "/usr/lib/modprobe.d/igb.conf:1")),
        ("proc/cmdline", "quiet igb.max_vfs=7\n", ("SB-E311", "/proc/cmdline")),
        ("etc/default/grub", 'GRUB_CMDLINE_LINUX="igb.max_vfs=7"\n', ("SB-W361", "/etc/default/grub:1")),
        ("boot/loader/entries/a.conf", "options igb.max_vfs=7\n", ("SB-W361", "/boot/loader/entries/a.conf:1")),
        ("etc/modules", "igb max_vfs=7\n", ("SB-W360", "/etc/modules:1")),
        ("etc/initramfs-tools/modules", "igb max_vfs=7\n", ("SB-E310", "/etc/initramfs-tools/modules:1")),
        ("etc/modules-load.d/a.conf", "igb max_vfs=7\n", ("SB-W360", "/etc/modules-load.d/a.conf:1")),
        (
            "etc/sriov-operator/sriov-interface-config.yaml",
            f'spec:\n  interfaces:\n  - pciaddress: "{PF}"\n    numvfs: 7\n',
            ("SB-E312", "/etc/sriov-operator/sriov-interface-config.yaml:4"),
        ),
        (
            f"etc/sriov-operator/pci/{PF}",
            f'{{"pciAddress": "{PF}", "numVfs": 7}}',
            ("SB-W362", f"/etc/sriov-operator/pci/{PF}:1"),
        ),
    ],
)
def test_each_place_is_looked_at(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str, expected: tuple[str, str]
) -> None:
    tree.write(path, text).chmod(0o700)
    assert [(one["code"], one["place"]) for one in findings(tree, capsys)] == [expected]


def test_interfaces_that_are_sourced_are_read(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """To any depth; of a folder those with plain names. A ring ends."""
    tree.write("etc/network/interfaces", "source more/*\nsource-directory third\n")
    tree.write("etc/network/more/a", "source /etc/network/deep.cfg\nsource /etc/network/interfaces\n")
    for path in ("deep.cfg", "third/plain", "third/not.plain"):
        tree.write(f"etc/network/{path}", f"iface ens1f0 inet manual\n up {ECHO}\n")
    assert {one["place"] for one in findings(tree, capsys)} == {
        "/etc/network/deep.cfg:2",
        "/etc/network/third/plain:2",
    }


def test_a_unit_counts_while_something_pulls_it_in(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/systemd/system/vfs.service", UNIT)
    assert findings(tree, capsys) == []
    tree.link("etc/systemd/system/multi-user.target.wants/vfs.service", "etc/systemd/system/vfs.service")
    (one,) = findings(tree, capsys)
    assert (one["code"], one["place"]) == ("SB-E302", "/etc/systemd/system/vfs.service:3")
    tree.write("etc/systemd/system/vfs.service.d/more.conf", f"[Service]\nExecStartPre=/bin/sh -c '{ECHO}'\n")
    more = {"/etc/systemd/system/vfs.service.d/more.conf:2", "/etc/systemd/system/vfs.service:3"}
    assert {one["place"] for one in findings(tree, capsys)} == more


def test_a_script_that_a_unit_runs_is_read(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/systemd/system/vfs.service", "[Service]\nExecStart=/usr/local/bin/vfs.sh\nExecStop=/opt/\n")
    tree.write(
        "usr/local/bin/vfs.sh", f"#!/bin/bash\nfor i in ens1f0; do\n  echo 7 > {FILE.replace('ens1f0', '$i')}\ndone\n"
    ).chmod(0o700)
    (one,) = findings(tree, capsys)
    assert (one["code"], one["place"]) == ("SB-E301", "/usr/local/bin/vfs.sh:3")
    assert one["remedy"].startswith("systemctl disable vfs.service (without --now: its ExecStop= may destroy VFs;")
    tree.write("usr/local/bin/vfs.sh", f"no script\n{ECHO}\n").chmod(0o644)
    assert findings(tree, capsys) == []


def test_a_link_with_drop_ins(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("usr/lib/systemd/network/10-pf.link", "[Match]\nDriver=igb\n")
    tree.write("etc/systemd/network/10-pf.link.d/n.conf", "[Link]\nSR-IOVVirtualFunctions=4\n")
    assert [one["code"] for one in findings(tree, capsys)] == ["SB-W354"]


def test_a_clean_host_has_no_second_master(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """Files as a distribution and our own package install them, and what somebody has put out of action."""
    tree.write("etc/rc.local", f"#!/bin/sh -e\n# {ECHO}\ncat {FILE}\nexit 0\n").chmod(0o700)
    tree.write("etc/udev/rules.d/70-vfs.rules", "")
    tree.write("usr/lib/udev/rules.d/70-vfs.rules", 'SUBSYSTEM=="net", ATTR{device/sriov_numvfs}="7"\n')
    tree.write("usr/lib/systemd/network/99-default.link", "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel\n")
    tree.write("etc/netplan/50-cloud-init.yaml", "network: {version: 2, ethernets: {ens1f0: {dhcp4: true}}}\n")
    tree.write("etc/modprobe.d/sriov-bootstrap-igb.conf", "options igb max_vfs=7\n")
    tree.write("etc/modprobe.d/igb.conf", "options igb debug=1\n#options igb max_vfs=7\n")
    tree.write(f"etc/driverctl.d/{PF}", "igb\n")
    unit = (Path(__file__).parents[2] / "units/sriov-bootstrap.service").read_text()
    tree.write("usr/lib/systemd/system/sriov-bootstrap.service", unit)
    (tree.root / "etc/systemd/system").mkdir(parents=True)
    (tree.root / "etc/systemd/system/gone.service").symlink_to("/dev/null")
    tree.write("usr/lib/systemd/system/gone.service", UNIT)
    assert findings(tree, capsys) == []


def test_what_cannot_be_read_is_said_and_kills_nobody(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/netplan/a.yaml", "network: [\n")
    tree.write("etc/netplan/b.yaml", b"\xff\xfe\x00sriov" * 100)
    tree.write("etc/udev/rules.d/a.rules", os.urandom(4096))
    tree.write("etc/systemd/system/x.service", b"[Service]\nExecStart=\xff\x00\n=\n[\n]")
    (tree.root / "etc/rc.local").mkdir()
    (tree.root / "etc/network").mkdir()
    os.mkfifo(tree.root / "etc/network/interfaces")
    main(["doctor", "--json"], root=str(tree.root))
    unseen = json.loads(capsys.readouterr().out)["unseen"]
    assert "/etc/rc.local: is not a regular file" in unseen
    assert "/etc/network/interfaces: is not a regular file" in unseen
    assert any(one.startswith("/etc/netplan/a.yaml: not YAML: ") for one in unseen)
    assert any(one.startswith("/etc/netplan/b.yaml: not YAML: ") for one in unseen)


def test_a_host_without_rules_is_not_searched(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure("")
    (tree.root / "etc/rc.local").mkdir()
    main(["doctor", "--json"], root=str(tree.root))
    assert "/etc/rc.local: is not a regular file" not in json.loads(capsys.readouterr().out)["unseen"]
