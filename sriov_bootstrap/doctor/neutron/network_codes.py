"""The long form of the codes about physical networks: 50x."""

from sriov_bootstrap.core.finding import Explanation

NETWORK_CODES: dict[str, Explanation] = {
    "SB-E501": Explanation(
        "a physical network is written in two ways",
        """\
The name of a physical network is a text that nova and neutron compare letter by letter: phynet2 is not physnet2. nova
finds no VF for a port of the network, or neutron binds no port on this host, and the VM ends with "No valid host was
found" or "Binding failed". Nothing in a log says why.

Looked at: physical_network in the rules of sriov-bootstrap; in nova's device_spec; physical_device_mappings of the
agent; network_vlan_ranges and flat_networks of neutron's server, where it is on this host. Two names are taken for
one when at most two letters differ, and none of these files has both of them. The rules are taken to be right;
without a rule, what more files say.

What to do: write the same name everywhere. `sriov-bootstrap render nova-compute --write` and `render sriov-agent
--write` write the one of the rules, once the lines that the finding names are out of the way. The network's own name
in neutron: openstack network show -c provider:physical_network NETWORK.
""",
    ),
    "SB-E502": Explanation(
        "the SR-IOV agent does not know a physical network",
        """\
neutron binds a port of the type direct only on hosts whose agent has the port's physical network in its mappings, and
reports itself alive. VMs with such a port fail on this host with "Binding failed", after nova has given them a VF.

Looked at: the last [sriov_nic] physical_device_mappings that the agent reads, against the rules of sriov-bootstrap
and nova's device_spec.

What to do: sriov-bootstrap render sriov-agent --write, and restart the agent. A list in sriov_agent.ini wins over the
drop-in that is written: take it out there.
""",
    ),
    "SB-W503": Explanation(
        "nova gives no VF of a physical network",
        """\
The rules or the agent have a physical network on this host, and no device_spec of nova-compute has it as its
physical_network. The VFs of the network are given to nobody, and VMs with a port in it go to other hosts or to none.

Looked at: every device_spec that nova-compute reads, those under its older names too, against the rules of
sriov-bootstrap and the agent's mappings. Where nova-compute names no network at all, nothing is said here.

What to do: sriov-bootstrap render nova-compute --write, and restart nova-compute.
""",
    ),
    "SB-E504": Explanation(
        "neutron's server does not know a physical network",
        """\
neutron's server makes networks only in physical networks that its type drivers know: in network_vlan_ranges for
VLANs, in flat_networks for flat ones. In any other "openstack network create" is refused, or no port is bound.

Looked at: [ml2_type_vlan] network_vlan_ranges and [ml2_type_flat] flat_networks of the server, which is on this host.
Nothing is said where flat_networks is not set or has *, as a flat network may have any name there.

What to do: add the name, with or without a range, and restart the server. `sriov-bootstrap render neutron-server`
prints the lists with the networks of the rules in them.
""",
    ),
}
