"""nm-settings-keyfile(5): NetworkManager's profiles.

Read as GKeyFile and libnm do: of equal keys the last counts, a number may be 0x10 or 010, and what is no number is 0
without a word. A section [sriov], even an empty one, means that NetworkManager enforces its number, 0 if it says none;
without that section it leaves VFs alone.
"""

import itertools
import re
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.conflicts.besides import OFF, RELOAD_PROFILES, network_manager_vfs, shown
from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, Search, whole_number, without_keys
from sriov_bootstrap.conflicts.survey import Format, Source, without_overridden
from sriov_bootstrap.conflicts.switches import switch_of
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import matches
from sriov_bootstrap.core.facts import PfFacts

OPEN = "NetworkManager does not load a profile that others than root may read: chmod 600"  # nms-keyfile-utils.c
MULTIPLE = 3  # of connection.multi-connect: by default, a profile is active once
MAX_DEVICES = 64
SUFFIX = ".nmconnection"
BEING_WRITTEN = re.compile(r"\.[A-Za-z0-9]{6}\Z", re.ASCII)  # NetworkManager takes it for a temporary file
BACKUPS = ("~", ".swp", ".swpx", ".rpmsave", ".rpmorig", ".rpmnew")
OPERATORS = ("!", "&", "|", "\\")  # before a name in [match]: not, and, or
BESIDES = (
    "autoprobe-drivers",
    "eswitch-mode",
    "eswitch-inline-mode",
    "eswitch-encap-mode",
    "preserve-on-down",
)
SWITCH = {"eswitch-mode": "mode", "eswitch-inline-mode": "inline_mode", "eswitch-encap-mode": "encap_mode"}


class Profile(Struct):
    """A file: its sections and their first lines; the value of each key, and the line of it. None: it is not loaded."""

    sections: dict[str, int]
    values: dict[tuple[str, str], tuple[str, int]]

    def value(self, section: str, key: str) -> str:
        """Of a key, "" where there is none."""
        return self.values.get((section, key), ("", 0))[0]


def read(search: Search) -> Iterator[Master]:
    """NetworkManager sets the number when it activates the profile."""
    for source in without_overridden(search.survey.sources_of(Format.NETWORK_MANAGER)):
        is_named = source.path.startswith("/etc/") or source.name.endswith(SUFFIX)  # elsewhere only these are read
        is_temporary = source.name.startswith(".") or BEING_WRITTEN.search(source.name) is not None
        if is_temporary or source.name.endswith(BACKUPS) or not is_named:
            continue
        profile = parse_profile(source.text)
        if "sriov" in profile.sections:
            yield _master(source, profile, search.pfs)


def parse_profile(text: str) -> Profile:
    """What GKeyFile takes it for, up to a line that is neither an entry nor a comment."""
    profile, section = Profile({}, {}), ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            section = {"802-3-ethernet": "ethernet"}.get(stripped[1:-1], stripped[1:-1])
            profile.sections.setdefault(section, number)
        else:
            key, equals, value = stripped.partition("=")
            if not equals:
                profile.sections.setdefault("", number)
            profile.values[section, key.strip()] = value.strip(), number
    return profile


def _master(source: Source, profile: Profile, pfs: tuple[PfFacts, ...]) -> Master:
    text, line = profile.values.get(("sriov", "total-vfs"), ("", 0))
    number = whole_number(text) or 0
    devices, is_exact = _profile_devices(profile)
    doubts = [] if source.is_run else [OPEN]
    if "" in profile.sections:
        doubts.append(f"line {profile.sections['']} is no entry, so NetworkManager does not load the file")
    if profile.value("connection", "autoconnect").lower() in OFF:
        doubts.append("the profile does not connect automatically")
    if not devices:
        doubts.append("the profile does not name its device")
    elif not is_exact:
        doubts.append("only NetworkManager can tell whether its [match] section applies")
    fitting = sum(any(matches(device, pf) for device in devices) for pf in pfs)
    if fitting > 1 and whole_number(profile.value("connection", "multi-connect")) != MULTIPLE:
        doubts.append(f"NetworkManager connects the profile to one of the {fitting} NICs that it fits")
    if number > MAX_COUNT:
        doubts.append("no device has that many VFs")
    tables, lost = network_manager_vfs(_vfs(profile))
    switch = switch_of({name: profile.value("sriov", key) for key, name in SWITCH.items()}, by_number=True)
    told = {key for key, name in SWITCH.items() if name in dict(switch) or profile.value("sriov", key) == "-1"}
    values = ((key, profile.value("sriov", key)) for key in BESIDES if key not in told)
    besides = [shown(key, value) for key, value in values if value and _is_number(value)]
    return Master(
        Format.NETWORK_MANAGER,
        source.path,
        line or profile.sections["sriov"],
        f"total-vfs={number}" if line else "[sriov] without total-vfs, which means 0",
        devices,
        number if number <= MAX_COUNT else None,
        is_certain=not doubts,
        doubt="; ".join(doubts),
        remedy=without_keys(source.path, ("the section [sriov]",), after=RELOAD_PROFILES),
        besides=(*besides, *lost),
        vfs=tables,
        eswitch=switch,
    )


def _is_number(text: str) -> bool:
    """These keys only take numbers, or true and false: all else is dropped without a word."""
    return bool(re.fullmatch(r"-?\w+", text)) and (
        whole_number(text.removeprefix("-")) is not None or text in {"true", "false"}
    )


def _vfs(profile: Profile) -> Iterator[tuple[str, str]]:
    for (section, key), (value, _) in profile.values.items():
        if section == "sriov" and key.startswith("vf."):
            yield key.removeprefix("vf."), value


def _profile_devices(profile: Profile) -> tuple[tuple[Match, ...], bool]:
    """And whether these are all that it says about its device."""
    mac = profile.value("ethernet", "mac-address").lower()
    own = profile.value("connection", "interface-name")
    listed = {key: _words(profile.value("match", key)) for key in ("interface-name", "driver", "path")}
    plain = {key: [word for word in words if not word.startswith(OPERATORS)] for key, words in listed.items()}
    choices = itertools.product(
        [own] if own else plain["interface-name"] or [""], plain["driver"] or [""], plain["path"] or [""]
    )
    found = [
        Match(netdev=name, mac=mac, driver=driver, pci_address=path.removeprefix("pci-").lower())
        for name, driver, path in itertools.islice(choices, MAX_DEVICES)
    ]
    return tuple(device for device in found if device != Match()), plain == listed


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(";") if word.strip()]
