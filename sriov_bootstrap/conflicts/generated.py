"""Files that another program writes: whoever changes one finds it as it was, so what it is made from is named instead.

netplan writes profiles, .link files, udev rules and units below /run, at boot and with each `netplan apply`; cloud-init
writes netplan's 50-cloud-init.yaml and NetworkManager's cloud-init-*; NetworkManager, where it stores its connections
in netplan, writes 90-NM-*.yaml. Everything else below /run has been written since boot, too.
"""

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts.cloud_init import WRITTEN
from sriov_bootstrap.conflicts.documents import table_of
from sriov_bootstrap.conflicts.master import Master, line_of
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source

NETPLANS = re.compile(
    r"/run/(?:NetworkManager/system-connections/netplan-(?P<profile>[^/]+)\.nmconnection"
    r"|systemd/network/10-netplan-(?P<link>[^/]+)\.(?:link|network|netdev)"
    r"|udev/rules\.d/99-netplan-(?P<rule>[^/]+)\.rules"
    r"|systemd/system/netplan-[^/]+\.service)"
)
CLOUD_INITS = re.compile(r"/etc/(?:NetworkManager/system-connections|systemd/network)/\d*-?cloud-init-[^/]+")
NETWORK_MANAGERS = re.compile(r"/etc/netplan/90-NM-[^/]+\.yaml")
KINDS = ("ethernets", "nm-devices", "bonds", "bridges", "vlans", "wifis")  # below `network`
DISABLED = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg"
MAX_SOURCES = 3


class Generator(Struct, frozen=True):
    """`made`: who writes the file, and from what, as a clause; `remedy`: what to change instead."""

    made: str
    remedy: str


def name_generator(master: Master, survey: MastersSurvey) -> Master:
    """The same, if its file is generated, with what that is made from, and a remedy that lasts."""
    generator = _generator(master, survey)
    return replace(master, made=generator.made, remedy=generator.remedy) if generator else master


def _generator(master: Master, survey: MastersSurvey) -> Generator | None:
    path = master.path
    if found := NETPLANS.fullmatch(path):
        return _netplan(next(filter(None, found.groups()), ""), survey)
    if (path == WRITTEN or CLOUD_INITS.fullmatch(path)) and not _is_disabled(survey):
        return _cloud_init(master, survey)
    if NETWORK_MANAGERS.fullmatch(path):
        remedy = "change the connection by nmcli connection modify, which writes it again"
        return Generator("NetworkManager writes this file for one of its connections", remedy)
    if path.startswith("/run/NetworkManager/system-connections/"):
        return _since_boot(master, ": by the initrd from ip= on the kernel command line, or by nmcli --temporary")
    if path.startswith("/run/") and master.format in {Format.LINK, Format.UNIT, Format.UDEV, Format.NETPLAN}:
        return _since_boot(master, ", by a generator or a script")
    return None


def _since_boot(master: Master, by: str) -> Generator:
    remedy = f"{master.remedy}; it comes back at the next boot unless what writes it is changed, too"
    return Generator(f"it was written since boot{by}", remedy)


def _netplan(name: str, survey: MastersSurvey) -> Generator:
    places = tuple(_places_of(name, survey.sources_of(Format.NETPLAN))) if name else ()
    where = " and ".join(places[:MAX_SOURCES]) or "a file in /etc/netplan"
    entry = f" of {name}" if places else ""
    return Generator(
        f"netplan writes this file from {where}", f"change the entry{entry} in {where}, then: netplan apply"
    )


def _places_of(name: str, sources: tuple[Source, ...]) -> Iterator[str]:
    """Where each entry of that name is; the line is that of its first text."""
    for source in sources:
        for kind in KINDS:
            entries = table_of(table_of(source.document, "network"), kind)
            if name in entries:
                line = next(filter(None, map(line_of, table_of(entries, name).values())), 0)
                yield f"{source.path}:{line}" if line else source.path


def _cloud_init(master: Master, survey: MastersSurvey) -> Generator:
    """It writes its files again for each new instance, with some data sources at each boot."""
    own = [source.path for source in survey.sources_of(Format.CLOUD_INIT) if table_of(source.document, "network")]
    where = " and ".join(own[:MAX_SOURCES]) or "the network config of its data source"
    made = f"cloud-init writes this file from {where}"
    keep = f'or keep cloud-init from it, by "network: {{config: disabled}}" in {DISABLED}, and {master.remedy}'
    return Generator(made, f"change {where}, {keep}")


def _is_disabled(survey: MastersSurvey) -> bool:
    """Whether cloud-init leaves the network alone, so that what it has written is the administrator's now."""
    documents = [source.document for source in survey.sources_of(Format.CLOUD_INIT)]
    return any(table_of(document, "network").get("config") == "disabled" for document in documents)
