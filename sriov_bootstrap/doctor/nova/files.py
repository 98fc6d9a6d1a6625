"""Where nova-compute's PCI options are: places that it ignores, old names that it adds to the current one."""

from collections.abc import Iterator

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import ALIAS, DEVICE_SPEC, NEVER_EXISTED, REPORT_IN_PLACEMENT, places
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.core.similar_names import Guesses, nearest
from sriov_bootstrap.doctor.openstack.remedies import render_remedy, restart_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.formats.ini import Entry, IniFile, fold
from sriov_bootstrap.render.host import Host

TARGET = "nova-compute"
HOMES = {name.option: name for name in (*DEVICE_SPEC, *ALIAS, *REPORT_IN_PLACEMENT)}
PCI_SECTIONS = frozenset({"pci", "DEFAULT"})
GENERIC = frozenset({"alias"})  # a word that may be any service's option


def check_nova_files(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """All of them."""
    guesses = Guesses()
    for file in survey.compute.files:
        yield from _default_in_small_letters(host, survey, file)
        for entry in file.entries:
            yield from _ignored_option(host, entry, guesses)
    yield from _added_specs(host, survey)


def _default_in_small_letters(host: Host, survey: OpenStackSurvey, file: IniFile) -> Iterator[Finding]:
    """If the scheduler reads the same file, it is reported there."""
    found = [entry for entry in file.entries if _is_small_default(entry)]
    if found and file.path not in {read.path for read in survey.scheduler.files}:
        yield Finding(
            "SB-E414",
            found[0].place,
            f"[{found[0].section}] is not [DEFAULT]: nova-compute ignores its contents",
            evidence=found[0].name,
            remedy=restart_remedy(
                host, TARGET, f"write [DEFAULT] in {file.path}, or move the lines to the right section"
            ),
        )


def _is_small_default(entry: Entry) -> bool:
    return entry.section != "DEFAULT" and entry.section.upper() == "DEFAULT"


def _ignored_option(host: Host, entry: Entry, guesses: Guesses) -> Iterator[Finding]:
    problem = "" if _is_small_default(entry) else _why_ignored(entry, host.release, guesses)
    if problem:
        said = entry.text if entry.option in HOMES else entry.name
        yield Finding("SB-E413", entry.place, problem, evidence=said, remedy=render_remedy(host, TARGET, entry))


def _why_ignored(entry: Entry, release: OpenStackRelease, guesses: Guesses) -> str:
    section = fold(entry.section)
    if entry.option in NEVER_EXISTED and section in PCI_SECTIONS:
        meant = NEVER_EXISTED[entry.option]
        return f"nova-compute ignores {entry.option}, which only nova's documentation has: the option is {meant}"
    if entry.option not in HOMES:
        near = guesses.nearest(entry.option, [name for name, home in HOMES.items() if home.section == section])
        return (
            f"nova-compute does not know {entry.option} in [{section}] and ignores it: was {near} meant?"
            if near
            else ""
        )
    home = HOMES[entry.option]
    if section != home.section:
        if entry.option in GENERIC and not (nearest(section, [home.section]) or section == "DEFAULT"):
            return ""
        return f"nova-compute reads {entry.option} only in [{home.section}] and ignores it in [{entry.section}]"
    if not home.is_read_by(release):
        since = OpenStackRelease(home.since)
        return f"nova-compute ignores {entry.option}: it is read since {since}, but release is {release}"
    return ""


def _added_specs(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    newest, *older = places(DEVICE_SPEC, host.release)
    current, option = survey.compute.values(newest), newest[1]
    for name in older if current else ():
        for entry in survey.compute.values(name):
            yield Finding(
                "SB-W412",
                entry.place,
                f"an old {entry.option}, which still counts: nova adds it to the {option} at {current[0].place}",
                evidence=entry.text,
                remedy=restart_remedy(host, TARGET, f"remove {entry.place}; move what is still needed to {option}"),
            )
