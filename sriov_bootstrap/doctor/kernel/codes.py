"""The long form of the codes 1xx: firmware, kernel, IOMMU."""

from sriov_bootstrap.core.finding import Explanation

KERNEL_CODES: dict[str, Explanation] = {
    "SB-E101": Explanation(
        "no IOMMU: VT-d or AMD-Vi is off in the firmware",
        """\
A VM may be given a VF only behind an IOMMU, which keeps it from the memory of the host. The firmware offers none, so
nova's instances with SR-IOV ports fail with "host doesn't support passthrough of host PCI devices". VFs can be made
all the same, which is why nothing else complains. It is looked for where a rule makes VFs, and inside a VM only where
a rule has a physical_network, an alias, or vf_driver = "none".

Looked at: /sys/kernel/iommu_groups, which is empty; /sys/firmware/acpi/tables, which has neither DMAR (Intel), IVRS
(AMD) nor VIOT (virtio). The kernel's log does not tell: it says "DMAR: IOMMU enabled" of a parameter alone.

What to do: in the firmware's setup switch on "Intel VT for Directed I/O" or "IOMMU" (often below CPU or northbridge,
and not the same switch as VT-x or SVM); on many servers also "SR-IOV support". Inside a VM: give it a virtual IOMMU.
""",
    ),
    "SB-E102": Explanation(
        "the firmware has an IOMMU and the kernel does not use it",
        """\
The kernel needs a parameter, is told to leave the IOMMU off, or is built without it. Intel's needs intel_iommu=on
unless the kernel was built with CONFIG_INTEL_IOMMU_DEFAULT_ON, as Debian's is. AMD's needs nothing: amd_iommu=on,
which many guides have, does not exist and does no harm. iommu=pt is about speed and switches nothing on.

Looked at: /sys/kernel/iommu_groups, which is empty; the ACPI table in /sys/firmware/acpi/tables, which is there;
/proc/cmdline; /boot/config-KERNEL.

What to do: sriov-bootstrap render kernel-cmdline shows what this host needs; with --apply it writes that and makes
the boot menu anew. Then reboot. If the parameter is there already: journalctl -k -g 'DMAR|AMD-Vi|IOMMU'.
""",
    ),
    "SB-E103": Explanation(
        "the kernel parameter was written and the boot menu never made anew",
        """\
/etc/default/grub, its drop-ins and /etc/kernel/cmdline are read by the tool that makes the boot menu, and by nothing
else. Until it runs, every boot goes without the parameter.

Looked at: the parameter in /etc/default/grub, /etc/default/grub.d/*.cfg and /etc/kernel/cmdline; its absence in
/boot/grub/grub.cfg, /boot/grub2/grub.cfg, the entries in /boot/loader/entries and /boot/efi/loader/entries, whichever
are there, and in /proc/cmdline.

What to do: update-grub (Debian, Ubuntu); grubby --update-kernel=ALL --args=intel_iommu=on (RHEL and its kin, where
grub2-mkconfig alone does not change the entries); kernel-install add-all (systemd-boot). Then reboot.
""",
    ),
    "SB-E104": Explanation(
        "the boot menu has the kernel parameter and the host was not booted since",
        """\
All is prepared, and the running kernel was started before it was.

Looked at: the parameter in the boot menu (see SB-E103) and its absence in /proc/cmdline.

What to do: reboot. If it is still missing then, the host boots something else: another entry of the menu, another
disk, or a kernel and a command line from the network.
""",
    ),
    "SB-E105": Explanation(
        "VFs share an IOMMU group",
        """\
The kernel puts devices into one group when it cannot be sure that they do not reach each other past the IOMMU: a
bridge or root port between them has no ACS, or ACS is off. vfio gives a group to one user, whole, so a second VM with
a VF of the same group fails with "group is not viable" or "Device or resource busy".

Looked at: the iommu_group of each VF and what else is in /sys/kernel/iommu_groups/N/devices, bridges left aside.

What to do: enable ACS, and ARI where it can be chosen, in the firmware's setup; or move the NIC to a slot that has a
root port of its own. A kernel with pcie_acs_override= only pretends: such VMs are not isolated from each other.
""",
    ),
}
