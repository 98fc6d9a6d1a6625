"""Reads what `doctor` wants to know of nova and neutron: the edges as the eyes of core/doctor/openstack_checks.py."""

from sriov_bootstrap.commands.machine import HostMachine
from sriov_bootstrap.core.doctor.openstack_survey import OpenStackSurvey
from sriov_bootstrap.core.openstack.host import Host


def survey_openstack(_machine: HostMachine, _host: Host, _root: str) -> OpenStackSurvey:
    """Changes nothing, and needs no root: what may not be read is said."""
    return OpenStackSurvey()
