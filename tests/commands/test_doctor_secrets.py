"""One secret word in each format that is looked at: no output has it, whatever is found beside it."""

import json

import msgspec
import pytest

from builders import PF
from fakes_host import HostTree, rule
from fakes_openstack import DEBIAN_HEADS, add_debian, add_unit
from sriov_bootstrap.cli import main
from sriov_bootstrap.conflicts.codes import CODES_OF
from sriov_bootstrap.core.events import findings_event
from sriov_bootstrap.core.finding import Inspected, record_inspection
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.examination import examine
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load

SECRET = "hunter2"  # noqa: S105 - the word that is looked for
FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
ECHO = f"curl -u me:{SECRET} https://{SECRET}/; echo {SECRET} | sudo -S true; echo 7 > {FILE} # {SECRET}"
COMMAND = f"curl -u {SECRET} x; PW={SECRET} sh x; echo 7 > {FILE}"
NOVA = f"""\
transport_url = rabbit://nova:{SECRET}@rabbit
[default]
transport_url = rabbit://nova:{SECRET}@rabbit
{SECRET}
 {SECRET}
[pci]
device_spec = {{"vendor_id": "8086"
 connection = mysql://nova:{SECRET}@db
device_spce = {SECRET}
passthrough_whitelist = {{"product_id": "10ca"}}
 password = {SECRET}
[{SECRET}
= {SECRET}
"""
AGENT = f"""\
[sriov_nic]
physical_device_mappings = physnet2:ens9
 password = {SECRET}
passwort = {SECRET}
rabbit://{SECRET}: {SECRET}
[ml2_sriov]
supported_pci_vendor_devs = {SECRET}
"""
UDEV = (
    f'SUBSYSTEM=="net", ENV{{PW}}="{SECRET}", ATTR{{device/sriov_numvfs}}="7"\n'
    f'SUBSYSTEM=="net", ATTR{{{SECRET}/sriov_numvfs}}="{SECRET}"\n'
    f'SUBSYSTEM=="net", RUN+="/bin/sh -c \'{COMMAND}\'"\n'
    f'SUBSYSTEM=="net", RUN+="/bin/os-net-config-sriov -n ens1f0:7 {SECRET}", RUN+="allocate_vfs {SECRET}"\n'
)
MODPROBE = f"""\
install igb curl -u {SECRET}; modprobe -i igb max_vfs=32
options igb x={SECRET} max_vfs=9 y={SECRET}
options igb max_vfs={SECRET}
blacklist igb {SECRET}
"""
# Where a file is, what is in it, and the place that is named: findings there show that it was understood.
PLANTED: dict[str, tuple[str, str]] = {
    "etc/rc.local": (f"#!/bin/sh\nexport PW={SECRET}\n{ECHO}\n", ":3"),
    "etc/cron.d/vfs": (f"PW={SECRET}\n@reboot root {ECHO}\n", ":2"),
    "var/spool/cron/crontabs/root": (f"@reboot {ECHO}\n@reboot /opt/called.sh {SECRET}\n", ":1"),
    "opt/called.sh": (f"#!/bin/sh\n{ECHO}\necho 7 > /sys/class/net/$({SECRET})/device/sriov_numvfs\n", ":2"),
    "etc/network/interfaces": (f"iface ens1f0 inet static\n wpa-psk {SECRET}\n up {ECHO}\n", ":3"),
    "etc/systemd/system/vfs.service": (f"[Service]\nEnvironment=PW={SECRET}\nExecStart=/bin/sh -c '{COMMAND}'\n", ":3"),
    "etc/udev/rules.d/70-vfs.rules": (UDEV, ":1"),
    "etc/systemd/network/10-pf.link": (
        f"[Match]\nPath=pci-{PF}\n[Link]\nWakeOnLanPassword={SECRET}\nSR-IOVVirtualFunctions=7\n",
        ":5",
    ),
    "etc/netplan/a.yaml": (
        f"network:\n  ethernets:\n    ens1f0:\n      auth: {{password: {SECRET}}}\n      virtual-function-count: 7\n",
        ":5",
    ),
    "etc/netplan/b.yaml": (f"password: *{SECRET}\n", ""),
    "etc/netplan/c.yaml": (f"{SECRET}: 1\n{SECRET}: 2\n", ""),
    "etc/NetworkManager/system-connections/a": (
        f"[connection]\ninterface-name=ens1f0\n[802-1x]\npassword={SECRET}\n[sriov]\ntotal-vfs={SECRET}\n",
        ":6",
    ),
    "etc/sysconfig/network-scripts/ifcfg-ens1f0": (f"DEVICE=ens1f0\nKEY1={SECRET}\nSRIOV_TOTAL_VFS={SECRET}\n", ":3"),
    "etc/NetworkManager/conf.d/vfs.conf": (
        f"[device]\nmatch-device=interface-name:ens1f0\nx={SECRET}\nsriov-num-vfs=7\n",
        ":4",
    ),
    "etc/os-net-config/config.yaml": (f"- {{type: sriov_pf, name: ens1f0, numvfs: {SECRET}, x: {SECRET}}}\n", ":1"),
    "etc/sriov-netplan-shim/interfaces.yaml": (
        f"interfaces:\n  ens1f0:\n    num_vfs: {SECRET}\n    x: {SECRET}\n",
        ":3",
    ),
    "etc/sriov-operator/sriov-interface-config.yaml": (
        f"- {{pciaddress: '{PF}', numvfs: {SECRET}, x: {SECRET}}}\n",
        ":1",
    ),
    f"etc/driverctl.d/{PF}": (f"{SECRET} {SECRET}\n", ":1"),
    "etc/sysfs.conf": (
        f"{SECRET} {SECRET}\nclass/net/ens1f0/device/sriov_numvfs = {SECRET}\n$({SECRET})/sriov_numvfs = 7\n",
        ":2",
    ),
    "etc/tuned/a/tuned.conf": (f"[x]\ny={SECRET} sriov_numvfs {SECRET}\n", ":2"),
    "etc/cloud/cloud.cfg.d/a.cfg": (
        f"password: {SECRET}\nnetwork: {{ethernets: {{ens1f0: {{virtual-function-count: {SECRET}}}}}}}\n",
        ":2",
    ),
    "etc/netplan/d.yaml": (
        f"network: {{ethernets: {{ens9: {{virtual-function-count: {SECRET}, embedded-switch-mode: {SECRET}}}}}}}\n",
        ":1",
    ),
    "etc/os-net-config/config.json": (
        (f'[{{"type": "sriov_pf", "name": "ens1f0", "numvfs": 7, "link_mode": "{SECRET}", "vdpa": "{SECRET}"}}, '
        f'{{"type": "sriov_vf", "device": "ens1f0", "vfid": "{SECRET}", "trust": "{SECRET}"}}, '
        f'{{"type": "sriov_vf", "device": "ens1f0", "vfid": 1, "state": "{SECRET}", "macaddr": "{SECRET}"}}]'),
        ":1",
    ),
    "etc/NetworkManager/system-connections/b": (
        (f"[connection]\ninterface-name=ens1f0\n[sriov]\neswitch-mode={SECRET}\nvf.0=mac={SECRET} {SECRET}\n"
        f"vf.{SECRET}=trust=true\n{SECRET}\ntotal-vfs=7\n"),
        ":8",
    ),
    "etc/sysconfig/network-scripts/ifcfg-b": (
        f"DEVICE=ens1f0\nSRIOV_TOTAL_VFS=7\nSRIOV_VF0='mac={SECRET}'\nSRIOV_ESWITCH_MODE={SECRET}\n",
        ":2",
    ),
    "etc/systemd/network/11-pf.link": (
        f"[Match]\nPath=pci-{PF}\n[SR-IOV]\nVirtualFunction=6\nMACAddress={SECRET}\nTrust={SECRET}\n",
        "",
    ),
    "etc/modprobe.d/a.conf": (
        MODPROBE,
        ":1",
    ),
    "proc/cmdline": (f"quiet pw={SECRET} igb.num_vfs={SECRET}\n", ""),
    "etc/default/grub": (f"GRUB_CMDLINE_LINUX='intel_iommu=on {SECRET} igb.max_vfs={SECRET}'\n", ":1"),
    "etc/modules": (f"igb pw={SECRET} max_vfs={SECRET}\n", ":1"),
    "etc/nmstate/a.yml": (
        f"interfaces: [{{name: ens1f0, ethernet: {{sr-iov: {{total-vfs: {SECRET}, vfs: [{SECRET}]}}}}}}]\n",
        ":1",
    ),
    "opt/site.yml": (f"- hosts: {SECRET}\n  vars: {{num_vfs: 7, pw: {SECRET}}}\n", ":2"),
    "etc/cron.d/site": (f"@reboot root ansible-playbook -e pw={SECRET} /opt/site.yml\n", ""),
    "etc/nova/nova.conf": (NOVA, ":1"),
    "etc/neutron/plugins/ml2/sriov_agent.ini": (AGENT, ":2"),
    "etc/default/openstack": (f"DAEMON_ARGS='--password {SECRET}'\n", ""),
    "etc/web.yml": (f"basic_auth_users: {{alice: {SECRET}}}\n", ""),
}  # fmt: skip


