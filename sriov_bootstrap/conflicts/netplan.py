"""netplan: entries below `ethernets`, merged over all of its files."""

import itertools
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from sriov_bootstrap.conflicts.documents import Key, key_of, table_of, text_of, texts_of
from sriov_bootstrap.conflicts.master import Master, Search, count, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, without_overridden
from sriov_bootstrap.core.config import Match

MAX_DEVICES = 64
MERGED = ("match", "set-name")  # what is asked of an entry that several files make


class Netdef(Struct):
    """One entry below `ethernets`, merged over all files; `links` are the VFs that name it as their PF."""

    name: str
    settings: dict[str, Any]
    count: Key | None
    links: list[Key]


def read(search: Search) -> Iterator[Master]:
    """netplan creates the larger of the number asked for and the number of VFs described."""
    netdefs: dict[str, Netdef] = {}
    for source in without_overridden(search.survey.sources_of(Format.NETPLAN)):
        for name, settings in table_of(table_of(source.document, "network"), "ethernets").items():
            if not isinstance(settings, dict):
                continue
            netdef = netdefs.setdefault(name, Netdef(name, {}, None, []))
            netdef.settings |= {key: settings[key] for key in MERGED if key in settings}
            if "virtual-function-count" in settings:
                netdef.count = key_of(source, settings, "virtual-function-count")
            if link := text_of(settings, "link"):
                pf = netdefs.setdefault(link, Netdef(link, {}, None, []))
                pf.links.append(key_of(source, settings, "link"))
    for netdef in netdefs.values():
        if place := netdef.count or next(iter(netdef.links), None):
            yield _master(netdef, place)


def _master(netdef: Netdef, place: Key) -> Master:
    asked = count(netdef.count.value) if netdef.count else 0
    keys = (f'"virtual-function-count" of {netdef.name}',) if netdef.count else (f'the VFs with "link: {netdef.name}"',)
    return Master(
        Format.NETPLAN,
        place.source.path,
        place.line,
        setting(place.key, place.value, sign=": ") if netdef.count else f"link: {netdef.name}",
        _devices(netdef),
        None if asked is None else max(asked, len(netdef.links)),
        remedy=without_keys(place.source.path, keys, after="netplan generate"),
    )


def _devices(netdef: Netdef) -> tuple[Match, ...]:
    match = table_of(netdef.settings, "match")
    if not match:
        return (Match(netdev=netdef.name),)
    mac = text_of(match, "macaddress").lower()
    pairs = itertools.product(texts_of(match, "name"), texts_of(match, "driver"))
    found = [Match(netdev=name, mac=mac, driver=driver) for name, driver in itertools.islice(pairs, MAX_DEVICES)]
    renamed = text_of(netdef.settings, "set-name")
    return tuple(device for device in (*found, Match(netdev=renamed)) if device != Match())
