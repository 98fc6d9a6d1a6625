"""Reads what `doctor` wants to know of firmware, kernel and IOMMU."""

from msgspec.structs import replace

from sriov_bootstrap.doctor.kernel.checks import IORT, lacks_iommu, unseen_of_firmware
from sriov_bootstrap.doctor.kernel.survey import KernelSurvey, RawGroup
from sriov_bootstrap.formats.iort import smmu_options
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.kernel import KERNEL_CMDLINE

SOURCES = ("/etc/default/grub", "/etc/default/grub.d/*.cfg", KERNEL_CMDLINE)
MENUS = (
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub2/grubenv",  # where RHEL 8 keeps the command line of its entries
    "/boot/loader/entries/*.conf",
    "/boot/efi/loader/entries/*.conf",
    "/efi/loader/entries/*.conf",
)


def survey_kernel(machine: HostMachine, host: Host) -> tuple[KernelSurvey, tuple[str, ...]]:
    """And what could not be seen. Boot files are opened only where no IOMMU is in use and one should be."""
    if not host.config.pf:
        return KernelSurvey(), ()
    pci, procfs = machine.pci, machine.procfs
    groups = pci.read_groups()
    survey = KernelSurvey(
        command_line=procfs.kernel_command_line(),
        is_guest=procfs.is_guest(),
        acpi_tables=pci.read_acpi_tables(),
        groups=None if groups is None else {number: RawGroup(*group) for number, group in groups.items()},
    )
    if not lacks_iommu(host, survey):
        return survey, ()
    sources, menus = machine.text_files(), machine.text_files()
    survey = replace(survey, boot_sources=sources.read_matching(*SOURCES), boot_menus=menus.read_matching(*MENUS))
    survey = replace(survey, has_all_menus=not menus.problems)
    if IORT in survey.acpi_tables:
        survey = replace(survey, smmu_options=smmu_options(pci.read_acpi_table(IORT)))
    return survey, (*unseen_of_firmware(host, survey), *sources.problems, *menus.problems)
