"""os-net-config: `sriov_pf`, and its own record of what it has set."""

import re
from collections.abc import Iterator

from sriov_bootstrap.conflicts.documents import every_table, key_of, text_of
from sriov_bootstrap.conflicts.master import Master, Search, count, line_of, setting
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match

NUMBERED_NIC = re.compile(r"nic\d+")  # its own names, by the order of the NICs


def read(search: Search) -> Iterator[Master]:
    """Each of its files on its own."""
    for source in search.survey.sources_of(Format.OS_NET_CONFIG):
        yield from _masters_of_file(source)


def _masters_of_file(source: Source) -> Iterator[Master]:
    for table in every_table(source.document):
        if text_of(table, "type") != "sriov_pf" and text_of(table, "device_type") != "pf":
            continue
        name = text_of(table, "name")
        place = key_of(source, table, "numvfs")
        yield Master(
            Format.OS_NET_CONFIG,
            source.path,
            place.line or line_of(table.get("name")),
            f"{name}: {setting(place.key, place.value, sign=': ')}",
            () if NUMBERED_NIC.fullmatch(name) or not name else (Match(netdev=name),),
            count(place.value),
            remedy=f"remove {name or 'that PF'} from {source.path}, and sriov_pf from the template that it comes from",
        )
