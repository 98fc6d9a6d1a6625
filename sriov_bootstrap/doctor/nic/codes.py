"""The long form of the codes 2xx: NIC and driver. Those about its VFs are in vf_codes.py and attribute_codes.py."""

from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.nic.attribute_codes import ATTRIBUTE_CODES
from sriov_bootstrap.doctor.nic.switch_codes import SWITCH_CODES
from sriov_bootstrap.doctor.nic.vf_codes import VF_CODES

NIC_CODES: dict[str, Explanation] = {
    "SB-E201": Explanation(
        "no NIC matches a rule that requires one",
        """\
The rule describes a NIC, and nothing on this host fits: the NIC is missing or dead, its name has changed (upgrades
have renamed ens7f0 to ens7f0np0), it is not a netdev of a PCI function (a bond, a bridge, a VLAN), or the rule is
wrong. A NIC without a driver has no netdev, and so no name to match. If the device is here but offers no VFs, that is
reported instead: SB-E202 to SB-E205, SB-E226.

Looked at: every PCI function in /sys/bus/pci/devices, with its netdevs and their altnames; /sys/class/net.

What to do: sriov-bootstrap init prints rules that fit this host. Match by pci_address or altname, which do not
change. For a rule whose NIC some hosts do not have, set required = false; it is then not reported.
""",
    ),
    "SB-E202": Explanation(
        "a device matched by a rule has no SR-IOV",
        """\
The chip does not support it, or SR-IOV is disabled in the device's firmware in a way that removes the whole capability
from its config space. Of some chips it is known which of the two it is. Without root, config space is cut off after 64
bytes, and the missing file sriov_totalvfs is the only evidence.

Looked at: the extended capabilities in /sys/bus/pci/devices/ADDRESS/config, for SR-IOV (0x0010); driver, vendor and
device id.

What to do: if the chip supports it, enable it in the device's own setup: its page in the server's setup, or the
vendor's tool. If not, correct the rule: nothing brings SR-IOV to such a chip.
""",
    ),
    "SB-E203": Explanation(
        "SR-IOV is disabled in a device that supports it",
        """\
The capability exists but offers no VFs: either TotalVFs is 0, and the kernel then creates no file sriov_numvfs; or
the driver learned from the firmware that none are available, and sriov_totalvfs is 0. Or it is missing altogether
although the chip is known to have it, as on Mellanox ConnectX with SRIOV_EN=0.

Looked at: the SR-IOV capability in /sys/bus/pci/devices/ADDRESS/config; sriov_totalvfs; driver, vendor and device id.

What to do: enable SR-IOV for this port and assign VFs to it, in the NIC's own setup or with its vendor's tool: for
ConnectX, mlxconfig -d ADDRESS set SRIOV_EN=1 NUM_OF_VFS=N and a power cycle. Some servers have a separate switch,
"SR-IOV support", in the firmware setup.
""",
    ),
    "SB-E204": Explanation(
        "the kernel does not offer a device's SR-IOV",
        """\
There is no file sriov_numvfs because the kernel was built without CONFIG_PCI_IOV, is older than 3.8, or gave up on
this device during enumeration.

Looked at: TotalVFs in the SR-IOV capability in /sys/bus/pci/devices/ADDRESS/config; the files beside it, and whether
any device has sriov_totalvfs; /proc/config.gz, /boot/config-KERNEL or /lib/modules/KERNEL/config.

What to do: boot a kernel with CONFIG_PCI_IOV=y. If it already has that: journalctl -k -g ADDRESS shows what went
wrong.
""",
    ),
    "SB-E205": Explanation(
        "a rule matches a VF instead of a PF",
        """\
VFs are created on a PF, and this is a VF: most often the rule has the address or the name of the wrong device. Inside
a VM, it may be that the VM was given a VF: no VFs can be created on that.

Looked at: the function's physfn link, which only VFs have; in a VM, which does not see it, its driver.

What to do: match the PF that the finding names. In a VM, remove the rule: VFs are created on its host.
""",
    ),
    "SB-E206": Explanation(
        "a PF has no driver",
        """\
The PF's own driver creates the VFs. Without it, a write to sriov_numvfs fails with ENOENT.

Looked at: the driver link in /sys/bus/pci/devices/ADDRESS; modules.alias of the running kernel, for a module that
drives this chip; modprobe.d and the kernel command line, for anything that blocks it (SB-E207).

What to do: load the module that the finding names, and check the kernel log if that fails. If it names none, the
kernel is too old for this NIC, or a package is missing (linux-modules-extra on Ubuntu, kernel-modules on RHEL).
""",
    ),
    "SB-E207": Explanation(
        "a PF has no driver because its module is blocked",
        """\
`blacklist MODULE` keeps udev from loading it, `install MODULE /bin/false` keeps everything from loading it;
modprobe.blacklist= and module_blacklist= on the kernel command line do the same. Guides block modules so that vfio
gets a device: that must be the VFs' module (igbvf, ixgbevf, iavf), never the PF's.

Looked at: *.conf in /etc/modprobe.d, /run/modprobe.d and /usr/lib/modprobe.d; /proc/cmdline; modules.alias.

What to do: remove the line, rebuild the initramfs if it has a copy (update-initramfs -u, dracut --force), then
modprobe the module.
""",
    ),
    "SB-E208": Explanation(
        "a PF is passed through as a whole",
        """\
A driver such as vfio-pci hands the PF to a VM or to a user-space program. Writing sriov_numvfs then creates no VFs.
nova does this with a device_spec that matches the PF, driverctl with an override.

Looked at: the driver link in /sys/bus/pci/devices/ADDRESS, where the PF has fewer VFs than its rule asks for.

What to do: find out what uses it: sriov-bootstrap status, driverctl list-overrides, and the VMs in virsh list --all.
Then give the PF back to its driver, or remove its rule.
""",
    ),
    "SB-E209": Explanation(
        "the driver cannot create VFs through sriov_numvfs",
        """\
The write failed with ENOENT although a driver is bound: the driver has no sriov_configure. Drivers that old only
support a module parameter, and some drivers have no SR-IOV at all.

Looked at: the report of the last pass in /run/sriov-bootstrap/state/state.json.

What to do: update the driver or the kernel. If modinfo -p DRIVER lists max_vfs, set method = "max_vfs" in the rule.
""",
    ),
    "SB-E210": Explanation(
        "the NIC offers fewer VFs than a rule asks for",
        """\
The number is refused rather than reduced: 7 instead of 32 without a word is noticed months later, by the scheduler.
An 82576 or I350 has 7 VFs per port, an 82599 63. sriov_totalvfs is set by the driver and only counts while the driver
is bound: for igb it reads 8 before.

Looked at: sriov_totalvfs; when run as root, TotalVFs in the config space as well.

What to do: set num_vfs = "max", or the number in the finding. If the NIC's firmware sets the limit (NUM_OF_VFS in
mlxconfig, or its setup page), raise it there and reboot.
""",
    ),
    "SB-E211": Explanation(
        "max_vfs is more than the chip supports",
        """\
Every old tutorial has `options igb max_vfs=32`. An igb has 8 pools per port and keeps one, so the driver reduces the
number to 7; ixgbe has 64, and creates no VF at all if the number is above 63. The line also creates VFs every time
the module is loaded, whatever the rule says.

Looked at: `options` lines in modprobe.d for the drivers of our PFs, and DRIVER.max_vfs= on the kernel command line.

What to do: remove the line and rebuild the initramfs (update-initramfs -u, dracut --force): num_vfs in the rule
creates the VFs. Where the parameter is needed, method = "max_vfs" writes it with a number that fits.
""",
    ),
    "SB-E212": Explanation(
        "max_vfs is a list, and the driver will not load",
        """\
`max_vfs=2,4` is for Intel's own out-of-tree drivers. The kernel's igb and ixgbe take one number, and refuse to load
with anything else: at the next boot the NIC is missing, and so is the network if it ran over that NIC.

Looked at: `options` lines in modprobe.d for the drivers of our PFs; modules.dep, which says whether the module is the
kernel's own. A module from elsewhere may take a list, and is not reported.

What to do: remove it, rebuild the initramfs (update-initramfs -u, dracut --force), and set the numbers in the rules.
""",
    ),
    **VF_CODES,
    **ATTRIBUTE_CODES,
    **SWITCH_CODES,
}
