"""The PF's driver: whether there is one, whether it is the right one, and whether it can take its parameters."""

import errno
import re
from collections.abc import Iterator

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_sources import SOURCES
from sriov_bootstrap.core.drivers import Role, driver_of
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.doctor.nic.survey import Detail, NicSurvey, falls_short, is_missing
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.ports import exact_name

NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|\d{1,9}")


def check_driver(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """Of one PF: without a driver, or with one that hands it on."""
    if wish.pf is None or not wish.rule.num_vfs:
        return
    if not wish.pf.driver:
        yield _no_driver_finding(wish, wish.pf, survey)
    elif driver_of(wish.pf.driver).count_parameter and wish.target not in {None, wish.pf.num_vfs}:
        yield _parameter_finding(wish, wish.pf, survey)
    elif falls_short(wish) and driver_of(wish.pf.driver).role in {Role.VFIO, Role.PASSED_ON}:
        yield _passed_on_finding(wish.pf)


def _no_driver_finding(wish: DesiredPf, pf: PfFacts, survey: NicSurvey) -> Finding:
    modalias = survey.details.get(pf.pci_address, Detail()).modalias
    modules = survey.modules.get(modalias, ())
    for module in modules:
        if line := modprobe.blocking_line(survey.lines, module):
            problem = f"it has no driver because {module} is blocked"
            remedy = f"remove that line from {line.place}, then: modprobe {shell_quoted(module)}"
            evidence = f"{line.place}: {line}; modules.alias: {module} drives {modalias}"
            return Finding("SB-E207", pf.pci_address, problem, evidence=evidence, remedy=remedy)
    evidence = f'no driver link in /sys/bus/pci/devices/{pf.pci_address}; rule "{wish.rule.name}" matches it'
    if modules:
        remedy = f"modprobe {shell_quoted(modules[0])}; if that fails: journalctl -k -g {shell_quoted(modules[0])}"
        return Finding(
            "SB-E206",
            pf.pci_address,
            f"no driver is bound; its module is {modules[0]}",
            evidence=evidence,
            remedy=remedy,
        )
    problem = "no driver is bound, so it has no VFs"
    if modalias and survey.has_module_list:
        evidence = f"no module in modules.alias drives {modalias}"
        remedy = (
            f"install the driver for {pf.vendor_id}:{pf.device_id}, or a newer kernel (linux-modules-extra on Ubuntu)"
        )
        return Finding("SB-E206", pf.pci_address, problem, evidence=evidence, remedy=remedy)
    remedy = f"modprobe $(cat /sys/bus/pci/devices/{pf.pci_address}/modalias)"
    return Finding("SB-E206", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _parameter_finding(wish: DesiredPf, pf: PfFacts, survey: NicSurvey) -> Finding:
    """Nothing can be written: the number comes from a parameter when the module is loaded."""
    name = driver_of(pf.driver).count_parameter
    parameters = modprobe.parameters(survey.lines, name)
    given = [parameter for parameter in parameters if modprobe.module_name(parameter.module) == pf.driver]
    problem = f"{pf.driver} takes its number of VFs from {name} alone, when it is loaded: it has {pf.num_vfs}"
    said = f"{given[-1].line.place}: {given[-1]}" if given else f"no line in modprobe.d gives it {name}"
    evidence = (
        f'{said}; rule "{wish.rule.name}" asks for {wish.target}; {SOURCES[pf.driver].place_of("count_parameter")}'
    )
    place = given[-1].line.place if given else f"/etc/modprobe.d/{pf.driver}.conf"
    remedy = (
        f"give {pf.driver} {name}={wish.target} in {place}, rebuild the initramfs (update-initramfs -u, dracut --force)"
        " and reboot, or set num_vfs of the rule to the number that there is"
    )
    return Finding("SB-E227", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _passed_on_finding(pf: PfFacts) -> Finding:
    problem = f"it is bound to {pf.driver}, which passes the whole PF on and creates no VFs"
    evidence = f"/sys/bus/pci/devices/{pf.pci_address}/driver; it has {quantity(pf.num_vfs, 'VF')}"
    remedy = (
        f"once no VM uses it: virsh nodedev-reattach pci_{re.sub('[:.]', '_', pf.pci_address)}"
        f" (or driverctl unset-override {pf.pci_address})"
    )
    return Finding("SB-E208", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def check_parameters(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """max_vfs, as old guides set it, for the drivers that our rules concern."""
    parameters = tuple(modprobe.parameters(survey.lines, "max_vfs"))
    for driver in concerned_drivers(host, survey):
        for parameter in parameters:
            is_its = driver_of(driver).max_vfs and modprobe.module_name(parameter.module) == driver
            if is_its and (finding := _max_vfs_finding(driver, parameter, in_tree=survey.in_tree.get(driver))):
                yield finding


def concerned_drivers(host: Host, survey: NicSurvey) -> tuple[str, ...]:
    """Those of PFs with a rule, of rules without a PF, and those that PFs without a driver would get."""
    found = [wish.pf.driver if wish.pf else exact_name(wish.rule.match.driver) for wish in host.wishes]
    for pf in pfs_without_driver(host):
        found += survey.modules.get(survey.details.get(pf.pci_address, Detail()).modalias, ())
    return tuple(dict.fromkeys(filter(None, found)))


def pfs_without_driver(host: Host) -> tuple[PfFacts, ...]:
    """PFs without a driver that have a rule, or may have one: without a driver there is no netdev to match."""
    with_rule = {wish.pf.pci_address for wish in host.wishes if wish.pf}
    any_missing = any(map(is_missing, host.wishes))
    return tuple(pf for pf in host.pfs if not pf.driver and (any_missing or pf.pci_address in with_rule))


def _max_vfs_finding(driver: str, parameter: modprobe.Parameter, *, in_tree: bool | None) -> Finding | None:
    row, place, value, shown = driver_of(driver), parameter.line.place, parameter.value, parameter.number
    numbers = [
        int(number, 0 if number[1:2] in {"x", "X"} else 10) for number in value.split(",") if NUMBER.fullmatch(number)
    ]
    if not NUMBER.fullmatch(value) and in_tree is not False:
        problem = (
            f"max_vfs={shown} is not one number, and the kernel's {driver} refuses to load with it: no NIC at boot"
        )
        remedy = f"remove it from {place}; num_vfs in the rule creates the VFs"
        return Finding("SB-E212", place, problem, evidence=f"{place}: {parameter}", remedy=remedy)
    if any(number > row.max_vfs for number in numbers):
        problem = f"max_vfs={shown} for {driver}, whose limit is {row.max_vfs}: {row.above}"
        remedy = f"remove it from {place}; num_vfs in the rule creates VFs, up to {row.max_vfs}"
        return Finding("SB-E211", place, problem, evidence=f"{place}: {parameter}", remedy=remedy)
    return None


def is_incapable(number: int) -> bool:
    """Whether writing sriov_numvfs failed because the driver does not support it (drivers/pci/iov.c)."""
    return number in {errno.ENOENT, errno.ENOSYS}
