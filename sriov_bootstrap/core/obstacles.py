"""A rule that takes no PF although its device is here: why that offers no VFs, as far as it can be told.

The kernel has a file sriov_totalvfs where it was built with CONFIG_PCI_IOV and has found an SR-IOV capability with VFs
in it (drivers/pci/iov.c, sriov_init). So what is missing says little by itself:

- A VF has no VFs. On the host it has a link physfn; the VM that it was given to knows it only by its driver.
- Firmware that has SR-IOV switched off leaves a capability with TotalVFs 0, or takes it out altogether (ConnectX).
- A hypervisor passes a device on without it (QEMU puts null capabilities in its place), and no setting in the VM, nor
  in a firmware that a VM has, brings it back.
- Without root, config space ends before the list of extended capabilities.

A remedy is only named where it can work.
"""

from enum import StrEnum, auto

from msgspec import Struct

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.pci_address import label
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.sriov_chips import has_sriov, is_vf

NVIDIA = "15b3"
AS_ROOT = "run doctor as root, which can read its SR-IOV capability: sudo sriov-bootstrap doctor"
WITH_IOV = "boot a kernel with CONFIG_PCI_IOV=y, 3.8 or newer"
ON_THE_HOST = "create the VFs on the host of this VM and pass them to it; here, remove the rule"
NO_OTHER_WAY = "no setting changes that: name another device in the rule, or remove it"
NO_IOV = "CONFIG_PCI_IOV is not set in this kernel"


class Platform(Struct, frozen=True):
    """What holds for every device of this host. `has_iov`: whether its kernel has CONFIG_PCI_IOV; None: not known."""

    has_iov: bool | None = None
    is_guest: bool = False


class Function(Struct, frozen=True):
    """A PCI function that offers no VFs. `physfn`: the PF of a VF. `offers`: the text of sriov_totalvfs, "": no file.

    `is_seen`: whether its capabilities could be read; `total_vfs`: of the SR-IOV capability, None if there is none;
    `has_gaps`: the list has null capabilities, where others were taken out. `is_dead`: it does not answer at all.
    """

    facts: PfFacts
    physfn: str = ""
    offers: str = ""
    is_seen: bool = False
    total_vfs: int | None = None
    has_gaps: bool = False
    is_dead: bool = False

    def __str__(self) -> str:
        """For people: `0000:3b:00.0 (ens1f0)`."""
        return label(self.facts.pci_address, self.facts.netdev)


class Obstacle(StrEnum):
    """What stands between a device that is here and its VFs."""

    UNNAMED = auto()
    IS_VF = auto()
    NO_CAPABILITY = auto()
    SWITCHED_OFF = auto()
    KERNEL = auto()
    HYPERVISOR = auto()
    DEAD = auto()


class Absence(Struct, frozen=True):
    """Why a function offers no VFs, in words for people; `remedy`: what can help.

    `is_unseen`: root might see more.
    """

    obstacle: Obstacle
    function: Function
    problem: str
    evidence: str
    remedy: str
    is_unseen: bool = False

    @property
    def is_fixable(self) -> bool:
        """Whether something on this host gives it VFs."""
        return self.obstacle in {Obstacle.SWITCHED_OFF, Obstacle.KERNEL}


def why_absent(function: Function, platform: Platform, rule: PfRule) -> Absence:
    """The first sufficient reason. `rule`: the one that means it, for the number in a remedy."""
    by_itself = _absence_unnamed(function) or _absence_of_vf(function) or _absence_dead(function, platform)
    if by_itself:
        return by_itself
    if function.offers or function.total_vfs == 0:
        return _absence_by_setting(function, platform, rule)
    if function.total_vfs:
        return _absence_by_kernel(function, platform, function.total_vfs)
    return _absence_without_capability(function, platform, rule)


def _absence_unnamed(function: Function) -> Absence | None:
    if not function.facts.total_vfs:
        return None
    remedy = f'name it by its address: match = {{ pci_address = "{function.facts.pci_address}" }}'
    problem = f"it offers {quantity(function.facts.total_vfs, 'VF')}, but is not a NIC: a rule has to name it"
    return Absence(Obstacle.UNNAMED, function, problem, f"sriov_totalvfs is {function.offers}", remedy)


def _absence_of_vf(function: Function) -> Absence | None:
    facts = function.facts
    if function.physfn:
        evidence = f"physfn of {facts.pci_address} is {function.physfn}"
        remedy = f'match its PF: match = {{ pci_address = "{function.physfn}" }}'
        return Absence(Obstacle.IS_VF, function, "it is a VF, which cannot have VFs", evidence, remedy)
    if not is_vf(facts):
        return None
    problem = "it is a VF that this machine was given, and a VF cannot have VFs"
    return Absence(Obstacle.IS_VF, function, problem, f"its driver is {facts.driver}", ON_THE_HOST)


