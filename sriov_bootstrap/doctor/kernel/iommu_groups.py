"""IOMMU groups: can each VF go to a VM of its own? vfio gives a whole group to one user.

Two VFs in one group cannot go to two VMs; a VF in the group of its PF can go to none. Bridges in a group do no harm
(drivers/vfio/vfio_main.c): they do no DMA of their own.
"""

from collections.abc import Iterator

from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.doctor.kernel.checks import passes_through
from sriov_bootstrap.doctor.kernel.survey import BRIDGE, KernelSurvey, RawGroup
from sriov_bootstrap.render.host import Host

SHOWN = 3


def check_groups(host: Host, survey: KernelSurvey) -> Iterator[Finding]:
    """One finding for each PF."""
    if not passes_through(host, survey):
        return
    for wish in host.wishes:
        if wish.pf and (shared := _vfs_that_share(wish.pf, survey.groups or {})):
            yield _group_finding(wish.pf, shared)


def _vfs_that_share(pf: PfFacts, groups: dict[str, RawGroup]) -> list[tuple[VfFacts, list[str]]]:
    """This PF's VFs, each with the other devices in its group."""
    found = [(vf, _group_mates(vf, groups.get(vf.iommu_group, RawGroup()))) for vf in pf.vfs]
    return [(vf, others) for vf, others in found if others]


def _group_mates(vf: VfFacts, group: RawGroup) -> list[str]:
    """None if the group was read at a different time than the VF."""
    if vf.pci_address not in group.devices:
        return []
    return [
        device for device, kind in group.devices.items() if device != vf.pci_address and not kind.startswith(BRIDGE)
    ]


def _group_finding(pf: PfFacts, shared: list[tuple[VfFacts, list[str]]]) -> Finding:
    vf, others = shared[0]
    return Finding(
        "SB-E105",
        pf.pci_address,
        f"{len(shared)} of {quantity(pf.num_vfs, 'VF')} {'shares' if len(shared) == 1 else 'share'} an IOMMU group "
        "with another device, and only a whole group can be given to a VM",
        evidence=f"/sys/kernel/iommu_groups/{vf.iommu_group}/devices has {vf.pci_address}, {shortlist(others, SHOWN)}",
        remedy="enable ACS (and ARI) in the firmware setup, or move the NIC to a slot with its own root port",
    )
