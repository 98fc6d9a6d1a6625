"""Why a port stays unbound, and what the fault of a server means."""

import pytest
from msgspec.structs import replace

from sriov_bootstrap.verify.openstack.survey import NIC_SWITCH_AGENT, Agent, CloudPort, Network, PortProfile
from sriov_bootstrap.verify.openstack.unbound import (
    DRIVER_MISSING,
    SWITCHDEV_DRIVER_MISSING,
    causes,
    fault_meaning,
    last_error,
)

NETWORK = Network(id="n1", name="sriov", physical_network="physnet2", network_type="vlan", segmentation_id=101)
PORT = CloudPort("p1", vnic_type="direct", vif_type="binding_failed", host="compute-1")
AGENT = Agent(NIC_SWITCH_AGENT, "compute-1", alive=True, configurations={"device_mappings": {"physnet2": ["ens1f0"]}})
DEAD = replace(AGENT, alive=False)
IS_DEAD = "the SR-IOV agent is dead: neutron has not heard of it for longer than agent_down_time"
OVERLAY = replace(NETWORK, network_type="vxlan")
OTHER = replace(NETWORK, physical_network="physnet3")
NO_SEGMENT = "network sriov has no flat or vlan segment on physnet2"
SWITCHDEV = replace(PORT, profile=PortProfile(capabilities=("switchdev",)))
OVN = Agent("OVN Controller agent", "compute-1", alive=True, configurations={"bridge-mappings": "physnet2:br-ex"})
NO_CHASSIS = "neutron has no OVN chassis or Open vSwitch agent for this host, and only they bind ports with switchdev"
NO_DRIVER = "vnic type vdpa is not supported by sriovnicswitch, which binds direct, macvtap, direct-physical"


@pytest.mark.parametrize(
    ("port", "network", "agents", "found"),
    [
        (PORT, NETWORK, (DEAD,), (IS_DEAD,)),
        (PORT, NETWORK, (), ("neutron has no SR-IOV agent for this host",)),
        (replace(PORT, vnic_type="direct-physical"), NETWORK, (), (DRIVER_MISSING,)),
        (PORT, NETWORK, (AGENT,), (DRIVER_MISSING,)),
        (replace(PORT, vnic_type="vdpa"), NETWORK, (AGENT,), (NO_DRIVER,)),
        (PORT, OVERLAY, (AGENT,), (NO_SEGMENT,)),
        (SWITCHDEV, NETWORK, (AGENT,), (NO_CHASSIS,)),
        (SWITCHDEV, NETWORK, (AGENT, OVN), (SWITCHDEV_DRIVER_MISSING,)),
        (replace(SWITCHDEV, vnic_type="vdpa"), NETWORK, (OVN,), (SWITCHDEV_DRIVER_MISSING,)),
        (replace(PORT, vnic_type=""), OTHER, (DEAD,), (NO_SEGMENT, IS_DEAD)),
    ],
)
def test_every_cause_that_holds_is_named(
    port: CloudPort, network: Network, agents: tuple[Agent, ...], found: tuple[str, ...]
) -> None:
    assert causes(port, network, "physnet2", agents) == found


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("PCI device request [...] failed", "nova found no VF"),
        ("Failed to claim PCI device for 7 during interface attach", "nova found no VF"),
        ("No valid host was found. There are not enough hosts available.", "the scheduler found no host"),
        ("libvirt.libvirtError: internal error: ... the PF is not online.", "the PF is down"),
        ("Binding failed for port 7, please check neutron logs", "neutron did not bind the port"),
        ("internal error: qemu: vfio 0000:3b:02.0: group 17 is not viable", "the VF could not be handed"),
        ("Exceeded maximum number of retries. Exhausted all hosts", "nova-compute could not start the VM"),
        ("Image x could not be found", ""),
    ],
)
def test_a_fault_is_explained_as_far_as_it_is_about_vfs(message: str, meaning: str) -> None:
    assert fault_meaning(message).startswith(meaning)
    assert bool(fault_meaning(message)) == bool(meaning)


LOG = """\
04:47:59 13918 ERROR nova.compute.manager [instance: s1] Traceback (most recent call last):
04:47:59 13918 ERROR nova.compute.manager [instance: s1]   File "x.py", line 1, in spawn
04:47:59 13918 ERROR nova.compute.manager [instance: s1] libvirt.libvirtError: the PF is not online.
04:47:59 13918 ERROR nova.compute.manager [instance: s1]
04:48:00 13918 INFO nova.compute.manager [None] [instance: s1] OSError: in passing
04:48:00 13918 ERROR nova.compute.manager [instance: s2] ValueError: another one
"""


@pytest.mark.parametrize(
    ("log", "server", "error"),
    [
        (LOG, "s1", "libvirt.libvirtError: the PF is not online."),
        (LOG, "s2", "ValueError: another one"),
        (LOG, "s3", ""),
        ("", "s1", ""),
    ],
)
def test_the_last_error_of_a_server_is_found_in_the_log(log: str, server: str, error: str) -> None:
    assert last_error(log, server) == error
