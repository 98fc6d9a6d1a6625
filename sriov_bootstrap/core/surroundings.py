"""What a plan depends on beyond its own PF: the other PFs, the clock, what earlier passes have left in memory."""

from msgspec import Struct

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.facts import PfFacts, Routes
from sriov_bootstrap.core.placing import Moves, Placement, moves
from sriov_bootstrap.core.reasons import Verdict
from sriov_bootstrap.core.suspects import Suspects
from sriov_bootstrap.core.vf_settings import AttributeMemory, Settings, settings


class Jam(Struct, frozen=True):
    """A write in progress since `since` (Unix seconds, for people); process `pid` is in the kernel with it.

    `is_overdue`: longer than `limit_seconds`, so it counts as stuck and is no longer waited for. That is decided on
    CLOCK_MONOTONIC, where it began at `began_at`: Unix time jumps. `users`: who holds its VFs, "" if not known.
    """

    pid: int
    pci_address: str
    action: str
    since: float
    limit_seconds: float = 0.0
    is_overdue: bool = True
    began_at: float = 0.0
    users: str = ""

    def __str__(self) -> str:
        """For people."""
        how = "has not returned" if self.is_overdue else "is in progress"
        users = f": {self.users}" if self.users else ""
        return f"{self.pci_address}: {self.action} {how} (process {self.pid} is waiting in the kernel){users}"


class Short(Struct, frozen=True):
    """A write that the kernel accepted but that created another number of VFs: for `target`, `incarnations`.

    `is_proven`: they are what the write left, not the result of another write since. An older version that did not
    check left entries without it, which are tried once more.
    """

    target: int
    incarnations: frozenset[int]
    is_proven: bool = False


class RefusedMode(Struct, frozen=True):
    """An eswitch mode that the kernel has refused, `times` in a row, and its last words.

    `is_due`: this pass may ask again; until then the PF's VFs are made and bound in the mode that there is.
    """

    mode: str
    times: int
    message: str
    hint: str = ""
    is_due: bool = False

    def is_about(self, mode: str) -> bool:
        """Whether this mode is not to be asked for."""
        return self.mode == mode and not self.is_due


class ModuleFacts(Struct, frozen=True):
    """What is known of one driver's module: its modprobe.d file as it is, and whether it takes max_vfs."""

    modprobe_text: str = ""
    has_max_vfs: bool = False


class Surroundings(Struct, frozen=True):
    """What a plan depends on beyond its own PF. `now` on CLOCK_MONOTONIC.

    `bindings`: PCI address of a PF -> VFs of it that are being bound in another process. `absent_drivers`: drivers that
    rules name and the kernel does not have. `absent`: rule without a PF -> why, as far as that is known.
    `suspects`: what else may set the numbers of PFs; only known while a number has been overwritten.
    `mode_first`: PFs that have refused another eswitch mode because they had VFs; `refused_modes`: what else was.
    `names_follow_probes`: netdevs are called eth0, eth1 in the order in which they are created.
    """

    pfs: tuple[PfFacts, ...] = ()
    jam: Jam | None = None
    modules: dict[str, ModuleFacts] = {}
    routes: Routes = Routes()
    autoprobe_off_by_us: frozenset[str] = frozenset()
    short: dict[str, Short] = {}
    contests: dict[str, Contest] = {}
    suspects: Suspects = {}
    now: float = 0.0
    force: bool = False
    placements: dict[str, Placement] = {}
    bindings: dict[str, Jam] = {}
    absent_drivers: frozenset[str] = frozenset()
    absent: dict[str, Verdict] = {}
    names_follow_probes: bool = False
    attributes: dict[str, AttributeMemory] = {}
    machine_id: str = ""
    mode_first: frozenset[str] = frozenset()
    refused_modes: dict[str, RefusedMode] = {}

    def placement(self, pci_address: str) -> Placement:
        """What is remembered of this PF's VFs and their driver."""
        return self.placements.get(pci_address, Placement())

    def moves(self, rule: PfRule, pf: PfFacts) -> Moves:
        """Which of its VFs need another driver than they have."""
        return moves(rule, pf, self.placement(pf.pci_address), may_probe=self.may_probe(pf))

    def settings(self, rule: PfRule, pf: PfFacts) -> Settings:
        """Which of its VFs need other attributes than they have."""
        memory = self.attributes.get(pf.pci_address, AttributeMemory())
        is_unfinished = self.placement(pf.pci_address).is_unfinished
        return settings(rule, pf, memory, self.machine_id, now=self.now, is_unfinished=is_unfinished)

    def may_probe(self, pf: PfFacts) -> bool:
        """Whether VFs may get the kernel's driver: probing that something else has disabled stays so."""
        return pf.autoprobe or pf.pci_address in self.autoprobe_off_by_us
