"""netplan: entries below `ethernets`, merged over all of its files."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.documents import has_merge
from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.netdefs import masters_of, read_netdefs
from sriov_bootstrap.conflicts.survey import Format, without_overridden


def read(search: Search) -> Iterator[Master]:
    """Every entry that is a PF."""
    sources = without_overridden(search.survey.sources_of(Format.NETPLAN))
    merging = next((source.path for source in sources if has_merge(source)), "")
    doubt = f"netplan takes no merge (<<): it refuses {merging}, and with it all of its files" if merging else ""
    return masters_of(read_netdefs(sources), Format.NETPLAN, search.pfs, doubt=doubt)
