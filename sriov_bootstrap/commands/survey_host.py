"""Reads what `doctor` wants to know of this host: the edges as the eyes of core/doctor/host_checks.py."""

from sriov_bootstrap.commands.machine import HostMachine
from sriov_bootstrap.core.doctor.host_survey import HostSurvey
from sriov_bootstrap.core.openstack.host import Host


def survey_host(_machine: HostMachine, _host: Host, config_problems: tuple[str, ...], _root: str) -> HostSurvey:
    """Changes nothing, and needs no root: what may not be read is said."""
    return HostSurvey(config_problems)
