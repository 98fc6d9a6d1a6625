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
from sriov_bootstrap.core.vf_attributes import VfAttributes, VfTable, numbers_of
from sriov_bootstrap.core.vf_tables import REMEDY, problems

MAX_VFS = 1024  # of one PF
Said = dict[int, dict[str, object]]  # VF number -> keys of [[pf.vf]]


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
    last = max((vf for master in lines for vf in _keys_of_vfs(master.vfs, MAX_VFS + 1)), default=0)
    if last >= MAX_VFS:
        notes.append(f"VFs from number {MAX_VFS} on are left out here")
    tables = _tables(_valid(sure, rule, macs, notes)), _tables(_valid(unsure, rule, dict(macs), notes))
    return Tables(*tables, tuple(notes))


def _agreement(masters: Iterable[Master], notes: list[str]) -> Said:
    """What is said of each VF, without what two lines say differently."""
    found: dict[int, dict[str, tuple[object, Master]]] = {}
    disputed: dict[tuple[int, str], str] = {}  # VF and key -> who says what
    for master in masters:
        for vf, said in _keys_of_vfs(master.vfs, MAX_VFS).items():
            for key, value in said.items():
                first, other = found.setdefault(vf, {}).setdefault(key, (value, master))
                if first != value:
                    disputed[vf, key] = f"{other.place} and {master.place} disagree on {key}"
    notes += _notes_of_vfs((vf, text) for (vf, _), text in disputed.items())
    agreed = {
        vf: {key: value for key, (value, _) in keys.items() if (vf, key) not in disputed} for vf, keys in found.items()
    }
    return {vf: said for vf, said in sorted(agreed.items()) if said}


def _keys_of_vfs(tables: Iterable[VfTable], num_vfs: int) -> Said:
    """Later tables over earlier ones, key by key."""
    found: Said = {}
    for table in tables:
        said = {key: value for key, value in table.said.items() if key != "vfs"}
        for vf in numbers_of(table.vfs, num_vfs) if said else ():
            found.setdefault(vf, {}).update(said)
    return found


def _parts(said: dict[str, object]) -> Iterator[dict[str, object]]:
    """What is set at once: what the PF sets, by its requests, and the driver."""
    wish = VfAttributes(**{key: value for key, value in said.items() if key in VfAttributes.__struct_fields__})  # type: ignore[arg-type]
    yield from (wish.only(request).said for request in wish.requests)
    yield from ({key: value} for key, value in said.items() if key not in VfAttributes.__struct_fields__)


def _valid(said: Said, rule: PfRule, macs: dict[str, str], notes: list[str]) -> Said:
    """What such a rule may say. One request at a time: the others of that VF may be right."""
    found: Said = {}
    refused: list[tuple[int, str]] = []
    for vf, wish in said.items():
        if isinstance(rule.num_vfs, int) and vf >= rule.num_vfs:
            refused.append((vf, f"not taken over: there are to be {quantity(rule.num_vfs, 'VF')}"))
            continue
        for part in _parts(wish):
            problem, mac = _problem(vf, part, rule), str(part.get("mac", ""))
            if not problem and mac in macs:
                problem = f"mac: {mac} is that of {macs[mac]}"
            if problem:
                refused.append((vf, f"not taken over: {problem}"))
            else:
                found[vf] = found.get(vf, {}) | part
                macs |= {mac: f"VF {vf} of {rule.name}"} if mac else {}
    notes += _notes_of_vfs(refused)
    return found


def _notes_of_vfs(problems_of_vfs: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Each problem once, with the VFs that have it."""
    vfs: dict[str, list[int]] = {}
    for vf, text in problems_of_vfs:
        vfs.setdefault(text, []).append(vf)
    return (f"VF {', '.join(ranges(numbers))}: {text}" for text, numbers in vfs.items())


def _problem(vf: int, part: dict[str, object], rule: PfRule) -> str:
    found = problems(replace(rule, vf=(VfTable(vfs=str(vf), **part),)))  # type: ignore[arg-type]
    return found[0].partition(": ")[2].removesuffix(REMEDY) if found else ""


def _tables(said: Said) -> tuple[VfTable, ...]:
    """One table for all VFs of which the same is said, but for their addresses; then the addresses."""
    wishes = {vf: VfTable(vfs="all", **keys) for vf, keys in said.items()}  # type: ignore[arg-type]
    alike: dict[VfTable, list[int]] = {}
    for vf, wish in wishes.items():
        alike.setdefault(replace(wish, mac=None), []).append(vf)
    shared = [(vfs, wish if len(vfs) > 1 else wishes[vfs[0]]) for wish, vfs in alike.items()]
    macs = ((vf, wishes[vf].mac) for vfs, _ in shared for vf in vfs if len(vfs) > 1)
    single = [([vf], VfTable(vfs="all", mac=mac)) for vf, mac in macs]
    both = (replace(wish, vfs=",".join(ranges(vfs))) for vfs, wish in (*shared, *single))
    return tuple(table for table in both if table.said.keys() != {"vfs"})
