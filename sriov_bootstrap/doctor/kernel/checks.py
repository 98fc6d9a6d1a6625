"""Firmware and kernel: whether an IOMMU is in use, so that a VM may be given a VF at all, and what leaves it off.

The kernel log is no evidence: the parameter alone makes it say "DMAR: IOMMU enabled", even if VT-d is off in the
firmware. Groups in /sys/kernel/iommu_groups show that an IOMMU is in use, ACPI tables that the firmware has one.
"""

import re
from collections.abc import Iterator
from itertools import takewhile

from msgspec.structs import replace

from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.kernel.survey import KernelSurvey, has_iommu
from sriov_bootstrap.render.host import Ask, Host
from sriov_bootstrap.render.kernel import AMD, BUILT_IN, INTEL, WORD, render_cmdline

TABLES = ("DMAR", "IVRS", "VIOT")  # Intel's, AMD's, virtio's
IORT = "IORT"  # Arm's, which has an SMMU or none: formats/iort.py
NAMES = {INTEL: ("VT-d", "DMAR"), AMD: ("AMD-Vi", "IVRS")}
# Documentation/admin-guide/kernel-parameters.txt; each takes a list.
SWITCHES = ("iommu", "intel_iommu", "amd_iommu")
INITS = "--"  # what follows is for init: the kernel stops reading here (kernel/params.c), kmod and systemd do not


NO_SMMU = Finding(
    "SB-E101",
    "host",
    "the firmware describes no SMMU, Arm's IOMMU, so no VM can be given a VF",
    evidence=f"no SMMU in /sys/firmware/acpi/tables/{IORT}, and /sys/kernel/iommu_groups is empty",
    remedy="enable the SMMU in the firmware setup: systemctl reboot --firmware-setup; if this is a VM, give it one,"
    " such as libvirt's <iommu model='smmuv3'/>",
)


def check_firmware(host: Host, survey: KernelSurvey) -> Iterator[Finding]:
    """Only where rules make VFs that VMs may get."""
    if not lacks_iommu(host, survey):
        return
    if host.cpu_vendor in NAMES and survey.acpi_tables:
        yield _missing_iommu(host, survey, survey.acpi_tables)
    elif not host.cpu_vendor and survey.smmu_options is not None:
        yield _unused_smmu(host, survey.smmu_options) if survey.smmu_options else NO_SMMU


def unseen_of_firmware(host: Host, survey: KernelSurvey) -> Iterator[str]:
    """What could not be judged, and why."""
    if not lacks_iommu(host, survey):
        return
    if not host.cpu_vendor and IORT in survey.acpi_tables:
        if survey.smmu_options is None:
            yield f"whether the firmware has an SMMU: /sys/firmware/acpi/tables/{IORT}: run doctor on the host, as root"
    elif host.cpu_vendor not in NAMES:
        yield "why no IOMMU is in use: only Intel's, AMD's and Arm's ACPI tables are understood"
    elif not survey.acpi_tables:
        yield "whether the firmware has an IOMMU: no /sys/firmware/acpi/tables here: run doctor on the host, as root"


def lacks_iommu(host: Host, survey: KernelSurvey) -> bool:
    """Whether an IOMMU should be in use but is not."""
    return passes_through(host, survey) and survey.groups is not None and not has_iommu(survey.groups)


def passes_through(host: Host, survey: KernelSurvey) -> bool:
    """On bare metal, VFs are assumed to be for VMs; inside a VM, which seldom has an IOMMU, a rule must say so."""
    rules = [rule for rule in host.config.pf if rule.num_vfs != 0]
    said = any(rule.is_for_nova or rule.vf_driver == VfDriver.NONE for rule in rules)
    return bool(rules) and (said or not survey.is_guest)


def _missing_iommu(host: Host, survey: KernelSurvey, tables: tuple[str, ...]) -> Finding:
    present = next((table for table in TABLES if table in tables), "")
    if not present:
        return _firmware_off(host, survey)
    seen = f"/sys/firmware/acpi/tables/{present} exists, but /sys/kernel/iommu_groups is empty"
    words = tuple(takewhile(INITS.__ne__, survey.command_line))
    if word := _off_parameter(words):
        return _parameter_off(host, survey, word, seen)
    if present == "DMAR" and BUILT_IN not in host.kernel_config.splitlines() and not _is_on(words):
        if _is_on(survey.command_line):
            return _parameter_of_init(host, survey, seen)
        return _parameter_missing(replace(host, cpu_vendor=INTEL), survey, seen)
    option = "CONFIG_AMD_IOMMU" if present == "IVRS" else "CONFIG_INTEL_IOMMU"
    if present != "VIOT" and host.kernel_config and f"{option}=y" not in host.kernel_config.splitlines():
        remedy = f"boot a kernel built with {option}=y"
        return Finding("SB-E102", "host", f"this kernel was built without {option}", evidence=seen, remedy=remedy)
    problem = "the kernel does not use the IOMMU, and nothing on its command line explains why"
    return Finding(
        "SB-E102", "host", problem, evidence=seen, remedy="check the kernel log: journalctl -k -g 'DMAR|AMD-Vi|IOMMU'"
    )


