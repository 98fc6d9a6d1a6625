"""Fewer VFs than asked for: more than the device has, no room in memory or on the bus, or what the kernel said."""

import errno
from collections.abc import Iterator

from sriov_bootstrap.core import errnos
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.parse import vf_places
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.doctor.nic.driver import is_incapable
from sriov_bootstrap.doctor.nic.survey import Detail, NicSurvey, falls_short
from sriov_bootstrap.formats.pci_config import capability, lacks_vf_memory
from sriov_bootstrap.render.host import Host, VfLayout

MEMORY_REMEDY = 'enable "above 4G decoding" (and "SR-IOV") in the firmware setup, or boot with pci=realloc'
BUS_REMEDY = (
    "lower num_vfs, or boot with pci=assign-busses; with ARI enabled in the firmware setup they need fewer buses"
)
CODES = {errno.ENOMEM: "SB-E213", errno.ENOSPC: "SB-E215"}


def check_room(host: Host, wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """Of one PF: the first sufficient reason. None while a write is in progress."""
    pf, target = wish.pf, wish.target or 0
    if pf is None or not pf.driver or not falls_short(wish):
        return
    detail = survey.details.get(pf.pci_address, Detail())
    if target > pf.total_vfs:
        yield _too_many_finding(wish, pf, detail)
    elif not survey.is_busy and not pf.vfs:
        layout = host.layouts.get(pf.pci_address, VfLayout())
        finding = (
            _memory_finding(pf, detail) or _bus_finding(pf, target, detail, layout) or _write_finding(pf, survey.report)
        )
        yield from (finding,) if finding else ()


def _too_many_finding(wish: DesiredPf, pf: PfFacts, detail: Detail) -> Finding:
    evidence = f'sriov_totalvfs is {pf.total_vfs}; rule "{wish.rule.name}" has num_vfs = {wish.rule.num_vfs}'
    chip = capability(detail.config).total_vfs
    if chip and chip != pf.total_vfs:
        evidence += f"; its config space has TotalVFs {chip}, {pf.driver} keeps the rest"
    remedy = f'num_vfs = {pf.total_vfs} or "max" in rule "{wish.rule.name}"; some NICs can be set up to offer more'
    return Finding(
        "SB-E210",
        pf.pci_address,
        f"it offers {quantity(pf.total_vfs, 'VF')}, fewer than asked for",
        evidence=evidence,
        remedy=remedy,
    )


def _memory_finding(pf: PfFacts, detail: Detail) -> Finding | None:
    if not lacks_vf_memory(detail.resource):
        return None
    evidence = f"lines 8 to 13 of /sys/bus/pci/devices/{pf.pci_address}/resource give the VFs' BARs no address"
    return Finding(
        "SB-E213", pf.pci_address, "there is no memory space for its VFs' BARs", evidence=evidence, remedy=MEMORY_REMEDY
    )


def _bus_finding(pf: PfFacts, target: int, detail: Detail, layout: VfLayout) -> Finding | None:
    """drivers/pci/iov.c, sriov_enable: the bus of the last VF must be one that the bridge above forwards."""
    numbers = {"sriov_totalvfs": target, "sriov_offset": layout.offset, "sriov_stride": layout.stride}
    places = vf_places(pf.pci_address, {name: str(number) for name, number in numbers.items()})
    if len(places) < target or not detail.last_bus.isdecimal():
        return None
    last = int(places[-1].split(":")[1], 16)
    if last <= int(detail.last_bus):
        return None
    problem = f"its VF {target - 1} would be {places[-1]}, on a bus that its bridge does not forward"
    evidence = f"subordinate_bus_number of {detail.bridge} is {detail.last_bus} (0x{int(detail.last_bus):02x})"
    return Finding("SB-E214", pf.pci_address, problem, evidence=evidence, remedy=BUS_REMEDY)


def _write_finding(pf: PfFacts, report: PassReport) -> Finding | None:
    """What the last pass ran into, as long as it still applies."""
    line = next((pf_report for pf_report in report.pfs if pf_report.pci_address == pf.pci_address), None)
    if line is None or line.reason not in {Reason.WRITE_FAILED, Reason.FEWER_VFS}:
        return None
    numbers = [
        result.errno
        for result in report.results
        if isinstance(result.action, SetNumVfs) and result.action.pci_address == pf.pci_address and not result.is_done
    ]
    number = numbers[-1] if numbers else 0
    if is_incapable(number):
        problem = f"the driver {pf.driver} cannot create VFs through sriov_numvfs: it is too old, or has no SR-IOV"
        remedy = f'upgrade {pf.driver}, or set method = "max_vfs" in the rule if modinfo -p {pf.driver} lists max_vfs'
        return Finding("SB-E209", pf.pci_address, problem, evidence=f"the last pass: {line.message}", remedy=remedy)
    code = CODES.get(number, "SB-E216")
    problem = f"the kernel created no VFs: {errnos.explain(number).cause}" if number else "the last pass created no VFs"
    return Finding(code, pf.pci_address, problem, evidence=f"the last pass: {line.message}", remedy=line.hint)
