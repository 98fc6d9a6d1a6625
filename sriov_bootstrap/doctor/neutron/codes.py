"""The long form of the codes about neutron's agent and server: 51x, 52x."""

from sriov_bootstrap.core.finding import Explanation

NEUTRON_CODES: dict[str, Explanation] = {
    "SB-E511": Explanation(
        "the SR-IOV agent ends at one of its lists",
        """\
The agent checks its lists once, when it starts. At an item that it does not understand, or that is about a netdev
which is not in physical_device_mappings, it logs "Agent terminated!" and ends with exit code 1. systemd starts it
again until its start limit is reached. No port is bound on this host.

Looked at: [sriov_nic] physical_device_mappings (NETWORK:NETDEV,...), exclude_devices (NETDEV:ADDRESS;ADDRESS,...) and
resource_provider_bandwidths (NETDEV:EGRESS:INGRESS,...), each the last one that the agent reads.

What to do: sriov-bootstrap render sriov-agent --write writes all three; take the broken line out first, because a
file that the unit names wins over the drop-in. The agent's own words: journalctl -u neutron-sriov-agent.
""",
    ),
    "SB-E512": Explanation(
        "a list of the agent is there twice, and one of them counts",
        """\
physical_device_mappings and exclude_devices are lists in one line. A second line adds nothing to the first: it
replaces it, be it in the same file or in one that is read later. What only the first has is lost in silence.

Looked at: every line of the option in the files that the agent reads, in their order. Drop-ins in
/etc/neutron/neutron-sriov-nic-agent.conf.d are read first, and what the unit names with --config-file after them.

What to do: keep one line. With sriov-bootstrap: take the lines out, then sriov-bootstrap render sriov-agent --write.
""",
    ),
    "SB-W513": Explanation(
        "the agent is to use a netdev that no PF has",
        """\
A mapping names a netdev that is not here, or that is no PF. Its network has no VF on this host. Netdevs get other
names with another kernel, systemd or firmware (ens7f0 becomes ens7f0np0), and an altname is none to the agent: it
looks into /sys/class/net. Nor does it find the VFs of a virtio PF: it looks for them right above the netdev, and there
is a virtio device in between.

Looked at: the mappings against the netdevs of every PF. A netdev that a rule of sriov-bootstrap names is waited for
and not reported here.

What to do: sriov-bootstrap render sriov-agent --write uses the names of today; sriov-bootstrap render udev --write
keeps them. VFs of a virtio PF are for flavors alone: alias in its rule instead of physical_network.
""",
    ),
    "SB-E514": Explanation(
        "a PF is not where its rule says that it is",
        """\
The agent knows the physical network of a rule, but the PF's netdev is not mapped to it, or is mapped to another one.
nova gives VMs a VF of this PF for the network, and the agent does not find the VF: the port stays DOWN.

Looked at: physical_device_mappings of the agent against the rules with a physical_network and the PFs they take.

What to do: sriov-bootstrap render sriov-agent --write, or correct physical_network in the rule.
""",
    ),
    "SB-W515": Explanation(
        "[sriov_nic] has an option that the agent does not know",
        """\
oslo.config says nothing about options that nobody asks for. One that is misspelt, written with capital letters, or of
a later release is ignored, and its default counts: for the lists, nothing at all.

Looked at: every line below [sriov_nic] in the files that the agent reads, against the options of the release that
[openstack] release in the config of sriov-bootstrap names.

What to do: correct the name or take the line out. If the release is the mistake, correct it in the config.
""",
    ),
    "SB-W517": Explanation(
        "exclude_devices leaves out what it cannot",
        """\
The agent compares the addresses of exclude_devices with those of the VFs of that netdev, letter by letter. An address
of another PF's VF, of no VF, in capital letters or without its domain leaves nothing out, in silence. And a VF that
is left out here but not in the rule is given to VMs by nova, and their ports are not bound.

Looked at: exclude_devices of the agent against the VFs of every PF, and exclude_vfs of the rules.

What to do: write exclude_vfs in the rule, by the VF's number, and render: sriov-bootstrap render nova-compute
--write, sriov-bootstrap render sriov-agent --write.
""",
    ),
    "SB-W518": Explanation(
        "the agent has a firewall driver that cannot work",
        """\
Packets of a VF go past the host, so no firewall of the host sees them. Until neutron 26 the agent has a firewall
driver all the same, which must be the one that does nothing: any other one makes rules for devices that it does not
have.

Looked at: [securitygroup] firewall_driver in the files that the agent reads, in releases that have it.

What to do: firewall_driver = neutron.agent.firewall.NoopFirewallDriver, as sriov-bootstrap render sriov-agent writes
it. Ports of the type direct need --no-security-group or port security switched off.
""",
    ),
    "SB-E519": Explanation(
        "the agent started before the VFs changed",
        """\
The agent reads the VFs of a PF once, and never again as long as the PF's netdev is there. It runs since before VFs
were made anew, so it does not know them: their ports stay DOWN. sriov-bootstrap restarts it a few seconds after a
change, and tries a restart that fails three times more; here it has not happened for more than five minutes.

Looked at: when the VFs changed, in /run/sriov-bootstrap/state/state.json; when the unit started, by systemd.

What to do: see why the restart failed, in journalctl -u sriov-bootstrap and that of the agent, then restart the
agent. A unit with a name of its own belongs into restart below [services] in the config.
""",
    ),
    "SB-E520": Explanation(
        "the server lacks the mechanism driver for VFs",
        """\
Ports of the type direct are bound by the mechanism driver sriovnicswitch of ML2. Without it every such port ends with
"Binding failed", on every host.

Looked at: the last [ml2] mechanism_drivers that neutron's server reads, which is on this host.

What to do: add sriovnicswitch to the list, on every controller, and restart the server. With mechanism_drivers below
[openstack] in the config, sriov-bootstrap render neutron-server --write does it.
""",
    ),
    "SB-W521": Explanation(
        "[ml2_sriov] is a leftover",
        """\
supported_pci_vendor_devs and agent_required in [ml2_sriov], and the file ml2_conf_sriov.ini that had them, went with
neutron 10.0.0 (Ocata). Nobody reads them: who changes a list there changes nothing.

Looked at: the files that the agent and the server read, and /etc/neutron/plugins/ml2/ml2_conf_sriov.ini.

What to do: remove the section, and the file; and the --config-file that names it, or the server does not start.
""",
    ),
}
