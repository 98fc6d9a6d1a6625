"""Files that their own reader leaves out by their names, such as backups: they set nothing."""

import pytest

from boot_files import ECHO, FILE, add_two_ports, diagnosed, migrated, write_files
from builders import PF
from fakes_host import HostTree

DISPATCHER = "etc/NetworkManager/dispatcher.d"
PROFILES = "etc/NetworkManager/system-connections"
IFCFG = "etc/sysconfig/network-scripts/ifcfg-ens1f0"
PROFILE = "[connection]\nid=a\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=8\n"
NETPLAN = "network: {ethernets: {ens1f0: {virtual-function-count: 8}}}\n"
SETTING = "DEVICE=ens1f0\nSRIOV_TOTAL_VFS=8\n"
RULE = 'SUBSYSTEM=="net", KERNEL=="ens1f0", ATTR{device/sriov_numvfs}="8"\n'


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *((f"{DISPATCHER}/{name}", ECHO) for name in ("9~", "9.rpmsave", "9.rpmorig", "9.rpmnew", "9.swp", ".9")),
        *((f"{DISPATCHER}/pre-up.d/{name}", ECHO) for name in ("9~", ".9")),
        *((f"{PROFILES}/{name}", PROFILE) for name in ("a.nmconnection~", ".a.nmconnection", "a.nmconnection.A1b2C3")),
        *((f"-{IFCFG}{ending}", SETTING) for ending in ("~", ".bak", ".orig", ".rej", ".rpmnew", ".augnew")),
        ("-etc/netplan/.a.yaml", NETPLAN),
        ("-etc/udev/rules.d/.a.rules", RULE),
        ("-etc/modprobe.d/.a.conf", "options igb max_vfs=7\n"),
        ("-etc/tmpfiles.d/.a.conf", f"w {FILE} - - - - 8\n"),
        ("etc/cron.hourly/.vfs", ECHO),
        ("etc/keepalived/.vfs", ECHO),
        ("etc/.git/hooks/vfs", ECHO),
    ],
)
def test_what_is_left_out_sets_nothing(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    write_files(tree, {path: text})
    assert migrated(tree, capsys) == {}
    assert diagnosed(tree, capsys) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{DISPATCHER}/9.bak", ECHO),
        (f"{PROFILES}/a.bak", PROFILE),
        (f"-{IFCFG}.rpmsave", SETTING),
    ],
)
def test_other_backups_are_read(tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str) -> None:
    write_files(tree, {path: text})
    for profile in tree.root.glob(f"{PROFILES}/*"):
        profile.chmod(0o600)
    assert migrated(tree, capsys) == {PF: 8}
