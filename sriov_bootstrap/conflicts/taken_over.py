"""What the lines of a PF set for its VFs, as [[pf.vf]] tables of the rule that replaces them.

A table is for the rule if it is beyond doubt, no other line says otherwise, and the rule is valid with it. What is not
is told with its reason.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.plurals import quantity, ranges
from sriov_bootstrap.core.vf_attributes import VfAttributes, VfTable, combine_tables
from sriov_bootstrap.core.vf_tables import REMEDY, problems

MAX_VFS = 1024  # of one PF
Said = dict[int, VfAttributes]


class Tables(Struct, frozen=True):
    """`sure`: for the rule. `unsure`: of lines that may not act. `notes`: what is in neither, and why."""

    sure: tuple[VfTable, ...] = ()
    unsure: tuple[VfTable, ...] = ()
    notes: tuple[str, ...] = ()


def tables_of(masters: Iterable[Master], rule: PfRule, macs: dict[str, str]) -> Tables:
    """What they set, for a rule with that number, and match.driver if that is known; its name says which PF it is.

    `macs`: addresses that VFs have in other rules, and whose they are; it gains those of this one.
    """
    lines = [master for master in masters if master.vfs]
    if not lines:
        return Tables()
    notes: list[str] = []
    sure = _agreement([master for master in lines if master.is_certain], notes)
    unsure = _agreement([master for master in lines if not master.is_certain], notes)
    last = max((vf for master in lines for vf in combine_tables(master.vfs, MAX_VFS + 1)), default=0)
    if last >= MAX_VFS:
        notes.append(f"VFs from number {MAX_VFS} on are left out here")
    tables = _tables(_valid(sure, rule, macs, notes)), _tables(_valid(unsure, rule, dict(macs), notes))
    return Tables(*tables, tuple(notes))


def _agreement(masters: Iterable[Master], notes: list[str]) -> Said:
    """What is said of each VF, without what two lines say differently."""
    found: dict[int, dict[str, tuple[object, Master]]] = {}
    disputed: dict[tuple[int, str], str] = {}  # VF and key -> who says what
    for master in masters:
        for vf, wish in combine_tables(master.vfs, MAX_VFS).items():
            for key, value in wish.said.items():
                first, other = found.setdefault(vf, {}).setdefault(key, (value, master))
                if first != value:
                    disputed[vf, key] = f"{other.place} and {master.place} disagree on {key}"
    notes += _notes_of_vfs((vf, text) for (vf, _), text in disputed.items())
    agreed = {
        vf: {key: value for key, (value, _) in said.items() if (vf, key) not in disputed} for vf, said in found.items()
    }
    return {vf: VfAttributes(**said) for vf, said in sorted(agreed.items()) if said}  # type: ignore[arg-type]


def _valid(said: Said, rule: PfRule, macs: dict[str, str], notes: list[str]) -> Said:
    """What such a rule may say. One request at a time: the others of that VF may be right."""
    found: Said = {}
    refused: list[tuple[int, str]] = []
    for vf, wish in said.items():
        if isinstance(rule.num_vfs, int) and vf >= rule.num_vfs:
            refused.append((vf, f"not taken over: there are to be {quantity(rule.num_vfs, 'VF')}"))
            continue
        for request in wish.requests:
            part = wish.only(request)
            problem = _problem(vf, part, rule)
            if not problem and part.mac and part.mac in macs:
                problem = f"mac: {part.mac} is that of {macs[part.mac]}"
            if problem:
                refused.append((vf, f"not taken over: {problem}"))
            else:
                found[vf] = replace(found.get(vf, VfAttributes()), **part.said)
                macs |= {part.mac: f"VF {vf} of {rule.name}"} if part.mac else {}
    notes += _notes_of_vfs(refused)
    return found


def _notes_of_vfs(problems_of_vfs: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Each problem once, with the VFs that have it."""
    vfs: dict[str, list[int]] = {}
    for vf, text in problems_of_vfs:
        vfs.setdefault(text, []).append(vf)
    return (f"VF {', '.join(ranges(numbers))}: {text}" for text, numbers in vfs.items())


def _problem(vf: int, part: VfAttributes, rule: PfRule) -> str:
    found = problems(replace(rule, vf=(VfTable(vfs=str(vf), **part.said),)))  # type: ignore[arg-type]
    return found[0].partition(": ")[2].removesuffix(REMEDY) if found else ""


def _tables(said: Said) -> tuple[VfTable, ...]:
    """One table for all VFs of which the same is said, but for their addresses; then the addresses."""
    alike: dict[VfAttributes, list[int]] = {}
    for vf, wish in said.items():
        alike.setdefault(replace(wish, mac=None), []).append(vf)
    shared = [(vfs, wish if len(vfs) > 1 else said[vfs[0]]) for wish, vfs in alike.items()]
    single = [([vf], VfAttributes(mac=said[vf].mac)) for vfs, _ in shared for vf in vfs if len(vfs) > 1]
    return tuple(
        VfTable(vfs=",".join(ranges(vfs)), **wish.said)  # type: ignore[arg-type]
        for vfs, wish in (*shared, *single)
        if wish.said
    )
