"""What each stage came to: before the VM is started, from what libvirt said, and from what the guest reports."""

from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.core.facts import NAMED, PfFacts, VfFacts
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.vf_attributes import VfAttributes
from sriov_bootstrap.verify.choice import FREE_ONE, Choice
from sriov_bootstrap.verify.domain import Vm
from sriov_bootstrap.verify.report import GuestDevice, GuestReport
from sriov_bootstrap.verify.stages import Accelerator, ProofStage, StageResult, confirm, fail, skip

IOMMU_OFF = (
    "enable VT-d or AMD-Vi in the firmware; on Intel also intel_iommu=on: sriov-bootstrap render kernel-cmdline --apply"
)
ALONE = "enable ACS and ARI in the firmware setup, or move the NIC to a slot with its own root port"
GUESTS_DRIVER = (
    "the guest has this host's own modules: if the VF has its driver here (sriov-bootstrap status), journalctl -k may"
    " show what that one needs; if the module lacks firmware or another module, install the running kernel's packages"
)
OWN_MAC = "the driver kept the VF's own: journalctl -k; docs/drivers.md says which drivers can set one"
OTHER_VLAN = "something else sets VLANs of this PF's VFs: sriov-bootstrap doctor names what sets VFs if a file does"
NO_KVM = "no /dev/kvm: the VM runs on an emulated CPU (TCG), which takes minutes instead of seconds"

# What libvirt says (src/hypervisor/virhostdev.c, util/virnetdev.c, util/virpci.c, QEMU's vfio) -> stage and remedy.
WORDS = (
    ("is not online", ProofStage.PF, "ip link set NETDEV up; pf_up = true in the rule keeps it up"),
    ("not viable", ProofStage.IOMMU, ALONE),
    ("host doesn't support passthrough", ProofStage.IOMMU, f"modprobe vfio-pci; {IOMMU_OFF}"),
    ("already exists", ProofStage.START, "virsh destroy NAME, if nobody needs it; verify does so with its own"),
    ("is in use by", ProofStage.FREE, FREE_ONE),
    (
        "MAC",
        ProofStage.MAC,
        "journalctl -k has the driver's reason; docs/drivers.md says which drivers can set one",
    ),
    ("VLAN", ProofStage.VLAN, "verify with --vlan 0 leaves it out; docs/drivers.md says which drivers can set one"),
    ("vlan", ProofStage.VLAN, "verify with --vlan 0 leaves it out; docs/drivers.md says which drivers can set one"),
    ("No space left", ProofStage.START, "make room in /run and in /var/log/libvirt"),
)
KERNEL_PACKAGE = "install the running kernel's own package, with all of its modules; after an upgrade of it, reboot"
SEE_LIBVIRT = "see journalctl -u libvirtd -u virtqemud, and /var/log/libvirt/qemu/NAME.log"

BY_HAND = "give a VF to a VM by hand: sriov-bootstrap render libvirt prints the interface for its XML"
NO_LIBVIRT = "install libvirt's daemon and clients, and start it; see journalctl -u libvirtd -u virtqemud"


class Equipment(Struct, frozen=True):
    """What the host has for it. `groups`: IOMMU group -> the devices in it but bridges; None if there are none."""

    groups: dict[str, tuple[str, ...]] | None
    machine_problem: str = ""
    libvirt_problem: str = ""
    kernel_problem: str = ""
    module_problems: dict[str, str] = {}  # PCI address of a VF -> why no driver for the guest was found
    has_kvm: bool = True
    taken_names: frozenset[str] = frozenset()

    @property
    def accelerator(self) -> Accelerator:
        """What runs the VMs."""
        return Accelerator.KVM if self.has_kvm else Accelerator.TCG


class Observation(Struct, frozen=True):
    """What one VM came to. `libvirt_said` "" if it was started; `on_pf`: what the PF had for the VF meanwhile."""

    report: GuestReport = GuestReport()
    libvirt_said: str = ""
    on_pf: VfAttributes | None = None
    seconds: float = 0.0
    is_late: bool = False
    console: str = ""


