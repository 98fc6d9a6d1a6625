"""ifcfg files in /etc/sysconfig/network-scripts, which NetworkManager reads as well."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import Master, Search, count, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.logical_lines import logical_lines


def read(search: Search) -> Iterator[Master]:
    """SRIOV_TOTAL_VFS in each."""
    for source in search.survey.sources_of(Format.IFCFG):
        yield from _masters_of_file(source)


def _masters_of_file(source: Source) -> Iterator[Master]:
    values = {
        key.strip(): (number, value.strip().strip("\"'"))
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
    yield Master(
        Format.IFCFG,
        source.path,
        number,
        setting("SRIOV_TOTAL_VFS", text),
        devices,
        count(text),
        is_certain=bool(devices) and activates,
        doubt=doubt if activates else "the profile does not connect automatically",
        remedy=without_keys(source.path, ("SRIOV_TOTAL_VFS",), after="nmcli connection reload"),
    )
