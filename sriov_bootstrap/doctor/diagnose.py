"""What was read -> findings, in the order of the road: firmware, kernel, NIC, VFs, nova, neutron."""

import difflib
from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.conflicts.checks import check_masters, masters_on
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Note
from sriov_bootstrap.conflicts.suspects import suspects_of
from sriov_bootstrap.core.finding import Diagnosis, Explanation, Finding
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.kernel.checks import check_firmware
from sriov_bootstrap.doctor.kernel.iommu_groups import check_groups
from sriov_bootstrap.doctor.neutron.checks import check_neutron
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.nova.checks import check_nova
from sriov_bootstrap.doctor.nova.scheduler import check_scheduler
from sriov_bootstrap.doctor.openstack.checks import check_files
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.doctor.service.checks import check_service
from sriov_bootstrap.doctor.survey import HostSurvey
from sriov_bootstrap.render.host import Host

# Both together, printed or as JSON, are an answer of less than 1 MB.
FINDINGS_BYTES, UNSEEN_BYTES = 1 << 19, 1 << 17
Thing = TypeVar("Thing")


def diagnose(host: Host, on_host: HostSurvey, of_openstack: OpenStackSurvey) -> Diagnosis:
    """Errors first; within a severity, in the order of the road. No duplicates, in findings or unseen."""
    notes: list[str] = []
    masters = masters_on(host, on_host.masters, notes.append)
    found = (*check_host(host, on_host, masters), *check_openstack(host, of_openstack, notes.append))
    findings = sorted(dict.fromkeys(found), key=lambda finding: finding.severity)  # "error" sorts before "warning"
    unseen = dict.fromkeys((*on_host.unseen, *host.unseen, *of_openstack.unseen, *notes))
    return within_limits(Diagnosis(tuple(findings), tuple(unseen), suspects_of(host, masters)))


def within_limits(diagnosis: Diagnosis) -> Diagnosis:
    """As much of it as anyone can use: other programs' files decide how much is found, but not how much is reported."""
    findings, unseen = (
        _as_many_as_fit(diagnosis.findings, FINDINGS_BYTES),
        _as_many_as_fit(diagnosis.unseen, UNSEEN_BYTES),
    )
    left = len(diagnosis.findings) - len(findings), len(diagnosis.unseen) - len(unseen)
    if any(left):
        said = f"{quantity(left[0], 'more finding')} and {quantity(left[1], 'more note')} like these: too many to show"
        unseen = (*unseen, said)
    return replace(diagnosis, findings=findings, unseen=unseen)


def _as_many_as_fit(things: tuple[Thing, ...], most: int) -> tuple[Thing, ...]:
    kept: list[Thing] = []
    for thing in things:
        most -= len(to_json(thing))
        if most < 0:
            break
        kept.append(thing)
    return tuple(kept)


def explain(code: str) -> Explanation:
    """The long form; UsageError for anything that is not a code. `e701` and `701` will do."""
    word = code.upper()
    known = next(
        (candidate for candidate in CODES if word in {candidate, candidate.removeprefix("SB-"), candidate[4:]}), None
    )
    if known:
        return CODES[known]
    near = difflib.get_close_matches(word, CODES, n=1)
    advice = f"did you mean {near[0]}?" if near else "valid are those that sriov-bootstrap doctor prints"
    raise UsageError((f'doctor: unknown code "{code}": {advice}',))


def check_host(host: Host, survey: HostSurvey, masters: tuple[Master, ...]) -> Iterator[Finding]:
    """Each of its findings. `masters`: what else sets VFs here."""
    yield from check_firmware(host, survey.kernel)
    yield from check_groups(host, survey.kernel)
    yield from check_nics(host, survey.nics)
    yield from check_masters(host, survey.masters, masters)
    yield from _own_config(survey)
    yield from check_service(host, survey.service)


def _own_config(survey: HostSurvey) -> Iterator[Finding]:
    for problem in survey.config_problems:
        place, separator, rest = problem.partition(": ")
        yield Finding(
            "SB-E701",
            place if separator else "host",
            rest or problem,
            remedy="correct it, then: sriov-bootstrap check-config",
        )


def check_openstack(host: Host, survey: OpenStackSurvey, note: Note) -> Iterator[Finding]:
    """Each of its findings; `note` receives what was too much to look at."""
    yield from check_files(survey)
    yield from check_nova(host, survey, note)
    yield from check_neutron(host, survey)
    yield from check_scheduler(host, survey)