def judge_before(choice: Choice, host: Equipment, name: str) -> Iterator[StageResult]:
    """What can be told without a VM; a failure among these keeps it from being started."""
    vf, pf = choice.vf, choice.pf
    if vf is None:
        yield fail(ProofStage.FREE, choice.why, choice.remedy)
        return
    yield confirm(ProofStage.FREE, f"VF {vf.index} {vf.pci_address}")
    yield _judge_group(vf, host)
    yield _judge_pf(pf)
    if host.machine_problem:
        yield fail(ProofStage.LIBVIRT, host.machine_problem, BY_HAND)
    elif host.libvirt_problem:
        yield fail(ProofStage.LIBVIRT, host.libvirt_problem, NO_LIBVIRT)
    elif name in host.taken_names:
        remedy = f"virsh destroy {name}; virsh undefine {name}"
        yield fail(ProofStage.LIBVIRT, f"there is a domain {name} already", remedy)
    else:
        yield confirm(ProofStage.LIBVIRT, "KVM" if host.has_kvm else NO_KVM)
    # The last one: what is missing for the initramfs takes its place.
    problem = host.kernel_problem or host.module_problems.get(vf.pci_address, "")
    yield fail(ProofStage.KERNEL, problem, KERNEL_PACKAGE) if problem else confirm(ProofStage.KERNEL)


def _judge_group(vf: VfFacts, host: Equipment) -> StageResult:
    if not host.groups or not vf.iommu_group:
        return fail(ProofStage.IOMMU, "the kernel has no IOMMU group for it: the IOMMU is off", IOMMU_OFF)
    others = [device for device in host.groups.get(vf.iommu_group, ()) if device != vf.pci_address]
    if others:
        said = f"IOMMU group {vf.iommu_group} also has {shortlist(others, NAMED)}"
        return fail(ProofStage.IOMMU, said, ALONE)
    return confirm(ProofStage.IOMMU, f"group {vf.iommu_group}")


def _judge_pf(pf: PfFacts) -> StageResult:
    if not pf.netdev:
        said = "it has no netdev here, through which libvirt sets MAC and VLAN"
        return fail(ProofStage.PF, said, "give the PF its own driver, in this network namespace")
    if not pf.ports[0].is_up:
        remedy = f"ip link set {pf.netdev} up; pf_up = true in the rule keeps it up"
        return fail(ProofStage.PF, f"{pf.netdev} is down, and libvirt starts no VM on it", remedy)
    return confirm(ProofStage.PF, f"{pf.netdev} is up")


def judge_start(said: str, vm: Vm, pf: PfFacts) -> StageResult:
    """libvirt's refusal, by its own words."""
    stage, remedy = next(
        ((stage, text) for word, stage, text in WORDS if word in said), (ProofStage.START, SEE_LIBVIRT)
    )
    return fail(stage, said, remedy.replace("NETDEV", pf.netdev).replace("NAME", vm.name))


def judge_after(choice: Choice, vm: Vm, seen: Observation) -> Iterator[StageResult]:
    """From the start of the VM to the last frame. Nothing follows a stage without which there is nothing to see."""
    if seen.libvirt_said:
        yield judge_start(seen.libvirt_said, vm, choice.pf)
        return
    yield confirm(ProofStage.START)
    report = seen.report
    if not report.booted:
        yield fail(ProofStage.BOOT, _why_not_booted(seen), SEE_LIBVIRT.replace("NAME", vm.name))
        return
    yield confirm(ProofStage.BOOT, f"Linux {report.booted.kernel}")
    device = _device_of(vm, report)
    if not device:
        yield fail(ProofStage.DEVICE, "the guest sees no NIC", SEE_LIBVIRT.replace("NAME", vm.name))
        return
    yield confirm(ProofStage.DEVICE, f"{device.vendor_id}:{device.device_id}")
    yield from _judge_device(choice, vm, seen, device)


def _why_not_booted(seen: Observation) -> str:
    end = f"; its console ends with: {seen.console}" if seen.console else "; its console is empty"
    if seen.is_late:
        return f"the guest did not report that it has booted within {seen.seconds:.0f} s (--timeout){end}"
    return f"the VM ended before its guest reported that it has booted{end}"


def _device_of(vm: Vm, report: GuestReport) -> GuestDevice | None:
    """The first VF, by its MAC; where none has that, the first NIC."""
    macs = [*vm.macs.values()]
    by_mac = next((device for device in report.devices if device.mac == macs[0]), None)
    others = (device for device in report.devices if device.mac not in macs)
    return by_mac or next(others, None)


