"""What was read -> findings, in the order of the road: firmware, kernel, NIC, VFs, nova, neutron."""

import difflib

from sriov_bootstrap.core.doctor.codes import CODES
from sriov_bootstrap.core.doctor.finding import Diagnosis, Explanation
from sriov_bootstrap.core.doctor.host_checks import check_host
from sriov_bootstrap.core.doctor.host_survey import HostSurvey
from sriov_bootstrap.core.doctor.openstack_checks import check_openstack
from sriov_bootstrap.core.doctor.openstack_survey import OpenStackSurvey
from sriov_bootstrap.core.openstack.host import Host
from sriov_bootstrap.errors import ConfigError


def diagnose(host: Host, on_host: HostSurvey, of_openstack: OpenStackSurvey) -> Diagnosis:
    """Errors first; within a severity in the order of the road. The same is said once, of what was not seen as well."""
    found = (*check_host(host, on_host), *check_openstack(host, of_openstack))
    findings = sorted(dict.fromkeys(found), key=lambda one: one.severity)  # "error" sorts before "warning"
    return Diagnosis(tuple(findings), tuple(dict.fromkeys((*on_host.unseen, *host.unseen, *of_openstack.unseen))))


def explain(code: str) -> Explanation:
    """The long form; ConfigError for what is no code. `e701` and `701` will do."""
    word = code.upper()
    known = next((one for one in CODES if word in {one, one.removeprefix("SB-"), one[4:]}), None)
    if known:
        return CODES[known]
    near = difflib.get_close_matches(word, CODES, n=1)
    advice = f"did you mean {near[0]}?" if near else "valid are those that sriov-bootstrap doctor prints"
    raise ConfigError((f'doctor: unknown code "{code}": {advice}',))
