"""What `doctor` knows of nova and neutron on this host: their units, and the files that each of them actually reads."""

from msgspec import Struct

from sriov_bootstrap.core.nova_options import OptionPlace
from sriov_bootstrap.formats.ini import Entry, IniFile

# After a change of VFs a service may still be about to be restarted: more than a job of systemd may take.
PATIENCE_SECONDS = 300.0


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

    `changed_at`: when VFs last changed (CLOCK_MONOTONIC), `waited`: how many seconds ago; None if never since boot.
    """

    compute: Service = Service("nova-compute")
    scheduler: Service = Service("nova-scheduler")
    agent: Service = Service("sriov-agent")
    server: Service = Service("neutron-server")
    strays: tuple[IniFile, ...] = ()
    changed_at: float | None = None
    waited: float | None = None
    unseen: tuple[str, ...] = ()

    def seconds_behind(self, service: Service) -> float | None:
        """How long before the last change of VFs it started; None where it did not, or may still be restarted."""
        if self.changed_at is None or self.waited is None or self.waited < PATIENCE_SECONDS:
            return None
        if not service.is_active or service.started_at is None or service.started_at >= self.changed_at:
            return None
        return self.changed_at - service.started_at

    @property
    def services(self) -> tuple[Service, ...]:
        """Those that are installed."""
        all_of_them = (self.compute, self.scheduler, self.agent, self.server)
        return tuple(service for service in all_of_them if service.is_installed)
