"""The long form of the codes about physical networks: 50x."""

from sriov_bootstrap.core.finding import Explanation

NETWORK_CODES: dict[str, Explanation] = {
    "SB-E501": Explanation(
        "a physical network is spelt in two ways",
        """\
The name of a physical network is a string that nova and neutron compare character by character: phynet2 is not
physnet2. nova finds no VF for a port of the network, or neutron binds no port on this host, and the VM fails with "No
valid host was found" or "Binding failed". No log says why.

Looked at: physical_network in the rules of sriov-bootstrap and in nova's device_spec; physical_device_mappings of the
agent; network_vlan_ranges and flat_networks of the neutron server, if it is on this host. Two names count as the same
network when they differ by at most two letters and none of these files has both. The rules are taken to be right;
without a rule, the spelling found in more files.

What to do: write the same name everywhere. `sriov-bootstrap render nova-compute --write` and `render sriov-agent
--write` write the name from the rules, once the lines that the finding names are removed. The network's name in
neutron: openstack network show -c provider:physical_network NETWORK.
""",
    ),
    "SB-E502": Explanation(
        "the SR-IOV agent does not know a physical network",
        """\
neutron binds a port of type direct only on hosts whose agent has the port's physical network in its mappings and
reports itself alive. VMs with such a port fail on this host with "Binding failed", after nova has given them a VF.

Looked at: the last [sriov_nic] physical_device_mappings that the agent reads, against the rules of sriov-bootstrap
and nova's device_spec.

What to do: sriov-bootstrap render sriov-agent --write, and restart the agent. A list in sriov_agent.ini overrides the
drop-in: remove it there. Networks whose VFs are all in switchdev mode by their rules are not the agent's.
""",
    ),
    "SB-W503": Explanation(
        "nova offers no VFs for a physical network",
        """\
The rules or the agent have a physical network on this host, but no device_spec of nova-compute has it as its
physical_network. The network's VFs are never given to a VM, and VMs with a port on it go to other hosts or to none.

Looked at: every device_spec that nova-compute reads, including under its older names, against the rules of
sriov-bootstrap and the agent's mappings. If nova-compute names no network at all, this is not reported.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute.
""",
    ),
    "SB-E504": Explanation(
        "the neutron server does not know a physical network",
        """\
The neutron server creates networks only in physical networks that its type drivers know: in network_vlan_ranges for
VLANs, in flat_networks for flat ones. For any other, "openstack network create" is refused, or no port is bound.

Looked at: [ml2_type_vlan] network_vlan_ranges and [ml2_type_flat] flat_networks of the server on this host. Not
reported where flat_networks is unset or has *, since a flat network may then have any name.

What to do: add the name, with or without a range, and restart the server. `sriov-bootstrap render neutron-server`
prints the lists including the networks of the rules.
""",
    ),
}
