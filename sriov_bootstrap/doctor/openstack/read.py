"""Reads what `doctor` wants to know of nova and neutron: the edges as the eyes of its checks."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.packagings import PackagedService, packaged_services
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.state import State
from sriov_bootstrap.doctor.openstack import units as openstack_units
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service, VfChange
from sriov_bootstrap.doctor.openstack.units import ServiceKind
from sriov_bootstrap.edges.text_files import TextFiles
from sriov_bootstrap.formats import init_script, kolla, oslo_files, unit_files
from sriov_bootstrap.formats.ini import IniFile, parse_ini
from sriov_bootstrap.formats.unit_state import process_of
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host

# Many services' users may write to their own folders, and oslo.config itself has no limits.
MAX_FILES = 256  # of a folder
MAX_FILE_BYTES = 1 << 20  # of a file that they may change, or in such a folder: parsed, it takes sixty times that
MAX_USER_BYTES = (
    1 << 21
)  # a distribution's nova.conf has half a million with its comments, and is read for two services
SHOWN = 3
A_MINUTE = 60.0  # beyond the time that a restart may take


class Started(Struct, frozen=True):
    """How a unit starts its service. `folder`: of its container, with kolla's config.json, "" for none."""

    unit: str
    argv: tuple[str, ...] = ()
    user: str = ""
    folder: str = ""
    container: kolla.Container = kolla.Container()


def survey_openstack(machine: HostMachine, host: Host) -> OpenStackSurvey:
    """Changes nothing, and needs no root: what it may not read is reported."""
    look = _Look(machine)
    started = {kind.name: look.start_of(kind) for kind in openstack_units.KINDS}
    compute, scheduler, agent, server = (
        look.service(kind, started[kind.name], host.units) for kind in openstack_units.KINDS
    )
    services = (compute, scheduler, agent, server)
    read = {file.path for service in services for file in service.files}
    strays = look.strays(read) if any(service.is_installed for service in services) else ()
    now = machine.monotonic()
    return OpenStackSurvey(
        compute,
        scheduler,
        agent,
        server,
        strays,
        nova=machine.nova_version(compute.unit) if compute.is_installed else NovaVersion(),
        changes=_changes(host.state),
        now=now,
        booted_at=machine.time() - now,
        patience=host.config.services.restart_seconds + A_MINUTE,
        unseen=look.unseen,
    )


def _is_option(variable: str) -> bool:
    """Of an environment: OS_GROUP__OPTION (oslo_config/sources/_environment.py)."""
    return variable.startswith("OS_") and "__" in variable and variable.isupper()


def _changes(saved: State) -> tuple[VfChange, ...]:
    """A state.json of an older version only has the last one."""
    found = tuple(VfChange(address, at) for address, at in sorted(saved.vfs_changed_at.items()))
    return found or ((VfChange("", saved.changed_at),) if saved.changed_at else ())


