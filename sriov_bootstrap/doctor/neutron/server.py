"""The checks of what the neutron server on this host reads, and of options that neutron no longer has."""

from collections.abc import Iterator

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.doctor.neutron.lists import items
from sriov_bootstrap.doctor.openstack.remedies import restart_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import IniFile, fold
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.neutron import MECHANISM_DRIVER

OLD_FILE = "/ml2_conf_sriov.ini"
OLD_SECTION = "ml2_sriov"
SHOWN = 8


def check_server(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """And leftovers in the files of the agent."""
    if survey.server.is_known and any(wish.rule.physical_network for wish in host.wishes):
        yield from _driver(host, survey.server)
    if host.release.nova > openstack_releases.ML2_SRIOV_UNTIL:
        yield from _leftovers(host, survey)


def _driver(host: Host, server: Service) -> Iterator[Finding]:
    entry = server.last_entry(("ml2", "mechanism_drivers"))
    drivers = items(entry)
    if MECHANISM_DRIVER in drivers or (entry and entry.has_reference):
        return
    problem = f"mechanism_drivers lacks {MECHANISM_DRIVER}: ports of type direct cannot be bound"
    change = f"add {MECHANISM_DRIVER} to mechanism_drivers in [ml2] of {entry.place if entry else 'ml2_conf.ini'}"
    place, evidence = (entry.place, entry.name) if entry else (server.label, "")
    yield Finding("SB-E520", place, problem, evidence=evidence, remedy=restart_remedy(host, "neutron-server", change))


def _leftovers(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """neutron 10.0.0 removed [ml2_sriov] and its file."""
    read = {file.path: file for service in (survey.server, survey.agent) for file in service.files}
    read |= {file.path: file for file in survey.strays if file.path.endswith(OLD_FILE)}
    for file in read.values():
        if place := _old_options(file):
            yield Finding(
                "SB-W521",
                place,
                f"[{OLD_SECTION}] has been ignored since neutron 10.0.0 (ocata); this is {host.release}",
                evidence=shortlist(
                    [entry.name for entry in file.entries if fold(entry.section) == OLD_SECTION], SHOWN, "; "
                ),
                remedy=f"remove {file.path}"
                if file.path.endswith(OLD_FILE)
                else f"remove the section from {file.path}",
            )


def _old_options(file: IniFile) -> str:
    return next((entry.place for entry in file.entries if fold(entry.section) == OLD_SECTION), "")
