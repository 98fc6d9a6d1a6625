"""What migrate tells to remove is removed to the letter: then nothing fights, and the rest of the file is as it was."""

import json

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.decode import ConfigFile, decode

NETPLAN = "etc/netplan/50-vfs.yaml"
LINK = "etc/systemd/network/10-ens1f0.link"
PROFILE = "etc/NetworkManager/system-connections/ens1f0.nmconnection"
SYSFS = "etc/sysfs.conf"
ONC = "etc/os-net-config/config.yaml"
PF_ENTRY = "type: sriov_pf, name: ens1f0, numvfs: 4"
PF0 = """\
network:
  version: 2
  ethernets:
    pf0:
      match: {macaddress: "3c:fd:fe:aa:bb:00"}
      set-name: ens1f0
"""
VFS = """\
    vf0:
      link: pf0
      dhcp4: true
    vf5:
      link: pf0
"""
MATCH = f"[Match]\nPath=pci-{PF}\n[Link]\nName=ens1f0\n"
SECTIONS = "[SR-IOV]\nVirtualFunction=0\nTrust=yes\n"
NAMED = "[connection]\nid=ens1f0\ntype=ethernet\ninterface-name=ens1f0\n"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF2, netdev="ens1f1")
    (tree.device(PF2) / "net/ens1f1/address").write_text("3c:fd:fe:aa:bb:01\n")
    return tree


def findings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[str]:
    main(["doctor", "--json"], root=str(tree.root))
    return [one["code"] for one in json.loads(capsys.readouterr().out)["findings"] if one["code"][4] == "3"]


# What is in the files before and after, the part of the remedy that was followed, and what doctor says then.
CASES = [
    pytest.param(
        {NETPLAN: f"{PF0}      virtual-function-count: 4\n"},
        {NETPLAN: PF0},
        f'remove "virtual-function-count" of pf0 from /{NETPLAN}, then: netplan generate',
        [],
        id="netplan",
    ),
    pytest.param(
        {NETPLAN: f"{PF0}      virtual-function-count: 4\n{VFS}"},
        {NETPLAN: f"{PF0}      virtual-function-count: 4\n{VFS}"},
        f'in /{NETPLAN}, set "virtual-function-count" of pf0 to the num_vfs of its rule, and keep it:',
        ["SB-W355"],
        id="netplan with VFs",
    ),
    pytest.param(
        {NETPLAN: f"{PF0}      virtual-function-count: 4\n      embedded-switch-mode: switchdev\n"},
        {NETPLAN: f"{PF0}      virtual-function-count: 4\n      embedded-switch-mode: switchdev\n"},
        f'in /{NETPLAN}, set "virtual-function-count" of pf0 to the num_vfs of its rule, and keep it:',
        ["SB-W355"],
        id="netplan with an eswitch mode",
    ),
    pytest.param(
        {LINK: f"{MATCH}SR-IOVVirtualFunctions=4\n"},
        {LINK: MATCH},
        f"remove SR-IOVVirtualFunctions=4 from /{LINK}, then: udevadm control --reload",
        [],
        id=".link",
    ),
    pytest.param(
        {LINK: f"{MATCH}SR-IOVVirtualFunctions=4\n{SECTIONS}"},
        {LINK: f"{MATCH}SR-IOVVirtualFunctions=4\n{SECTIONS}"},
        f"set SR-IOVVirtualFunctions= in line 5 of /{LINK} to the num_vfs of the rule, and keep it:",
        ["SB-W354"],
        id=".link with sections",
    ),
    pytest.param(
        {LINK: f"{MATCH}SR-IOVVirtualFunctions=2\n", f"{LINK}.d/a.conf": "[Link]\nSR-IOVVirtualFunctions=4\n"},
        {LINK: MATCH, f"{LINK}.d/a.conf": "[Link]\n"},
        f"remove SR-IOVVirtualFunctions= from line 2 of /{LINK}.d/a.conf and line 5 of /{LINK}, then: ",
        [],
        id=".link with a drop-in",
    ),
    pytest.param(
        {SYSFS: "devices/x/y = 1\nclass/net/ens1f0/device/sriov_numvfs = 4\n"},
        {SYSFS: "devices/x/y = 1\n"},
        f"delete line 2 of /{SYSFS}: sed -i 2d /{SYSFS}",
        [],
        id="sysfsutils",
    ),
    pytest.param(
        {ONC: f"network_config:\n- {{{PF_ENTRY}}}\n- {{type: interface, name: eno1}}\n"},
        {ONC: "network_config:\n- {type: interface, name: eno1}\n"},
        f"remove ens1f0 from /{ONC}, and sriov_pf from the template that it comes from",
        [],
        id="os-net-config",
    ),
    pytest.param(
        {ONC: f"network_config:\n- {{{PF_ENTRY}, link_mode: switchdev, addresses: [{{ip_netmask: 192.0.2.1/24}}]}}\n"},
        {ONC: f"network_config:\n- {{{PF_ENTRY}, link_mode: switchdev, addresses: [{{ip_netmask: 192.0.2.1/24}}]}}\n"},
        f"set numvfs of ens1f0 in /{ONC}, and in the template that it comes from, to the num_vfs of its rule, and keep",
        ["SB-W357"],
        id="os-net-config with addresses",
    ),
    pytest.param(
        {PROFILE: f"{NAMED}[sriov]\ntotal-vfs=4\n[ipv4]\nmethod=disabled\n"},
        {PROFILE: f"{NAMED}[ipv4]\nmethod=disabled\n"},
        f"remove the section [sriov] from /{PROFILE}, then: nmcli connection reload",
        [],
        id="NetworkManager",
    ),
]


@pytest.mark.parametrize(("before", "after", "remedy", "codes"), CASES)
def test_what_migrate_says_is_done(
    tree: HostTree,
    capsys: pytest.CaptureFixture[str],
    before: dict[str, str],
    after: dict[str, str],
    remedy: str,
    codes: list[str],
) -> None:
    for path, text in before.items():
        tree.write(path, text)
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    assert [(one.match.pci_address, one.num_vfs) for one in decode([ConfigFile("m.toml", out.encode())]).pf] == [
        (PF, 4)
    ]
    assert f"#       {remedy}" in out
    tree.configure(out)
    assert main(["--once", "--dry-run"], root=str(tree.root)) == 0
    assert f"{PF} (ens1f0): 4 VFs, as desired" in capsys.readouterr().out
    for path, text in after.items():
        tree.write(path, text)
    assert findings(tree, capsys) == codes