class _Look:
    """One look at the files."""

    def __init__(self, machine: HostMachine) -> None:
        self._machine = machine
        self._texts = machine.text_files(max_foreign_bytes=MAX_FILE_BYTES, max_user_bytes=MAX_USER_BYTES)
        self._folders = machine.text_files(max_bytes=MAX_FILE_BYTES, max_files=MAX_FILES, max_user_bytes=MAX_USER_BYTES)
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Something that could not be seen."""
        self._notes += [text] if text else []

    @property
    def unseen(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._texts.problems, *self._folders.problems, *self._notes)))

    def start_of(self, kind: ServiceKind) -> Started | None:
        """How it is started; None if it is not on this host."""
        services = packaged_services(kind.name)
        for service, unit in ((packaged, unit) for packaged in services for unit in packaged.units):
            paths = [f"{folder}/{unit}" for folder in unit_files.FOLDERS]
            there = [path for path in paths if path in self._machine.files.keep_existing(paths)]
            text = self._texts.read(there[0]) if there else ""
            if text:
                drop_ins = unit_files.in_order(self._texts.read_matching(*unit_files.drop_in_patterns(unit)))
                return self._start_of_unit(kind, service, unit, (text, *drop_ins))
        return next(
            filter(None, (self._start_in_container(packaged, packaged.units[0]) for packaged in services)), None
        )

    def _start_of_unit(self, kind: ServiceKind, service: PackagedService, unit: str, texts: tuple[str, ...]) -> Started:
        if contained := self._start_in_container(service, unit):
            return contained
        files = self._texts.read_matching(*unit_files.environment_files(texts)).values()
        environment = unit_files.environment(texts, files)
        if options := sorted(filter(_is_option, environment)):
            self.note(f"{unit}: what its environment sets ({shortlist(options, SHOWN)}), which beats all of its files")
        words = unit_files.exec_start(texts, environment)
        user = (unit_files.service_values(texts, "User") or ["root"])[-1]
        if words and words[0].startswith("/etc/init.d/"):
            words = self._script_words(words[0], environment)
        words = oslo_files.service_argv(words)
        if not words or not (words[0].endswith(kind.program) or _names_files(words)):
            self.note(f"{unit}: which files its service reads: its ExecStart cannot be parsed")
            return Started(unit, (), user)
        return Started(unit, words, user)

    def _script_words(self, path: str, environment: Mapping[str, str]) -> tuple[str, ...]:
        script = self._texts.read(path)
        there = self._machine.files.keep_existing(init_script.paths_in(script))
        return init_script.script_argv(script, self._texts.read_matching(init_script.DEFAULTS), there, environment)

    def _start_in_container(self, service: PackagedService, unit: str) -> Started | None:
        folder = service.container
        text = self._texts.read(f"{folder}/config.json") if folder else ""
        container = kolla.parse_container(text) if text else None
        if text and container is None:
            self.note(f"{folder}/config.json: not a config.json of kolla")
        if container is None:
            return None
        return Started(unit, kolla.container_argv(container), folder=folder, container=container)

    def service(self, kind: ServiceKind, started: Started | None, units: Mapping[str, Mapping[str, str]]) -> Service:
        """The service with all its files."""
        if started is None:
            return Service(kind.name)
        process = process_of(units[started.unit]) if started.unit in units else None
        argv = started.argv
        if process and process.is_active and not started.folder:
            running = oslo_files.service_argv(self._machine.procfs.command_line(process.pid))
            argv = running if running and running[0].endswith(kind.program) else argv
        service = Service(
            kind.name,
            started.unit,
            is_installed=True,
            is_active=process.is_active if process else None,
            started_at=process.started_at if process and process.is_active else None,
            argv=argv,
        )
        return self._add_files(service, kind, started) if argv else service

    def _add_files(self, service: Service, kind: ServiceKind, started: Started) -> Service:
        files: list[IniFile] = []
        missing: list[str] = []
        unread: list[str] = []
        steps = oslo_files.reading_steps(service.argv, kind.project, self._home(started.user or kind.project))
        for step in steps:
            places = [self._host_path(place, started) for place in step.places]
            place = next(
                (
                    candidate
                    for candidate in places
                    if candidate and candidate in self._machine.files.keep_existing([candidate])
                ),
                "",
            )
            if not place:  # one that is not copied is the image's own
                missing += places if step.is_named and places[0] else []
                continue
            paths, rest = self._folder(place) if step.is_folder else ([place], [])
            for path in paths:
                text = self._read_text(self._folders if step.is_folder else self._texts, path)
                files += [parse_ini(path, text)] if text is not None else []
                unread += [path] if text is None else []
            unread += rest
        named = tuple(step.places[0] for step in steps if step.is_named)
        return replace(service, files=tuple(files), config_files=named, missing=tuple(missing), unread=tuple(unread))

    @staticmethod
    def _read_text(texts: TextFiles, path: str) -> str | None:
        """None where it cannot be read, which is noted, or is gone."""
        found = texts.file(path)
        return found.text if found else None

    def _folder(self, place: str) -> tuple[list[str], list[str]]:
        """The files of a folder that are to be read, and what of it is not: the folder itself, if not all of it."""
        before = len(self._folders.problems)
        names = [name for name in self._folders.names(place) if name.endswith(".conf") and not name.startswith(".")]
        paths = self._folders.cap_files(place, [f"{place}/{name}" for name in names])
        return paths, [place] if len(self._folders.problems) > before else []

    def _host_path(self, place: str, started: Started) -> str:
        return kolla.on_host(place, started.container, started.folder) if started.folder else place

    def _home(self, user: str) -> str:
        """As passwd(5) has it."""
        rows = [line.split(":") for line in self._texts.read("/etc/passwd").splitlines()]
        return next((row[5] for row in rows if row[0] == user and len(row) > 5), f"/var/lib/{user}")  # noqa: PLR2004

    def strays(self, read: set[str]) -> tuple[IniFile, ...]:
        """Files with well-known names that no service reads."""
        there = self._machine.files.keep_existing(openstack_units.KNOWN_FILES)
        paths = [path for path in openstack_units.KNOWN_FILES if path in there and path not in read]
        found = {path: self._texts.read(path) for path in paths}
        of_folders = [path for pattern in openstack_units.KNOWN_FOLDERS for path in self._folders.match(pattern)]
        found |= {path: self._folders.read(path) for path in of_folders if path not in read}
        return tuple(parse_ini(path, text) for path, text in found.items() if text)


def _names_files(words: tuple[str, ...]) -> bool:
    return any(word.startswith((oslo_files.FILE, oslo_files.FOLDER)) for word in words)
