"""nmstate: what nmstate.service applies at boot, out of /etc/nmstate/*.yml and *.yaml, by name; it renames each then.

serde reads a number as a decimal one, or with 0x or 0o, also out of a text. A merge (`<<`) is an unknown key to it, and
of two files that differ in their ending alone it applies neither, nor any other (rust/src/cli/service.rs).
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sriov_bootstrap.conflicts.besides import shown, vf_table
from sriov_bootstrap.conflicts.documents import has_merge, key_of, table_of, text_of
from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, Search
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import VfTable

SERVICE = "nmstate.service"
NUMBER = re.compile(r"0x(?P<hex>[0-9a-fA-F]{1,8})|0o(?P<octal>[0-7]{1,8})|(?P<decimal>[0-9]{1,8})", re.ASCII)
BASES = {"hex": 16, "octal": 8, "decimal": 10}
MAX_ENTRIES = 4096
VF_KEYS = {
    "mac-address": "mac",
    "spoof-check": "spoofchk",
    "trust": "trust",
    "min-tx-rate": "min_tx_rate",
    "max-tx-rate": "max_tx_rate",
    "vlan-id": "vlan",
    "qos": "vlan_qos",
    "vlan-proto": "vlan_protocol",
}


def read(search: Search) -> Iterator[Master]:
    """Every interface with a number of VFs."""
    sources = search.survey.sources_of(Format.NMSTATE)
    stems = Counter(source.name.rpartition(".")[0] for source in sources)
    is_started = not search.survey.wanted_units or SERVICE in search.survey.wanted_units
    for source in sources:
        doubts = [] if is_started else [f"{SERVICE} is not enabled"]
        doubts += ["nmstate takes no merge (<<), and refuses the file"] if has_merge(source) else []
        if stems[source.name.rpartition(".")[0]] > 1:
            doubts.append("there is a file of that name with the other ending, so nmstate applies nothing")
        for interface in interfaces_of(source)[:MAX_ENTRIES]:
            settings = table_of(table_of(interface, "ethernet"), "sr-iov")
            if "total-vfs" in settings and text_of(interface, "state") not in {"absent", "ignore"}:
                yield _master(source, interface, settings, doubts)


def interfaces_of(source: Source) -> list[Any]:
    """What is to be done; [] in a file of another shape."""
    interfaces = source.document.get("interfaces") if isinstance(source.document, dict) else None
    return interfaces if isinstance(interfaces, list) else []


def _master(source: Source, interface: dict[str, Any], settings: dict[str, Any], known: list[str]) -> Master:
    place = key_of(source, settings, "total-vfs")
    number, device = _number(place.value), _device(interface)
    doubts = [*known]
    if number is None:
        doubts.append("nmstate does not take that number")
    if text_of(interface, "state") == "down":
        doubts.append("the interface is to be down")
    vfs, lost = _vf_tables(settings)
    autoprobe = text_of(settings, "drivers-autoprobe")
    return Master(
        Format.NMSTATE,
        source.path,
        place.line,
        "total-vfs" if number is None else f"total-vfs: {number}",
        (device,) if device != Match() else (),
        number,
        is_certain=not doubts,
        doubt="; ".join(doubts),
        remedy=f"remove sr-iov of that interface from {source.path}, and from its profile:"
        " nmcli connection modify PROFILE remove sriov",
        besides=(*((shown("drivers-autoprobe", autoprobe),) if autoprobe else ()), *lost),
        vfs=vfs,
    )


def _number(text: str) -> int | None:
    if not (found := NUMBER.fullmatch(text)):
        return None
    number = int(found[str(found.lastgroup)], BASES[str(found.lastgroup)])
    return number if number <= MAX_COUNT else None


def _device(interface: dict[str, Any]) -> Match:
    """By what its `identifier` says, its name by default."""
    match text_of(interface, "identifier"):
        case "mac-address":
            return Match(mac=text_of(interface, "mac-address").lower())
        case "pci-address":
            return Match(pci_address=text_of(interface, "pci-address").lower())
        case _:
            return Match(netdev=text_of(interface, "name"))


def _vf_tables(settings: dict[str, Any]) -> tuple[tuple[VfTable, ...], tuple[str, ...]]:
    tables, lost = [], list[str]()
    vfs = settings.get("vfs")
    for vf in vfs[:MAX_ENTRIES] if isinstance(vfs, list) else ():
        said = {ours: text_of(vf, key) for key, ours in VF_KEYS.items() if isinstance(vf, dict) and text_of(vf, key)}
        table, unknown = vf_table(text_of(vf, "id") if isinstance(vf, dict) else "", said)
        tables += [table] if table else []
        lost += unknown
    return tuple(tables), tuple(lost)
