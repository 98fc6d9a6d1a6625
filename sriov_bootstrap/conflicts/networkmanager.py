"""nm-settings-keyfile(5): NetworkManager's profiles."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, count, key_values, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, without_overridden
from sriov_bootstrap.core.config import Match


def read(search: Search) -> Iterator[Master]:
    """NetworkManager sets the number when it activates the profile."""
    for source in without_overridden(search.survey.sources_of(Format.NETWORK_MANAGER)):
        said = tuple(key_values(source))
        devices = _profile_devices(said)
        activates = _first_value(said, "connection", "autoconnect") != "false"
        doubt = "" if devices else "the profile does not name its device"
        for entry in (line for line in said if line.section == "sriov" and line.key == "total-vfs"):
            yield Master(
                Format.NETWORK_MANAGER,
                source.path,
                entry.line,
                setting(entry.key, entry.value),
                devices,
                count(entry.value),
                is_certain=bool(devices) and activates,
                doubt=doubt if activates else "the profile does not connect automatically",
                remedy=without_keys(source.path, ("the section [sriov]",), after="nmcli connection reload"),
            )


def _profile_devices(said: tuple[KeyValue, ...]) -> tuple[Match, ...]:
    mac = _first_value(said, "ethernet", "mac-address") or _first_value(said, "802-3-ethernet", "mac-address")
    names = _first_value(said, "connection", "interface-name") or _first_value(said, "match", "interface-name")
    driver, path = _first_value(said, "match", "driver"), _first_value(said, "match", "path")
    found = [
        Match(
            netdev=name,
            mac=mac.lower(),
            driver=driver.rstrip(";"),
            pci_address=path.rstrip(";").removeprefix("pci-").lower(),
        )
        for name in (names.rstrip(";").split(";"))
    ]
    return tuple(device for device in found if device != Match())


def _first_value(said: tuple[KeyValue, ...], section: str, key: str) -> str:
    return next((entry.value for entry in said if (entry.section, entry.key) == (section, key)), "")
