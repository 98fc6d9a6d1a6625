"""The long form of the codes from 232 on: the switch in a NIC, and hardware offload."""

from sriov_bootstrap.core.finding import Explanation

SWITCH_CODES: dict[str, Explanation] = {
    "SB-E232": Explanation(
        "a PF is not in the eswitch mode that its rule asks for",
        """\
No kernel keeps the mode over a reboot, and a reload of the driver, or of the device, sets it back as well. The service
sets it at boot and restores it, unless that would cost a VF in use its traffic, or the kernel refuses. Until then ports
with hardware offload cannot be bound.

Looked at: what devlink tells of the eswitch of each PF whose rule has [pf.eswitch].

What to do: sriov-bootstrap status says what holds the mode off, or what the kernel has answered; sriov-bootstrap --once
sets it. If it goes back again, look for what else sets it: scripts and units with devlink dev eswitch set, and what
netplan, NetworkManager and os-net-config are told, which sriov-bootstrap migrate takes over.
""",
    ),
    "SB-E233": Explanation(
        "a VF has no representor",
        """\
In switchdev mode each VF has a netdev on the host that stands for it. os-vif plugs that one into Open vSwitch, and
fails without it (RepresentorNotFound). It is not found by its own name, which may be any, but by the switch and the
port that it names.

Looked at: every netdev of the host's network namespace, for the phys_switch_id of the PF's own netdev and for a
phys_port_name such as pf0vf3 or c1pf0vf3.

What to do: journalctl -k, for what the driver says about the VF. A representor in another network namespace has to be
moved back. Removing and creating the VFs again makes new ones for all.
""",
    ),
    "SB-W234": Explanation(
        "hw-tc-offload is off",
        """\
The mode is switchdev, but the kernel passes no flow on to the NIC for these netdevs: everything works, in software, at
the speed of the host's processors. Some drivers, such as ice, have it off by default.

Looked at: the feature hw-tc-offload of the PF's netdev and of each representor, as ethtool -k shows it.

What to do: set hw_tc_offload = true in [pf.eswitch] of the rule. Then it is also set again after a change of the mode.
""",
    ),
    "SB-W235": Explanation(
        "VFs of a switch have no netdev on the host",
        """\
nova-compute tells by the netdev of a free VF on the host whether it is a port of a switch (the capability switchdev).
One that is bound to vfio-pci, or has no driver, has no netdev, and is never offered to a port that asks for that
capability. nova 34 (2026.2) reads it once, when nova-compute starts.

Looked at: the netdevs of VFs that nobody uses, on PFs in switchdev mode.

What to do: leave vf_driver at "kernel", also in [[pf.vf]] tables, and load the VFs' driver; then restart nova-compute.
libvirt takes a VF from its driver when a VM starts, and gives it back afterwards.
""",
    ),
    "SB-W236": Explanation(
        "the steering of flows is not what the rule asks for",
        """\
A ConnectX can have its steering rules written by its firmware (dmfs) or by the driver (smfs, hmfs). The driver changes
that in legacy mode only, so the service sets it before the mode, and cannot once the mode is switchdev.

Looked at: the devlink parameter flow_steering_mode, against the rule.

What to do: once no VF of the PF is in use, take its rule out of the config, sriov-bootstrap release PF, which returns
to legacy mode, put the rule back, and sriov-bootstrap --once. Or reboot.
""",
    ),
    "SB-W237": Explanation(
        "Open vSwitch does not offload flows",
        """\
NICs are in switchdev mode, but Open vSwitch hands no flow to them, as other_config:hw-offload is not set to true. It is
kept in Open vSwitch's own database, and takes effect when ovs-vswitchd starts.

Looked at: ovs-vsctl get Open_vSwitch . other_config, if there is such a command and a rule asks for switchdev mode. The
service itself sets nothing there.

What to do: ovs-vsctl set Open_vSwitch . other_config:hw-offload=true, then restart Open vSwitch, which interrupts the
traffic of all VMs for a moment.
""",
    ),
    "SB-E238": Explanation(
        "os-vif does not find the representors of a PF",
        """\
os-vif finds the representor of a VF by three things: the PF's netdev has a phys_switch_id, the representor has the same
one, and the number behind "pf" in its phys_port_name is the PCI function of the PF. Where a driver or its firmware
counts PFs in another way, as can happen on cards with several hosts, each plug fails with RepresentorNotFound,
although everything is there.

Looked at: the phys_port_name of each representor of a PF in switchdev mode, and the PF's PCI address.

What to do: update driver and firmware. Names without "pf", such as a bare number, are taken.
""",
    ),
    "SB-W239": Explanation(
        "Open vSwitch has ports without a netdev",
        """\
Open vSwitch keeps its ports over a reboot by the name of their netdev. A representor that has another name since, by
another rule of udev or another order, is not found again, and its port stays behind, as does that of a VM that has
not been started since. A flow through it goes nowhere.

Looked at: ovs-vsctl list Interface, for what Open vSwitch could not open, if a rule asks for switchdev mode.

What to do: nova plugs the representor by its present name when the VM is started or hard rebooted. A port that belongs
to no VM any more can be removed: ovs-vsctl del-port NAME. Where names change at each boot, let udev name them after
phys_switch_id and phys_port_name, as systemd does from v250 on.
""",
    ),
    "SB-W240": Explanation(
        "the bond of a PF is not offloaded",
        """\
The rule has vf_lag = true: both PFs of a card are part of one bond, and their VFs use both ports (VF LAG). mlx5
offloads the bond when both PFs are in switchdev mode and part of it, and no VF has a driver yet: with VFs that were
bound first it never becomes active. So the service gives VFs their driver only then. Nobody waits for it but
nova-compute and the agent, by sriov-bootstrap-bond.service, for two minutes.

Looked at: lag/state of the PF in debugfs (/sys/kernel/debug/mlx5), and whether its VFs have a driver.

What to do: make the bond, of both PFs and no other, in a mode that the card offloads (active-backup, balance-xor,
802.3ad); journalctl -k shows what mlx5 says of it. If VFs had a driver before, free them, and let sriov-bootstrap make
them again: take both rules out of the config, sriov-bootstrap release PF for both, put the rules back, and
sriov-bootstrap --once, then the bond. Or reboot.
""",
    ),
}
