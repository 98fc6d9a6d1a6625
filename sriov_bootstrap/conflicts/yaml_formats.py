"""YAML and JSON files: netplan, os-net-config, sriov-netplan-shim, sriov-network-operator.

Their texts are `Word`s, which know their line. What has not the shape that its program expects is passed over.
"""

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from sriov_bootstrap.conflicts.master import Master, count, line_of, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, visible
from sriov_bootstrap.core.config import Match

NUMBERED_NIC = re.compile(r"nic\d+")  # os-net-config's own names, by the order of the NICs
TRUE = frozenset({"true", "yes", "on", "y", "1"})
MAX_NODES = 20_000
MAX_DEVICES = 64
MERGED = ("match", "set-name")  # what is asked of a netplan entry that several files make


class Place(Struct, frozen=True):
    """A key in a file."""

    source: Source
    key: str
    value: str
    line: int


def read_yaml(survey: MastersSurvey) -> Iterator[Master]:
    """All of them."""
    yield from _netplan(visible(survey.of(Format.NETPLAN)))
    for source in survey.of(Format.OS_NET_CONFIG):
        yield from _os_net_config(source)
    for source in survey.of(Format.SHIM):
        yield from _shim(source)
    for source in survey.of(Format.OPERATOR):
        yield from _operator(source)


def _tables(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - YAML gives anything
    """Every mapping in a document; what an alias repeats comes once."""
    queue, seen = deque([document]), set[int]()
    while queue and len(seen) < MAX_NODES:
        value = queue.popleft()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value
            queue += value.values()
        else:
            queue += value


def _table(value: Any, key: str) -> dict[str, Any]:  # noqa: ANN401
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _texts(table: dict[str, Any], key: str) -> list[str]:
    value = table.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else [_text(table, key)]


def _place(source: Source, table: dict[str, Any], key: str) -> Place:
    value = _text(table, key)
    return Place(source, key, value, line_of(table.get(key)))


# -- netplan --


class Netdef(Struct):
    """One entry below `ethernets`, merged over all files; `links` are the VFs that name it as their PF."""

    name: str
    settings: dict[str, Any]
    count: Place | None
    links: list[Place]


def _netplan(sources: Iterable[Source]) -> Iterator[Master]:
    """Numbers are netplan's: the larger one of what is asked for and of how many VFs are described."""
    netdefs: dict[str, Netdef] = {}
    for source in sources:
        for name, settings in _table(_table(source.document, "network"), "ethernets").items():
            if not isinstance(settings, dict):
                continue
            netdef = netdefs.setdefault(name, Netdef(name, {}, None, []))
            netdef.settings |= {key: settings[key] for key in MERGED if key in settings}
            if "virtual-function-count" in settings:
                netdef.count = _place(source, settings, "virtual-function-count")
            if link := _text(settings, "link"):
                pf = netdefs.setdefault(link, Netdef(link, {}, None, []))
                pf.links.append(_place(source, settings, "link"))
    for netdef in netdefs.values():
        if place := netdef.count or next(iter(netdef.links), None):
            yield _netplan_master(netdef, place)


def _netplan_master(netdef: Netdef, place: Place) -> Master:
    asked = count(netdef.count.value) if netdef.count else 0
    keys = (f'"virtual-function-count" of {netdef.name}',) if netdef.count else (f'the VFs with "link: {netdef.name}"',)
    return Master(
        Format.NETPLAN,
        place.source.path,
        place.line,
        setting(place.key, place.value, sign=": ") if netdef.count else f"link: {netdef.name}",
        _netplan_devices(netdef),
        None if asked is None else max(asked, len(netdef.links)),
        remedy=without_keys(place.source.path, keys, after="netplan generate"),
    )


def _netplan_devices(netdef: Netdef) -> tuple[Match, ...]:
    match = _table(netdef.settings, "match")
    if not match:
        return (Match(netdev=netdef.name),)
    mac = _text(match, "macaddress").lower()
    pairs = itertools.product(_texts(match, "name"), _texts(match, "driver"))
    found = [Match(netdev=name, mac=mac, driver=driver) for name, driver in itertools.islice(pairs, MAX_DEVICES)]
    renamed = _text(netdef.settings, "set-name")
    return tuple(one for one in (*found, Match(netdev=renamed)) if one != Match())


# -- the others --


def _os_net_config(source: Source) -> Iterator[Master]:
    for table in _tables(source.document):
        if _text(table, "type") != "sriov_pf" and _text(table, "device_type") != "pf":
            continue
        name = _text(table, "name")
        place = _place(source, table, "numvfs")
        yield Master(
            Format.OS_NET_CONFIG,
            source.path,
            place.line or line_of(table.get("name")),
            f"{name}: {setting(place.key, place.value, sign=': ')}",
            () if NUMBERED_NIC.fullmatch(name) or not name else (Match(netdev=name),),
            count(place.value),
            remedy=f"take {name or 'that PF'} out of {source.path}, and sriov_pf out of the template that made it",
        )


def _shim(source: Source) -> Iterator[Master]:
    for name, settings in _table(source.document, "interfaces").items():
        if not isinstance(settings, dict):
            continue
        place = _place(source, settings, "num_vfs")
        address = _text(_table(settings, "match"), "pciaddress").lower()
        yield Master(
            Format.SHIM,
            source.path,
            place.line or line_of(name),
            f"{name}: {setting(place.key, place.value, sign=': ')}",
            (Match(pci_address=address) if address else Match(netdev=name),),
            count(place.value),
            remedy=f"take {name} out of {source.path}, or: systemctl disable sriov-netplan-shim",
        )


def _operator(source: Source) -> Iterator[Master]:
    """`/etc/sriov-operator`: what its daemon or its own unit sets, and what it has set last. Keys are in any case."""
    for table in _tables(source.document):
        lowered = {key.lower(): value for key, value in table.items()}
        if "pciaddress" not in lowered or "numvfs" not in lowered:
            continue
        if _text(lowered, "externallymanaged").lower() in TRUE:
            continue
        number = _text(lowered, "numvfs")
        yield Master(
            Format.OPERATOR,
            source.path,
            line_of(lowered["numvfs"]),
            setting("numVfs", number, sign=": "),
            (Match(pci_address=_text(lowered, "pciaddress").lower()),),
            count(number),
            is_certain=source.folder != "pci",
            doubt="it is what the operator has set last" if source.folder == "pci" else "",
            remedy="leave this PF out of every SriovNetworkNodePolicy, or set externallyManaged: true in it",
        )
