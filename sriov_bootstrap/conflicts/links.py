"""systemd.link(5): the first file that matches a PF counts, and each of its drop-ins.

Without a number, src/shared/netif-sriov.c makes as many VFs as the highest that an [SR-IOV] section names needs.
"""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from fnmatch import fnmatchcase

from sriov_bootstrap.conflicts.besides import as_switch, vf_table
from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, key_values, setting, whole_number, without_keys
from sriov_bootstrap.conflicts.survey import Format, without_overridden
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.vf_attributes import VfTable

COUNT_KEY = "SR-IOVVirtualFunctions"
VF_KEY = "VirtualFunction"
VF_KEYS = {
    "VLANId": "vlan",
    "QualityOfService": "vlan_qos",
    "VLANProtocol": "vlan_protocol",
    "MACSpoofCheck": "spoofchk",
    "QueryReceiveSideScaling": "query_rss",
    "Trust": "trust",
    "LinkState": "link_state",
    "MACAddress": "mac",
}
MAX_INT = 0x7FFFFFFE
QUOTED = frozenset({"Path", "Driver", "Type", "Kind"})  # whose words may have quotes
QUOTED_WORD = re.compile(r"\"([^\"]*)\"|'([^']*)'|\S+")
MAX_LINES = 8
KERNEL_NAMES = ("eth", "ib")
MAX_GLOB = 256  # characters; fnmatch searches for the end of each bracket again
RELOAD_LINKS = "udevadm control --reload; it takes effect at the next boot"


class Fit(IntEnum):
    """Whether a [Match] section takes a netdev."""

    NO = 0
    MAYBE = 1
    YES = 2


def read(search: Search) -> Iterator[Master]:
    """For each PF the .link file that udev takes: the first that matches, and those before it that may."""
    sources = search.survey.sources_of(Format.LINK)
    mains = without_overridden(tuple(source for source in sources if source.name.endswith(".link")))
    drop_ins = without_overridden(tuple(source for source in sources if source.folder.endswith(".link.d")))
    files = {
        main: tuple(
            entry
            for part in (main, *(source for source in drop_ins if source.folder == f"{main.name}.d"))
            for entry in key_values(part)
        )
        for main in mains
    }
    for pf in search.pfs:
        before = ""
        for main, said in files.items():
            fit = _fit_of(said, pf)
            if fit and (master := _link_master(said, pf, fit, before)):
                yield master
            if fit is Fit.YES:
                break
            before = main.path if fit else before


def _link_master(said: tuple[KeyValue, ...], pf: PfFacts, fit: Fit, before: str) -> Master | None:
    counts = [line for line in said if line.section == "Link" and line.key == COUNT_KEY]
    sections = _sections(said)
    entry, number = _last_count(counts)
    if number is None and sections:
        number = max(sections) + 1
        entry = sections[max(sections)][0]
    if entry is None:
        return None
    doubts = ["only udev can tell whether its [Match] section applies to this PF"] if fit is not Fit.YES else []
    doubts += [f"udev takes {before} instead if that applies to this PF"] if before else []
    doubts += ["it is no number, so udev ignores it"] if number is None else []
    tables, lost = _vf_tables(sections)
    return Master(
        Format.LINK,
        entry.source.path,
        entry.line,
        entry.key if number is None else f"{entry.key}={number - (entry not in counts)}",
        (Match(pci_address=pf.pci_address),),
        number,
        is_certain=not doubts,
        doubt="; ".join(doubts),
        remedy=_remedy(counts, entry, has_sections=bool(sections)),
        besides=lost,
        vfs=tables,
    )


def _last_count(counts: Iterable[KeyValue]) -> tuple[KeyValue | None, int | None]:
    """A value that is no number is ignored, so the one before it stays; an empty one drops that."""
    place, number = None, None
    for entry in counts:
        value = systemd_number(entry.value)
        if value is not None or not entry.value:
            place, number = (entry, value) if entry.value else (None, None)
        elif place is None:
            place = entry
    return place, number


def _sections(said: Iterable[KeyValue]) -> dict[int, list[KeyValue]]:
    """Number of a VF -> its section, the entry with the number first."""
    parts: dict[tuple[str, int], list[KeyValue]] = {}
    for entry in said:
        if entry.section == "SR-IOV":
            parts.setdefault((entry.source.path, entry.header), []).append(entry)
    found: dict[int, list[KeyValue]] = {}
    for entries in parts.values():
        numbered = [entry for entry in entries if entry.key == VF_KEY and systemd_number(entry.value) is not None]
        for entry in numbered[-1:]:
            found[systemd_number(entry.value) or 0] = [entry, *(other for other in entries if other is not entry)]
    return found


