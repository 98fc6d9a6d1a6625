"""The long form of the codes from 213 on: VFs that cannot be made, or are not as they should be."""

from sriov_bootstrap.core.finding import Explanation

VF_CODES: dict[str, Explanation] = {
    "SB-E213": Explanation(
        "no memory space for the VFs",
        """\
Each VF needs windows in the physical address space (BARs) for its registers. The firmware or the kernel found no room
for those of all VFs below the bridge of this NIC, and a write to sriov_numvfs ends with ENOMEM.

Looked at: lines 8 to 13 of /sys/bus/pci/devices/ADDRESS/resource, which are the VFs' BARs: without a place they are
marked unset, or are all zero; and the errno of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: switch "above 4G decoding" (and "SR-IOV support", "large BAR") on in the firmware's setup; where there is
no such switch: pci=realloc on the kernel command line. A smaller number of VFs in the NIC's own setup needs less
room.
""",
    ),
    "SB-E214": Explanation(
        "no bus numbers for the VFs",
        """\
VFs beyond those that fit on the bus of their PF are on the buses after it, and the bridge above passes only those on
that the firmware has given it. The kernel refuses the whole number with ENOMEM.

Looked at: sriov_offset and sriov_stride of the PF, which place the last VF; subordinate_bus_number of the bridge
above it.

What to do: lower num_vfs; enable ARI in the firmware's setup, which lets 256 VFs share a bus; or boot with
pci=assign-busses, which lets the kernel number the buses anew.
""",
    ),
    "SB-E215": Explanation(
        "no MSI-X vectors left for the VFs",
        """\
The write to sriov_numvfs ended with ENOSPC: the device has no MSI-X vectors left for VFs, because the PF's own queues
hold them.

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: lower num_vfs, or give the PF fewer queues: ethtool -L NETDEV combined N. Some NICs set the vectors of a
VF in their own setup (NUM_VF_MSIX of mlxconfig).
""",
    ),
    "SB-E216": Explanation(
        "the kernel or the driver did not make the VFs",
        """\
The last pass has written the number. It was refused, or accepted without the VFs appearing, which some drivers do
(bnxt with its PF down, some with a wrong eswitch mode).

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json, as long as the VFs are still missing.

What to do: what the finding says; journalctl -k -g ADDRESS has the driver's own words. sriov-bootstrap --once tries
again.
""",
    ),
    "SB-E217": Explanation(
        "a PF is down",
        """\
libvirt starts no VM with a VF of a PF that is down ("PF is not online"), the VMs that run have no link, and bnxt_en
makes no VFs. The rule has pf_up = true, so the next pass brings it up: if it is down again, somebody takes it down.

Looked at: IFF_UP in /sys/class/net/NETDEV/flags, where VFs are there or asked for.

What to do: sriov-bootstrap --once, or ip link set NETDEV up. Then look for who takes it down: ifupdown, netplan or
NetworkManager with a profile that is off, a bond that lost it.
""",
    ),
    "SB-W218": Explanation(
        "a PF is down and the rule leaves it so",
        """\
pf_up = false leaves the PF to somebody else, who has not brought it up. VMs with its VFs do not start (libvirt: "PF
is not online").

Looked at: IFF_UP in /sys/class/net/NETDEV/flags, where VFs are there or asked for.

What to do: have whoever looks after it bring it up; or pf_up = true in the rule.
""",
    ),
    "SB-W219": Explanation(
        "VFs have a driver where the rule wants none",
        """\
vf_driver = "none" switches probing off for VFs that are made from then on. These were made before. The host has
netdevs for them, which cost boot time and interrupt vectors, and which a DHCP client may take.

Looked at: the netdevs and RDMA devices of the VFs. VFs that are bound to vfio are as they should be.

What to do: unbind those that no VM has, as the finding shows; or let the VFs be made anew while nobody uses any: a
reboot does it.
""",
    ),
    "SB-W220": Explanation(
        "VFs have no driver where the rule wants one",
        """\
vf_driver = "kernel" (the default) leaves probing as it is, it is on, and yet these VFs have no driver: their module
is blocked or not installed. On virtio a VF has two: virtio-pci, and virtio_net for the device that the first makes.
The SR-IOV agent takes a VF without netdev for one that a VM has.

Looked at: the driver of each VF that nobody uses, and of its device on the virtio or vdpa bus;
sriov_drivers_autoprobe; modules.alias; modprobe.d.

What to do: if that is meant, say so: vf_driver = "none", which also saves the time that probing takes. Else unblock
or install the module.
""",
    ),
    "SB-W221": Explanation(
        "NetworkManager manages netdevs of VFs",
        """\
It brings them up and asks for addresses on them. A VF that is up is in use to us and to whoever wants to pass it
through, and each has a DHCP client at work.

Looked at: managed=true in /run/NetworkManager/devices/IFINDEX of each VF's netdev, while NetworkManager runs, so that
rules of whatever kind that keep it away count. VFs in exclude_vfs of the rule are the host's own and are left out.

What to do: sriov-bootstrap render udev --write sets NM_UNMANAGED for our VFs; then reload udev's rules and trigger
the netdevs, as the finding shows. Or unmanaged-devices in /etc/NetworkManager/conf.d.
""",
    ),
    "SB-W222": Explanation(
        "VFs use up the interrupt vectors of the host",
        """\
A CPU of an x86 has about 200 vectors for devices. A VF that the host itself drives takes several, for nobody; when
all are gone, the next driver to load fails with ENOSPC. It is said when more than 80 % are given out and most of them
to our VFs.

Looked at: the entries of msi_irqs of every PCI function, against 200 for each CPU that is online. That number is
near, not exact.

What to do: vf_driver = "none" in the rules: VFs that go to VMs need no driver on the host. Or fewer VFs, or fewer
queues.
""",
    ),
}
