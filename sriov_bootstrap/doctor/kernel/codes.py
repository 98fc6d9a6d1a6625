"""The long form of the codes 1xx: firmware, kernel, IOMMU."""

from sriov_bootstrap.core.finding import Explanation

KERNEL_CODES: dict[str, Explanation] = {
    "SB-E101": Explanation(
        "no IOMMU: VT-d, AMD-Vi or the SMMU is off in the firmware",
        """\
A VF can be given to a VM only behind an IOMMU, which keeps it out of the host's memory. The firmware offers none, so
nova's instances with SR-IOV ports fail with "host doesn't support passthrough of host PCI devices". VFs can still be
created, which is why nothing else complains. This is checked where a rule creates VFs; inside a VM, only where a rule
has a physical_network, an alias, or vf_driver = "none".

Looked at: /sys/kernel/iommu_groups, which is empty; /sys/firmware/acpi/tables, which has neither DMAR (Intel), IVRS
(AMD) nor VIOT (virtio), or whose IORT (Arm) describes no SMMU. The kernel log is no evidence: the parameter alone makes
it say "DMAR: IOMMU enabled".

What to do: in the firmware setup, enable "Intel VT for Directed I/O", "IOMMU" or "SMMU" (often below CPU or
northbridge, and separate from VT-x or SVM); on many servers, "SR-IOV support" as well. Inside a VM: give the VM a
virtual IOMMU.
""",
    ),
    "SB-E102": Explanation(
        "the firmware has an IOMMU, but the kernel does not use it",
        """\
The kernel needs a parameter, has been told to leave the IOMMU off, or was built without support for it. Intel's needs
intel_iommu=on unless the kernel was built with CONFIG_INTEL_IOMMU_DEFAULT_ON, as Debian's is. AMD's needs nothing:
amd_iommu=on, found in many guides, does not exist and does no harm. Arm's needs nothing either. iommu=pt affects speed
only and enables nothing. A parameter after -- on the command line is for init, and the kernel does not see it.

Looked at: /sys/kernel/iommu_groups, which is empty; the ACPI table in /sys/firmware/acpi/tables, which exists;
/proc/cmdline; /boot/config-KERNEL.

What to do: sriov-bootstrap render kernel-cmdline shows what this host needs; with --apply it writes that and
regenerates the boot menu. Then reboot. If the parameter is already set: journalctl -k -g 'DMAR|AMD-Vi|IOMMU'.
""",
    ),
    "SB-E103": Explanation(
        "the kernel parameter was written, but the boot menu was not regenerated",
        """\
/etc/default/grub, its drop-ins and /etc/kernel/cmdline are read only by the tool that generates the boot menu. Until
it runs, every boot goes without the parameter.

Looked at: the parameter in /etc/default/grub, /etc/default/grub.d/*.cfg and /etc/kernel/cmdline; its absence from
/proc/cmdline and from whichever of these exist: /boot/grub/grub.cfg, /boot/grub2/grub.cfg, and the entries in
/boot/loader/entries and /boot/efi/loader/entries.

What to do: update-grub (Debian, Ubuntu); grubby --update-kernel=ALL --args=intel_iommu=on (RHEL and its relatives,
where grub2-mkconfig alone does not change the entries); kernel-install add-all (systemd-boot). Then reboot.
""",
    ),
    "SB-E104": Explanation(
        "the boot menu has the kernel parameter, but the host has not been rebooted since",
        """\
Everything is in place, but the running kernel was started before it was.

Looked at: the parameter in the boot menu (see SB-E103), and its absence from /proc/cmdline.

What to do: reboot. If the parameter is still missing, the host boots something else: another menu entry, another
disk, or a kernel and command line from the network.
""",
    ),
    "SB-E105": Explanation(
        "VFs share an IOMMU group",
        """\
The kernel puts devices into one group when it cannot be sure that they are unable to reach each other without going
through the IOMMU: a bridge or root port between them has no ACS, or ACS is off. vfio gives a whole group to one user,
so a second VM with a VF of the same group fails with "group is not viable" or "Device or resource busy".

Looked at: the iommu_group of each VF, and what else is in /sys/kernel/iommu_groups/N/devices, not counting bridges.

What to do: enable ACS, and ARI if there is an option for it, in the firmware setup; or move the NIC to a slot with a
root port of its own. A kernel with pcie_acs_override= only pretends: such VMs are not isolated from each other.
""",
    ),
}
