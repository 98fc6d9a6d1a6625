"""os-net-config: `sriov_pf`, and its own record of what it has set.

PyYAML reads both files: 010 is 8, and so is 08, which is a text to it and a number to os-net-config. It changes no
number that is not 0: with another one than the VFs that exist it fails.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sriov_bootstrap.conflicts.besides import MAX_VF, as_number, as_switch, shown, vf_table
from sriov_bootstrap.conflicts.documents import every_table, key_of, table_of, text_of, yaml_number
from sriov_bootstrap.conflicts.master import Master, Search, line_of
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.switches import switch_of
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_tables import MAC

NUMBERED_NIC = re.compile(r"nic\d+")  # its own names, by the order of the NICs
BESIDES = {  # what is the default, and so not said
    "link_mode": "legacy",
    "steering_mode": "",
    "vdpa": "false",
    "vdpa_queues": "",
    "promisc": "",
    "drivers_autoprobe": "true",
    "lag_candidate": "false",
}
SWITCH = {"link_mode": "mode", "steering_mode": "flow_steering_mode"}
PLAIN = frozenset(
    {"type", "device_type", "name", "numvfs", "use_dhcp", "use_dhcpv6", "defroute", "pci_address", *BESIDES}
)
VF_KEYS = {
    "vlan_id": "vlan",
    "qos": "vlan_qos",
    "macaddr": "mac",
    "state": "link_state",
    "min_tx_rate": "min_tx_rate",
    "max_tx_rate": "max_tx_rate",
    "trust": "trust",
    "spoofcheck": "spoofchk",
    "driver": "driver",  # by driverctl; mtu is the interface's, and stays where its addresses are
}
SWITCHES = frozenset({"trust", "spoofcheck", "promisc"})


def read(search: Search) -> Iterator[Master]:
    """Each of its files on its own."""
    sources = search.survey.sources_of(Format.OS_NET_CONFIG)
    names = {name: real for source in sources for name, real in _names_of_nics(source)}
    for source in sources:
        yield from _masters_of_file(source, names)


def _names_of_nics(source: Source) -> Iterator[tuple[str, str]]:
    """Its own name for a NIC, and the netdev or the MAC address that it means."""
    mapping = table_of(source.document, "interface_mapping") if isinstance(source.document, dict) else None
    yield from ((name, real) for name in map(str, mapping or ()) if (real := text_of(mapping or {}, name)))


def _devices(name: str, names: Mapping[str, str]) -> tuple[Match, ...]:
    """() for a number among the NICs that are active, which is not known."""
    real = names.get(name, name)
    if re.fullmatch(MAC, address := real.lower()):
        return (Match(mac=address),)
    return (Match(netdev=real),) if real and not NUMBERED_NIC.fullmatch(real) else ()


def _masters_of_file(source: Source, names: Mapping[str, str]) -> Iterator[Master]:
    tables = tuple(every_table(source.document))
    alone = source.document.get("network_config") if isinstance(source.document, dict) else source.document
    at_top = {id(table) for table in alone} if isinstance(alone, list) else set()
    for table in tables:
        if text_of(table, "type") == "sriov_pf" or text_of(table, "device_type") == "pf":
            devices = _devices(text_of(table, "name"), names)
            yield _master(source, table, tables, devices, is_alone=id(table) in at_top)


def _master(
    source: Source,
    table: dict[str, Any],
    tables: tuple[dict[str, Any], ...],
    devices: tuple[Match, ...],
    *,
    is_alone: bool,
) -> Master:
    name = text_of(table, "name")
    place = key_of(source, table, "numvfs")
    number = yaml_number(table.get("numvfs"))
    vfs, lost = _vf_tables(name, tables)
    texts = {key: text for key in SWITCH if (text := text_of(table, key)) and _is_said(key, text)}
    switch = switch_of({SWITCH[key]: text for key, text in texts.items()})
    told = {key for key, name in SWITCH.items() if name in dict(switch)}
    values = ((key, text_of(table, key)) for key in BESIDES if key not in told)
    besides = [shown(key, value) for key, value in values if value and _is_said(key, value)]
    needs = sorted({*table} - PLAIN) or vfs or lost or besides or "mode" in dict(switch) or not is_alone
    return Master(
        Format.OS_NET_CONFIG,
        source.path,
        place.line or line_of(table.get("name")),
        f"{name}: numvfs" if number is None else f"{name}: numvfs: {number}",
        devices,
        number,
        is_certain=number is not None,
        doubt="" if number is not None else "os-net-config does not take that number",
        remedy=_remedy(source.path, name or "that PF", is_kept=bool(needs)),
        besides=(*besides, *lost),
        vfs=vfs,
        eswitch=switch,
    )


def _remedy(path: str, name: str, *, is_kept: bool) -> str:
    """What belongs to a bond, or also has addresses or VFs, has to stay, and needs its numvfs."""
    if is_kept:
        return (
            f"set numvfs of {name} in {path}, and in the template that it comes from, to the num_vfs of its rule, and"
            " keep it: os-net-config needs it, and changes no number that is right"
        )
    return f"remove {name} from {path}, and sriov_pf from the template that it comes from"


def _is_said(key: str, value: str) -> bool:
    return value.lower() != BESIDES[key]


def _vf_tables(pf: str, tables: tuple[dict[str, Any], ...]) -> tuple[tuple[VfTable, ...], tuple[str, ...]]:
    found, lost = list[VfTable](), list[str]()
    for table in tables:
        if text_of(table, "type") != "sriov_vf" and text_of(table, "device_type") != "vf":
            continue
        device = table_of(table, "device") or table
        if pf and text_of(device, "name" if device is not table else "device") == pf:
            said = {VF_KEYS[key]: text for key in VF_KEYS if (text := _vf_value(table, key))}
            vf = text_of(device, "vfid")
            made, unknown = vf_table(vf, said)
            found += [made] if made else []
            lost += unknown
            lost += [f"promisc of VF {vf}"] if as_number(vf, MAX_VF) is not None and _vf_value(table, "promisc") else []
    return tuple(found), tuple(lost)


def _vf_value(table: dict[str, Any], key: str) -> str:
    """Of trust and spoofcheck, `yes` and `true` in quotes are dropped without a word."""
    text = text_of(table, key)
    if key in SWITCHES and not getattr(table.get(key), "is_plain", True):
        return text if text in {"on", "off"} else ""
    if key in SWITCHES:
        return text if as_switch(text) is not None and text.lower() not in {"1", "0", "y", "n", "t", "f"} else ""
    return text
