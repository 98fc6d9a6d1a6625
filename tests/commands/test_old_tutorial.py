"""A host set up by an old tutorial: each of its mistakes has its code. See tests/data/old_tutorial/README.md."""

import json
import shutil
from pathlib import Path

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main

FILES = Path(__file__).parents[1] / "data" / "old_tutorial"
PLUGINS = "/etc/neutron/plugins/ml2"
EXPECTED = {
    # the kernel and the NIC
    ("SB-E103", "/etc/default/grub:4"),  # intel_iommu=on, and the boot menu was not regenerated
    ("SB-E210", PF),  # 32 VFs of an 82576
    ("SB-E211", "/etc/modprobe.d/igb.conf:1"),
    # who else makes VFs
    ("SB-W351", "/etc/rc.local:2"),
    ("SB-W360", "/etc/modprobe.d/igb.conf:1"),
    # nova-compute
    ("SB-E413", "/etc/nova/nova.conf:9"),  # a whitelist in [libvirt]
    ("SB-E401", "/etc/nova/nova.conf:13"),  # the quote
    ("SB-W409", "/etc/nova/nova.conf:14"),  # the glob
    ("SB-W405", "/etc/nova/nova.conf:12"),  # the PF, too
    ("SB-W405", "/etc/nova/nova.conf:14"),
    # neutron
    ("SB-E501", "/etc/nova/nova.conf:12"),  # phynet2, in nova and in the agent's file
    ("SB-E520", f"{PLUGINS}/ml2_conf.ini:3"),  # no sriovnicswitch
    ("SB-W521", f"{PLUGINS}/ml2_conf.ini:9"),  # [ml2_sriov]
    ("SB-W521", f"{PLUGINS}/ml2_conf_sriov.ini:2"),
    ("SB-E522", f"{PLUGINS}/sriov_agent.ini:5"),  # the unit does not name it
    # scheduler
    ("SB-E533", "/etc/nova/nova.conf:6"),  # [default]
    ("SB-E602", "nova-scheduler.service"),
    ("SB-E603", "/etc/nova/nova.conf:3"),  # scheduler_default_filters
}


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf(PF, netdev="ens1f0", num_vfs=7)
    tree.add_pf(PF2, netdev="ens1f1")
    for path in ("firmware/acpi/tables/DMAR", "firmware/acpi/tables/APIC"):
        tree.write(f"sys/{path}", "")
    tree.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: vmx\n\n")
    (tree.root / "sys/kernel/iommu_groups").mkdir(parents=True)
    tree.write("usr/sbin/update-grub", "")
    shutil.copytree(FILES, tree.root, dirs_exist_ok=True)
    return tree


def findings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert main(["doctor", "--json"], root=str(tree.root)) == 3
    return list(json.loads(capsys.readouterr().out)["findings"])


def test_each_mistake_of_the_tutorial_is_found(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    found = {(one["code"], one["place"]) for one in findings(tree, capsys)}
    assert EXPECTED - found == set()


def test_the_page_counts_them(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    severities = [one["severity"] for one in findings(tree, capsys)]
    counts = f"{severities.count('error')} errors and {severities.count('warning')} warnings"
    assert f"it reports {counts};" in (Path(__file__).parents[2] / "docs" / "openstack.md").read_text()


def test_what_is_found_says_why_and_what_to_type(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    by_code = {one["code"]: one for one in findings(tree, capsys)}
    assert '"phynet2" is "physnet2" in the config and the neutron server' in by_code["SB-E501"]["problem"]
    assert f"{PLUGINS}/sriov_agent.ini:5: physical_device_mappings, entry 1: phynet2" in by_code["SB-E501"]["evidence"]
    gone = "no longer has RetryFilter, AvailabilityZoneFilter, CoreFilter, RamFilter"
    assert gone in by_code["SB-E603"]["problem"]
    assert (
        f"ExecStart=/usr/bin/neutron-sriov-nic-agent --config-file=/etc/neutron/neutron.conf --config-file={PLUGINS}/"
        in (by_code["SB-E522"]["remedy"])
    )
    assert "column 50 of the value: Unterminated string" in by_code["SB-E401"]["problem"]
    assert "a quote is missing: nova-compute does not start" in by_code["SB-E401"]["problem"]
    assert f"for the VFs of {PF}, but also matches those of {PF2}, which have no rule" in by_code["SB-W409"]["problem"]
    assert all(one["remedy"] for one in by_code.values())
