"""What nova and neutron are told of VFs that are ports of a NIC's switch."""

from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_pf, make_rule, make_wish
from sriov_bootstrap.core.config import Config, OpenStack
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.openstack_rules import conflicts
from sriov_bootstrap.edges.templates import read_template
from sriov_bootstrap.render.host import Ask, Host, VfLayout
from sriov_bootstrap.render.neutron import render_agent, render_server
from sriov_bootstrap.render.nova import render_compute
from sriov_bootstrap.render.templates import render_file

SWITCHDEV = Eswitch(EswitchMode.SWITCHDEV)
NOTE = "# Ports of a switch: for ports that ask for the capability switchdev"


def host(table: OpenStack | None = None, **values: Any) -> Host:  # noqa: ANN401
    pf = make_pf(num_vfs=2)
    config = Config(pf=(make_rule(**values),), openstack=table or OpenStack(mechanism_drivers=("ovn",)))
    return Host(config, (make_wish(pf=pf, **values),), (pf,), {PF: VfLayout("10ca", 128, 2)})


def lines(rendering: Any) -> list[str]:  # noqa: ANN401
    draft = rendering.drafts[0]
    return render_file(draft.template, read_template(draft.template), draft.context).splitlines()


def test_vfs_for_tunnels_are_in_no_physical_network_and_null_says_so() -> None:
    found = lines(render_compute(host(tunnels=True, eswitch=SWITCHDEV), Ask()))
    [spec] = [line for line in found if line.startswith("device_spec")]
    assert spec.endswith('"vendor_id": "8086", "product_id": "10ca", "physical_network": null}')
    assert any(line.startswith(NOTE) for line in found)


@pytest.mark.parametrize(("eswitch", "is_said"), [(SWITCHDEV, True), (None, False)])
def test_only_ports_of_a_switch_have_the_note(eswitch: Eswitch | None, *, is_said: bool) -> None:
    found = lines(render_compute(host(physical_network="physnet1", eswitch=eswitch), Ask()))
    assert any('"physical_network": "physnet1"' in line for line in found)
    assert any(line.startswith(NOTE) for line in found) is is_said


@pytest.mark.parametrize(
    ("values", "drivers"),
    [
        ({"physical_network": "physnet1"}, "ovn,sriovnicswitch"),
        ({"physical_network": "physnet1", "eswitch": SWITCHDEV}, "ovn"),
        ({"tunnels": True, "eswitch": SWITCHDEV}, "ovn"),
        ({"alias": "vf"}, "ovn,sriovnicswitch"),
    ],
)
def test_the_sriov_driver_is_left_out_where_all_vfs_are_ports_of_a_switch(values: dict[str, Any], drivers: str) -> None:
    found = lines(render_server(host(**values), Ask()))
    assert f"mechanism_drivers = {drivers}" in found
    assert ("# extension_drivers = ...,port_hardware_offload_type" in found) is ("eswitch" in values)


def test_the_sriov_agent_gets_no_pf_of_a_switch() -> None:
    """Else neutron would bind ports there that ask for no switch, and nothing would forward their frames."""
    found = lines(render_agent(host(physical_network="physnet1", bandwidth_kbps=1000, eswitch=SWITCHDEV), Ask()))
    assert [line for line in found if not line.startswith("#")] == ["", "[sriov_nic]"]
    assert found[4].startswith('# rule "tenant-a" (0000:3b:00.0) asks for switchdev mode: Open vSwitch or OVN binds')
    assert found[5].startswith("# Its bandwidth_kbps belongs to the bridge of its uplink")
    assert found[6] == "# No PF here is for this agent: this host does not need it."


def test_the_sriov_agent_keeps_the_other_pfs() -> None:
    legacy, other = make_rule(name="b", physical_network="physnet1"), make_pf(pci_address=PF2, num_vfs=2)
    mixed = host(physical_network="physnet1", exclude_vfs=(1,), eswitch=SWITCHDEV)
    wishes = (*mixed.wishes, DesiredPf(legacy, other))
    found = lines(render_agent(replace(mixed, wishes=wishes, pfs=(*mixed.pfs, other)), Ask()))
    assert "physical_device_mappings = physnet1:ens1f0" in found
    assert not any(line.startswith(("exclude_devices", "# No PF here")) for line in found)


def test_a_pf_of_a_switch_without_a_netdev_is_no_problem_for_the_agents_file() -> None:
    pf = make_pf(num_vfs=2, netdevs=())
    values: dict[str, Any] = {"physical_network": "physnet1", "eswitch": SWITCHDEV}
    bare = replace(host(**values), wishes=(make_wish(pf=pf, **values),), pfs=(pf,))
    assert render_agent(bare, Ask()).problems == ()


@pytest.mark.parametrize("values", [{"tunnels": True, "eswitch": SWITCHDEV}, {"eswitch": SWITCHDEV}])
def test_what_the_agents_file_says_of_vfs_without_a_network(values: dict[str, Any]) -> None:
    found = "\n".join(lines(render_agent(host(**values), Ask())))
    assert ("asks for switchdev mode" in found) is ("tunnels" in values)
    assert ("are not part of tenant networking" in found) is ("tunnels" not in values)


def test_before_2023_2_a_profile_asks_for_offload() -> None:
    table = OpenStack(release="zed", mechanism_drivers=("openvswitch",))
    found = lines(render_server(host(table, tunnels=True, eswitch=SWITCHDEV), Ask()))
    assert any("binding-profile" in line for line in found)
    assert not any("extension_drivers" in line for line in found)


@pytest.mark.parametrize(("drivers", "is_said"), [(("ovn",), False), (("linuxbridge",), True), ((), False)])
def test_a_cloud_that_can_bind_no_such_port_is_told(drivers: tuple[str, ...], *, is_said: bool) -> None:
    table = OpenStack(mechanism_drivers=drivers)
    found = lines(render_server(host(table, physical_network="physnet1", eswitch=SWITCHDEV), Ask()))
    assert any("no port with hardware offload can be bound" in line for line in found) is is_said


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"eswitch": SWITCHDEV}, []),
        ({"eswitch": SWITCHDEV, "exclude_vfs": (0,)}, []),
        ({}, ["tunnels needs [pf.eswitch] with mode"]),
        ({"eswitch": SWITCHDEV, "physical_network": "a"}, ["tunnels goes with neither physical_network nor alias"]),
        ({"eswitch": SWITCHDEV, "alias": "a"}, ["tunnels goes with neither physical_network nor alias"]),
        ({"eswitch": SWITCHDEV, "traits": ("A",)}, ["traits needs an alias", "resource_class and traits need"]),
    ],
)
def test_what_goes_with_tunnels(values: dict[str, Any], problems: list[str]) -> None:
    found = [conflict.message for conflict in conflicts(Config(pf=(make_rule(tunnels=True, **values),)))]
    assert len(found) == len(problems)
    assert [message.startswith(problem) for message, problem in zip(found, problems, strict=True)] == [True] * len(
        found
    )
