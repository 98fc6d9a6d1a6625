"""The long form of the codes from 213 on: VFs that cannot be created, or are not as they should be."""

from sriov_bootstrap.core.finding import Explanation

VF_CODES: dict[str, Explanation] = {
    "SB-E213": Explanation(
        "no memory space for the VFs",
        """\
Each VF needs windows in the physical address space (BARs) for its registers. The firmware or the kernel found no
space for all of them below this NIC's bridge, and a write to sriov_numvfs fails with ENOMEM.

Looked at: lines 8 to 13 of /sys/bus/pci/devices/ADDRESS/resource, which are the VFs' BARs: one that was not placed is
marked unset or is all zero; and the errno of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: enable "above 4G decoding" (and "SR-IOV support", "large BAR") in the firmware setup; where there is no
such switch, boot with pci=realloc on the kernel command line. A smaller number of VFs in the NIC's own setup needs
less space.
""",
    ),
    "SB-E214": Explanation(
        "no bus numbers for the VFs",
        """\
VFs that do not fit on their PF's bus are on the buses after it, and the bridge above only forwards the buses that the
firmware assigned to it. The kernel refuses the whole number with ENOMEM.

Looked at: the PF's sriov_offset and sriov_stride, which determine where the last VF is; subordinate_bus_number of the
bridge above it.

What to do: lower num_vfs; enable ARI in the firmware setup, which lets 256 VFs share a bus; or boot with
pci=assign-busses, which makes the kernel renumber the buses.
""",
    ),
    "SB-E215": Explanation(
        "no MSI-X vectors left for the VFs",
        """\
The write to sriov_numvfs failed with ENOSPC: the device has no MSI-X vectors left for VFs, because the PF's own
queues use them.

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: lower num_vfs, or give the PF fewer queues: ethtool -L NETDEV combined N. On some NICs the number of
vectors per VF is set in the NIC's own setup (NUM_VF_MSIX in mlxconfig).
""",
    ),
    "SB-E216": Explanation(
        "the kernel or the driver did not create the VFs",
        """\
The last pass wrote the number. The write was refused, or was accepted but no VFs appeared, which some drivers do
(bnxt with its PF down, some in the wrong eswitch mode).

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json, as long as the VFs are still missing.

What to do: what the finding says; journalctl -k -g ADDRESS shows the driver's own messages. sriov-bootstrap --once
tries again.
""",
    ),
    "SB-E217": Explanation(
        "a PF is down",
        """\
libvirt does not start a VM that has a VF of a PF that is down ("PF is not online"), running VMs have no link, and
bnxt_en and bnx2x create no VFs. The rule has pf_up = true, so the next pass brings the PF up: if it goes down again,
something else takes it down.

Looked at: IFF_UP in /sys/class/net/NETDEV/flags, where VFs exist or are asked for.

What to do: sriov-bootstrap --once, or ip link set NETDEV up. Then find out what takes it down: ifupdown, netplan, an
inactive NetworkManager profile, or a bond that dropped it.
""",
    ),
    "SB-W218": Explanation(
        "a PF is down, and the rule leaves it down",
        """\
With pf_up = false, bringing up the PF is left to something else, which has not done it. VMs with its VFs do not start
(libvirt: "PF is not online").

Looked at: IFF_UP in /sys/class/net/NETDEV/flags, where VFs exist or are asked for.

What to do: have whatever manages the PF bring it up, or set pf_up = true in the rule.
""",
    ),
    "SB-W219": Explanation(
        "VFs have a driver although the rule asks for none",
        """\
When vf_driver is changed to "none", free VFs are unbound at once, and those in use once they are released. The others
were probed before there was a rule for them, or bound by something else since, and are left as they are. The host has
netdevs for them, which cost boot time and interrupt vectors, and which a DHCP client may take.

Looked at: the netdevs and RDMA devices of the VFs. VFs bound to vfio are as they should be.

What to do: nothing for VFs that sriov-bootstrap status names as keeping their driver until released. Unbind the others
while no VM uses them, as the finding shows; or have the VFs created again while none is in use: a reboot does that.
""",
    ),
    "SB-W220": Explanation(
        "VFs have no driver although the rule asks for one",
        """\
With vf_driver = "kernel" (the default) or the name of a driver, VFs are bound after they have been created. Either
their driver refused them, and the finding has its errno, or no driver took them: its module is blocked or not
installed, or something else has unbound them. On virtio a VF has two: virtio-pci, and virtio_net for the device that
the first one creates. To the SR-IOV agent, a VF without a netdev is one that a VM uses.

Looked at: the driver of each VF that is not in use, and of its device on the virtio or vdpa bus;
sriov_drivers_autoprobe; modules.alias; modprobe.d; the report of the last pass.

What to do: if this is intended, say so in the rule with vf_driver = "none", which also saves the time that probing
takes. Otherwise do what the finding says: where other VFs of the PF have a driver, its module is there, and these only
have to be probed again; journalctl -k -g ADDRESS shows the driver's messages, and sriov-bootstrap
--once offers it the VFs again. Unblock or install the module if that is what is missing.
""",
    ),
    "SB-W221": Explanation(
        "NetworkManager manages netdevs of VFs",
        """\
NetworkManager brings them up and requests addresses on them. A VF with an address of its own counts as in use, for
sriov-bootstrap and for anything that wants to pass it through, and each one keeps a DHCP client running.

Looked at: managed= in /run/NetworkManager/devices/IFINDEX of each VF's netdev, while NetworkManager is running, so that
any kind of rule that keeps it away is taken into account. A netdev without a carrier has no such record: it counts if
it is up, and either NM_UNMANAGED is not set for it in /run/udev/data, or its addr_gen_mode in /proc/sys/net/ipv6/conf
is 1, as NetworkManager leaves it. VFs in the rule's exclude_vfs are the host's own and are not checked.

What to do: two things; the finding stays until both are done, and shows what is missing. sriov-bootstrap render udev
--write sets NM_UNMANAGED for our VFs; then reload the udev rules and trigger the netdevs. That holds for every netdev
that a VF gets from then on, also when a VM gives it back. NetworkManager (1.42 and 1.58) does not let go of one that it
manages already, not even when it is restarted: tell it by nmcli device set, which holds for the netdevs that exist, and
not for those that follow. Where NetworkManager's own settings say which devices it leaves alone (unmanaged-devices, or
managed in a [device] section), the rule may be left out.
""",
    ),
    "SB-W222": Explanation(
        "VFs use up the host's interrupt vectors",
        """\
An x86 CPU has about 200 vectors for devices. A VF driven by the host takes several and does nothing with them; once
they are used up, the next driver to load fails with ENOSPC. This is reported when more than 80 % are allocated, most
of them to our VFs.

Looked at: the entries of msi_irqs of every PCI function, against 200 for each online CPU. That number is approximate.

What to do: set vf_driver = "none" in the rules: VFs that are given to VMs need no driver on the host. Or use fewer
VFs, or fewer queues.
""",
    ),
    "SB-W223": Explanation(
        "the link under a bond goes down when the number of VFs changes",
        """\
igb, i40e and some other drivers take the PF's link down and up again whenever VFs are created or removed. Meanwhile a
bond or team is without that member, and a bridge or VLAN on the PF without any link. docs/drivers.md lists these
drivers.

Looked at: the PF's driver, and what is stacked on its netdev (upper_* in /sys/class/net/NETDEV), where the number of
VFs is not the rule's, or where the last pass changed a number other than 0
(/run/sriov-bootstrap/state/state.json). The kernel function that does it is named.

What to do: change the number while another member carries the traffic, or in a maintenance window. At boot this does
no harm: VFs are created before the network is set up.
""",
    ),
    "SB-E224": Explanation(
        "a PF must be up before its VFs can change, and the rule leaves it down",
        """\
bnxt_en and bnx2x create and remove VFs only while their PF is up. While it is down, bnxt_en accepts any number and
changes nothing, and bnx2x refuses it with EINVAL. With pf_up = false, bringing up the PF is left to something else,
which has not done it. At boot, the first pass comes before the network is set up, and no event reports that a PF has
come up.

Looked at: IFF_UP in /sys/class/net/NETDEV/flags, and the PF's driver, where the number of VFs is not the rule's. The
kernel function that needs the PF up is named.

What to do: set pf_up = true in the rule, which is the default. If the rule asks for no VFs, or something else is to
bring the PF up, do it once by hand: ip link set NETDEV up; then sriov-bootstrap --once.
""",
    ),
    "SB-W225": Explanation(
        "a rule puts the VFs of something that is no NIC into a physical network",
        """\
A GPU, an accelerator or an NVMe controller has VFs, but no netdev and no network: neutron's agent cannot map it, and a
port never gets such a VF. The VFs are created all the same, and render leaves the rule out.

Looked at: the PCI class of each PF with a rule, against physical_network in the rule.

What to do: replace physical_network by alias, and ask for the VFs in a flavor.
""",
    ),
    "SB-E226": Explanation(
        "a hypervisor hides a device's SR-IOV",
        """\
This host is a VM, and a rule matches a device that it was given. A hypervisor passes a device on without its SR-IOV
capability, so that the kernel in the VM offers no VFs. No setting inside the VM changes that: what looks like its
firmware is the hypervisor's as well.

Looked at: the hypervisor flag in /proc/cpuinfo, or the names in /sys/class/dmi/id where there is no such flag; the
extended capabilities in /sys/bus/pci/devices/ADDRESS/config, where null capabilities (id 0) show that some were taken
out; sriov_totalvfs.

What to do: create the VFs on the host of this VM, and pass VFs to it. Remove the rule here, or set required = false.
""",
    ),
    "SB-E227": Explanation(
        "a driver takes its number of VFs from a module parameter alone",
        """\
mlx4_core (ConnectX-3) creates VFs only while it is loaded, as many as its parameter num_vfs says: VFs of port 1, of
port 2 and of both, such as num_vfs=4,4,0 for 8 on each card. It has no function for another number, so that what is
written to sriov_numvfs is refused with ENOENT. It has no parameter max_vfs either: method = "max_vfs" does not help.

Looked at: the PF's driver, where the number of its VFs is not the rule's; num_vfs in modprobe.d and on the kernel
command line.

What to do: give the module that number in /etc/modprobe.d, rebuild the initramfs, and reboot. Leave the rule with the
same number: the VFs are then counted, protected and reported like all others.
""",
    ),
    "SB-W228": Explanation(
        "a VF has a driver and no netdev, unlike the others of its PF",
        """\
The driver took the VF and made no netdev for it: its probe or a reset has failed half-way, or a program drives the VF
past the kernel. It counts as in use, since nothing shows that nobody uses it, so a change of the number waits. VFs
whose netdev was moved to another network namespace, as for containers, are not meant: they keep an empty folder net.

Looked at: net in /sys/bus/pci/devices/ADDRESS of each VF (and of its device on the virtio or vdpa bus), against the
other VFs of the same PF with the same driver.

What to do: read the driver's messages with journalctl -k -g ADDRESS. If no program uses the VF, unbind it and have it
probed again, as the finding shows.
""",
    ),
}
