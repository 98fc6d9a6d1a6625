"""Why a port stays unbound, and what a server's fault has to do with VFs."""

import re

from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.verify.openstack.agents import absence, agent_problem, binding_agent
from sriov_bootstrap.verify.openstack.survey import (
    NETWORK_TYPES,
    VNIC_TYPES,
    Agent,
    CloudPort,
    Network,
)

DRIVER_MISSING = (
    "nothing that can be seen from here is wrong: in neutron-server's ml2 configuration, sriovnicswitch may be missing "
    "from mechanism_drivers, or prohibit this vnic type (vnic_type_prohibit_list)"
)
SWITCHDEV_DRIVER_MISSING = (
    "nothing that can be seen from here is wrong: in neutron-server's ml2 configuration, ovn or openvswitch may be "
    "missing from mechanism_drivers, or openvswitch may prohibit this vnic type (vnic_type_prohibit_list)"
)
DOCTOR = "on the host: sriov-bootstrap doctor"
# What nova's fault texts mean here, the first that fits. nova/exception.py, nova/virt/libvirt/driver.py.
FAULTS = {
    r"PCI device request|PciDeviceRequestFailed|InsufficientResources.*PCI|(?i:claim pci)": (
        "nova found no VF for the port: device_spec does not have it with the physical_network of the port's network, "
        f"or every VF is taken; {DOCTOR}"
    ),
    r"No valid host": (
        "the scheduler found no host, for which VFs are one reason of several: device_spec, all taken, "
        f"PciPassthroughFilter; nova-scheduler's log names the filter; {DOCTOR}"
    ),
    r"maximum number of retries": (
        "nova-compute could not start the VM, and nova does not keep the reason; on the host, nova-compute's log has "
        "it under the instance's id, and --nova-log quotes it"
    ),
    r"Binding failed for port|PortBindingFailed": "neutron did not bind the port",
    r"not online": "the PF is down, and libvirt refuses its VFs then: pf_up = true in its rule brings it up",
    r"(?i)iommu|vfio": f"the VF could not be handed to the VM: IOMMU, groups or drivers; {DOCTOR}",
    r"No such device|PCI device .* not found": "the VF is gone: nova-compute has an old list, and has to be restarted",
}


def causes(port: CloudPort, network: Network, physical_network: str, agents: tuple[Agent, ...]) -> tuple[str, ...]:
    """Which of the known causes hold; never empty. `agents`: those of the host that the port is for."""
    found = []
    if port.vnic_type and port.vnic_type not in VNIC_TYPES and not port.wants_switchdev:
        supported = shortlist(VNIC_TYPES, len(VNIC_TYPES))
        found.append(f"vnic type {port.vnic_type} is not supported by sriovnicswitch, which binds {supported}")
    segment = next((segment for segment in network.segments if segment.physical_network == physical_network), None)
    if segment is None or segment.network_type not in NETWORK_TYPES:
        found.append(f"network {network.label} has no flat or vlan segment on {physical_network}")
    agent = binding_agent(agents, with_switchdev=port.wants_switchdev)
    if port.vnic_type == "direct-physical":  # bound without any agent
        pass
    elif agent is None:
        found.append(absence(port.host, with_switchdev=port.wants_switchdev)[0])
    elif problem := agent_problem(agent, physical_network):
        found.append(problem)
    return tuple(found) or (SWITCHDEV_DRIVER_MISSING if port.wants_switchdev else DRIVER_MISSING,)


def last_error(log: str, server: str) -> str:
    """What nova-compute's log says last of why this server could not be built; "" if nothing.

    Nothing else tells: after its last try nova has a fault that counts tries, and forgets their reason.
    """
    mark = f"[instance: {server}]"
    lines = [line for line in log.splitlines() if " ERROR " in line and mark in line]
    texts = [line.partition(mark)[2] for line in lines]
    errors = [text.strip() for text in texts if re.match(r" [A-Za-z_.]+: ", text)]
    return errors[-1] if errors else ""


def fault_meaning(message: str) -> str:
    """What of a server's fault is about VFs, and what to do; "" if nothing that is known."""
    return next((meaning for pattern, meaning in FAULTS.items() if re.search(pattern, message)), "")
