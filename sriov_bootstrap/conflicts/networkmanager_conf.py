"""NetworkManager.conf(5) and its conf.d: `sriov-num-vfs` in a [device] section.

NetworkManager sets that number when a device becomes managed, and when its settings are read again; -1 is none. Which
of several sections counts for a device depends on all files together, so that is in doubt.
"""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, Search, without_keys
from sriov_bootstrap.conflicts.networkmanager import Profile, parse_profile
from sriov_bootstrap.conflicts.survey import Format, Source, without_overridden
from sriov_bootstrap.core.config import Match

KEY = "sriov-num-vfs"
SECTION = "device"  # or whatever begins with it: src/core/nm-config-data.c
MAIN = "/etc/NetworkManager/NetworkManager.conf"
RELOAD = "nmcli general reload conf"
NUMBER = re.compile(r"0*([0-9]{1,9})", re.ASCII)  # decimal: 010 is ten, and what is no number counts as none
SPECS = re.compile(r"[,;]")
ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII | re.IGNORECASE)
DRIVER = re.compile(r"[\w-]{1,56}", re.ASCII)
NAME = re.compile(r"[^\s/:*?\[\]\\=~]{1,15}")  # of a netdev
GLOB = re.compile(r"[^\s/:\[\]\\=~]{1,15}")
ANY = "it is for each device without a section of its own"
CONDITION = "[.config] says when NetworkManager reads the file"
SEVERAL = "several sections set it, and which of them counts for a device depends on all of NetworkManager's files"


def read(search: Search) -> Iterator[Master]:
    """Every section that sets a number."""
    sources = search.survey.sources_of(Format.NETWORK_MANAGER_CONF)
    main = tuple(source for source in sources if source.path == MAIN)
    others = tuple(source for source in sources if source.path != MAIN)
    found = [master for source in (*main, *without_overridden(others)) for master in _masters_of_file(source)]
    if len(found) > 1:
        found = [_with_doubt(master, SEVERAL) for master in found]
    yield from found


def _masters_of_file(source: Source) -> Iterator[Master]:
    profile = parse_profile(source.text)
    for section in profile.sections:
        text, line = profile.values.get((section, KEY), ("", 0))
        number = NUMBER.fullmatch(text)
        if section.startswith(SECTION) and number:
            master = _master(source, profile, section, line, int(number[1]))
            yield _with_doubt(master, CONDITION) if ".config" in profile.sections else master


def _master(source: Source, profile: Profile, section: str, line: int, number: int) -> Master:
    specs = [spec.strip() for spec in SPECS.split(profile.value(section, "match-device")) if spec.strip()]
    named = [_device_of(spec) for spec in specs]
    devices = tuple(device for device in named if device)
    doubts = [] if specs else [ANY]
    if len(devices) < len(specs):
        doubts.append("only NetworkManager can tell which devices its match-device fits")
    if number > MAX_COUNT:
        doubts.append("no device has that many VFs")
    return Master(
        Format.NETWORK_MANAGER_CONF,
        source.path,
        line,
        f"{KEY}={number}",
        devices,
        number if number <= MAX_COUNT else None,
        is_certain=not doubts,
        doubt="; ".join(doubts),
        remedy=without_keys(source.path, (KEY,), after=RELOAD),
    )


def _device_of(spec: str) -> Match | None:
    """NetworkManager.conf(5), "Device List Format"; None for what our rules cannot say, such as `except:`."""
    if ADDRESS.fullmatch(spec.removeprefix("mac:")):
        return Match(mac=spec.removeprefix("mac:").lower())
    kind, _, value = spec.partition(":")
    if kind == "driver":
        return Match(driver=value) if DRIVER.fullmatch(value) else None
    if kind == "interface-name" and not value.startswith("="):
        name = value.removeprefix("~")
        return Match(netdev=name) if GLOB.fullmatch(name) else None
    name = value[1:] if kind == "interface-name" else spec
    return Match(netdev=name) if NAME.fullmatch(name) else None


def _with_doubt(master: Master, doubt: str) -> Master:
    return replace(master, is_certain=False, doubt="; ".join(filter(None, (master.doubt, doubt))))
