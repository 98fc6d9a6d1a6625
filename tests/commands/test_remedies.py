"""What migrate tells to remove is removed to the letter: then nothing fights, and the rest of the file is as it was."""

import json

import pytest

from boot_files import take_over
from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.facts import Eswitches, EswitchFacts, Representor
from sriov_bootstrap.machine.host_machine import HostMachine

NETPLAN = "etc/netplan/50-vfs.yaml"
LINK = "etc/systemd/network/10-ens1f0.link"
PROFILE = "etc/NetworkManager/system-connections/ens1f0.nmconnection"
SYSFS = "etc/sysfs.conf"
IFCFG = "etc/sysconfig/network-scripts/ifcfg-ens1f0"
SHIM = "etc/sriov-netplan-shim/interfaces.yaml"
OPERATOR = "etc/sriov-operator/sriov-interface-config.yaml"
UDEV = "etc/udev/rules.d/70-vfs.rules"
OTHER_RULE = 'ACTION=="add", KERNEL=="eno1", ATTR{mtu}="9000"\n'
CLOUD = "etc/cloud/cloud.cfg.d/99-net.cfg"
INTERFACES = "etc/network/interfaces"
ECHO = "echo 4 > /sys/class/net/ens1f0/device/sriov_numvfs"
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
        {
            NETPLAN: f"{PF0}      virtual-function-count: 6\n",
            "etc/netplan/90.yaml": "network: {ethernets: {pf0: {virtual-function-count: 4, dhcp4: true}}}\n",
        },
        {NETPLAN: PF0, "etc/netplan/90.yaml": "network: {ethernets: {pf0: {dhcp4: true}}}\n"},
        f'remove "virtual-function-count" of pf0 from /etc/netplan/90.yaml and /{NETPLAN}, then: netplan generate',
        [],
        id="netplan with two files",
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
        {NETPLAN: PF0},
        f'remove "embedded-switch-mode" and "virtual-function-count" of pf0 from /{NETPLAN}, then: netplan generate',
        [],
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
        {
            PROFILE: f"{NAMED}[sriov]\ntotal-vfs=4\nvf.0=vlans=100 trust=true\n",
            f"{PROFILE}2": "[connection]\ninterface-name=ens1f0\nautoconnect=false\n[sriov]\n",
        },
        {PROFILE: NAMED, f"{PROFILE}2": "[connection]\ninterface-name=ens1f0\nautoconnect=false\n"},
        f"remove the section [sriov] from /{PROFILE}, then: nmcli connection reload",
        [],
        id="two profiles",
    ),
    pytest.param(
        {IFCFG: "DEVICE=ens1f0\nSRIOV_TOTAL_VFS=4\nSRIOV_VF0='trust=true'\nONBOOT=yes\n"},
        {IFCFG: "DEVICE=ens1f0\nONBOOT=yes\n"},
        f"remove the lines SRIOV_* from /{IFCFG}, then: nmcli connection reload",
        [],
        id="ifcfg",
    ),
    pytest.param(
        {SHIM: "interfaces:\n  ens1f0: {num_vfs: 4}\n  eno9: {num_vfs: 2}\n"},
        {SHIM: "interfaces:\n  eno9: {num_vfs: 2}\n"},
        f"remove ens1f0 from /{SHIM}, or: systemctl disable sriov-netplan-shim",
        ["SB-W358"],  # of eno9, which is not here
        id="the shim",
    ),
    pytest.param(
        {OPERATOR: f"spec: {{interfaces: [{{pciaddress: '{PF}', numvfs: 4}}]}}\n"},
        {OPERATOR: f"spec: {{interfaces: [{{pciaddress: '{PF}', numvfs: 4, externallymanaged: true}}]}}\n"},
        "leave this PF out of every SriovNetworkNodePolicy, or set externallyManaged: true in it",
        [],
        id="the operator",
    ),
    pytest.param(
        {UDEV: f'ACTION=="add", KERNEL=="ens1f0", ATTR{{device/sriov_numvfs}}="4", RUN+="/bin/true"\n{OTHER_RULE}'},
        {UDEV: f'ACTION=="add", KERNEL=="ens1f0", RUN+="/bin/true"\n{OTHER_RULE}'},
        f"remove that assignment from line 1 of /{UDEV}, then: udevadm control --reload",
        [],
        id="udev",
    ),
    pytest.param(
        {
            CLOUD: "network: {version: 2, ethernets: {ens1f0: {virtual-function-count: 4}}}\n",
            "etc/netplan/50-cloud-init.yaml": "network: {ethernets: {ens1f0: {virtual-function-count: 4}}}\n",
        },
        {
            CLOUD: "network: {version: 2, ethernets: {ens1f0: {}}}\n",
            "etc/netplan/50-cloud-init.yaml": "network: {ethernets: {ens1f0: {}}}\n",
        },
        f'remove "virtual-function-count" of ens1f0 from /{CLOUD}, then: do the same in netplan\'s files',
        [],
        id="cloud-init",
    ),
    pytest.param(
        {INTERFACES: f"iface ens1f0 inet manual\n up {ECHO}\n up ip link set $IFACE up\n"},
        {INTERFACES: "iface ens1f0 inet manual\n up ip link set $IFACE up\n"},
        f"delete line 2 of /{INTERFACES}: sed -i 2d /{INTERFACES}",
        [],
        id="interfaces",
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


@pytest.fixture(autouse=True)
def devlink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every PF is in switchdev mode, with all representors: a tree has no devlink."""
    ports = {number: Representor(f"r{number}", has_tc_offload=True) for number in range(4)}
    told = EswitchFacts("switchdev", switch_id="0a", representors=ports)
    monkeypatch.setattr(
        HostMachine, "read_eswitches", lambda _, asked: Eswitches({one.pci_address: told for one in asked})
    )


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
    take_over(tree, capsys, remedy)
    for path, text in after.items():
        tree.write(path, text)
    assert findings(tree, capsys) == codes


def test_module_parameters_go_from_every_file(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """Of both ports, one of which has no VFs yet; without the last line, the one before it would count."""
    first, last = "etc/modprobe.d/10-a.conf", "usr/lib/modprobe.d/99-b.conf"
    tree.write(first, "options igb max_vfs=7 debug=1\n")
    tree.write(last, "options igb max_vfs=4\n")
    tree.write("usr/sbin/update-initramfs", "")
    main(["migrate"], root=str(tree.root))
    out = capsys.readouterr().out
    lines = f"max_vfs from line 1 of /{last} and max_vfs from line 1 of /{first}"
    assert f"#       remove {lines}, then: update-initramfs -u\n" in out
    tree.configure(out)
    tree.write(last, "")
    assert findings(tree, capsys) == ["SB-E310"]
    tree.write(first, "options igb debug=1\n")
    assert findings(tree, capsys) == []
