"""What `doctor` knows of nova and neutron on this host: their units, and the files that each of them actually reads."""

import time

from msgspec import Struct

from sriov_bootstrap.core.nova_options import OptionPlace
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.formats.ini import Entry, IniFile

PATIENCE_SECONDS = 400.0  # see OpenStackSurvey; with the defaults of [services]


class VfChange(Struct, frozen=True):
    """When the VFs of a PF last changed (CLOCK_MONOTONIC); `pf` "": of some PF, which is not known."""

    pf: str
    at: float


class Service(Struct, frozen=True):
    """One of them. `unit` "" and not `is_installed`: it is not on this host.

    `argv`: of the process if it runs, else what the unit would start. `files`: what it reads, in that order: a later
    one wins. `config_files`: what its command line names, existing or not; `missing`: those that do not exist, which
    keeps oslo.config from starting; `unread`: what it reads and we may not. `is_active` and `started_at`
    (CLOCK_MONOTONIC) are None where systemd could not be asked.
    """

    name: str
    unit: str = ""
    is_installed: bool = False
    is_active: bool | None = None
    started_at: float | None = None
    argv: tuple[str, ...] = ()
    files: tuple[IniFile, ...] = ()
    config_files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def values(self, *names: OptionPlace) -> tuple[Entry, ...]:
        """All values of a MultiStr, in oslo.config's order, from all files. `names`: the current one first."""
        return tuple(entry for file in self.files for name in reversed(names) for entry in file.values(*name))

    def last_entry(self, *names: OptionPlace) -> Entry | None:
        """The value of any other option: the last file counts more than the current name. None: its default."""
        for file in reversed(self.files):
            for name in names:
                if found := file.values(*name):
                    return found[-1]
        return None

    @property
    def is_known(self) -> bool:
        """Whether everything it reads was seen: otherwise nothing can be said about what it lacks."""
        return bool(self.argv) and not self.unread

    @property
    def label(self) -> str:
        """For people: its unit, or its name."""
        return self.unit or self.name


class OpenStackSurvey(Struct, frozen=True):
    """`strays`: files of a known name that no service here reads. `unseen`: what could not be read, and why.

    `nova`: the version that nova-compute's unit starts. `changes`: of VFs since boot; `now`: when this was read, on
    their clock; `booted_at`: its beginning, in Unix seconds. `patience`: so many seconds later a restart is overdue.
    """

    compute: Service = Service("nova-compute")
    scheduler: Service = Service("nova-scheduler")
    agent: Service = Service("sriov-agent")
    server: Service = Service("neutron-server")
    strays: tuple[IniFile, ...] = ()
    nova: NovaVersion = NovaVersion()
    changes: tuple[VfChange, ...] = ()
    now: float = 0.0
    booted_at: float = 0.0
    patience: float = PATIENCE_SECONDS
    unseen: tuple[str, ...] = ()

    def unnoticed_changes(self, service: Service) -> tuple[VfChange, ...]:
        """The changes before which it started, but for those after which it may still be restarted."""
        started_at = service.started_at
        if not service.is_active or started_at is None:
            return ()
        return tuple(change for change in self.changes if started_at < change.at <= self.now - self.patience)

    def time_of(self, at: float) -> str:
        """CLOCK_MONOTONIC as a date, to compare with a journal."""
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.booted_at + at))

    @property
    def services(self) -> tuple[Service, ...]:
        """Those that are installed."""
        all_of_them = (self.compute, self.scheduler, self.agent, self.server)
        return tuple(service for service in all_of_them if service.is_installed)
