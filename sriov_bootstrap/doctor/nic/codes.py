"""The long form of the codes 2xx: NIC and driver. Those about its VFs are in vf_codes.py."""

from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.nic.vf_codes import VF_CODES

NIC_CODES: dict[str, Explanation] = {
    "SB-E201": Explanation(
        "no NIC matches a rule that requires one",
        """\
The rule says which NIC is meant, and this host has none like it: it is not seated or dead, its name has moved
(upgrades have renamed ens7f0 to ens7f0np0), or the rule is wrong. A NIC without driver has no netdev, so no name to
match.

Looked at: every network function in /sys/bus/pci/devices, with its netdevs and their altnames.

What to do: sriov-bootstrap init prints rules that fit this host. Match by pci_address or altname, which do not move.
A rule that need not find its NIC on every host has required = false, and gives no finding.
""",
    ),
    "SB-E202": Explanation(
        "a NIC that a rule means has no SR-IOV",
        """\
The chip cannot, or SR-IOV is switched off in the NIC's firmware in a way that takes the whole capability out of its
config space, as Mellanox' ConnectX do it. Without root the config space is cut off after 64 bytes, and only the
missing file sriov_totalvfs is seen.

Looked at: the extended capabilities in /sys/bus/pci/devices/ADDRESS/config, for the SR-IOV one (0x0010).

What to do: switch it on in the NIC's own setup: mlxconfig -d ADDRESS set SRIOV_EN=1 NUM_OF_VFS=N, and a power cycle,
for ConnectX; the device's page in the server's setup, or its vendor's tool, for others. If the chip cannot, correct
the rule.
""",
    ),
    "SB-E203": Explanation(
        "SR-IOV is switched off in a NIC that has it",
        """\
The capability is there and offers no VFs: TotalVFs is 0, and then the kernel makes no file sriov_numvfs; or the
driver has learnt from the NIC's firmware that there are none to be had, and sriov_totalvfs is 0.

Looked at: TotalVFs in the SR-IOV capability in /sys/bus/pci/devices/ADDRESS/config; sriov_totalvfs.

What to do: switch SR-IOV on for this port, and give it VFs, in the NIC's own setup or with its vendor's tool; see
SB-E202. Some servers have a switch of their own, "SR-IOV support", in the firmware's setup.
""",
    ),
    "SB-E204": Explanation(
        "the NIC has SR-IOV and the kernel does not offer it",
        """\
The config space offers VFs, and there is no file sriov_numvfs: the kernel is older than 3.8, was built without
CONFIG_PCI_IOV, or gave up on this device while it was found.

Looked at: TotalVFs in /sys/bus/pci/devices/ADDRESS/config; the files there; /boot/config-KERNEL.

What to do: boot a kernel with CONFIG_PCI_IOV=y. If it has that: journalctl -k -g ADDRESS says what it met.
""",
    ),
    "SB-E205": Explanation(
        "a rule matches a VF and no PF",
        """\
VFs are made of a PF, and this is a VF: most often the rule has the address or the name of the wrong one. Inside a VM
it may also be that the VM was given a VF: no VFs can be made of that.

Looked at: the link physfn of the function, which only VFs have.

What to do: match the PF that the finding names.
""",
    ),
    "SB-E206": Explanation(
        "a PF has no driver",
        """\
The PF's own driver makes the VFs. Without it a write to sriov_numvfs ends with ENOENT.

Looked at: the link driver in /sys/bus/pci/devices/ADDRESS; modules.alias of the running kernel, for a module that
drives this chip; modprobe.d and the kernel command line, for what blocks it (SB-E207).

What to do: load the module that the finding names, and look at the kernel's log if it fails. If there is none: the
kernel is too old for this NIC, or a package is missing (linux-modules-extra on Ubuntu, kernel-modules on RHEL).
""",
    ),
    "SB-E207": Explanation(
        "a PF has no driver because its module is blocked",
        """\
`blacklist MODULE` keeps udev from loading it, `install MODULE /bin/false` everybody; modprobe.blacklist= and
module_blacklist= on the kernel command line do the same. Guides block modules so that vfio gets a device: that must
be the VFs' module (igbvf, ixgbevf, iavf), never the PF's.

Looked at: *.conf in /etc/modprobe.d, /run/modprobe.d and /usr/lib/modprobe.d; /proc/cmdline; modules.alias.

What to do: take the line out, make the initramfs anew where it has a copy (update-initramfs -u, dracut --force), then
modprobe the module.
""",
    ),
    "SB-E208": Explanation(
        "a PF is passed through as a whole",
        """\
A driver such as vfio-pci hands the PF to a VM or to a program in user space. It makes no VFs when sriov_numvfs is
written. nova does that with a device_spec that matches the PF, driverctl with an override.

Looked at: the link driver in /sys/bus/pci/devices/ADDRESS, where the PF has fewer VFs than its rule asks for.

What to do: find out who wants it: sriov-bootstrap status, driverctl list-overrides, and the VMs in virsh list --all.
Then give it back to its driver, or take its rule away.
""",
    ),
    "SB-E209": Explanation(
        "the driver cannot make VFs by sriov_numvfs",
        """\
The write ended with ENOENT although a driver is bound: it has no sriov_configure. Drivers that old know only a module
parameter, and some drivers have no SR-IOV at all.

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: update the driver or the kernel. If modinfo -p DRIVER lists max_vfs: method = "max_vfs" in the rule.
""",
    ),
    "SB-E210": Explanation(
        "the NIC offers fewer VFs than a rule asks for",
        """\
The number is refused and not cut down: a silent 7 for 32 is found months later, by the scheduler. An 82576 or I350
has 7 VFs for each port, an 82599 63. sriov_totalvfs is the driver's word and counts only while it is bound: igb has 8
before.

Looked at: sriov_totalvfs; TotalVFs in the config space, where root is asking.

What to do: num_vfs = "max", or the number in the finding. Where the NIC's firmware sets it (NUM_OF_VFS of mlxconfig,
or its setup page): raise it there, and reboot.
""",
    ),
    "SB-E211": Explanation(
        "max_vfs is more than the chip has",
        """\
Every old tutorial has `options igb max_vfs=32`. An igb has 8 pools for each port and keeps one, so the driver makes 7
of it; ixgbe has 64, and makes no VF at all of a number above 63. The line also makes VFs at every load of the module,
whatever the rule says.

Looked at: `options` lines in modprobe.d for the drivers of our PFs, and DRIVER.max_vfs= on the kernel command line.

What to do: take the line out, and make the initramfs anew (update-initramfs -u, dracut --force): num_vfs in the rule
makes the VFs. Where the parameter must be, method = "max_vfs" writes it with a number that fits.
""",
    ),
    "SB-E212": Explanation(
        "max_vfs is a list, and the driver will not load",
        """\
`max_vfs=2,4` is for Intel's own drivers outside the kernel. The kernel's igb and ixgbe take one number, and refuse to
load with anything else: at the next boot the NIC is not there, and neither is the network, if it was that NIC.

Looked at: `options` lines in modprobe.d for the drivers of our PFs; modules.dep, which says whether the module is the
kernel's own. One from elsewhere may take a list, and gives no finding.

What to do: take it out, make the initramfs anew (update-initramfs -u, dracut --force), and let the rules say the
numbers.
""",
    ),
    **VF_CODES,
}
