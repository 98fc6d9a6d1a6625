"""cloud-init: a network config in its own files, which it writes into those of netplan, or of others.

cloudinit/net/netplan.py passes version 2 on as it is, with numbers as PyYAML has read them: 010 becomes 8. The other
renderers drop the keys of VFs without a word.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.documents import yaml_number
from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.netdefs import Netdef, masters_of, read_netdefs
from sriov_bootstrap.conflicts.survey import Format

WRITTEN = "/etc/netplan/50-cloud-init.yaml"


def read(search: Search) -> Iterator[Master]:
    """Every entry that is a PF. It counts once it is in the files that are written from it."""
    is_written = any(source.path == WRITTEN for source in search.survey.sources_of(Format.NETPLAN))
    doubt = f"cloud-init only writes it to {WRITTEN}, and drops it where it writes for another program"
    if is_written:
        doubt = f"it counts once cloud-init writes {WRITTEN} again"
    netdefs = tuple(map(_as_written, read_netdefs(search.survey.sources_of(Format.CLOUD_INIT))))
    return masters_of(netdefs, Format.CLOUD_INIT, search.pfs, doubt=doubt)


def _as_written(netdef: Netdef) -> Netdef:
    """With its number as it comes to netplan."""
    number = yaml_number(netdef.count.value) if netdef.count else None
    if netdef.count is None or number is None:
        return netdef
    return replace(netdef, count=replace(netdef.count, value=str(number)))
