"""Reads what `doctor` wants to know of this host: the edges as the eyes of its checks."""

from sriov_bootstrap.conflicts.read import survey_masters
from sriov_bootstrap.conflicts.survey import MastersSurvey
from sriov_bootstrap.doctor.kernel.read import survey_kernel
from sriov_bootstrap.doctor.nic.read import survey_nics
from sriov_bootstrap.doctor.service.read import survey_service
from sriov_bootstrap.doctor.survey import HostSurvey
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.render.host import Host


def survey_host(machine: HostMachine, host: Host, loaded: Loaded) -> HostSurvey:
    """Changes nothing, and needs no root: what it may not read is reported."""
    machine.say("firmware and kernel")
    kernel, unseen_of_kernel = survey_kernel(machine, host)
    machine.say("NICs and VFs")
    nics, unseen_of_nics = survey_nics(machine, host)
    machine.say("files of what else sets VFs")
    masters = survey_masters(machine) if host.config.pf else MastersSurvey()
    machine.say("the service itself")
    service = survey_service(machine, host, has_problems=bool(loaded.problems))
    unseen = (*unseen_of_kernel, *unseen_of_nics, *masters.unseen, *service.unseen)
    return HostSurvey(loaded.mistakes, unseen, kernel, nics, masters, service)
