"""What a proof goes through, one stage after the other, and how each ended: nouns, and what is done about a failure."""

from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.pci_address import label


class ProofStage(StrEnum):
    """In their order. A failure ends the proof, but for FRAMES and what follows."""

    FREE = "free_vf"
    IOMMU = "iommu"
    PF = "pf"
    LIBVIRT = "libvirt"
    KERNEL = "kernel"
    START = "start"
    BOOT = "boot"
    DEVICE = "device"
    DRIVER = "driver"
    MAC = "mac"
    VLAN = "vlan"
    LINK = "link"
    FRAMES = "frames"
    GATEWAY = "gateway"
    BACK = "put_back"


class StageOutcome(StrEnum):
    """How a stage ended. SKIPPED: it could not be tried, which is no failure."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class StageResult(Struct, frozen=True):
    """`said`: what was seen, or why it failed; `remedy`: what to do about it."""

    stage: ProofStage
    outcome: StageOutcome
    said: str = ""
    remedy: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the VF does not work."""
        return self.outcome is StageOutcome.FAILED


def confirm(stage: ProofStage, said: str = "") -> StageResult:
    """It is as it should be."""
    return StageResult(stage, StageOutcome.PASSED, said)


def fail(stage: ProofStage, said: str, remedy: str) -> StageResult:
    """It is not."""
    return StageResult(stage, StageOutcome.FAILED, said, remedy)


def skip(stage: ProofStage, said: str) -> StageResult:
    """It could not be tried."""
    return StageResult(stage, StageOutcome.SKIPPED, said)


class Accelerator(StrEnum):
    """What runs the VM, in libvirt's words."""

    KVM = "kvm"
    TCG = "qemu"


class Verification(Struct, frozen=True):
    """The proof of one PF: `vf` in a VM, with `second` beside it; "" where there is none."""

    rule: str
    pf: str
    netdev: str = ""
    vf: str = ""
    second: str = ""
    accelerator: str = ""
    seconds: float = 0.0
    stages: tuple[StageResult, ...] = ()

    @property
    def failures(self) -> tuple[StageResult, ...]:
        """The stages that failed."""
        return tuple(stage for stage in self.stages if stage.has_failed)

    @property
    def is_proved(self) -> bool:
        """Whether the VF works, as far as it could be tried."""
        return bool(self.stages) and not self.failures

    def __str__(self) -> str:
        """How messages call it: `0000:3b:00.0 (ens1f0)`."""
        return label(self.pf, self.netdev)
