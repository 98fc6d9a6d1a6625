"""The long form of the codes about neutron's agent and server: 51x, 52x."""

from sriov_bootstrap.core.finding import Explanation

NEUTRON_CODES: dict[str, Explanation] = {
    "SB-E511": Explanation(
        "the SR-IOV agent exits because of one of its lists",
        """\
The agent checks its lists once, when it starts. If an item cannot be parsed, or is about a netdev that is not in
physical_device_mappings, it logs "Agent terminated!" and exits with code 1. systemd restarts it until its start limit
is reached. No port is bound on this host.

Looked at: [sriov_nic] physical_device_mappings (NETWORK:NETDEV,...), exclude_devices (NETDEV:ADDRESS;ADDRESS,...) and
resource_provider_bandwidths (NETDEV:EGRESS:INGRESS,...), each the last one that the agent reads.

What to do: sriov-bootstrap render sriov-agent --write writes all three; remove the broken line first, because a file
that the unit names wins over the drop-in. The agent's own messages: journalctl -u neutron-sriov-agent.
""",
    ),
    "SB-E512": Explanation(
        "one of the agent's lists is set twice, and only one of them counts",
        """\
physical_device_mappings and exclude_devices are each a list on one line. A second line does not add to the first: it
replaces it, whether in the same file or in one that is read later. Whatever only the first one lists is silently
lost.

Looked at: every line of the option in the files that the agent reads, in their order. Drop-ins in
/etc/neutron/neutron-sriov-nic-agent.conf.d are read first, the files that the unit names with --config-file after
them.

What to do: keep one line. With sriov-bootstrap: remove the lines, then sriov-bootstrap render sriov-agent --write.
""",
    ),
    "SB-W513": Explanation(
        "the agent is configured with a netdev that no PF has",
        """\
A mapping names a netdev that does not exist or is not a PF's. Its network has no VF on this host. Another kernel,
systemd or firmware may rename netdevs (ens7f0 becomes ens7f0np0), and the agent does not accept altnames: it looks in
/sys/class/net. Nor does it find the VFs of a virtio PF: it expects them directly above the netdev, and there is a
virtio device in between.

Looked at: the mappings against the netdevs of every PF. A netdev named in a rule of sriov-bootstrap is waited for and
not reported here.

What to do: sriov-bootstrap render sriov-agent --write uses today's names; sriov-bootstrap render udev --write keeps
them. VFs of a virtio PF can only be requested through flavors: set alias in its rule instead of physical_network.
""",
    ),
    "SB-E514": Explanation(
        "a PF is not mapped to the physical network of its rule",
        """\
The agent knows the rule's physical network, but the PF's netdev is not mapped to it, or is mapped to another one.
nova gives VMs a VF of this PF for the network, and the agent does not find that VF: the port stays DOWN.

Looked at: the agent's physical_device_mappings against the rules with a physical_network and the PFs that they match.

What to do: sriov-bootstrap render sriov-agent --write, or correct physical_network in the rule.
""",
    ),
    "SB-W515": Explanation(
        "[sriov_nic] has an option that the agent does not know",
        """\
oslo.config says nothing about options that are never read. One that is misspelled, in the wrong case, or from a later
release is ignored, and its default applies: for the lists, nothing at all.

Looked at: every line in [sriov_nic] in the files that the agent reads, against the options of the release set with
[openstack] release in the config of sriov-bootstrap.

What to do: correct the name or remove the line. If the release is wrong, correct it in the config.
""",
    ),
    "SB-W516": Explanation(
        "the SR-IOV agent serves a PF that is in switchdev mode",
        """\
VFs of a PF in switchdev mode are ports of a switch, which Open vSwitch or OVN programs. While the SR-IOV agent has the
PF in its mappings as well, neutron also binds ports of type direct to this host that do not ask for switchdev: they
are ACTIVE, and nothing forwards their frames. Ports that do ask for it the agent reports as wired before Open vSwitch
or OVN has done that, and it tries to set link state and spoof checking of their VFs.

Looked at: the agent's physical_device_mappings against the rules with mode = "switchdev" in [pf.eswitch].

What to do: remove the PF there, and its items in exclude_devices and resource_provider_bandwidths, or the agent exits.
`sriov-bootstrap render sriov-agent --write` writes lists without it, if another PF is left for the agent. A host
without one does not need the agent. Ports ask for a switch with --hardware-offload-type switchdev.
""",
    ),
    "SB-W517": Explanation(
        "exclude_devices leaves out what it cannot",
        """\
The agent compares the addresses in exclude_devices with those of the netdev's VFs, character by character. The
address of another PF's VF or of no VF, or one in upper case or without its domain, silently excludes nothing. And a
VF that is excluded here but not in the rule is given to VMs by nova, but their ports are not bound.

Looked at: the agent's exclude_devices against the VFs of every PF, and exclude_vfs of the rules.

What to do: set exclude_vfs in the rule, by VF number, and render: sriov-bootstrap render nova-compute --write,
sriov-bootstrap render sriov-agent --write.
""",
    ),
    "SB-W518": Explanation(
        "the agent has a firewall driver that cannot work",
        """\
A VF's packets bypass the host, so no firewall on the host sees them. Up to neutron 26 the agent has a firewall driver
all the same, which must be the one that does nothing: any other creates rules for devices that it does not have.

Looked at: [securitygroup] firewall_driver in the files that the agent reads, in releases that have the option.

What to do: set firewall_driver = neutron.agent.firewall.NoopFirewallDriver, as sriov-bootstrap render sriov-agent
writes it. Ports of type direct need --no-security-group, or port security disabled.
""",
    ),
    "SB-E519": Explanation(
        "the agent started before the VFs changed",
        """\
The agent reads a PF's VFs once, and never again as long as the PF's netdev exists. It has been running since before
the VFs were created again, so it does not know them: their ports stay DOWN. sriov-bootstrap restarts it a few seconds
after a change, and retries a failed restart three times; here that has not happened for longer than a restart takes.

Looked at: for each PF when its VFs changed, in /run/sriov-bootstrap/state/state.json; when the unit started, according
to systemd.

What to do: find out why the restart failed, in journalctl -u sriov-bootstrap and that of the agent, then restart the
agent. A unit with a custom name belongs in restart in [services] in the config.
""",
    ),
    "SB-E520": Explanation(
        "the server lacks the mechanism driver for VFs",
        """\
Ports of type direct are bound by ML2's mechanism driver sriovnicswitch, and those that ask for switchdev by
openvswitch or ovn. Without it every such port fails with "Binding failed", on every host.

Looked at: the last [ml2] mechanism_drivers read by the neutron server on this host, against the rules.

What to do: add it to the list, on every controller, and restart the server. With mechanism_drivers set in [openstack]
in the config, sriov-bootstrap render neutron-server --write writes the list, with sriovnicswitch if a rule needs it.
""",
    ),
    "SB-W521": Explanation(
        "[ml2_sriov] is a leftover",
        """\
supported_pci_vendor_devs and agent_required in [ml2_sriov], and the file ml2_conf_sriov.ini that held them, were
removed in neutron 10.0.0 (Ocata). They are never read: changing a list there changes nothing.

Looked at: the files that the agent and the server read, and /etc/neutron/plugins/ml2/ml2_conf_sriov.ini.

What to do: remove the section and the file, and the --config-file that names it, or the server does not start.
""",
    ),
}
