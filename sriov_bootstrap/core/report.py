"""What happened: one pass as a value. Log, metrics, state and status all show this, so they cannot disagree."""

from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.actions import Action
from sriov_bootstrap.core.pci_address import label
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.core.vf_attributes import Request, VfAttributes


class Outcome(StrEnum):
    """How one action ended."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    REFUSED = "refused"
    STALE = "stale"
    STUCK = "stuck"


class Result(Struct, frozen=True):
    """One action and its end; `errno` is the kernel's number or 0; `is_transient`: worth another try at once.

    `is_settled` False: the write was accepted and its VFs were not ready by the deadline.
    `made`: how many VFs a write of sriov_numvfs left, as seen right after it; -1 if not known.
    `contested`: PFs whose VFs something else has changed since; they are not waited for. `refused`: what the kernel has
    refused to set -> for which VFs, by number.
    """

    action: Action
    outcome: Outcome
    seconds: float = 0.0
    errno: int = 0
    message: str = ""
    hint: str = ""
    is_transient: bool = False
    is_settled: bool = True
    made: int = -1
    contested: tuple[str, ...] = ()
    refused: dict[Request, tuple[int, ...]] = {}

    @property
    def is_done(self) -> bool:
        """Whether the next action may follow."""
        return self.outcome in {Outcome.CHANGED, Outcome.UNCHANGED}


class PfState(StrEnum):
    """The state of one PF, in one word."""

    OK = "ok"
    PENDING = "pending"
    DEGRADED = "degraded"
    OPTIONAL = "optional"


class VfReport(Struct, frozen=True):
    """One VF; `user` says who uses it, `note` what else is worth knowing about it.

    `attributes`: what the PF has set for it, if the rule has tables, as far as they speak of it or it is not as usual;
    `differs`: what is not as they say. `mtu`: of its netdev, 0 if it has none here, or its rule says nothing of it.
    """

    index: int
    pci_address: str
    driver: str = ""
    iommu_group: str = ""
    user: str = ""
    note: str = ""
    attributes: VfAttributes | None = None
    differs: str = ""
    mtu: int = 0


class Leftover(Struct, frozen=True):
    """A PF with VFs that we created and no rule asks for any more: it is left as it is."""

    pci_address: str
    netdev: str = ""
    vfs: tuple[VfReport, ...] = ()

    def __str__(self) -> str:
        """For people."""
        name = label(self.pci_address, self.netdev)
        return f"{name}: {self.words}"

    @property
    def words(self) -> str:
        """The same without the name of the PF."""
        return quantity(
            len(self.vfs),
            "VF is ours, but no rule asks for it any more",
            "VFs are ours, but no rule asks for them any more",
        )

    @property
    def hint(self) -> str:
        """What to do."""
        return f"sriov-bootstrap release {self.pci_address} removes them; a rule with that number keeps them"


class PfReport(Struct, frozen=True):
    """One line of status: a rule and the PF that it took, "" where it took none.

    `will_change_vfs`: a plan that was not carried out would make VFs come or go. `vfs_unbound`: how many have no
    driver, or one that has not finished, although the rule wants one. `vfs_held`: how many keep another one than its
    vf_driver until they are released. `remark`: how a plan that was not carried out would do it, and why.
    `vf_attributes_differing`: how many VFs that nobody uses have not the attributes that the rule says.
    `awaits_carrier`: rates of VFs are set once the PF has a carrier. `rates_need_carrier`: they go with it, too.
    `eswitch_desired`: the mode that the rule says, "" if it says none; what there is is only known then.
    `eswitch_victims`: what would lose its traffic by a mode that was not set, beside VFs that would go. `is_final`: see
    Verdict.
    """

    rule: str
    requested: str
    state: PfState
    pci_address: str = ""
    netdev: str = ""
    driver: str = ""
    vendor_id: str = ""
    device_id: str = ""
    numa_node: int = -1
    physical_network: str = ""
    required: bool = True
    desired: int = 0
    num_vfs: int = 0
    max_vfs: int = 0
    reason: Reason | None = None
    message: str = ""
    hint: str = ""
    vfs: tuple[VfReport, ...] = ()
    will_change_vfs: bool = False
    vfs_unbound: int = 0
    vfs_held: int = 0
    remark: str = ""
    will_move_vfs: bool = False  # the same: give another driver to VFs that exist, or another mode to their switch
    vf_attributes_differing: int = 0
    awaits_carrier: bool = False
    rates_need_carrier: bool = False
    eswitch_mode: str = ""
    eswitch_desired: str = ""
    representors: int = 0
    representors_desired: int = 0
    eswitch_victims: tuple[str, ...] = ()
    is_final: bool = False

    @property
    def vfs_in_use(self) -> int:
        """How many VFs are in use."""
        return sum(bool(vf.user) for vf in self.vfs)

    @property
    def is_degraded(self) -> bool:
        """Whether this line alone makes the host degraded."""
        return self.state is PfState.DEGRADED

    @property
    def is_settled(self) -> bool:
        """Whether "ready" need not wait for it: all is well, or waiting would not help."""
        return (
            self.state in {PfState.OK, PfState.OPTIONAL}
            or not self.required
            or self.is_final
            or bool(self.reason and self.reason.traits.is_final)
        )

    def __str__(self) -> str:
        """How messages call it: `0000:3b:00.0 (ens1f0)`."""
        return label(self.pci_address, self.netdev) or f'rule "{self.rule}"'


class PassReport(Struct, frozen=True):
    """One pass. `started_at` is Unix time; `config_problems` are why the last good config was used instead.

    `config_checksums`: of each of `config_files`, as it was read. `losses`: PCI address -> VFs that went without us;
    `loss_suspects`: PCI address of a PF that lost VFs -> what may have done it, in words.
    `contested`: PCI address -> how often something else has overwritten the number of that PF. `table_problems`: what
    is wrong in [[pf.vf]] tables, so that their rules counted without such tables.
    """

    started_at: float = 0.0
    seconds: float = 0.0
    pfs: tuple[PfReport, ...] = ()
    results: tuple[Result, ...] = ()
    config_problems: tuple[str, ...] = ()
    config_files: tuple[str, ...] = ()
    config_checksums: tuple[int, ...] = ()
    jam: Jam | None = None
    losses: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    contested: dict[str, int] = {}
    loss_suspects: dict[str, str] = {}
    table_problems: tuple[str, ...] = ()

    @property
    def is_degraded(self) -> bool:
        """Whether some PF is not as desired."""
        return any(pf.is_degraded for pf in self.pfs)

    @property
    def is_short_of_config(self) -> bool:
        """The same, or something in the config cannot be read at all, whether a PF has that rule or not."""
        return self.is_degraded or bool(self.config_problems or self.table_problems)

    @property
    def has_failed(self) -> bool:
        """Whether an action ended badly: not whether a PF is degraded, which may be by refusal alone."""
        return any(not result.is_done and result.outcome is not Outcome.STALE for result in self.results)

    @property
    def has_transient_failure(self) -> bool:
        """Whether an action failed in a way that may pass."""
        return any(result.is_transient for result in self.results if not result.is_done)

    @property
    def status(self) -> str:
        """One line for `systemctl status`."""
        bad = [pf for pf in self.pfs if pf.is_degraded]
        if not self.pfs:
            return "nothing to do: no rule in the config"
        return (
            f"degraded: {bad[0].message}"
            if bad
            else f"{quantity(sum(pf.num_vfs for pf in self.pfs), 'VF')} on {quantity(len(self.pfs), 'PF')} as desired"
        )

    @property
    def is_settled(self) -> bool:
        """Whether every required PF is as desired."""
        return all(pf.is_settled for pf in self.pfs)