def _judge_device(choice: Choice, vm: Vm, seen: Observation, device: GuestDevice) -> Iterator[StageResult]:
    report = seen.report
    if not device.driver or not device.netdev:
        said = f"driver {device.driver} makes no netdev" if device.driver else "no driver takes it"
        more = "".join(f"; {module.path}: {module.problem}" for module in report.modules)
        late = "" if report.is_complete else f", until the deadline after {seen.seconds:.0f} s"
        yield fail(ProofStage.DRIVER, f"{said}{late}{more}", GUESTS_DRIVER)
        return
    yield confirm(ProofStage.DRIVER, device.driver)
    wanted = vm.macs[choice.vf.pci_address] if choice.vf else ""
    if device.mac == wanted:
        yield confirm(ProofStage.MAC, device.mac)
    else:
        yield fail(ProofStage.MAC, f"the guest reads {device.mac}, and {wanted} was set", OWN_MAC)
    yield _judge_vlan(vm, seen)
    yield _judge_link(device, seen)
    yield _judge_frames(vm, report)
    if vm.gateway:
        yield _judge_gateway(vm, report)


def _judge_vlan(vm: Vm, seen: Observation) -> StageResult:
    if not vm.vlan:
        return skip(ProofStage.VLAN, "none was asked for")
    told = seen.on_pf.vlan if seen.on_pf else None
    if told is None:
        return skip(ProofStage.VLAN, "the PF does not tell which VLAN its VF has")
    if told == vm.vlan:
        return confirm(ProofStage.VLAN, str(told))
    return fail(ProofStage.VLAN, f"the PF has VLAN {told} for it, and {vm.vlan} was set", OTHER_VLAN)


def _judge_link(device: GuestDevice, seen: Observation) -> StageResult:
    link = next((link for link in seen.report.links if link.mac == device.mac), None)
    if link and link.carrier:
        return confirm(ProofStage.LINK, f"up, {link.speed} Mbit/s" if link.speed else "up")
    said = "the guest's link has no carrier" if link else "the guest did not come so far"
    remedy = "look at the PF's cable and switch port (ip link: LOWER_UP), and at link_state in the rule's [[pf.vf]]"
    return fail(ProofStage.LINK, said, remedy)


def _judge_frames(vm: Vm, report: GuestReport) -> StageResult:
    if len(vm.macs) == 1:
        return skip(ProofStage.FRAMES, "no second VF of this PF is free")
    ours = {*vm.macs.values()}
    found = [frame for frame in report.frames if {frame.sender, frame.receiver} == ours]
    lost = [frame for frame in found if not frame.received]
    if len(found) == len(ours) and not lost:
        return confirm(ProofStage.FRAMES, "one in each direction, between two VFs")
    said = f"from {lost[0].sender} to {lost[0].receiver} nothing came through" if lost else "none was sent"
    remedy = "the NIC's switch does not connect its VFs: in switchdev mode Open vSwitch has to; spoofchk and trust, too"
    return fail(ProofStage.FRAMES, said, remedy)


def _judge_gateway(vm: Vm, report: GuestReport) -> StageResult:
    if report.gateway and report.gateway.mac:
        return confirm(ProofStage.GATEWAY, f"{vm.gateway} is at {report.gateway.mac}")
    remedy = "check that the switch port carries this VLAN (--vlan), and that the address is in it"
    return fail(ProofStage.GATEWAY, f"nobody answers ARP for {vm.gateway}", remedy)


def judge_back(problems: tuple[str, ...], left_alone: tuple[str, ...] = ()) -> StageResult:
    """`problems`: what is not as it was. `left_alone`: who has a VF by now, which is as it should be."""
    if problems:
        remedy = "sriov-bootstrap --once; see sriov-bootstrap status"
        return fail(ProofStage.BACK, shortlist((*problems, *left_alone), NAMED, "; "), remedy)
    if left_alone:
        return confirm(ProofStage.BACK, shortlist(left_alone, NAMED, "; "))
    return confirm(ProofStage.BACK, "driver, attributes and number of VFs as before")
