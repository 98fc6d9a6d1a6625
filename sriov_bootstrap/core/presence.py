"""A rule without a PF: which devices that are here it may mean, and what is said of them."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.config import Match, PfRule, is_exact
from sriov_bootstrap.core.desired import matches
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.netdev_names import NetdevNames
from sriov_bootstrap.core.obstacles import Absence, Function, Platform, why_absent
from sriov_bootstrap.core.plurals import quantity

HYPERVISORS = (
    *("Apple Virtualization", "BHYVE", "Bochs", "Google Compute Engine", "Hyper-V", "KVM", "KubeVirt", "OpenStack"),
    *("Parallels", "QEMU", "VMW", "VMware", "VirtualBox", "Virtual Machine", "Xen", "innotek GmbH"),
)


class StrayNetdev(Struct, frozen=True):
    """A netdev of no PCI function. `bus`: of its device, "" if it has none; `lowers`: what it is built on."""

    name: str
    bus: str = ""
    lowers: tuple[str, ...] = ()


class Inventory(Struct, frozen=True):
    """What is here and no PF that a rule can take; looked for while a rule has none. `strays`: of names in rules."""

    functions: tuple[Function, ...] = ()
    strays: tuple[StrayNetdev, ...] = ()
    platform: Platform = Platform()


def parse_kernel_config(text: str) -> bool | None:
    """Whether such a kernel has CONFIG_PCI_IOV; None for what is no kernel's config."""
    lines = text.splitlines()
    if "CONFIG_PCI_IOV=y" in lines:
        return True
    return False if "CONFIG_PCI=y" in lines or "# CONFIG_PCI_IOV is not set" in lines else None


def is_virtual(names: Iterable[str]) -> bool:
    """Whether the firmware calls this machine one of a hypervisor's; as systemd-detect-virt(1) knows them."""
    return any(name.startswith(HYPERVISORS) and not name.endswith(".metal") for name in names)


def is_meant(match: Match, function: PfFacts) -> bool:
    """Whether a rule means this function.

    What is no NIC may be many things: it is only meant by what names few, and not by `driver = "*"`.
    """
    if function.is_nic or match.names_any_pf:
        return matches(match, function)
    names_few = match.netdev or match.altname or match.mac or is_exact(match.driver) or function.total_vfs
    return bool(names_few) and matches(match, replace(function, is_nic=True))


def absences(rule: PfRule, devices: Inventory) -> tuple[Absence, ...]:
    """Of each function that the rule means; NICs first."""
    meant = [function for function in devices.functions if is_meant(rule.match, function.facts)]
    ordered = sorted(meant, key=lambda function: (not function.facts.is_nic, function.facts.pci_address))
    return tuple(why_absent(function, devices.platform, rule) for function in ordered)


def are_final(rule: PfRule, found: tuple[Absence, ...]) -> bool:
    """Whether the rule names a card that is here and can have no VFs until it is added to the bus again.

    The kernel makes sriov_totalvfs when it adds a device, or never (drivers/pci/iov.c, sriov_init). By another selector
    it may mean a card that is still to come: at boot, a netdev may have the name that another one is about to get.
    """
    names_card = is_exact(rule.match.pci_address) or is_exact(rule.match.serial_number)
    return names_card and not any(absence.function.offers for absence in found)


def message_of(rule: PfRule, found: tuple[Absence, ...]) -> str:
    """Why the rule takes no PF: the first function, and how many more."""
    first, more = found[0], len(found) - 1
    others = f"; {quantity(more, 'more device')} likewise" if more else ""
    return f'{first.function}: {first.problem} (matched by rule "{rule.name}": {rule.match}){others}'


def nothing_remedy(rule: PfRule, pfs: Iterable[PfFacts], devices: Inventory) -> str:
    """For a rule that means no device here; "" where nothing points to one."""
    here = tuple(pfs)
    if stray := next((netdev for netdev in devices.strays if netdev.name == rule.match.netdev), None):
        return _stray_remedy(stray, here)
    names = NetdevNames((*here, *(function.facts for function in devices.functions if not function.physfn)))
    if found := names.find_meant(rule.match.netdev):
        match = f'match = {{ pci_address = "{found[0].pci_address}" }}'
        return f"{names.question(rule.match.netdev)}; if so: {match}"
    bare = [pf.pci_address for pf in here if not pf.driver]
    if bare and not rule.match.pci_address:
        return f"{bare[0]} has no driver, and so no netdev: modprobe $(cat /sys/bus/pci/devices/{bare[0]}/modalias)"
    return ""


def _stray_remedy(stray: StrayNetdev, pfs: tuple[PfFacts, ...]) -> str:
    below = next(((pf, dev) for pf in pfs for dev in pf.netdevs if dev.name in stray.lowers), None)
    kind = f"it belongs to a device on the {stray.bus} bus" if stray.bus else "it has no device of its own"
    said = f"{stray.name} is the netdev of no PCI function, so it has no VFs: {kind}"
    if not below:
        return said
    pf, dev = below
    return f'{said}; it is built on {dev.name}: match = {{ pci_address = "{pf.pci_address}" }}'
