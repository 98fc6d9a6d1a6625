"""From what sets VFs on this host today to rules that replace it: one for each PF, and the lines to remove.

What is printed can be applied as it is: a rule is live only if it leaves the VFs that exist as they are, and what asks
for it is beyond doubt, or is already there, and root runs it. Any other rule is a comment, with its reasons. No rule
asks for more VFs than somebody has asked for.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.besides import toml_lines
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.proposals import Migration, Proposal, Removal
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.conflicts.switches import SwitchCommand, eswitch_lines
from sriov_bootstrap.conflicts.taken_over import MAX_VFS, Tables, tables_of
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.desired import matches, rule_of
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.netdev_names import NetdevNames
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.vf_attributes import VfAttributes, combine_tables

SHOWN = 8
BY_USERS = "nothing that root runs asks for it"
KEEP_REST = "change it so that it leaves the PFs of network devices alone"
# Whose lines are writes to sriov_numvfs, done in the order in which they stand.
IN_ORDER = frozenset({Format.SCRIPT, Format.INTERFACES, Format.UNIT, Format.UDEV, Format.SYSFS})


def migrate(
    found: tuple[Master, ...],
    pfs: Iterable[PfFacts],
    config: Config,
    others: Iterable[PfFacts] = (),
    commands: Iterable[SwitchCommand] = (),
) -> Migration:
    """A PF that nothing sets gets no rule. `others`: functions of this host that get none, whatever sets their VFs.

    `commands`: what sets their switches.
    """
    masters = tuple(master for master in found if not master.is_mention)
    present = sorted(pfs, key=lambda pf: pf.pci_address)
    strangers = tuple(others)
    of_pfs = [(pf, _masters_of_pf(masters, pf)) for pf in present]
    proposals = [_propose_for_pf(pf, mine, config) for pf, mine in of_pfs if mine]
    proposals += _propose_for_absent(masters, present, strangers, config)
    waiting = {_place(master) for proposal in proposals if not proposal.is_decided for master in proposal.masters}
    proposed = {_place(master) for proposal in proposals for master in proposal.masters}
    untold = {_place(master) for master in masters if not master.devices}
    lines = {_place(master): master for master in sorted(masters, key=lambda master: (master.path, -master.line))}
    replaced = {place: _removal(master, strangers) for place, master in lines.items() if place in proposed | untold}
    foreign = (master for place, master in lines.items() if place not in replaced)
    return Migration(
        tuple(_with_switches(_with_vfs(proposals, config), tuple(commands), config)),
        tuple(removal for place, removal in replaced.items() if place not in waiting),
        tuple(removal for place, removal in replaced.items() if place in waiting),
        tuple(Removal(master, names) for master in foreign if (names := _no_nics(master, strangers))),
        tuple(sorted((master for master in found if master.is_mention), key=lambda master: master.path)),
    )


def _place(master: Master) -> tuple[str, str]:
    """Where something is to be done, and what: once, for however many PFs."""
    return master.place, master.remedy


def _removal(master: Master, others: Iterable[PfFacts]) -> Removal:
    made = (master.made,) if master.made else ()
    if not master.devices:
        return Removal(master, (*made, "its PF could not be determined: add a rule for it"))
    if staying := _no_nics(master, others):
        notes = tuple(f"it also sets VFs, and has to stay for that: {device}" for device in staying)
        return Removal(replace(master, remedy=KEEP_REST), (*made, *notes))
    return Removal(master, made)


def _no_nics(master: Master, others: Iterable[PfFacts]) -> tuple[str, ...]:
    """What else it sets VFs of."""
    found = [other for other in _others_of(master, others) if not other.is_nic]
    return tuple(
        f"{other.pci_address}{f' ({other.driver})' if other.driver else ''} is not a network device"
        for other in found[:SHOWN]
    )


def _masters_of_pf(masters: Iterable[Master], pf: PfFacts) -> tuple[Master, ...]:
    return tuple(master for master in masters if any(matches(device, pf) for device in master.devices))


def _others_of(master: Master, others: Iterable[PfFacts]) -> tuple[PfFacts, ...]:
    """To `matches`, what is no NIC is only what a rule may name."""
    return tuple(
        other for other in others if any(matches(device, replace(other, is_nic=True)) for device in master.devices)
    )


def _propose_for_pf(pf: PfFacts, masters: tuple[Master, ...], config: Config) -> Proposal:
    asked, is_told = _asked_numbers(masters)
    doubts = _doubts(masters)
    match, has_rule = Match(pci_address=pf.pci_address), rule_of(config, pf) is not None
    is_there, is_users = _is_there(asked, pf), all(master.runner for master in masters)
    if is_there and not is_users:
        unknown = () if asked else ("the lines do not say the number: this is the current one",)
        notes = (*_number_notes(asked, masters, pf), *unknown, *doubts, *_besides(masters))
        return Proposal(match, pf.num_vfs, masters, pf, has_rule, notes)
    number = asked[0] if len(asked) == 1 and asked[0] <= pf.total_vfs else None
    is_certain = is_told and any(master.is_certain and master.num_vfs == number for master in masters)
    reason = "" if is_there else _reason(asked, number, pf, is_certain=is_certain)
    reasons = tuple(filter(None, (BY_USERS if is_users else "", reason)))
    notes = (*_number_notes(asked, masters, pf), *(() if reasons else doubts), *_besides(masters))
    return Proposal(match, number, masters, pf, has_rule, notes, (*reasons, *doubts) if reasons else ())


def _with_vfs(proposals: Iterable[Proposal], config: Config) -> Iterator[Proposal]:
    """And what their lines set for VFs."""
    macs: dict[str, str] = {}
    for proposal in proposals:
        rule = PfRule(
            proposal.pf.pci_address if proposal.pf else str(proposal.match),
            Match(driver=proposal.pf.driver if proposal.pf else ""),
            "max" if proposal.num_vfs is None else proposal.num_vfs,
        )
        found = tables_of(proposal.masters, rule, dict(macs) if proposal.reasons else macs)
        if proposal.pf and (known := rule_of(config, proposal.pf)):
            found = _without_known(found, known)
        yield replace(
            proposal,
            notes=(*proposal.notes, *found.notes[:SHOWN], *(("and more",) if len(found.notes) > SHOWN else ())),
            vfs=tuple(line for table in found.sure for line in toml_lines(table)),
            unsure_vfs=tuple(line for table in found.unsure for line in toml_lines(table)),
        )


def _with_switches(
    proposals: Iterable[Proposal], commands: tuple[SwitchCommand, ...], config: Config
) -> Iterator[Proposal]:
    """And what their lines, or devlink in other files, set of the switch; a rule that says its mode has decided it."""
    for proposal in proposals:
        known = rule_of(config, proposal.pf) if proposal.pf else None
        lines, notes = eswitch_lines(proposal.masters, commands, proposal.pf)
        is_known = known is not None and known.eswitch is not None
        yield replace(proposal, notes=(*proposal.notes, *notes), eswitch=() if is_known else lines)


def _without_known(found: Tables, rule: PfRule) -> Tables:
    """A rule that says anything of an attribute of a VF has decided it."""
    known = combine_tables(rule.vf, MAX_VFS)
    asked = combine_tables(found.sure, MAX_VFS)
    is_known = all(wish.said.keys() <= known.get(vf, VfAttributes()).said.keys() for vf, wish in asked.items())
    return Tables(notes=found.notes) if is_known else Tables(found.sure, notes=found.notes)


def _is_there(asked: list[int], pf: PfFacts) -> bool:
    """Whether the VFs that exist are what the lines ask for, or, if they say no number, what they have left.

    So they are if the lines ask for more than there can be, and there are as many as there can be.
    """
    is_most = bool(asked) and asked[0] > pf.total_vfs and pf.num_vfs == pf.total_vfs
    return pf.num_vfs > 0 and (pf.num_vfs in asked or not asked or is_most)


def _reason(asked: list[int], number: int | None, pf: PfFacts, *, is_certain: bool) -> str:
    """Why the rule is no more than a proposal, "" if it is more."""
    if pf.num_vfs:
        existing = f"the {quantity(pf.num_vfs, 'VF that exists', 'VFs that exist')}"
        return f"{existing} now would be destroyed: the lines ask for another number"
    if not asked:
        return "the lines do not say the number, and there are no VFs now: it is left to you"
    if number is None:
        return "which number is right is left to you"
    return "" if is_certain else "it is not certain that this number is set, and there are no VFs now"


def _doubts(masters: Iterable[Master]) -> tuple[str, ...]:
    return tuple(f"{master.place}: {master.doubt}" for master in masters if master.doubt)


def _besides(masters: Iterable[Master]) -> tuple[str, ...]:
    return tuple(
        f"{master.place} also sets {shortlist(master.besides, SHOWN)}: take that over before you remove it"
        for master in masters
        if master.besides
    )


def _number_notes(asked: list[int], masters: Iterable[Master], pf: PfFacts) -> tuple[str, ...]:
    places = {master.place for master in masters}
    over = [number for number in asked if number > pf.total_vfs]
    numbers = shortlist(tuple(map(str, asked)), SHOWN)
    disagreement = f"the lines disagree: {numbers}" if len(places) > 1 else f"the line may set any of these: {numbers}"
    too_many = f"{over[-1]} is too many: the device offers {pf.total_vfs}" if over else ""
    return tuple(filter(None, (disagreement if len(asked) > 1 else "", too_many)))


def _asked_numbers(masters: Iterable[Master]) -> tuple[list[int], bool]:
    """The numbers that these files ask for in the end, and whether each line says one. 0 counts where it is alone.

    What users run counts where nothing else does.
    """
    listed = tuple(masters)
    of_root = [master for master in listed if not master.runner] or listed
    asked: set[int] = set()
    files: dict[str, list[Master]] = {}
    for master in of_root:
        files.setdefault(master.path, []).append(master)
    for lines in files.values():
        asked.update(_asked_by_file(sorted(lines, key=lambda master: master.line)))
    is_told = all(master.num_vfs is not None or master.possible for master in of_root)
    return sorted(asked - {0}) or sorted(asked), is_told


def _asked_by_file(lines: list[Master]) -> set[int]:
    """What they leave: a line does not count if another one of the file sets another number after it."""
    lasting = [master for master in lines if master.is_lasting]
    return {number for master in lasting for number in master.possible or (master.num_vfs,) if number is not None}


def _propose_for_absent(
    masters: Iterable[Master], pfs: list[PfFacts], others: tuple[PfFacts, ...], config: Config
) -> Iterator[Proposal]:
    """By what the lines say about the PF, or by the address of the one that may be meant.

    A driver without a PF here names none.
    """
    names = NetdevNames(pfs)
    for device, lines in _absent_devices(masters, pfs, others).items():
        asked, _ = _asked_numbers(lines)
        number = asked[0] if len(asked) == 1 else None
        absence = _absence(device, pfs, others)
        meant = None
        if not absence and device.netdev and (found := names.find_meant(device.netdev)):
            meant = found[0]
        question = f", {device}: {names.question(device.netdev)}" if meant else ""
        reasons = (absence or f"no such PF exists now{question}", *_doubts(lines))
        yield Proposal(
            Match(pci_address=meant.pci_address) if meant else device,
            number,
            tuple(lines),
            meant,
            has_rule=bool(meant and rule_of(config, meant)),
            notes=_besides(lines),
            reasons=reasons,
        )


def _absent_devices(
    masters: Iterable[Master], pfs: list[PfFacts], others: tuple[PfFacts, ...]
) -> dict[Match, list[Master]]:
    named: dict[Match, list[Master]] = {}
    for master in masters:
        is_here = any(matches(device, pf) for device in master.devices for pf in pfs)
        is_strange = any(not other.is_nic for other in _others_of(master, others))
        if is_here or is_strange:
            continue
        devices = [device for device in master.devices if device.netdev or device.pci_address or device.mac]
        for device in devices[: SHOWN if master.format in IN_ORDER else 1]:
            named.setdefault(device, []).append(master)
    return named


def _absence(device: Match, pfs: Iterable[PfFacts], others: Iterable[PfFacts]) -> str:
    """What else has that name, "" if there is nothing."""
    for other in others:
        if matches(device, other):
            return f"{other.pci_address} exists, but offers no VFs"
    for pf in pfs:
        for vf in pf.vfs:
            if device.pci_address == vf.pci_address or (device.netdev and device.netdev in vf.netdevs):
                return f"{vf.pci_address} is a VF of {pf.pci_address}, and has no VFs itself"
    return ""
