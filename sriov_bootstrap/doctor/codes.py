"""Every code of a finding and its long form: one table out of those of the areas. Codes are API, never used again.

1xx firmware, kernel, IOMMU    2xx NIC, driver, VFs    3xx two masters    4xx nova-compute
5xx neutron    6xx scheduler    7xx our own service and config
"""

from sriov_bootstrap.core.finding import Explanation
from sriov_bootstrap.doctor.codes_host import HOST_CODES
from sriov_bootstrap.doctor.codes_openstack import OPENSTACK_CODES

CODES: dict[str, Explanation] = {**HOST_CODES, **OPENSTACK_CODES}
