"""Reads what `doctor` wants to know about other programs that set VFs: the edges as the eyes of its checks."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.edges import yaml_text
from sriov_bootstrap.edges.text_files import Text, TextFiles
from sriov_bootstrap.formats import modprobe, unit_files
from sriov_bootstrap.machine.host_machine import HostMachine

SYSTEM = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")  # the one that wins first
BOOT_SCRIPTS = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/init.d/after.local")
OTHER_SCRIPTS = ("/sbin/ifup-local", "/etc/sysconfig/allocate_vfs")
HOOKS = (
    "/etc/network/if-pre-up.d",
    "/etc/network/if-up.d",
    "/etc/network/if-down.d",
    "/etc/network/if-post-down.d",
    "/etc/NetworkManager/dispatcher.d",
    "/etc/NetworkManager/dispatcher.d/pre-up.d",
    "/etc/NetworkManager/dispatcher.d/pre-down.d",
    "/etc/NetworkManager/dispatcher.d/no-wait.d",
    "/etc/networkd-dispatcher/routable.d",
)
CRON = ("/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs")
OS_NET_CONFIG = (
    "/etc/os-net-config/config.yaml",
    "/etc/os-net-config/config.json",
    "/etc/os-net-config/sriov_config.yaml",
    "/var/lib/os-net-config/sriov_config.yaml",
)
SHIM = "/etc/sriov-netplan-shim/interfaces.yaml"
OPERATOR = "/etc/sriov-operator"
SERVICE_ENDINGS = (".service",)


def survey_masters(machine: HostMachine) -> MastersSurvey:
    """Needs no root: what only root may read is reported."""
    sources = machine.text_files(each_once=True)
    found = (
        *_scripts(sources),
        *_units(sources),
        *_udev_sources(sources),
        *_network_sources(sources),
        *_modules(sources),
    )
    command_line = " ".join(machine.procfs.kernel_command_line())
    found += (Source(Format.KERNEL, "/proc/cmdline", command_line),)
    survey = MastersSurvey(found, wanted_units(sources))
    scripts = tuple(_called_sources(sources, survey))
    return replace(survey, sources=(*found, *scripts), unseen=tuple(dict.fromkeys(sources.problems)))


def _source(kind: Format, text: Text) -> Source:
    return Source(kind, text.path, text.text, owner=text.owner)


def _scripts(sources: TextFiles) -> Iterator[Source]:
    for path in (*BOOT_SCRIPTS, *OTHER_SCRIPTS):
        if text := sources.file(path):
            yield Source(Format.SCRIPT, path, text.text, is_run=text.is_executable)
    for folder in HOOKS:
        for text in sources.folder(folder):
            yield Source(Format.SCRIPT, text.path, text.text, is_run=text.is_executable)
    tables = [sources.file("/etc/crontab"), *(text for folder in CRON for text in sources.folder(folder))]
    yield from (_source(Format.CRON, text) for text in tables if text)
    interfaces = [sources.file("/etc/network/interfaces"), *sources.folder("/etc/network/interfaces.d")]
    yield from (_source(Format.INTERFACES, text) for text in interfaces if text)


def _units(sources: TextFiles) -> Iterator[Source]:
    for folder in unit_files.FOLDERS:
        yield from (_source(Format.UNIT, text) for text in sources.folder(folder, *SERVICE_ENDINGS))
        for name in sources.names(folder):
            if name.endswith(".service.d"):
                yield from (_source(Format.UNIT, text) for text in sources.folder(f"{folder}/{name}", ".conf"))


def wanted_units(sources: TextFiles) -> frozenset[str]:
    """The names of the units that some unit pulls in."""
    return frozenset(
        unit
        for folder in unit_files.FOLDERS
        for name in sources.names(folder)
        if name.endswith(unit_files.PULLED_IN)
        for unit in sources.names(f"{folder}/{name}")
    )


def _called_sources(sources: TextFiles, survey: MastersSurvey) -> Iterator[Source]:
    """The scripts that these run: not the other files that a command names, which may be keys.

    From a user's cron table, only those that this user can read too.
    """
    for path, call in called_scripts(survey, sources.problems.append).items():
        is_script = path.endswith(".sh") or sources.is_executable(path)
        text = sources.file(path, reader=call.source.owner) if is_script else None
        if text and text.text.startswith("#!"):
            yield Source(Format.SCRIPT, path, text.text, caller=call.place, owner=call.source.owner or text.owner)


def _udev_sources(sources: TextFiles) -> Iterator[Source]:
    for root in SYSTEM:
        yield from (_source(Format.UDEV, text) for text in sources.folder(f"{root}/udev/rules.d", ".rules"))
    for folder in (f"{root}/systemd/network" for root in SYSTEM):
        yield from (_source(Format.LINK, text) for text in sources.folder(folder, ".link"))
        for name in sources.names(folder):
            if name.endswith(".link.d"):
                yield from (_source(Format.LINK, text) for text in sources.folder(f"{folder}/{name}", ".conf"))


def _network_sources(sources: TextFiles) -> Iterator[Source]:
    for folder in ("/run/netplan", "/etc/netplan", "/usr/local/lib/netplan", "/usr/lib/netplan", "/lib/netplan"):
        yield from _documents(sources, Format.NETPLAN, *sources.folder(folder, ".yaml"))
    cloud = (sources.file("/etc/cloud/cloud.cfg"), *sources.folder("/etc/cloud/cloud.cfg.d", ".cfg"))
    yield from _documents(sources, Format.CLOUD_INIT, *cloud)
    for folder in ("/etc", "/run", "/usr/lib"):
        profiles = sources.folder(f"{folder}/NetworkManager/system-connections")
        yield from (_source(Format.NETWORK_MANAGER, text) for text in profiles)
    for text in sources.folder("/etc/sysconfig/network-scripts"):
        if text.path.rpartition("/")[2].startswith("ifcfg-"):
            yield _source(Format.IFCFG, text)
    yield from _documents(sources, Format.OS_NET_CONFIG, *map(sources.file, OS_NET_CONFIG))
    yield from _documents(sources, Format.SHIM, sources.file(SHIM))
    yield from _documents(sources, Format.OPERATOR, sources.file(f"{OPERATOR}/sriov-interface-config.yaml"))
    yield from _documents(sources, Format.OPERATOR, *sources.folder(f"{OPERATOR}/pci"))


def _documents(sources: TextFiles, kind: Format, *texts: Text | None) -> Iterator[Source]:
    for text in filter(None, texts):
        try:
            document = _parse(kind, text) if text.text.strip() else None
        except ConfigError as error:
            sources.problems += error.problems
            continue
        yield Source(kind, text.path, text.text, document)


def _parse(kind: Format, text: Text) -> Any:  # noqa: ANN401 - YAML gives anything
    return yaml_text.parse_located(text.text.encode(), text.path, merges=kind is Format.NETPLAN)


def _modules(sources: TextFiles) -> Iterator[Source]:
    settings = (sources.file("/etc/sysfs.conf"), *sources.folder("/etc/sysfs.d", ".conf"))
    yield from (_source(Format.SYSFS, text) for text in settings if text)
    yield from (_source(Format.DRIVERCTL, text) for text in sources.folder("/etc/driverctl.d"))
    yield from (Source(Format.MODPROBE, path, text) for path, text in sources.read_matching(*modprobe.GLOBS).items())
