"""The long form of the codes that are about OpenStack's files and services: 4xx, 5xx, 6xx."""

from sriov_bootstrap.core.doctor.finding import Explanation

OPENSTACK_CODES: dict[str, Explanation] = {}
