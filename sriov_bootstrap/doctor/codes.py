"""Every code of a finding and its long form: one table out of those of the areas. Codes are API, never used again.

1xx firmware, kernel, IOMMU    2xx NIC, driver, VFs    3xx two masters    4xx nova-compute
5xx neutron    6xx scheduler    7xx our own service and config
"""

from sriov_bootstrap.conflicts.codes import MASTER_CODES
from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.kernel.codes import KERNEL_CODES
from sriov_bootstrap.doctor.neutron.codes import NEUTRON_CODES
from sriov_bootstrap.doctor.neutron.network_codes import NETWORK_CODES
from sriov_bootstrap.doctor.nic.codes import NIC_CODES
from sriov_bootstrap.doctor.nova.codes import NOVA_CODES
from sriov_bootstrap.doctor.nova.scheduler_codes import SCHEDULER_CODES
from sriov_bootstrap.doctor.openstack.codes import FILE_CODES
from sriov_bootstrap.doctor.service.codes import SERVICE_CODES

CODES: dict[str, Explanation] = {
    **KERNEL_CODES,
    **NIC_CODES,
    **MASTER_CODES,
    **SERVICE_CODES,
    **NOVA_CODES,
    **NETWORK_CODES,
    **NEUTRON_CODES,
    **FILE_CODES,
    **SCHEDULER_CODES,
}
