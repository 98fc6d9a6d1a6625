"""Which units are nova's and neutron's services, for each packaging: tables."""

from msgspec import Struct

from sriov_bootstrap.core.consumers import NOVA_COMPUTE, SRIOV_AGENT


class Kind(Struct, frozen=True):
    """A service. `container`: its folder in /etc/kolla. `program`: its name where nothing else is known."""

    name: str
    project: str
    program: str
    units: tuple[str, ...]
    container: str


COMPUTE = Kind("nova-compute", "nova", "nova-compute", NOVA_COMPUTE, "nova-compute")
SCHEDULER = Kind(
    "nova-scheduler",
    "nova",
    "nova-scheduler",
    (
        "nova-scheduler.service",  # Debian, Ubuntu, openstack-ansible
        "openstack-nova-scheduler.service",  # RDO
        "kolla-nova_scheduler-container.service",
    ),
    "nova-scheduler",
)
AGENT = Kind("sriov-agent", "neutron", "neutron-sriov-nic-agent", SRIOV_AGENT, "neutron-sriov-agent")
SERVER = Kind(
    "neutron-server",
    "neutron",
    "neutron-server",
    (
        "neutron-server.service",  # Ubuntu, RDO, openstack-ansible
        "neutron-rpc-server.service",  # Debian, beside neutron-api
        "neutron-api.service",
        "kolla-neutron_server-container.service",
    ),
    "neutron-server",
)
KINDS = (COMPUTE, SCHEDULER, AGENT, SERVER)
UNITS = tuple(dict.fromkeys(unit for kind in KINDS for unit in kind.units))

# Files with well-known names, whether or not a service reads them.
KNOWN_FILES = (
    "/etc/nova/nova.conf",
    "/etc/nova/nova-compute.conf",
    "/etc/neutron/neutron.conf",
    "/etc/neutron/plugin.ini",
    "/etc/neutron/plugins/ml2/ml2_conf.ini",
    "/etc/neutron/plugins/ml2/ml2_conf_sriov.ini",
    "/etc/neutron/plugins/ml2/sriov_agent.ini",
)
KNOWN_FOLDERS = (
    "/etc/nova/nova.conf.d/*.conf",
    "/etc/neutron/neutron.conf.d/*.conf",
    "/etc/neutron/neutron-sriov-nic-agent.conf.d/*.conf",
    "/etc/neutron/neutron-server.conf.d/*.conf",
    "/etc/neutron/server.conf.d/*.conf",
)
