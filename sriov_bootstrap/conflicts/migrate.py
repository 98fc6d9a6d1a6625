"""From what sets VFs on this host today to rules that replace it: one for each PF, and the lines to remove."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.desired import matches, rule_of
from sriov_bootstrap.core.facts import PfFacts


class Proposal(Struct, frozen=True):
    """A proposed rule. `pf` None: what the lines name does not exist now. `has_rule`: the config already has one.

    `notes`: what the operator should know about the choice of the number.
    """

    match: Match
    num_vfs: int | str
    masters: tuple[Master, ...]
    pf: PfFacts | None = None
    has_rule: bool = False
    notes: tuple[str, ...] = ()


class Migration(Struct, frozen=True):
    """`untold`: lines that set VFs of a PF that cannot be determined."""

    proposals: tuple[Proposal, ...] = ()
    untold: tuple[Master, ...] = ()

    @property
    def masters(self) -> tuple[Master, ...]:
        """Every line to remove, once; within a file from the last one up, since removing one moves those after it."""
        found = [*(master for proposal in self.proposals for master in proposal.masters), *self.untold]
        return tuple(sorted(dict.fromkeys(found), key=lambda master: (master.path, -master.line)))


def migrate(masters: tuple[Master, ...], pfs: Iterable[PfFacts], config: Config) -> Migration:
    """A PF that nothing sets gets no rule."""
    present = sorted(pfs, key=lambda pf: pf.pci_address)
    of_pfs = [(pf, _masters_of_pf(masters, pf)) for pf in present]
    proposals = [_propose_for_pf(pf, mine, config) for pf, mine in of_pfs if mine]
    proposals += _propose_for_absent(masters, present)
    return Migration(tuple(proposals), tuple(master for master in masters if not master.devices))


def _masters_of_pf(masters: Iterable[Master], pf: PfFacts) -> tuple[Master, ...]:
    return tuple(master for master in masters if any(matches(device, pf) for device in master.devices))


def _propose_for_pf(pf: PfFacts, masters: tuple[Master, ...], config: Config) -> Proposal:
    number, notes = _choose_number(masters, pf)
    has_rule = rule_of(config, pf) is not None
    return Proposal(Match(pci_address=pf.pci_address), number, masters, pf, has_rule, notes)


def _propose_for_absent(masters: Iterable[Master], pfs: list[PfFacts]) -> Iterator[Proposal]:
    """By what the lines say about the PF; a driver without a PF here names none."""
    for master in masters:
        here = any(matches(device, pf) for device in master.devices for pf in pfs)
        named = [device for device in master.devices if device.netdev or device.pci_address or device.mac]
        if not here and named:
            number = master.num_vfs if master.num_vfs is not None else "max"
            yield Proposal(named[0], number, (master,), notes=("no such PF exists now",))


def _choose_number(masters: tuple[Master, ...], pf: PfFacts) -> tuple[int | str, tuple[str, ...]]:
    """The current number if a line asks for it: then nothing changes. A 0 written before a number does not count."""
    asked = {master.num_vfs for master in masters if master.num_vfs is not None}
    wishes = sorted(asked - {0}) or sorted(asked)
    notes = []
    if len(wishes) > 1:
        notes.append(f"the lines disagree: {', '.join(map(str, wishes))}")
    if not wishes:
        notes.append("the lines do not say the number: this is the current one")
        return pf.num_vfs or "max", tuple(notes)
    possible = [wish for wish in wishes if wish <= pf.total_vfs]
    if over := [wish for wish in wishes if wish > pf.total_vfs]:
        notes.append(f"{over[-1]} is too many: the device offers {pf.total_vfs}")
    if pf.num_vfs in possible:
        return pf.num_vfs, tuple(notes)
    return possible[-1] if possible else "max", tuple(notes)