def _firmware_off(host: Host, survey: KernelSurvey) -> Finding:
    name, table = NAMES[host.cpu_vendor]
    evidence = f"no {table} table in /sys/firmware/acpi/tables, and /sys/kernel/iommu_groups is empty"
    if survey.is_guest:
        remedy = "give this VM one, such as libvirt's <iommu model='intel'/>, and restart it"
        return Finding(
            "SB-E101", "host", "this VM has no IOMMU, so no VF can be passed through", evidence=evidence, remedy=remedy
        )
    problem = f"{name} is off in the firmware, so no VM can be given a VF"
    remedy = f"enable {name} (IOMMU) in the firmware setup: systemctl reboot --firmware-setup"
    return Finding("SB-E101", "host", problem, evidence=evidence, remedy=remedy)


def _unused_smmu(host: Host, options: frozenset[str]) -> Finding:
    """Arm's needs no parameter, and none switches it off: iommu.passthrough=1 is about the host's own DMA alone."""
    seen = f"/sys/firmware/acpi/tables/{IORT} describes an SMMU, but /sys/kernel/iommu_groups is empty"
    built = {line.partition("=")[0] for line in host.kernel_config.splitlines() if line.endswith(("=y", "=m"))}
    if host.kernel_config and not built & options:
        option = min(options)
        remedy = f"boot a kernel built with {option}=y"
        return Finding("SB-E102", "host", f"this kernel was built without {option}", evidence=seen, remedy=remedy)
    problem = "the kernel does not use the SMMU, Arm's IOMMU"
    remedy = "check the kernel log: journalctl -k -g 'smmu|iommu|IORT'"
    return Finding("SB-E102", "host", problem, evidence=seen, remedy=remedy)


def _parameter_off(host: Host, survey: KernelSurvey, word: str, seen: str) -> Finding:
    at = _first_line(survey.boot_sources, word)
    remedy = f"remove {word} from {at or 'the kernel command line in the boot loader'}, then {_regenerate(host)}"
    evidence = f"/proc/cmdline has {word}; {seen}"
    return Finding(
        "SB-E102", "host", f"the kernel command line turns the IOMMU off: {word}", evidence=evidence, remedy=remedy
    )


def _parameter_of_init(host: Host, survey: KernelSurvey, seen: str) -> Finding:
    at = _first_line(survey.boot_sources, WORD)
    problem = f"{WORD} is after {INITS} on the kernel command line, where it is for init alone"
    where = at or "the kernel command line in the boot loader"
    remedy = f"move {WORD} before {INITS} in {where}, then {_regenerate(host)}"
    return Finding("SB-E102", "host", problem, evidence=f"/proc/cmdline has {INITS}; {seen}", remedy=remedy)


def _parameter_missing(host: Host, survey: KernelSurvey, seen: str) -> Finding:
    """Where the missing parameter was lost on the way from the operator's file to the running kernel."""
    at = _first_line(survey.boot_sources, WORD)
    if not at:
        problem = f"the kernel parameter {WORD} is missing, so VT-d is not in use"
        return Finding(
            "SB-E102", "host", problem, evidence=f"/proc/cmdline has no {WORD}; {seen}", remedy=_set_parameter(host)
        )
    evidence = f"{WORD} is at {at}, but not in /proc/cmdline; {seen}"
    if menu := _first_line(survey.boot_menus, WORD):
        problem = f"{WORD} is in the boot menu, but this host has not been rebooted since"
        return Finding("SB-E104", at, problem, evidence=f"{evidence}; {menu} has it", remedy="systemctl reboot")
    if survey.boot_menus and survey.has_all_menus:
        problem = f"{WORD} is set, but the boot menu was not regenerated"
        evidence = f"{evidence}; not in {', '.join(survey.boot_menus)}"
        return Finding("SB-E103", at, problem, evidence=evidence, remedy=_regenerate(host))
    return Finding("SB-E102", "host", f"{WORD} is set, but not in force", evidence=evidence, remedy=_regenerate(host))


def _set_parameter(host: Host) -> str:
    rendering = render_cmdline(host, Ask())
    if rendering.drafts:
        return "sriov-bootstrap render kernel-cmdline --apply, then reboot"
    return "; ".join(rendering.notes)


def _regenerate(host: Host) -> str:
    rendering = render_cmdline(replace(host, cpu_vendor=INTEL, kernel_config=""), Ask())
    return "; ".join(rendering.after or rendering.notes)


def _first_line(texts: dict[str, str], word: str) -> str:
    """`file:line` of the first line with this word, comments aside; "" if there is none."""
    pattern = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])")
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if not line.lstrip().startswith("#") and pattern.search(line):
                return f"{path}:{number}"
    return ""


def _off_parameter(words: tuple[str, ...]) -> str:
    """The parameter that turns the IOMMU off; "" if none does. The last of each name counts."""
    last = {name: word for word in words for name in SWITCHES if word.startswith(f"{name}=")}
    return next((word for name, word in last.items() if "off" in word.removeprefix(f"{name}=").split(",")), "")


def _is_on(words: tuple[str, ...]) -> bool:
    values = [word.removeprefix("intel_iommu=") for word in words if word.startswith("intel_iommu=")]
    return any("on" in value.split(",") for value in values)
