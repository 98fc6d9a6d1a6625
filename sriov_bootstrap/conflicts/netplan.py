"""netplan: entries below `ethernets`, merged over all of its files."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.netdefs import masters_of, read_netdefs
from sriov_bootstrap.conflicts.survey import Format, without_overridden


def read(search: Search) -> Iterator[Master]:
    """Every entry that is a PF."""
    netdefs = read_netdefs(without_overridden(search.survey.sources_of(Format.NETPLAN)))
    return masters_of(netdefs, Format.NETPLAN, search.pfs)
