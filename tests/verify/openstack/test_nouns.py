"""Texts from outside as nouns: a status, a log, placement's answers, a cloud's lists."""

import pytest

from sriov_bootstrap.base.errors import CloudError, UsageError
from sriov_bootstrap.core.report import PfReport, PfState, VfReport
from sriov_bootstrap.verify.openstack.hosts import CloudHost, HostPf, HostVf, host_of, parse_status
from sriov_bootstrap.verify.openstack.nova_count import pci_classes, placement_pools, pools_in_log
from sriov_bootstrap.verify.openstack.survey import PORT_FIELDS, CloudPort, CloudServer, Pool, PortProfile, row, rows

VIEW = (
    "2026-11-30 03:56:37 19627 DEBUG nova.compute.resource_tracker [None req-1 - - - - - -] Final resource view: "
    "name=compute-1 phys_ram=8192MB used_ram=512MB phys_disk=1028GB used_disk=0GB total_vcpus=2 used_vcpus=0 "
    "pci_stats=["
    "PciDevicePool(count=3,numa_node=0,product_id='10ca',tags={address='0000:5e:00.0',dev_type='type-VF',"
    "parent_ifname='ens7f0',remote_managed='false'},vendor_id='8086'), "
    "PciDevicePool(count=4,numa_node=0,product_id='10ca',tags={dev_type='type-VF',physical_network='physnet2',"
    "trusted='(yes)'},vendor_id='8086'), "
    "PciDevicePool(count=1,numa_node=0,product_id='10c9',tags={dev_type='type-PF',physical_network='physnet2'},"
    "vendor_id='8086'), PciDevicePool(odd)] stats={'failed_builds': '0'} _report_final_resource_view"
)


def test_the_last_resource_view_of_a_log_has_the_free_vfs() -> None:
    old = VIEW.replace("count=4", "count=9")
    assert pools_in_log(f"{old}\n{VIEW}\nanything else\n") == (Pool(3), Pool(4, physical_network="physnet2"))


def test_a_log_without_a_view_says_nothing() -> None:
    assert pools_in_log("INFO nova.compute.manager\n") is None


def test_a_log_with_a_host_that_has_no_vfs() -> None:
    assert pools_in_log("DEBUG Final resource view: name=c pci_stats=[] stats={}") == ()


def test_only_classes_of_pci_devices_count() -> None:
    answer = {"resource_classes": [{"name": "VCPU"}, {"name": "CUSTOM_PCI_8086_10CA"}, {"name": "CUSTOM_GOLD"}]}
    assert pci_classes(answer) == ("CUSTOM_PCI_8086_10CA",)


def test_providers_of_vfs_are_found_by_host_and_pf() -> None:
    amount = {"capacity": 3, "used": 1}
    summaries = {
        "a": {"resources": {"CUSTOM_PCI_8086_10CA": amount}},
        "b": {"resources": {"VCPU": amount}},
        "c": {"resources": {"CUSTOM_PCI_8086_10CA": amount}},
        "d": {"resources": {"CUSTOM_PCI_8086_10CA": amount}},
    }
    names = {"a": "compute_1_0000:5E:00.0", "b": "compute_1", "d": "compute-2_odd"}
    found = {"compute_1": {"0000:5e:00.0": Pool(3, 1)}, "compute-2": {"odd": Pool(3, 1)}}
    assert placement_pools(summaries, names) == found


STATUS = b"""{"version": "1", "state": "ok", "pfs": [{"rule": "a", "pci_address": "0000:3b:00.0", "netdev": "ens1f0",
  "physical_network": "physnet2", "vfs": [{"index": 0, "pci_address": "0000:3b:02.0", "user": "VM one"}]}]}"""


def test_a_status_is_understood() -> None:
    host = parse_status("compute-1", "file", STATUS)
    pf = HostPf("a", "0000:3b:00.0", "ens1f0", "physnet2", (HostVf("0000:3b:02.0", "VM one"),))
    assert host == CloudHost("compute-1", (pf,))
    assert host.pf_of_vf("0000:3b:02.0") == pf
    assert host.pf_of_vf("0000:3b:02.1") is None
    assert str(pf) == "0000:3b:00.0 (ens1f0)"
    assert str(HostPf("b")) == 'rule "b"'


@pytest.mark.parametrize("text", [b"", b"[]", b'{"state": "ok"}', b"\xff", b'{"pfs": 3}', b"[" * 5000])
def test_what_is_no_status_is_refused(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"^compute-1\.json: not the output of status --json: "):
        parse_status("compute-1", "compute-1.json", text)


def test_a_look_at_this_host_is_the_same() -> None:
    vf = VfReport(0, "0000:3b:02.0", user="VM one")
    report = PfReport("a", "1", PfState.OK, "0000:3b:00.0", netdev="ens1f0", physical_network="physnet2", vfs=(vf,))
    assert host_of("compute-1", [report]) == parse_status("compute-1", "", STATUS)


def test_of_a_profile_only_the_vf_is_taken_in() -> None:
    answer = {
        "id": "p",
        "binding:host_id": "compute-1",
        "binding:profile": {"pci_slot": "0000:3b:02.0", "physical_network": None, "secret": "s"},
        "binding:vif_details": {"vlan": "101", "secret": "s"},
    }
    port = row({"port": answer}, "port", CloudPort)
    assert port.profile == PortProfile("0000:3b:02.0")
    assert "secret" not in repr(port)
    assert {"binding:profile", "binding:vif_type", "id"} <= set(PORT_FIELDS)


@pytest.mark.parametrize(("vif_type", "is_bound"), [("", False), ("unbound", False), ("hw_veb", True)])
def test_a_port_is_bound_once_a_driver_took_it(vif_type: str, is_bound: bool) -> None:  # noqa: FBT001 - a table
    assert CloudPort("p", vif_type=vif_type).is_bound == is_bound


@pytest.mark.parametrize(
    ("capabilities", "kind"), [(None, "direct"), ([], "direct"), (["switchdev"], "direct switchdev")]
)
def test_a_port_may_ask_for_switchdev(capabilities: list[str] | None, kind: str) -> None:
    answer = {"id": "p", "binding:vnic_type": "direct", "binding:profile": {"capabilities": capabilities}}
    assert row({"port": answer}, "port", CloudPort).kind == kind


@pytest.mark.parametrize("answer", [{}, {"ports": [{}]}, {"ports": 3}, [], None])
def test_an_answer_that_is_none_is_the_clouds_fault(answer: object) -> None:
    with pytest.raises(CloudError, match="the cloud's list of ports cannot be understood"):
        rows(answer, "ports", CloudPort)


def test_one_thing_is_a_list_of_one() -> None:
    assert row({"server": {"id": "s", "OS-EXT-SRV-ATTR:host": None}}, "server", CloudServer) == CloudServer("s")
    with pytest.raises(CloudError):
        row([], "server", CloudServer)
