"""The checks of what nova-scheduler on this host reads."""

from collections.abc import Iterator

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import ENABLED_FILTERS, places
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.doctor.neutron.lists import items
from sriov_bootstrap.doctor.openstack.remedies import render_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import Entry, fold
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.nova import PCI_FILTER

TARGET = "nova-scheduler"


def check_scheduler(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """None where there is no scheduler or its files may not be read."""
    scheduler = survey.scheduler
    if not scheduler.is_known:
        return
    entry = enabled_filters(scheduler, host.release)
    filters = items(entry)
    yield from _removed_filters(host, scheduler, entry, filters)
    yield from _without_pci(host, scheduler, entry, filters)
    yield from _ignored_options(host, scheduler)


def enabled_filters(scheduler: Service, release: OpenStackRelease) -> Entry | None:
    """The option as this release reads it; None: its defaults."""
    return scheduler.last_entry(*places(ENABLED_FILTERS, release))


def _removed_filters(
    host: Host, scheduler: Service, entry: Entry | None, filters: tuple[str, ...]
) -> Iterator[Finding]:
    """One unknown name, and it does not start. A custom class may have any name."""
    own = {
        available.value.rpartition(".")[2] for available in scheduler.values(("filter_scheduler", "available_filters"))
    }
    gone = [name for name in _removed_names(filters, host.release) if name not in own]
    if entry and gone:
        since = ", ".join(f"{name} since nova {openstack_releases.REMOVED_FILTERS[name]}" for name in gone)
        problem = f"nova-scheduler does not start: {host.release} no longer has these filters: {since}"
        yield Finding("SB-E601", entry.place, problem, evidence=entry.name, remedy=render_remedy(host, TARGET, entry))


def _removed_names(filters: tuple[str, ...], release: OpenStackRelease) -> list[str]:
    return [
        name
        for name in dict.fromkeys(filters)
        if openstack_releases.REMOVED_FILTERS.get(name, release.nova + 1) <= release.nova
    ]


def _without_pci(host: Host, scheduler: Service, entry: Entry | None, filters: tuple[str, ...]) -> Iterator[Finding]:
    if PCI_FILTER in filters or (entry and entry.has_reference):
        return
    if not any(wish.rule.is_for_nova for wish in host.wishes):
        return
    problem = f"{PCI_FILTER} is not enabled: VMs are sent to hosts without a free VF, and fail there"
    near = nearest(PCI_FILTER, filters)
    if near:
        problem = f"nova-scheduler does not start: {near} is a misspelt {PCI_FILTER}"
    place, evidence = (
        (entry.place, entry.name) if entry else (scheduler.label, "option not set: the defaults do not include it")
    )
    in_the_way = (entry,) if entry else ()
    yield Finding("SB-E602", place, problem, evidence=evidence, remedy=render_remedy(host, TARGET, *in_the_way))


def _ignored_options(host: Host, scheduler: Service) -> Iterator[Finding]:
    """The option under the name of another release."""
    read = places(ENABLED_FILTERS, host.release)
    section, option = read[0]
    for entry in scheduler.values(*(name.place for name in ENABLED_FILTERS if name.place not in read)):
        problem = f"{host.release} does not read [{fold(entry.section)}] {entry.option}, but [{section}] {option}"
        if gone := _removed_names(items(entry), host.release):
            problem += f"; and it no longer has {', '.join(gone)}"
        yield Finding("SB-E603", entry.place, problem, evidence=entry.name, remedy=render_remedy(host, TARGET, entry))
