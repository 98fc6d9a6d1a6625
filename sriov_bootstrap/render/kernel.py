"""What the kernel and its modules must be told before there are VFs: only what this kernel does not do by default.

AMD's IOMMU is on where the firmware has it on, and no parameter `amd_iommu=on` exists. Intel's needs one, unless the
kernel was built with CONFIG_INTEL_IOMMU_DEFAULT_ON, as Debian's is.
"""

from collections.abc import Iterable

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import driver_of, is_module_name
from sriov_bootstrap.core.plan_max_vfs import modprobe_path, modprobe_text
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering
from sriov_bootstrap.render.ports import exact_name

INTEL, AMD = "GenuineIntel", "AuthenticAMD"
WORD = "intel_iommu=on"
BUILT_IN = "CONFIG_INTEL_IOMMU_DEFAULT_ON=y"
GRUB_FILE = "/etc/default/grub.d/sriov-bootstrap.cfg"
UPDATE_GRUB, GRUBBY, KERNEL_CMDLINE = "/usr/sbin/update-grub", "/usr/sbin/grubby", "/etc/kernel/cmdline"
INITRAMFS = {"/usr/sbin/update-initramfs": "update-initramfs -u", "/usr/bin/dracut": "dracut --force"}
PROBED = (UPDATE_GRUB, GRUBBY, KERNEL_CMDLINE, *INITRAMFS)
BLACKLIST_FILE = "/etc/modprobe.d/sriov-bootstrap-vfs.conf"


def render_cmdline(host: Host, _ask: Ask) -> Rendering:
    """A grub drop-in, or what to do where there are none."""
    if why := _why_unneeded(host):
        return Rendering(notes=(f"no kernel parameter is needed: {why}",), obsolete=(GRUB_FILE,))
    if not host.cpu_vendor:
        problem = "the CPU is unknown (no /proc/cpuinfo, or not x86): no kernel parameter is rendered"
        return Rendering(problems=(problem,))
    if UPDATE_GRUB in host.paths:
        draft = Draft("kernel-cmdline.cfg.j2", {"word": WORD}, GRUB_FILE)
        return Rendering((draft,), after=("update-grub, and reboot",), commands=(("update-grub",),))
    if GRUBBY in host.paths:
        command = ("grubby", "--update-kernel=ALL", f"--args={WORD}")
        return Rendering(notes=(f"run: {' '.join(command)}, and reboot",), commands=(command,))
    if KERNEL_CMDLINE in host.paths:
        return Rendering(notes=(f"add {WORD} to the line in {KERNEL_CMDLINE}, kernel-install add-all, and reboot",))
    return Rendering(notes=(f"add {WORD} to the kernel command line in the boot loader, and reboot",))


def _why_unneeded(host: Host) -> str:
    """Why nothing has to be said to the kernel, "" if something has."""
    if not host.config.pf:
        return "there is no rule, so no VF"
    if host.cpu_vendor == AMD:
        return "AMD's IOMMU is on when the firmware has it on"
    if host.cpu_vendor not in {"", INTEL}:
        return f"the CPU is {host.cpu_vendor}"
    if BUILT_IN in host.kernel_config.splitlines():
        return "this kernel enables Intel's IOMMU by default (CONFIG_INTEL_IOMMU_DEFAULT_ON)"
    return ""


def render_modprobe(host: Host, _ask: Ask) -> Rendering:
    """For rules with `method = "max_vfs"`: the same files that the service writes, before it ever ran."""
    families: dict[str, list[DesiredPf]] = {}
    problems = []
    for wish in host.wishes:
        if not wish.rule.uses_max_vfs:
            continue
        if driver := wish.pf.driver if wish.pf else exact_name(wish.rule.match.driver):
            families.setdefault(driver, []).append(wish)
        else:
            problems.append(f'rule "{wish.rule.name}": its driver is unknown: render on a host with the NIC')
    drafts = []
    for driver, wishes in families.items():
        if not is_module_name(driver):  # it would be a part of a path, and a line of its own
            names = ", ".join(f'"{wish.rule.name}"' for wish in wishes)
            problems.append(f'the driver "{driver}" of rule {names} is not a module name')
        elif problem := _why_unfit(driver, wishes):
            problems.append(problem)
        else:
            drafts.append(Draft("", {"text": modprobe_text(driver, wishes[0].target or 0)}, modprobe_path(driver)))
    modules = sorted(
        filter(None, (driver_of(name).vf_module for name, wishes in families.items() if _leaves_without_driver(wishes)))
    )
    if modules:
        drafts.append(Draft("modprobe-vfs.conf.j2", {"modules": modules}, BLACKLIST_FILE))
    initramfs = next((command for path, command in INITRAMFS.items() if path in host.paths), "")
    after = (f"{initramfs}, and reboot" if initramfs else "reboot, or reload the driver",)
    notes = () if drafts or problems else ('no rule has method = "max_vfs": modprobe needs nothing',)
    return Rendering(tuple(drafts), tuple(problems), after, notes=notes, obsolete=() if modules else (BLACKLIST_FILE,))


def _why_unfit(driver: str, wishes: list[DesiredPf]) -> str:
    """A wrong number costs the NIC at the next boot."""
    names = ", ".join(f'"{wish.rule.name}"' for wish in wishes)
    targets = {wish.target for wish in wishes}
    if None in targets:
        return f"{driver}: num_vfs of rule {names} is not known without the NIC"
    if len(targets) > 1:
        return f"{driver}: max_vfs is one number for all its PFs, but the rules {names} differ"
    for wish in wishes:
        if wish.pf and wish.pf.driver and (wish.target or 0) > wish.pf.total_vfs:
            asked = quantity(wish.target or 0, "VF")
            return f"{wish.pf.pci_address}: cannot create {asked}: the device offers {wish.pf.total_vfs}"
    return ""


def _leaves_without_driver(wishes: Iterable[DesiredPf]) -> bool:
    """The module creates its VFs before probing can be disabled, so only a blacklist keeps their driver away."""
    return all(wish.rule.drivers(wish.target or 0).kinds == {VfDriver.NONE} for wish in wishes)
