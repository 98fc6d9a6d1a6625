"""What a file sets beside the number of VFs: values of VFs as our config has them, and what it has no key for."""

import re
from collections.abc import Iterable, Mapping

from sriov_bootstrap.core.drivers import is_module_name
from sriov_bootstrap.core.vf_attributes import LinkState, VfTable, VlanProtocol
from sriov_bootstrap.core.vf_tables import MAC

SHOWABLE = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
# Values that these formats know: any other one may be anything.
WORDS = frozenset(
    {
        *("switchdev", "legacy", "smfs", "dmfs", "hmfs", "none", "link", "network", "transport", "basic"),
        *("eth", "ib", "up", "down", "vfio-pci", "netdevice", "virtio", "vhost"),
    }
)
DECIMAL = re.compile(r"[0-9]{1,10}", re.ASCII)
MAX_VF = 0xFFFF
MOST = {"vlan": 4095, "vlan_qos": 7, "min_tx_rate": 0xFFFFFFFF, "max_tx_rate": 0xFFFFFFFF}
CHOICES: dict[str, dict[str, str]] = {
    "vlan_protocol": {protocol.value.lower(): protocol for protocol in VlanProtocol},
    "link_state": {state.value: state for state in LinkState},
}
NM_KEYS = {
    "mac": "mac",
    "spoof-check": "spoofchk",
    "trust": "trust",
    "min-tx-rate": "min_tx_rate",
    "max-tx-rate": "max_tx_rate",
}
VLAN_KEYS = ("vlan", "vlan_qos", "vlan_protocol")
PROTOCOLS = {"q": "802.1Q", "ad": "802.1ad"}
NM_ESCAPES = {"s": " ", "t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
ON = frozenset({"true", "yes", "on", "1", "y", "t"})
OFF = frozenset({"false", "no", "off", "0", "n", "f"})
# It goes by what a profile was activated with, and cannot reapply one that has lost [sriov]: nm-device.c.
RELOAD_PROFILES = "nmcli connection reload (a profile that is active now still sets 0 once, when it goes down)"


def as_number(text: str, most: int) -> int | None:
    """A decimal number up to that."""
    return number if DECIMAL.fullmatch(text) and (number := int(text)) <= most else None


def as_switch(text: str) -> bool | None:
    """What any of these formats takes for on or off, in any case."""
    return True if text.lower() in ON else False if text.lower() in OFF else None


def vf_table(vf: str, said: Mapping[str, str]) -> tuple[VfTable | None, tuple[str, ...]]:
    """What is said of one VF by the names of our config; and the keys whose values were not understood."""
    values: dict[str, object] = {}
    for key, text in said.items():
        values[key] = _value(key, text.strip())
    known = {key: value for key, value in values.items() if value is not None}
    lost = tuple(f"{key} of VF {vf}" for key, value in values.items() if value is None)
    if as_number(vf, MAX_VF) is None:
        return None, ("settings of a VF whose number cannot be determined",)
    return (VfTable(vfs=vf, **known) if known else None), lost  # type: ignore[arg-type]


def _value(key: str, text: str) -> object:
    if key == "mac":
        mac = text.lower().replace("-", ":")
        return mac if re.fullmatch(MAC, mac) else None
    if key == "driver":
        return text if is_module_name(text) else None
    if key in MOST:
        return as_number(text, MOST[key])
    if key in CHOICES:
        return CHOICES[key].get(text.lower())
    return as_switch(text)


def network_manager_vfs(vfs: Iterable[tuple[str, str]]) -> tuple[tuple[VfTable, ...], tuple[str, ...]]:
    """Numbers of VFs and what NetworkManager sets for them: `mac=02::1 vlans=100.5.ad trust=true`; and what is lost."""
    tables, lost = [], list[str]()
    for number, text in vfs:
        table, unknown = vf_table(number, _network_manager_values(text))
        tables += [table] if table else []
        lost += unknown
    return tuple(tables), tuple(lost)


def _network_manager_values(text: str) -> dict[str, str]:
    """The attributes of a VF, parted by blanks; what follows a comma, or one that is not known, is lost."""
    plain = re.sub(r"\\(.)", lambda found: NM_ESCAPES.get(found[1], found[0]), text)
    said: dict[str, str] = {}
    for word in plain.split():
        key, _, value = word.partition("=")
        name, comma, _ = value.partition(",")
        if key == "vlans":
            vlan, *more = name.split(";")[0].split(".")
            parts = (vlan, more[0] if more else "", PROTOCOLS.get(more[1], more[1]) if len(more) > 1 else "")
            said |= {key: part for key, part in zip(VLAN_KEYS, parts, strict=True) if part}
        elif key in NM_KEYS:
            said[NM_KEYS[key]] = name
        else:
            break
        if comma:
            break
    return said


def shown(key: str, value: str) -> str:
    """Key and value, for people; of a value that may be anything only the key."""
    is_known = SHOWABLE.fullmatch(value) or value.lower() in WORDS | ON | OFF
    return f"{key}: {value}" if is_known else key


def toml_lines(table: VfTable) -> tuple[str, ...]:
    """The table as our config has it."""
    lines = []
    for key, value in table.said.items():
        text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
        lines.append(f"{key} = {text}")
    return ("[[pf.vf]]", *sorted(lines, key=lambda line: not line.startswith("vfs =")))
