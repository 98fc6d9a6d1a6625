"""Which of a host's agents binds a port, and what to do if it does not."""

import pytest
from msgspec.structs import replace

from sriov_bootstrap.verify.openstack.agents import absence, agent_problem, agent_remedy, binding_agent
from sriov_bootstrap.verify.openstack.survey import NIC_SWITCH_AGENT, Agent

NIC_SWITCH = Agent(NIC_SWITCH_AGENT, "compute-1", alive=True, configurations={"device_mappings": {"physnet2": ["a"]}})
OVN = Agent("OVN Controller agent", "compute-1", alive=True, configurations={"bridge-mappings": "physnet2:br-ex"})
GATEWAY = replace(OVN, agent_type="OVN Controller Gateway agent")
OPEN_VSWITCH = Agent(
    "Open vSwitch agent", "compute-1", alive=True, configurations={"bridge_mappings": {"physnet2": "br-ex"}}
)


@pytest.mark.parametrize("bridges", [OVN, GATEWAY, OPEN_VSWITCH])
def test_ports_with_switchdev_are_anothers(bridges: Agent) -> None:
    assert binding_agent((NIC_SWITCH, bridges), with_switchdev=True) is bridges
    assert binding_agent((NIC_SWITCH, bridges), with_switchdev=False) is NIC_SWITCH
    assert binding_agent((bridges,), with_switchdev=False) is None
    assert agent_problem(bridges, "physnet2") == ""


def test_an_agent_that_is_alive_comes_first() -> None:
    assert binding_agent((replace(OPEN_VSWITCH, alive=False), OVN), with_switchdev=True) is OVN


@pytest.mark.parametrize(
    ("agent", "problem", "remedy"),
    [
        (
            replace(OVN, alive=False),
            "the OVN chassis is dead",
            "on compute-1: systemctl status ovn-controller, and its log",
        ),
        (
            replace(OPEN_VSWITCH, alive=False),
            "the Open vSwitch agent is dead",
            "on compute-1: systemctl status neutron-openvswitch-agent, and its log",
        ),
        (
            replace(NIC_SWITCH, alive=False),
            "the SR-IOV agent is dead",
            "on compute-1: systemctl status of the SR-IOV agent, and its log",
        ),
        (
            replace(OPEN_VSWITCH, admin_state_up=False),
            "the Open vSwitch agent is switched off",
            "openstack network agent",
        ),
        (
            replace(GATEWAY, configurations={"bridge-mappings": "phsnet2:br-ex"}),
            'the OVN chassis does not map physical_network "physnet2", only phsnet2',
            '"phsnet2" is nearly the same; otherwise on compute-1: ovs-vsctl set Open_vSwitch . external_ids:ovn',
        ),
        (
            replace(OPEN_VSWITCH, configurations={}),
            'the Open vSwitch agent does not map physical_network "physnet2", only nothing',
            "on compute-1: bridge_mappings = physnet2:BRIDGE in the [ovs] of openvswitch_agent.ini",
        ),
    ],
)
def test_each_kind_is_mended_in_its_own_way(agent: Agent, problem: str, remedy: str) -> None:
    assert agent_problem(agent, "physnet2").startswith(problem)
    assert agent_remedy(agent, "physnet2").startswith(remedy)


def test_an_absent_chassis_may_have_another_name() -> None:
    for_switchdev = absence("compute-1", with_switchdev=True)[1]
    assert "external_ids:hostname must be compute-1 as well; without it, " in for_switchdev
    assert "neutron-openvswitch-agent, and its host must be compute-1 as well" in for_switchdev
    assert "its host must be compute-1 as well" in absence("compute-1", with_switchdev=False)[1]
