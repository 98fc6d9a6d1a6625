"""The checks of nova's and neutron's files on this host, in the order in which they are shown."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.survey import Note
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.neutron.agent import check_agent
from sriov_bootstrap.doctor.neutron.networks import check_networks
from sriov_bootstrap.doctor.neutron.server import check_server
from sriov_bootstrap.doctor.nova.checks import check_nova
from sriov_bootstrap.doctor.nova.scheduler import check_scheduler
from sriov_bootstrap.doctor.openstack.checks import check_files
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.render.host import Host


def check_openstack(host: Host, survey: OpenStackSurvey, note: Note) -> Iterator[Finding]:
    """All of them; `note` is told what was too much to look at."""
    yield from check_files(survey)
    yield from check_nova(host, survey, note)
    yield from check_networks(host, survey)
    yield from check_agent(host, survey)
    yield from check_server(host, survey)
    yield from check_scheduler(host, survey)
