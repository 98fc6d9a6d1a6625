"""Reads what `doctor` wants to know about other programs that set VFs: the edges as the eyes of its checks."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.conflicts import places
from sriov_bootstrap.conflicts.documents import dropped_notes
from sriov_bootstrap.conflicts.interfaces import is_plain_name, sourced_files
from sriov_bootstrap.conflicts.read_called import (
    MAX_SETTINGS,
    before_zeros,
    newly_started,
    read_called,
    read_surroundings,
)
from sriov_bootstrap.conflicts.started_units import pulled_by_settings, units_pulled
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, is_drop_in_folder, mentions_vfs
from sriov_bootstrap.conflicts.udev import selecting_attributes
from sriov_bootstrap.edges import yaml_text
from sriov_bootstrap.edges.text_files import Text, TextFiles
from sriov_bootstrap.formats import modprobe, unit_files
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.kernel import INITRAMFS

OF_INIT_SCRIPT = "SourcePath=/etc/init.d/"  # of a unit that systemd makes from a script, which is read itself


def survey_masters(machine: HostMachine) -> MastersSurvey:
    """Needs no root: what only root may read is reported."""
    sources = machine.text_files(each_once=True)
    found = (
        *map(_before_zeros, _scripts(sources)),
        *_units(sources),
        *_udev_sources(sources),
        *_network_sources(sources),
        *_modules(sources),
        *_other_files(sources),
    )
    command_line = " ".join(machine.procfs.kernel_command_line())
    found += (Source(Format.KERNEL, "/proc/cmdline", command_line),)
    linked = wanted_units(sources)
    survey = MastersSurvey(
        found, linked, rdma=machine.pci.read_rdma(), initramfs=_initramfs(machine), linked_units=linked
    )
    first, by_settings = survey, pulled_by_settings(survey)
    pulled = units_pulled(survey, by_settings)
    for _ in range(places.MAX_STARTED):
        earlier, survey = survey, replace(survey, wanted_units=survey.wanted_units | pulled.keys())
        new = survey if earlier is first else newly_started(earlier, survey)
        survey = replace(survey, sources=(*survey.sources, *read_called(sources, survey, new)))
        pulled = units_pulled(survey, by_settings)
        if pulled.keys() <= survey.wanted_units:
            break
    survey = replace(survey, pulled_by=pulled, sources=(*survey.sources, *_hooks_of_others(sources, survey)))
    survey = read_surroundings(sources, survey)
    if of_users := read_called(sources, survey, survey, of_users=True):
        with_users = replace(survey, sources=(*survey.sources, *of_users), script_names=None)
        survey = read_surroundings(sources, with_users)
    attributes = machine.pci.read_netdev_attributes(selecting_attributes(survey))
    survey = replace(survey, netdev_attributes=attributes)
    return replace(survey, unseen=tuple(dict.fromkeys(sources.problems)), elsewhere=_elsewhere(machine))


def _initramfs(machine: HostMachine) -> str:
    there = machine.files.keep_existing(tuple(INITRAMFS))
    return next((command for path, command in INITRAMFS.items() if path in there), "")


def _elsewhere(machine: HostMachine) -> tuple[str, ...]:
    """What is on this host, may set VFs, and is not looked at."""
    folders = machine.text_files()
    return tuple(
        f"{folder}: {what} are not looked at" for folder, what in places.ELSEWHERE.items() if folders.names(folder)
    )


def _source(kind: Format, text: Text) -> Source:
    return Source(kind, text.path, text.text, owner=text.owner)


def _before_zeros(source: Source) -> Source:
    return replace(source, text=before_zeros(source.text)) if "\0" in source.text else source


def _scripts(sources: TextFiles) -> Iterator[Source]:
    for path in (*places.BOOT_SCRIPTS, *places.OTHER_SCRIPTS):
        if text := sources.file(path):
            yield Source(Format.SCRIPT, path, text.text, is_run=text.is_executable)
    hooks = (*places.HOOKS, *(f"{root}/{name}" for root in places.INITRAMFS for name in sources.names(root)))
    for text in (text for folder in hooks for text in sources.folder(folder)):
        if places.DISPATCHER.search(text.path):
            continue
        is_run = text.is_executable or text.path.startswith(places.SOURCED)
        yield Source(Format.SCRIPT, text.path, text.text, is_run=is_run)
    logins = (*map(sources.file, places.LOGIN_SCRIPTS), *sources.folder(places.LOGIN_FOLDER, ".sh"))
    yield from (Source(Format.SCRIPT, text.path, text.text) for text in logins if text)
    for name in sorted(
        {name[3:] for folder in places.RUN_LEVELS for name in sources.names(folder) if name.startswith("S")}
    ):
        if text := sources.file(f"/etc/init.d/{name}"):
            yield Source(Format.SCRIPT, text.path, text.text, is_run=text.is_executable)
    tables = [sources.file("/etc/crontab"), *(text for folder in places.CRON for text in sources.folder(folder))]
    # cron looks for no binaries, so that what a short table begins with counts as well.
    whole = (_source(Format.CRON, text) for text in tables if text)
    yield from (replace(table, text=table.text.partition("\0")[0]) for table in whole)
    services = {path: sources.file(path) for glob in places.SERVICES for path in sources.match(glob)}
    for text in (*services.values(), *sources.folder(places.SNIPPETS)):
        if text:
            yield Source(Format.SCRIPT, text.path, text.text, is_run=text.is_executable)
    yield from _interfaces(sources)


def _hooks_of_others(sources: TextFiles, survey: MastersSurvey) -> Iterator[Source]:
    """Executable files of settings' folders that mention VFs, and that nothing which was read runs."""
    known = {source.path for source in survey.sources}
    found = sources.executables(places.HOOKS_OF_OTHERS, depth=places.HOOKS_DEPTH, without=places.KNOWN_FOLDERS)
    for path in found:
        is_one = not path.endswith(places.NO_HOOKS) and ".dpkg-" not in path and "/." not in path
        is_new = is_one and path not in known
        if is_new and mentions_vfs(sources.peek(path, max_bytes=MAX_SETTINGS)) and (text := sources.file(path)):
            yield Source(Format.SCRIPT, path, before_zeros(text.text), is_doubtful=True)


