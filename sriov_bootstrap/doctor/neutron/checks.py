"""The checks of neutron: what its networks, its agent and its server say, in the order in which they are shown."""

from collections.abc import Iterator

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.neutron.agent import check_agent
from sriov_bootstrap.doctor.neutron.networks import check_networks
from sriov_bootstrap.doctor.neutron.server import check_server
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.render.host import Host


def check_neutron(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """Only of those that are on this host."""
    yield from check_networks(host, survey)
    yield from check_agent(host, survey)
    yield from check_server(host, survey)
