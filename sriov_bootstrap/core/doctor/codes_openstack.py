"""The long form of the codes that are about OpenStack's files and services: 4xx, 5xx, 6xx."""

from sriov_bootstrap.core.doctor.codes_files import FILE_CODES
from sriov_bootstrap.core.doctor.codes_networks import NETWORK_CODES
from sriov_bootstrap.core.doctor.codes_neutron import NEUTRON_CODES
from sriov_bootstrap.core.doctor.codes_nova import NOVA_CODES
from sriov_bootstrap.core.doctor.codes_scheduler import SCHEDULER_CODES
from sriov_bootstrap.core.doctor.finding import Explanation

OPENSTACK_CODES: dict[str, Explanation] = {
    **NOVA_CODES,
    **NETWORK_CODES,
    **NEUTRON_CODES,
    **FILE_CODES,
    **SCHEDULER_CODES,
}