def _interfaces(sources: TextFiles) -> Iterator[Source]:
    """With the files that they source, up to a bound."""
    named = [sources.file("/etc/network/interfaces"), *sources.folder("/etc/network/interfaces.d")]
    queue = deque(_source(Format.INTERFACES, text) for text in named if text)
    patterns = set[str]()
    while queue:
        source = queue.popleft()
        yield source
        for pattern, is_folder in sourced_files(source.path, source.text):
            if pattern in patterns or len(patterns) >= places.MAX_SOURCED:
                continue
            patterns.add(pattern)
            found = sources.read_matching(pattern)
            queue += (
                Source(Format.INTERFACES, path, text)
                for path, text in found.items()
                if text and (not is_folder or is_plain_name(path))
            )


def _units(sources: TextFiles) -> Iterator[Source]:
    for folder in places.UNIT_FOLDERS:
        found = sources.folder(folder, *places.SERVICE_ENDINGS)
        yield from (_source(Format.UNIT, text) for text in found if OF_INIT_SCRIPT not in text.text)
        for name in sources.names(folder):
            if is_drop_in_folder(name):
                yield from (_source(Format.UNIT, text) for text in sources.folder(f"{folder}/{name}", ".conf"))
    for folder in places.STARTER_FOLDERS:
        yield from (_source(Format.UNIT, text) for text in sources.folder(folder, *places.STARTER_ENDINGS))


def wanted_units(sources: TextFiles) -> frozenset[str]:
    """The names of the units that some unit pulls in."""
    return frozenset(
        unit
        for folder in places.UNIT_FOLDERS
        for name in sources.names(folder)
        if name.endswith(unit_files.PULLED_IN)
        for unit in sources.names(f"{folder}/{name}")
    )


def _udev_sources(sources: TextFiles) -> Iterator[Source]:
    for root in places.SYSTEM:
        yield from (_source(Format.UDEV, text) for text in sources.folder(f"{root}/udev/rules.d", ".rules"))
    for folder in (f"{root}/systemd/network" for root in places.SYSTEM):
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
        yield from (replace(_source(Format.NETWORK_MANAGER, text), is_run=text.is_private) for text in profiles)
    settings = (text for folder in places.NETWORK_MANAGER_FOLDERS for text in sources.folder(folder, ".conf"))
    for text in filter(None, (sources.file(places.NETWORK_MANAGER_CONF), *settings)):
        yield _source(Format.NETWORK_MANAGER_CONF, text)
    for text in sources.folder("/etc/sysconfig/network-scripts"):
        if text.path.rpartition("/")[2].startswith("ifcfg-"):
            yield _source(Format.IFCFG, text)
    yield from _documents(sources, Format.NMSTATE, *sources.folder(places.NMSTATE, ".yml", ".yaml"))
    yield from _documents(sources, Format.OS_NET_CONFIG, *map(sources.file, places.OS_NET_CONFIG))
    yield from _documents(sources, Format.SHIM, sources.file(places.SHIM))
    yield from _documents(sources, Format.OPERATOR, sources.file(f"{places.OPERATOR}/sriov-interface-config.yaml"))
    yield from _documents(sources, Format.OPERATOR, *sources.folder(f"{places.OPERATOR}/pci"))


def _documents(sources: TextFiles, kind: Format, *texts: Text | None) -> Iterator[Source]:
    for text in filter(None, texts):
        try:
            document = _parse(kind, text) if text.text.strip() else None
        except ConfigError as error:
            sources.problems += error.problems
            yield _source(Format.OTHER, text)  # its mentions are named
            continue
        sources.problems += dropped_notes(text.path, document)
        yield Source(kind, text.path, text.text, document)


def _parse(kind: Format, text: Text) -> Any:  # noqa: ANN401 - YAML gives anything
    return yaml_text.parse_located(text.text.encode(), text.path, merges=kind is Format.NETPLAN)


def _other_files(sources: TextFiles) -> Iterator[Source]:
    for folder in places.TMPFILES:
        yield from (_source(Format.TMPFILES, text) for text in sources.folder(folder, ".conf"))
    yield from (_source(Format.OTHER, text) for text in map(sources.file, places.OTHER_FILES) if text)
    for folder, endings in places.OTHER_FOLDERS.items():
        yield from (_source(Format.OTHER, text) for text in sources.folder(folder, *endings))
    profiles = (f"{folder}/{name}/tuned.conf" for folder in places.TUNED for name in sources.names(folder))
    texts = map(sources.file, (*places.TUNED_CHOICES, *profiles))
    yield from (_source(Format.TUNED, text) for text in texts if text)


def _modules(sources: TextFiles) -> Iterator[Source]:
    settings = (sources.file("/etc/sysfs.conf"), *sources.folder("/etc/sysfs.d", ".conf"))
    yield from (_source(Format.SYSFS, text) for text in settings if text)
    yield from (_source(Format.DRIVERCTL, text) for text in sources.folder("/etc/driverctl.d"))
    globs = (
        (Format.MODPROBE, modprobe.GLOBS),
        (Format.MODULE_LIST, places.MODULE_LISTS),
        (Format.KERNEL, places.LOADERS),
    )
    for kind, patterns in globs:
        yield from (Source(kind, path, text) for path, text in sources.read_matching(*patterns).items())