def systemd_number(text: str) -> int | None:
    """src/basic/parse-util.c, safe_atou with base 0, which also takes 0b1 and 0o7; None if it is not one."""
    if found := re.fullmatch(r"0(?:[bB]([01]{1,32})|[oO]([0-7]{1,11}))", text):
        return int(found[1] or found[2], 2 if found[1] else 8)
    number = whole_number(text)
    return number if number is not None and number <= MAX_INT else None


def _vf_tables(sections: dict[int, list[KeyValue]]) -> tuple[tuple[VfTable, ...], tuple[str, ...]]:
    tables, lost = [], list[str]()
    for number, entries in sorted(sections.items()):
        said = {VF_KEYS[entry.key]: entry.value for entry in entries if entry.key in VF_KEYS and entry.value}
        if (state := as_switch(said.get("link_state", ""))) is not None:
            said["link_state"] = "enable" if state else "disable"
        table, unknown = vf_table(str(number), said)
        tables += [table] if table else []
        lost += unknown
    return tuple(tables), tuple(lost)


def _remedy(counts: list[KeyValue], entry: KeyValue, *, has_sections: bool) -> str:
    """Without its number, udev makes as many VFs as its [SR-IOV] sections need."""
    path = entry.source.path
    if has_sections:
        place = f"line {entry.line} of {path}" if entry in counts else f"[Link] of {path}"
        return (
            f"set {COUNT_KEY}= in {place} to the num_vfs of the rule, and keep it: the [SR-IOV] sections need VFs,"
            " and udev changes nothing while the number is right; or remove both, once the rule sets what they set;"
            f" then: {RELOAD_LINKS}"
        )
    if len(counts) == 1:
        return without_keys(path, (setting(entry.key, entry.value),), after=RELOAD_LINKS)
    lines = " and ".join(f"line {count.line} of {count.source.path}" for count in reversed(counts[:MAX_LINES]))
    return f"remove {COUNT_KEY}= from {lines}, then: {RELOAD_LINKS}"


def _fit_of(said: tuple[KeyValue, ...], pf: PfFacts) -> Fit:
    """The least certain of its conditions; udev ignores a file without any."""
    conditions: dict[str, list[str]] = {}
    for entry in said:
        if entry.section == "Match":
            globs = conditions.setdefault(entry.key, [])
            globs[:] = [*globs, *_globs(entry)] if entry.value else []
    return min((_condition(key, globs, pf) for key, globs in conditions.items() if globs), default=Fit.NO)


def _globs(entry: KeyValue) -> list[str]:
    """The words of a line; a `!` before the first is before all of them. src/shared/net-condition.c."""
    text, is_inverted = entry.value.removeprefix("!"), entry.value.startswith("!")
    if entry.key in QUOTED:
        words = [found[1] or found[2] or found[0] for found in QUOTED_WORD.finditer(entry.value)]
        is_inverted = words[0].startswith("!")
        words[0] = words[0].removeprefix("!")
    else:
        words = text.split()
    return [f"!{word}" if is_inverted else word for word in words]


def _condition(key: str, globs: list[str], pf: PfFacts) -> Fit:
    """One key; of several lines of it any may fit."""
    if key == "OriginalName":
        return _original_name(globs, pf)
    have = {
        "Path": [f"pci-{pf.pci_address}"],
        "Driver": [dev.driver or pf.driver for dev in pf.netdevs] or [pf.driver],
        "Type": ["ether"],
        "MACAddress": [dev.mac for dev in pf.netdevs],
        "PermanentMACAddress": [dev.mac for dev in pf.netdevs],
    }.get(key)
    if have is None:
        return Fit.MAYBE
    if "MACAddress" in key:
        globs = [_mac(glob) for glob in globs]
    return Fit.YES if _any_fits(globs, have) else Fit.NO


def _mac(text: str) -> str:
    """Of the spellings that systemd takes: 3c:fd:fe:aa:bb:00, 3c-fd-fe-aa-bb-00, 3cfd.feaa.bb00."""
    digits = re.sub(r"[:.-]", "", text.lower())
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _any_fits(globs: list[str], have: list[str]) -> bool:
    """None of the inverted ones, and one of the others if there are any."""
    short = [glob for glob in globs if len(glob) <= MAX_GLOB]
    others = [glob for glob in globs if not glob.startswith("!")]
    if any(fnmatchcase(text, glob.removeprefix("!")) for glob in short if glob.startswith("!") for text in have):
        return False
    return not others or any(fnmatchcase(text, glob) for text in have for glob in others if glob in short)


def _original_name(globs: list[str], pf: PfFacts) -> Fit:
    """Compared with the kernel's own name, which is no longer known once udev has assigned another."""
    if globs == ["*"]:
        return Fit.YES
    names = [dev.name for dev in pf.netdevs]
    if names and _any_fits(globs, names):
        return Fit.MAYBE
    return Fit.MAYBE if any(glob.lstrip("!").startswith(KERNEL_NAMES) for glob in globs) else Fit.NO
