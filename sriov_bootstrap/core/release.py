"""May VFs be removed because an operator asks for it, and how: refusals, the rule that it amounts to, what it leaves.

Only VFs that we created or a rule adopted, and that no rule asks for any more: others belong to their creator.
"""

from msgspec.structs import replace

from sriov_bootstrap.base.errors import NotOursError
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.desired import rule_of
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.former_links import FormerLink
from sriov_bootstrap.core.ours import Ours, is_ours, still_ours
from sriov_bootstrap.core.pci_address import normalize
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.state import State, add_change, incarnations_at
from sriov_bootstrap.core.surroundings import Jam

IN_USE_HINT = "stop what uses it and run this again, or add --force"
CONTESTED_HINT = "stop what else sets its VFs and run this again; sriov-bootstrap doctor names it if a file does"


def parse_address(text: str) -> str:
    """A PCI address as the kernel writes it; without a domain 0000 is meant. NotOursError if it is none."""
    if not (address := normalize(text.strip())):
        raise NotOursError(f"{text}: not a PCI address", hint="write it as status shows it, such as 0000:3b:00.0")
    return address


def refuse_unless_ours(address: str, pf: PfFacts | None, config: Config, ours: Ours) -> None:
    """Raises NotOursError for VFs that are not ours to release."""
    if pf is None:
        hint = "sriov-bootstrap init lists this host's PFs"
        raise NotOursError(f"{address}: no device with SR-IOV has this PCI address", hint=hint)
    if (rule := rule_of(config, pf)) and rule.num_vfs != 0:
        hint = "remove the rule or set num_vfs = 0 first: otherwise the service would create the VFs again"
        raise NotOursError(f'{address}: rule "{rule.name}" still asks for VFs on it', hint=hint)
    if pf.num_vfs and not is_ours(ours, pf):
        hint = f"what created them must remove them; a rule with num_vfs = {pf.num_vfs} would adopt them"
        raise NotOursError(f"{address}: its {quantity(pf.num_vfs, 'VF is', 'VFs are')} not of our making", hint=hint)


def rule_for(address: str, former: FormerLink) -> PfRule:
    """A release is a pass with this rule alone: the same guard, the same writes, the same restarts."""
    match = Match(pci_address=address)
    return PfRule("release", match, 0, pf_up=False, mtu=former.mtu, promisc=former.switch, eswitch=former.eswitch)


def fold_into(
    saved: State, address: str, pfs: tuple[PfFacts, ...], *, jam: Jam | None, changed_at: float | None
) -> State:
    """The state after a release. It is not a pass: it says nothing about other PFs, and their losses are not forgotten.

    `changed_at`: when its VFs were removed (CLOCK_MONOTONIC), None if they did not.
    """
    now = incarnations_at(address, pfs)
    leftovers = tuple(leftover for leftover in saved.report.leftovers if leftover.pci_address != address or now)
    return replace(
        saved,
        report=replace(saved.report, jam=jam, leftovers=leftovers),
        changed_at=saved.changed_at if changed_at is None else changed_at,
        pending=saved.pending if changed_at is None else add_change(saved.pending, changed_at, (address,)),
        known=saved.known | {address: now},
        vfs_changed_at=saved.vfs_changed_at | ({} if changed_at is None else {address: changed_at}),
        ours=still_ours(saved.ours, pfs),
    )
