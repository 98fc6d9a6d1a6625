"""What `doctor` knows of this host beyond the PFs: text as read; the checks make sense of it."""

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import MastersSurvey
from sriov_bootstrap.doctor.kernel.survey import KernelSurvey
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.doctor.service.survey import ServiceSurvey


class HostSurvey(Struct, frozen=True):
    """`config_problems`: what is wrong with our own config; `unseen`: what could not be read, and why."""

    config_problems: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    kernel: KernelSurvey = KernelSurvey()
    nics: NicSurvey = NicSurvey()
    masters: MastersSurvey = MastersSurvey()
    service: ServiceSurvey = ServiceSurvey()
