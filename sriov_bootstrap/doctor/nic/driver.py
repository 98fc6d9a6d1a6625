"""The PF's driver: whether it is there and the right one, and whether its parameters are what it can take."""

import errno
import re
from collections.abc import Iterator

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.core.counted import counted
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.drivers import Role, driver_of
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.nic.survey import Detail, NicSurvey, falls_short, is_missing
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.ports import exact

NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|\d{1,9}")


def check_driver(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """Of one PF."""
    if wish.pf is None or not wish.rule.num_vfs:
        return
    if not wish.pf.driver:
        yield _no_driver(wish, wish.pf, survey)
    elif falls_short(wish) and driver_of(wish.pf.driver).role in {Role.VFIO, Role.PASSED_ON}:
        yield _passed_on(wish.pf)


def _no_driver(wish: DesiredPf, pf: PfFacts, survey: NicSurvey) -> Finding:
    modalias = survey.details.get(pf.pci_address, Detail()).modalias
    modules = survey.modules.get(modalias, ())
    for module in modules:
        if line := modprobe.blocking(survey.lines, module):
            problem = f"it has no driver, because {module} is blocked"
            remedy = f"take that line out of {line.place}, then: modprobe {shell_quoted(module)}"
            evidence = f"{line.place}: {line}; modules.alias: {module} drives {modalias}"
            return Finding("SB-E207", pf.pci_address, problem, evidence, remedy)
    evidence = f'no link driver in /sys/bus/pci/devices/{pf.pci_address}; rule "{wish.rule.name}" means it'
    if modules:
        remedy = f"modprobe {shell_quoted(modules[0])}; if that fails: journalctl -k -g {shell_quoted(modules[0])}"
        return Finding("SB-E206", pf.pci_address, f"no driver is bound; {modules[0]} drives it", evidence, remedy)
    problem = "no driver is bound, so it makes no VFs"
    if modalias and survey.has_module_list:
        evidence = f"no module in modules.alias drives {modalias}"
        remedy = (
            f"install the driver for {pf.vendor_id}:{pf.device_id}, or a newer kernel (linux-modules-extra on Ubuntu)"
        )
        return Finding("SB-E206", pf.pci_address, problem, evidence, remedy)
    remedy = f"modprobe $(cat /sys/bus/pci/devices/{pf.pci_address}/modalias)"
    return Finding("SB-E206", pf.pci_address, problem, evidence, remedy)


def _passed_on(pf: PfFacts) -> Finding:
    problem = f"it is bound to {pf.driver}, which hands the whole PF on and makes no VFs"
    evidence = f"/sys/bus/pci/devices/{pf.pci_address}/driver; {counted(pf.num_vfs, 'VF is', 'VFs are')} there"
    remedy = (
        f"when no VM has it: virsh nodedev-reattach pci_{re.sub('[:.]', '_', pf.pci_address)}"
        f" (or driverctl unset-override {pf.pci_address})"
    )
    return Finding("SB-E208", pf.pci_address, problem, evidence, remedy)


def check_parameters(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """max_vfs, as old guides have it, for the drivers that our rules are about."""
    given = tuple(modprobe.parameters(survey.lines, "max_vfs"))
    for driver in drivers_meant(host, survey):
        for one in given:
            is_its = driver_of(driver).max_vfs and modprobe.module_name(one.module) == driver
            if is_its and (finding := _max_vfs(driver, one, in_tree=survey.in_tree.get(driver))):
                yield finding


def drivers_meant(host: Host, survey: NicSurvey) -> tuple[str, ...]:
    """Of PFs with a rule, of rules without a PF, and those that PFs without driver would have."""
    found = [wish.pf.driver if wish.pf else exact(wish.rule.match.driver) for wish in host.wishes]
    for pf in driverless(host):
        found += survey.modules.get(survey.details.get(pf.pci_address, Detail()).modalias, ())
    return tuple(dict.fromkeys(filter(None, found)))


def driverless(host: Host) -> tuple[PfFacts, ...]:
    """PFs without driver that are ours, or may be: without driver there is no netdev by which a rule would know it."""
    ours = {wish.pf.pci_address for wish in host.wishes if wish.pf}
    any_missing = any(map(is_missing, host.wishes))
    return tuple(pf for pf in host.pfs if not pf.driver and (any_missing or pf.pci_address in ours))


def _max_vfs(driver: str, given: modprobe.Parameter, *, in_tree: bool | None) -> Finding | None:
    row, place, value, shown = driver_of(driver), given.line.place, given.value, given.number
    numbers = [int(one, 0 if one[1:2] in {"x", "X"} else 10) for one in value.split(",") if NUMBER.fullmatch(one)]
    if not NUMBER.fullmatch(value) and in_tree is not False:
        problem = (
            f"max_vfs={shown} is not one number, and the kernel's own {driver} refuses to load with it: no NIC at boot"
        )
        remedy = f"take it out of {place}; the rule's num_vfs does the work"
        return Finding("SB-E212", place, problem, f"{place}: {given}", remedy)
    if any(number > row.max_vfs for number in numbers):
        problem = f"max_vfs={shown} for {driver}, whose limit is {row.max_vfs}: {row.above}"
        remedy = f"take it out of {place}; num_vfs in the rule does the work, up to {row.max_vfs}"
        return Finding("SB-E211", place, problem, f"{place}: {given}", remedy)
    return None


def is_incapable(number: int) -> bool:
    """Whether a write of sriov_numvfs failed because the driver has no way to do it (drivers/pci/iov.c)."""
    return number in {errno.ENOENT, errno.ENOSYS}
