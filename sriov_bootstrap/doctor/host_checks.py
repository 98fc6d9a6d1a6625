"""The checks of this host, in the order in which they are shown: firmware, kernel, NIC, other masters, our service."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.checks import check_masters
from sriov_bootstrap.conflicts.survey import Note
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.kernel.checks import check_firmware
from sriov_bootstrap.doctor.kernel.iommu_groups import check_groups
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.service.checks import check_service
from sriov_bootstrap.doctor.survey import HostSurvey
from sriov_bootstrap.render.host import Host


def check_host(host: Host, survey: HostSurvey, note: Note) -> Iterator[Finding]:
    """All of them; `note` is told what was too much to look at."""
    yield from check_firmware(host, survey.kernel)
    yield from check_groups(host, survey.kernel)
    yield from check_nics(host, survey.nics)
    yield from check_masters(host, survey.masters, note)
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
