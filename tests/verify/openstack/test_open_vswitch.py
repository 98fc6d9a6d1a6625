"""A cloud with Open vSwitch's agent and without OVN, by what neutron 29 answers: nouns from whole rows of its API.

The rows have the keys of neutron/db/agents_db.py (_make_agent_dict) and of the agent's own report
(ovs_neutron_agent.py, agent_state); the binding is that of ml2/drivers/openvswitch/mech_driver for a VF.
"""

from typing import Any

import pytest

from sriov_bootstrap.verify.openstack.checks import CheckState, check_host
from sriov_bootstrap.verify.openstack.hosts import CloudHost, HostPf, HostVf
from sriov_bootstrap.verify.openstack.survey import Agent, CloudPort, ComputeService, Network, Survey, rows
from sriov_bootstrap.verify.openstack.unbound import SWITCHDEV_DRIVER_MISSING, causes

VF = "0000:3b:02.0"
PF = HostPf("offload", "0000:3b:00.0", "ens1f0np0", "physnet2", (HostVf(VF),), "switchdev")
HOST = CloudHost("compute-1", (PF,))


def agent_row(**more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "id": "2b4a6a5e-7f0e-4a52-9b6e-7e3f0f6a1c11",
        "agent_type": "Open vSwitch agent",
        "binary": "neutron-openvswitch-agent",
        "topic": "N/A",
        "host": "compute-1",
        "admin_state_up": True,
        "created_at": "2026-11-30 08:00:01",
        "started_at": "2026-11-30 10:00:01",
        "heartbeat_timestamp": "2026-11-30 12:00:31",
        "description": None,
        "availability_zone": None,
        "resources_synced": None,
        "alive": True,
        "configurations": {
            "bridge_mappings": {"physnet2": "br-offload"},
            "resource_provider_bandwidths": {},
            "resource_provider_hypervisors": {"br-offload": "compute-1", "rp_tunnelled": "compute-1"},
            "integration_bridge": "br-int",
            "tunnel_types": ["vxlan"],
            "tunneling_ip": "192.0.2.11",
            "l2_population": False,
            "arp_responder_enabled": False,
            "enable_distributed_routing": False,
            "extensions": [],
            "datapath_type": "system",
            "ovs_capabilities": {"datapath_types": ["netdev", "system"], "iface_types": ["vxlan"]},
            "vhostuser_socket_dir": "/var/run/openvswitch",
            "ovs_hybrid_plug": False,
            "baremetal_smartnic": False,
            "devices": 3,
            "in_distributed_mode": False,
        },
    } | more


def port_row(**more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "id": "c683bfb6-e71b-47c1-a7a9-c6939fff436e",
        "name": "p1",
        "description": "",
        "network_id": "n1",
        "device_id": "s1",
        "device_owner": "compute:nova",
        "mac_address": "fa:16:3e:0f:cb:1e",
        "status": "ACTIVE",
        "created_at": "2026-11-30T11:00:01Z",
        "binding:vnic_type": "direct",
        "binding:vif_type": "ovs",
        "binding:host_id": "compute-1",
        "binding:profile": {
            "capabilities": ["switchdev"],
            "pci_slot": VF,
            "pci_vendor_info": "15b3:101e",
            "physical_network": "physnet2",
            "card_serial_number": "MT2113X00000",
        },
        "binding:vif_details": {
            "port_filter": True,
            "ovs_hybrid_plug": False,
            "datapath_type": "system",
            "connectivity": "l2",
            "bound_drivers": {"0": "openvswitch"},
        },
    } | more


NETWORK = {
    "id": "n1",
    "name": "offloaded",
    "provider:physical_network": "physnet2",
    "provider:network_type": "vlan",
    "provider:segmentation_id": 101,
}
SERVICE = {"host": "compute-1", "state": "up", "status": "enabled", "disabled_reason": None}


def survey(agent: dict[str, Any] | None, port: dict[str, Any] | None = None) -> Survey:
    return Survey(
        rows({"agents": [agent] if agent else []}, "agents", Agent),
        rows({"networks": [NETWORK]}, "networks", Network),
        rows({"services": [SERVICE]}, "services", ComputeService),
        rows({"ports": [port or port_row()]}, "ports", CloudPort),
    )


def test_a_host_with_its_agent_is_well() -> None:
    checks = check_host(HOST, survey(agent_row()), ())
    assert {check.verdict for check in checks if check.subject != "known VFs"} == {CheckState.OK}
    assert [check.text for check in checks if check.subject in {"agent", "ports"}] == [
        "the Open vSwitch agent is alive and maps physnet2 to br-offload, for ports with switchdev",
        "1 port has a VF that /sys shows",
    ]


@pytest.mark.parametrize(
    ("agent", "text", "hint"),
    [
        (
            agent_row(alive=False),
            "the Open vSwitch agent is dead: neutron has not heard of it for longer than agent_down_time",
            "on compute-1: systemctl status neutron-openvswitch-agent, and its log",
        ),
        (
            agent_row(admin_state_up=False),
            "the Open vSwitch agent is switched off (admin_state_up is false)",
            "openstack network agent set --enable AGENT",
        ),
        (
            agent_row(configurations={"bridge_mappings": {"public": "br-ex"}}),
            'the Open vSwitch agent does not map physical_network "physnet2", only public',
            "on compute-1: bridge_mappings = physnet2:BRIDGE in the [ovs] of openvswitch_agent.ini, then restart",
        ),
        (
            None,
            "neutron has no OVN chassis or Open vSwitch agent for this host, and only they bind ports with switchdev",
            "on compute-1: with OVN, systemctl status ovn-controller",
        ),
    ],
)
def test_what_is_wrong_with_it_is_said_and_is_why_a_port_stays_unbound(
    agent: dict[str, Any] | None, text: str, hint: str
) -> None:
    found = survey(agent, port_row(**{"binding:vif_type": "binding_failed"}))
    (check,) = [check for check in check_host(HOST, found, ()) if check.subject == "agent"]
    assert (check.verdict, check.text) == (CheckState.FAILED, text)
    assert check.hint.startswith(hint)
    assert causes(found.ports[0], found.networks[0], "physnet2", found.agents) == (text,)


def test_a_port_that_its_agent_could_bind_and_that_is_not_lacks_the_driver() -> None:
    found = survey(agent_row(), port_row(**{"binding:vif_type": "binding_failed"}))
    assert causes(found.ports[0], found.networks[0], "physnet2", found.agents) == (SWITCHDEV_DRIVER_MISSING,)
