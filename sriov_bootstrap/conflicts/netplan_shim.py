"""sriov-netplan-shim: `num_vfs` of each interface."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.documents import key_of, table_of, text_of, yaml_number
from sriov_bootstrap.conflicts.master import Master, Search, line_of
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match


def read(search: Search) -> Iterator[Master]:
    """Each of its files on its own."""
    for source in search.survey.sources_of(Format.SHIM):
        yield from _masters_of_file(source)


def _masters_of_file(source: Source) -> Iterator[Master]:
    for name, settings in table_of(source.document, "interfaces").items():
        if not isinstance(settings, dict):
            continue
        place = key_of(source, settings, "num_vfs")
        number = yaml_number(settings.get("num_vfs")) if getattr(settings.get("num_vfs"), "is_plain", True) else None
        address = text_of(table_of(settings, "match"), "pciaddress").lower()
        yield Master(
            Format.SHIM,
            source.path,
            place.line or line_of(name),
            f"{name}: num_vfs" if number is None else f"{name}: num_vfs: {number}",
            (Match(pci_address=address) if address else Match(netdev=name),),
            number,
            is_certain=number is not None,
            doubt="" if number is not None else "the shim does not take that number",
            remedy=f"remove {name} from {source.path}, or: systemctl disable sriov-netplan-shim",
        )