def _absence_dead(function: Function, platform: Platform) -> Absence | None:
    if not function.is_dead:
        return None
    cure = "power-cycle the host, or replace the device"
    if platform.is_guest:
        cure = "detach the device from this VM and attach it again, on the VM's host"
    remedy = f"journalctl -k -g {function.facts.pci_address} may say why; {cure}"
    return Absence(Obstacle.DEAD, function, "it does not answer", "its config space is all ff", remedy)


def _absence_by_setting(function: Function, platform: Platform, rule: PfRule) -> Absence:
    evidence = "the SR-IOV capability in its config space has TotalVFs 0"
    problem = "SR-IOV is disabled in its firmware"
    if function.offers:
        evidence = f"sriov_totalvfs is {function.offers}"
        problem = "SR-IOV is disabled: its firmware or driver offers no VFs"
    if platform.is_guest:
        problem = "SR-IOV is disabled for it on the host of this VM"
        return Absence(Obstacle.HYPERVISOR, function, problem, evidence, ON_THE_HOST)
    return Absence(Obstacle.SWITCHED_OFF, function, problem, evidence, _enable_remedy(function, rule))


def _absence_by_kernel(function: Function, platform: Platform, total_vfs: int) -> Absence:
    evidence = f"its config space offers {quantity(total_vfs, 'VF')}, but there is no file sriov_totalvfs"
    if platform.has_iov is False:
        evidence = f"{evidence}; {NO_IOV}"
        return Absence(Obstacle.KERNEL, function, "this kernel was built without SR-IOV", evidence, WITH_IOV)
    remedy = f"check the kernel log: journalctl -k -g {function.facts.pci_address}"
    if platform.has_iov is None:
        remedy = f"{remedy}; and whether the kernel has CONFIG_PCI_IOV=y: its config could not be read"
    return Absence(Obstacle.KERNEL, function, "the kernel does not expose its SR-IOV", evidence, remedy)


def _absence_without_capability(function: Function, platform: Platform, rule: PfRule) -> Absence:
    """None is there, or none could be seen."""
    if has_sriov(function.facts) is False:
        evidence = f"{_chip(function)} is known to have none"
        return Absence(Obstacle.NO_CAPABILITY, function, "its chip has no SR-IOV", evidence, NO_OTHER_WAY)
    if platform.is_guest:
        return _absence_in_guest(function, platform)
    return _absence_of_capability(function, rule) if function.is_seen else _absence_unseen(function, platform)


def _absence_in_guest(function: Function, platform: Platform) -> Absence:
    """Whatever the chip has: a hypervisor that shows its SR-IOV shows the capability, and the kernel the file."""
    problem = "this host is a VM, and its hypervisor hides the device's SR-IOV, if it has any"
    evidence = "there is no file sriov_totalvfs"
    if function.is_seen:
        evidence = "no SR-IOV capability in its config space"
    if function.has_gaps:
        problem = "this host is a VM, and its hypervisor hides the device's SR-IOV"
        evidence = f"{evidence}, but null capabilities, where some were taken out"
    if platform.has_iov is False:
        evidence = f"{evidence}; {NO_IOV}"
        if not function.is_seen:
            problem = f"{problem}; this kernel was built without SR-IOV as well"
    return Absence(Obstacle.HYPERVISOR, function, problem, evidence, ON_THE_HOST, is_unseen=not function.is_seen)


def _absence_unseen(function: Function, platform: Platform) -> Absence:
    if platform.has_iov is False:
        problem, evidence = "this kernel was built without SR-IOV", f"there is no file sriov_totalvfs; {NO_IOV}"
        return Absence(Obstacle.KERNEL, function, problem, evidence, WITH_IOV, is_unseen=True)
    evidence = "there is no file sriov_totalvfs"
    return Absence(Obstacle.NO_CAPABILITY, function, "it offers no VFs", evidence, AS_ROOT, is_unseen=True)


def _absence_of_capability(function: Function, rule: PfRule) -> Absence:
    evidence = "no SR-IOV capability in its config space"
    if has_sriov(function.facts):
        problem, evidence = (
            "SR-IOV is disabled in its firmware",
            f"{evidence}, and {_chip(function)} is known to have one",
        )
        return Absence(Obstacle.SWITCHED_OFF, function, problem, evidence, _enable_remedy(function, rule))
    problem = "it has no SR-IOV: the chip does not support it, or it is disabled in the device's firmware"
    remedy = f"if the chip supports it, {_enable_remedy(function, rule)}; if not, {NO_OTHER_WAY}"
    return Absence(Obstacle.NO_CAPABILITY, function, problem, evidence, remedy)


def _chip(function: Function) -> str:
    facts = function.facts
    return f"chip {facts.vendor_id}:{facts.device_id}" + (f" (driver {facts.driver})" if facts.driver else "")


def _enable_remedy(function: Function, rule: PfRule) -> str:
    if function.facts.vendor_id == NVIDIA and function.facts.is_nic:
        number = rule.num_vfs if isinstance(rule.num_vfs, int) else "N"
        return f"mlxconfig -d {function.facts.pci_address} set SRIOV_EN=1 NUM_OF_VFS={number}, and power-cycle the host"
    return "enable SR-IOV for it in its own setup (at boot, or with its vendor's tool) and in the server's"
