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
from sriov_bootstrap.render.neutron import MECHANISM_DRIVER, SWITCH_DRIVERS, is_of_switch

OLD_FILE = "/ml2_conf_sriov.ini"
OLD_SECTION = "ml2_sriov"
SHOWN = 8


def check_server(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """And leftovers in the files of the agent."""
    if survey.server.is_known:
        yield from _drivers(host, survey.server)
    if host.release.nova > openstack_releases.ML2_SRIOV_UNTIL:
        yield from _leftovers(host, survey)


def _drivers(host: Host, server: Service) -> Iterator[Finding]:
    """What binds ports to VFs as the rules want them: to those of a switch, and to all others."""
    entry = server.last_entry(("ml2", "mechanism_drivers"))
    drivers = {*items(entry)}
    if entry and entry.has_reference:
        return
    rules = [wish.rule for wish in host.wishes]
    lacks = []
    if any(rule.is_for_sriov_agent for rule in rules) and MECHANISM_DRIVER not in drivers:
        lacks.append((MECHANISM_DRIVER, "ports of type direct cannot be bound"))
    if any(is_of_switch(rule) for rule in rules) and not SWITCH_DRIVERS & drivers:
        lacks.append((" or ".join(sorted(SWITCH_DRIVERS)), "ports that ask for switchdev cannot be bound"))
    place, evidence = (entry.place, entry.name) if entry else (server.label, "")
    for driver, effect in lacks:
        change = f"add {driver} to mechanism_drivers in [ml2] of {entry.place if entry else 'ml2_conf.ini'}"
        remedy = restart_remedy(host, "neutron-server", change)
        yield Finding("SB-E520", place, f"mechanism_drivers lacks {driver}: {effect}", evidence=evidence, remedy=remedy)


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
