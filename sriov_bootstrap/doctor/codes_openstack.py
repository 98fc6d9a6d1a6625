"""The long form of the codes that are about OpenStack's files and services: 4xx, 5xx, 6xx."""

from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.neutron.codes import NEUTRON_CODES
from sriov_bootstrap.doctor.neutron.network_codes import NETWORK_CODES
from sriov_bootstrap.doctor.nova.codes import NOVA_CODES
from sriov_bootstrap.doctor.nova.scheduler_codes import SCHEDULER_CODES
from sriov_bootstrap.doctor.openstack.codes import FILE_CODES

OPENSTACK_CODES: dict[str, Explanation] = {
    **NOVA_CODES,
    **NETWORK_CODES,
    **NEUTRON_CODES,
    **FILE_CODES,
    **SCHEDULER_CODES,
}