@pytest.fixture
def planted(tree: HostTree) -> HostTree:
    """A host with a secret in each file that is read."""
    tree.add_pf(num_vfs=4)
    add_debian(tree, "nova-compute", "neutron-sriov-agent")
    command = "/usr/bin/neutron-sriov-nic-agent --config-file=/etc/none"
    add_unit(tree, "neutron-sriov-agent", f"{command} --database-connection mysql://{SECRET} {SECRET}")
    for path, (text, _) in PLANTED.items():
        tree.write(path, text).chmod(0o755)
    tree.link("etc/systemd/system/multi-user.target.wants/vfs.service", "etc/systemd/system/vfs.service")
    physical = rule(4).replace("num_vfs", 'physical_network = "physnet2"\nnum_vfs')
    tree.configure(f'{physical}\n[metrics]\nweb_config = "{tree.root}/etc/web.yml"\n')
    return tree


@pytest.mark.parametrize("argv", [["doctor"], ["doctor", "--json"], ["migrate"]], ids=" ".join)
def test_no_output_has_a_secret_word(planted: HostTree, capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    main(argv, root=str(planted.root))
    out, err = capsys.readouterr()
    assert [line for line in f"{out}\n{err}".split("\n") if SECRET in line] == []
    for path, (_, line) in PLANTED.items():
        is_master = not path.startswith(("etc/nova", "etc/neutron", "etc/web", "etc/driverctl"))
        if line and (is_master or argv != ["migrate"]):
            assert f"/{path}{line}" in out, path
    if argv == ["doctor", "--json"]:
        codes = {one["code"] for one in json.loads(out)["findings"]}
        assert codes >= {"SB-E211", "SB-E212", "SB-E401", "SB-E413", "SB-E414", "SB-E522", "SB-E531", "SB-E532"}
        assert [one for one, pair in CODES_OF.items() if codes.isdisjoint(pair)] == [], "formats without a file above"
        assert all(main(["doctor", "explain", one]) == 0 for one in codes)
        assert SECRET not in capsys.readouterr().out


LATER = {
    "a line": f"\n password = {SECRET}\n",
    "an item": f",\n password = {SECRET}\n",
    "an item with more": f",\n password = {SECRET}\n token = {SECRET}\n",
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_what_stands_below_a_list_by_mistake_is_not_shown(
    tree: HostTree, capsys: pytest.CaptureFixture[str], later: str
) -> None:
    tree.add_pf(num_vfs=4)
    add_debian(tree, *(name for name in DEBIAN_HEADS if name != "neutron-api"))
    tree.configure(
        rule(4).replace("num_vfs", 'physical_network = "physnet2"\nnum_vfs') + '[openstack]\nrelease = "2023.1"\n'
    )
    lists = (
        "physical_device_mappings = physnet2:ens9{0}exclude_devices = ens9:x{0}resource_provider_bandwidths = ens9:1{0}"
    )
    agent = f"[securitygroup]\nfirewall_driver = iptables{later}[sriov_nic]\n{lists.format(later)}"
    ranges = f"[ml2_type_vlan]\nnetwork_vlan_ranges = b{later}[ml2_type_flat]\nflat_networks = c{later}"
    server = f"[ml2]\nmechanism_drivers = a{later}{ranges}"
    tree.write("etc/neutron/neutron.conf", f"[sriov_nic]\nphysical_device_mappings = physnet3:ens8{later}")
    tree.write("etc/neutron/plugins/ml2/sriov_agent.ini", agent)
    tree.write("etc/neutron/plugins/ml2/ml2_conf.ini", server)
    tree.write("etc/nova/nova.conf", f"[filter_scheduler]\nenabled_filters = PciPassthroughFilte{later}")
    main(["doctor"], root=str(tree.root))
    out = capsys.readouterr().out
    assert [line for line in out.split("\n") if SECRET in line] == []
    assert {"SB-E511", "SB-W513", "SB-W517", "SB-E520"} <= {line.partition(" ")[0] for line in out.split("\n")}


def test_neither_the_log_nor_what_the_daemon_keeps_has_it(planted: HostTree) -> None:
    machine = HostMachine(root=str(planted.root), config_paths=())
    latest = record_inspection(examine(machine, load(machine, None)), Inspected())
    assert latest.findings
    assert SECRET not in msgspec.json.encode(latest).decode()
    assert SECRET not in str(findings_event(latest.findings, ()))


def test_nothing_that_is_explained_has_it() -> None:
    assert SECRET not in msgspec.json.encode(CODES).decode()
