"""ifcfg files in /etc/sysconfig/network-scripts, which NetworkManager reads as well.

Values are words of a shell, numbers decimal.
"""

import re
import shlex
from collections.abc import Iterator

from sriov_bootstrap.conflicts.besides import RELOAD_PROFILES, network_manager_vfs, shown
from sriov_bootstrap.conflicts.master import Master, Search, count, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.switches import switch_of
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.logical_lines import logical_lines

DECIMAL = re.compile(r"0*([0-9]{1,9})", re.ASCII)
VF_KEY = re.compile(r"SRIOV_VF([0-9]{1,5})", re.ASCII)
BESIDES = ("SRIOV_AUTOPROBE_DRIVERS", "SRIOV_ESWITCH_MODE", "SRIOV_ESWITCH_INLINE_MODE", "SRIOV_ESWITCH_ENCAP_MODE")
SWITCH = dict(zip(BESIDES[1:], ("mode", "inline_mode", "encap_mode"), strict=True))
IGNORED = ("~", ".bak", ".orig", ".rej", ".rpmnew", ".augnew", ".augtmp")  # by NetworkManager
MAX_LINE = 1 << 12


def read(search: Search) -> Iterator[Master]:
    """SRIOV_TOTAL_VFS in each."""
    for source in search.survey.sources_of(Format.IFCFG):
        if not source.name.endswith(IGNORED):
            yield from _masters_of_file(source)


def _masters_of_file(source: Source) -> Iterator[Master]:
    values = {
        key.strip(): (number, _value(value))
        for number, line in logical_lines(source.text)
        for key, separator, value in [line.partition("=")]
        if separator
    }
    if "SRIOV_TOTAL_VFS" not in values:
        return
    number, text = values["SRIOV_TOTAL_VFS"]
    nothing = (0, "")
    device, mac = values.get("DEVICE", nothing)[1], values.get("HWADDR", nothing)[1]
    activates = values.get("ONBOOT", nothing)[1].lower() != "no"
    named = Match(netdev=device, mac=mac.lower())
    devices = (named,) if named != Match() else ()
    doubt = "" if devices else "the file does not name its device"
    found = DECIMAL.fullmatch(text)
    vfs = ((vf[1], value) for key, (_, value) in values.items() if (vf := VF_KEY.fullmatch(key)))
    tables, lost = network_manager_vfs(vfs)
    said = {name: values.get(key, nothing)[1] for key, name in SWITCH.items()}
    switch = switch_of(said) + switch_of(said, by_number=True)
    told = {key for key, name in SWITCH.items() if name in dict(switch)}
    besides = [shown(key, values[key][1]) for key in BESIDES if key in values and key not in told]
    yield Master(
        Format.IFCFG,
        source.path,
        number,
        setting("SRIOV_TOTAL_VFS", found[1] if found else text),
        devices,
        count(found[1]) if found else None,
        is_certain=bool(devices) and activates,
        doubt=doubt if activates else "the profile does not connect automatically",
        remedy=without_keys(source.path, ("the lines SRIOV_*",), after=RELOAD_PROFILES),
        besides=(*besides, *lost),
        vfs=tables,
        eswitch=switch,
    )


def _value(text: str) -> str:
    """Without quotes, and without what follows it on its line; "" for what is no word."""
    if len(text) > MAX_LINE:
        return ""
    try:
        return next(iter(shlex.split(text, comments=True)), "")
    except ValueError:
        return ""
