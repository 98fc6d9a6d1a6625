"""sriov-network-operator: what its daemon or its own unit sets, and what it set last."""

import re
from collections.abc import Iterator
from typing import Any

from sriov_bootstrap.conflicts.besides import shown
from sriov_bootstrap.conflicts.documents import every_table, text_of
from sriov_bootstrap.conflicts.master import Master, Search, count, line_of, setting
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.switches import switch_of
from sriov_bootstrap.core.config import Match

TRUE = frozenset({"true", "yes", "on", "y", "1"})
BESIDES = {"linktype": "linkType", "linkadminstate": "linkAdminState", "mtu": "mtu"}
GROUPS = {"devicetype": "deviceType", "vdpatype": "vdpaType", "isrdma": "isRdma", "mtu": "mtu"}
MAX_GROUPS = 64
VFS = re.compile(r"\d{1,5}-\d{1,5}", re.ASCII)


def read(search: Search) -> Iterator[Master]:
    """Each of its files on its own."""
    for source in search.survey.sources_of(Format.OPERATOR):
        yield from _masters_of_file(source)


def _masters_of_file(source: Source) -> Iterator[Master]:
    """`/etc/sriov-operator`: what its daemon or its own unit sets, and what it set last. Keys are in any case."""
    for table in every_table(source.document):
        lowered = {key.lower(): value for key, value in table.items()}
        if "pciaddress" not in lowered or "numvfs" not in lowered:
            continue
        if text_of(lowered, "externallymanaged").lower() in TRUE:
            continue
        number = text_of(lowered, "numvfs")
        yield Master(
            Format.OPERATOR,
            source.path,
            line_of(lowered["numvfs"]),
            setting("numVfs", number, sign=": "),
            (Match(pci_address=text_of(lowered, "pciaddress").lower()),),
            count(number),
            is_certain=source.folder != "pci",
            doubt="it is what the operator set last" if source.folder == "pci" else "",
            remedy="leave this PF out of every SriovNetworkNodePolicy, or set externallyManaged: true in it",
            besides=tuple(_besides(lowered)),
            eswitch=switch_of({"mode": text_of(lowered, "eswitchmode")}),
        )


def _besides(lowered: dict[str, Any]) -> Iterator[str]:
    """What a policy sets as well; of a group of VFs, their numbers come first."""
    for key, name in BESIDES.items():
        value = text_of(lowered, key)
        if value not in {"", "0", "legacy"}:
            yield shown(name, value)
    groups = lowered.get("vfgroups")
    for group in groups[:MAX_GROUPS] if isinstance(groups, list) else ():
        said = {key.lower(): value for key, value in group.items()} if isinstance(group, dict) else {}
        vfs = text_of(said, "vfrange")
        values = [
            shown(name, value)
            for key, name in GROUPS.items()
            if (value := text_of(said, key)) and value not in {"0", "false", "netdevice"}
        ]
        if values:
            yield f"{', '.join(values)} of VFs {vfs if VFS.fullmatch(vfs) else '...'}"
