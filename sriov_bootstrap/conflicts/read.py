"""Reads what `doctor` wants to know about other programs that set VFs: the edges as the eyes of its checks."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.conflicts.called_scripts import Call, called_scripts
from sriov_bootstrap.conflicts.documents import dropped_notes
from sriov_bootstrap.conflicts.interfaces import is_plain_name, sourced_files
from sriov_bootstrap.conflicts.library import MAX_CHAIN, Library
from sriov_bootstrap.conflicts.survey import DROP_IN_FOLDERS, Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.units import environment_paths, units_pulled
from sriov_bootstrap.edges import yaml_text
from sriov_bootstrap.edges.text_files import Text, TextFiles
from sriov_bootstrap.formats import modprobe, unit_files
from sriov_bootstrap.formats.shell_simple import PATH
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.kernel import INITRAMFS

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
    "/usr/lib/NetworkManager/dispatcher.d",
    "/usr/lib/NetworkManager/dispatcher.d/pre-up.d",
    "/usr/lib/NetworkManager/dispatcher.d/pre-down.d",
    "/usr/lib/NetworkManager/dispatcher.d/no-wait.d",
    *(
        f"{folder}/networkd-dispatcher/{state}.d"
        for folder in ("/etc", "/usr/lib")
        for state in ("routable", "configured", "configuring", "carrier", "no-carrier", "degraded", "dormant", "off")
    ),
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/local.d",
    "/etc/libvirt/hooks",
    "/etc/libvirt/hooks/qemu.d",
    "/etc/libvirt/hooks/network.d",
    "/etc/libvirt/hooks/daemon.d",
    "/etc/dhcp/dhclient-enter-hooks.d",
    "/etc/dhcp/dhclient-exit-hooks.d",
    "/etc/ppp/ip-up.d",
    "/etc/sysconfig/modules",
    "/usr/lib/systemd/system-sleep",
    "/etc/systemd/system-sleep",
    "/etc/initramfs-tools/scripts/init-premount",
    "/etc/initramfs-tools/scripts/init-bottom",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/var/lib/cloud/scripts/per-boot",
    "/var/lib/cloud/scripts/per-instance",
    "/var/lib/cloud/scripts/per-once",
    "/var/lib/cloud/instance/scripts",
)
CRON = ("/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs")
OS_NET_CONFIG = (
    "/etc/os-net-config/config.yaml",
    "/etc/os-net-config/config.json",
    "/etc/os-net-config/sriov_config.yaml",
    "/var/lib/os-net-config/sriov_config.yaml",
)
MAX_SOURCED = 64  # globs of files that interfaces(5) sources
SHIM = "/etc/sriov-netplan-shim/interfaces.yaml"
OPERATOR = "/etc/sriov-operator"
SERVICE_ENDINGS = (".service",)
STARTER_ENDINGS = (".timer", ".path", ".socket", ".target")  # read where an administrator puts them
STARTER_FOLDERS = ("/etc/systemd/system", "/run/systemd/system")
ELSEWHERE = {
    "/var/lib/docker": "containers",
    "/var/lib/containers": "containers",
    "/var/lib/containerd": "containers",
    "/var/lib/kubelet/pods": "pods",
    "/var/lib/lxc": "containers",
    "/var/lib/lxd": "containers",
    "/var/lib/machines": "containers",
    "/snap": "snaps",
    "/var/lib/snapd/snaps": "snaps",
}
OTHER_FOLDERS = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d")
NETWORK_MANAGER_FOLDERS = tuple(f"{folder}/NetworkManager/conf.d" for folder in ("/etc", "/run", "/usr/lib"))
OTHER_FILES = (
    "/etc/rc.conf",
    "/etc/inittab",
    "/var/lib/cloud/instance/user-data.txt",
    "/etc/tuned/bootcmdline",
    "/etc/tuned/active_profile",
    "/etc/NetworkManager/NetworkManager.conf",
)
TUNED = ("/etc/tuned", "/etc/tuned/profiles", "/usr/lib/tuned", "/usr/lib/tuned/profiles")
RUN_LEVELS = ("/etc/rcS.d", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d")
SCRIPT_ENDINGS = (".sh", ".bash", ".py", ".pl", ".rb")
MAX_SCRIPTS = 1 << 11
BEGINNING = 1 << 8  # characters in which a binary has a zero


def survey_masters(machine: HostMachine) -> MastersSurvey:
    """Needs no root: what only root may read is reported."""
    sources = machine.text_files(each_once=True)
    found = (
        *_scripts(sources),
        *_units(sources),
        *_udev_sources(sources),
        *_network_sources(sources),
        *_modules(sources),
        *_other_files(sources),
    )
    command_line = " ".join(machine.procfs.kernel_command_line())
    found += (Source(Format.KERNEL, "/proc/cmdline", command_line),)
    survey = MastersSurvey(found, wanted_units(sources), rdma=machine.sysfs.read_rdma(), initramfs=_initramfs(machine))
    pulled = units_pulled(survey)
    survey = replace(survey, wanted_units=survey.wanted_units | pulled.keys(), pulled_by=pulled)
    survey = replace(survey, sources=(*found, *_called_sources(sources, survey)))
    survey = replace(survey, sources=(*survey.sources, *_environments(sources, survey)))
    return replace(survey, unseen=tuple(dict.fromkeys(sources.problems)), elsewhere=_elsewhere(machine))


def _initramfs(machine: HostMachine) -> str:
    there = machine.files.keep_existing(tuple(INITRAMFS))
    return next((command for path, command in INITRAMFS.items() if path in there), "")


def _elsewhere(machine: HostMachine) -> tuple[str, ...]:
    """What is on this host, may set VFs, and is not looked at."""
    folders = machine.text_files()
    return tuple(f"{folder}: {what} are not looked at" for folder, what in ELSEWHERE.items() if folders.names(folder))


def _source(kind: Format, text: Text) -> Source:
    return Source(kind, text.path, text.text, owner=text.owner)


def _scripts(sources: TextFiles) -> Iterator[Source]:
    for path in (*BOOT_SCRIPTS, *OTHER_SCRIPTS):
        if text := sources.file(path):
            yield Source(Format.SCRIPT, path, text.text, is_run=text.is_executable)
    for folder in HOOKS:
        for text in sources.folder(folder):
            yield Source(Format.SCRIPT, text.path, text.text, is_run=text.is_executable)
    for name in sorted({name[3:] for folder in RUN_LEVELS for name in sources.names(folder) if name.startswith("S")}):
        if text := sources.file(f"/etc/init.d/{name}"):
            yield Source(Format.SCRIPT, text.path, text.text, is_run=text.is_executable)
    tables = [sources.file("/etc/crontab"), *(text for folder in CRON for text in sources.folder(folder))]
    yield from (_source(Format.CRON, text) for text in tables if text)
    yield from _interfaces(sources)


def _interfaces(sources: TextFiles) -> Iterator[Source]:
    """With the files that they source, up to a bound."""
    named = [sources.file("/etc/network/interfaces"), *sources.folder("/etc/network/interfaces.d")]
    queue = deque(_source(Format.INTERFACES, text) for text in named if text)
    patterns = set[str]()
    while queue:
        source = queue.popleft()
        yield source
        for pattern, is_folder in sourced_files(source.path, source.text):
            if pattern in patterns or len(patterns) >= MAX_SOURCED:
                continue
            patterns.add(pattern)
            found = sources.read_matching(pattern)
            queue += (
                Source(Format.INTERFACES, path, text)
                for path, text in found.items()
                if text and (not is_folder or is_plain_name(path))
            )


def _units(sources: TextFiles) -> Iterator[Source]:
    for folder in unit_files.FOLDERS:
        yield from (_source(Format.UNIT, text) for text in sources.folder(folder, *SERVICE_ENDINGS))
        for name in sources.names(folder):
            if name.endswith(DROP_IN_FOLDERS):
                yield from (_source(Format.UNIT, text) for text in sources.folder(f"{folder}/{name}", ".conf"))
    for folder in STARTER_FOLDERS:
        yield from (_source(Format.UNIT, text) for text in sources.folder(folder, *STARTER_ENDINGS))


def wanted_units(sources: TextFiles) -> frozenset[str]:
    """The names of the units that some unit pulls in."""
    return frozenset(
        unit
        for folder in unit_files.FOLDERS
        for name in sources.names(folder)
        if name.endswith(unit_files.PULLED_IN)
        for unit in sources.names(f"{folder}/{name}")
    )


def _called_sources(sources: TextFiles, survey: MastersSurvey) -> tuple[Source, ...]:
    """The scripts that these run, those that they run, and so on: not the other files that a command names.

    Those may be keys. From a user's cron table, only those that this user can read too.
    """
    programs = {name: f"{folder}/{name}" for folder in reversed(PATH) for name in sources.names(folder)}
    known = {source.path for source in survey.sources}
    found: list[Source] = []
    asked: dict[str, bool] = {}

    def _is_script(path: str, is_named: bool) -> bool:  # noqa: FBT001 - a callback
        if is_named:
            return path not in known
        if path not in asked:
            asked[path] = path.endswith(SCRIPT_ENDINGS) or sources.is_script(path)
        return asked[path] and path not in known

    new: tuple[Source, ...] = ()
    for _ in range(MAX_CHAIN):
        called = called_scripts(survey, sources.problems.append, programs, _is_script)
        known.update(called)
        new = tuple(_read_called(sources, called))
        found += new
        if not new or len(found) > MAX_SCRIPTS:
            break
        survey = MastersSurvey(new)
    else:
        sources.problems.append(f"{new[0].path}: is run by the last of {MAX_CHAIN} scripts that run each other")
    return tuple(found)


def _read_called(sources: TextFiles, called: Mapping[str, Call]) -> Iterator[Source]:
    for path, call in called.items():
        text = sources.file(path, reader=call.source.owner)
        is_script = text and (call.is_named or text.is_executable or text.text.startswith("#!"))
        if text and is_script and "\0" not in text.text[:BEGINNING]:
            owner = call.source.owner or text.owner
            yield Source(Format.SCRIPT, path, text.text, caller=call.place, owner=owner)


def _environments(sources: TextFiles, survey: MastersSurvey) -> Iterator[Source]:
    library = Library(survey)
    for path in environment_paths(survey, lambda source: library.concerns(source.text)):
        for name, text in sources.read_matching(path).items():
            yield Source(Format.ENVIRONMENT, name, text)


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
        sources.problems += dropped_notes(text.path, document)
        yield Source(kind, text.path, text.text, document)


def _parse(kind: Format, text: Text) -> Any:  # noqa: ANN401 - YAML gives anything
    return yaml_text.parse_located(text.text.encode(), text.path, merges=kind is Format.NETPLAN)


def _other_files(sources: TextFiles) -> Iterator[Source]:
    for folder in (*OTHER_FOLDERS, *NETWORK_MANAGER_FOLDERS):
        yield from (_source(Format.OTHER, text) for text in sources.folder(folder, ".conf"))
    profiles = (f"{folder}/{name}/tuned.conf" for folder in TUNED for name in sources.names(folder))
    texts = (sources.file(path) for path in (*OTHER_FILES, *profiles))
    yield from (_source(Format.OTHER, text) for text in texts if text)


def _modules(sources: TextFiles) -> Iterator[Source]:
    settings = (sources.file("/etc/sysfs.conf"), *sources.folder("/etc/sysfs.d", ".conf"))
    yield from (_source(Format.SYSFS, text) for text in settings if text)
    yield from (_source(Format.DRIVERCTL, text) for text in sources.folder("/etc/driverctl.d"))
    yield from (Source(Format.MODPROBE, path, text) for path, text in sources.read_matching(*modprobe.GLOBS).items())
