"""Settings that netplan hands to NetworkManager as they are: `networkmanager: passthrough:` of an entry.

netplan writes them into a profile in /run/NetworkManager/system-connections, whatever they mean (src/nm.c).
"""

from collections.abc import Iterator
from typing import Any

from sriov_bootstrap.conflicts.documents import key_of, table_of, text_of, texts_of
from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, Search, whole_number, without_keys
from sriov_bootstrap.conflicts.survey import Format, Source, without_overridden
from sriov_bootstrap.core.config import Match

COUNT = "sriov.total-vfs"
KINDS = ("ethernets", "nm-devices")
WRITTEN = "it counts once netplan has written NetworkManager's profile from it"
MAX_NAMES = 64


def read(search: Search) -> Iterator[Master]:
    """Every entry with a number."""
    for source in without_overridden(search.survey.sources_of(Format.NETPLAN)):
        network = table_of(source.document, "network")
        for kind in KINDS:
            for name, settings in table_of(network, kind).items():
                passed = table_of(table_of(settings, "networkmanager"), "passthrough")
                if COUNT in passed:
                    yield _master(source, name, settings, passed)


def _master(source: Source, name: str, settings: dict[str, Any], passed: dict[str, Any]) -> Master:
    key = key_of(source, passed, COUNT)
    number = whole_number(key.value) or 0
    return Master(
        Format.NETPLAN,
        source.path,
        key.line,
        f"{COUNT}: {number}",
        _devices(name, settings, text_of(passed, "connection.interface-name")),
        number if number <= MAX_COUNT else None,
        is_certain=False,
        doubt=WRITTEN,
        remedy=without_keys(source.path, (f'"{COUNT}" of {name}',), after="netplan generate"),
    )


def _devices(name: str, settings: dict[str, Any], interface: str) -> tuple[Match, ...]:
    match = table_of(settings, "match")
    if not match:
        return (Match(netdev=interface or name),)
    mac = text_of(match, "macaddress").lower()
    names = [found for found in texts_of(match, "name") if found] or [interface]
    found = [Match(netdev=netdev, mac=mac, driver=text_of(match, "driver")) for netdev in names[:MAX_NAMES]]
    return tuple(device for device in found if device != Match())
