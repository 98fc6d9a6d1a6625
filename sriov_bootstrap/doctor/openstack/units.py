"""nova's and neutron's services, and the files that they might read, in every packaging."""

from msgspec import Struct

from sriov_bootstrap.core.packagings import (
    NEUTRON_SERVER,
    NOVA_COMPUTE,
    NOVA_SCHEDULER,
    PACKAGINGS,
    SRIOV_AGENT,
    units_of,
)


class ServiceKind(Struct, frozen=True):
    """A service. `name`: of its target of `render`. `program`: its name where nothing else is known."""

    name: str
    project: str
    program: str


COMPUTE = ServiceKind(NOVA_COMPUTE, "nova", "nova-compute")
SCHEDULER = ServiceKind(NOVA_SCHEDULER, "nova", "nova-scheduler")
AGENT = ServiceKind(SRIOV_AGENT, "neutron", "neutron-sriov-nic-agent")
SERVER = ServiceKind(NEUTRON_SERVER, "neutron", "neutron-server")
KINDS = (COMPUTE, SCHEDULER, AGENT, SERVER)
UNITS = tuple(dict.fromkeys(unit for kind in KINDS for unit in units_of(kind.name)))

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
_FOLDERS = {
    service.folder: None for packaging in PACKAGINGS for service in packaging.services.values() if service.folder
}
KNOWN_FOLDERS = tuple(f"{folder}/*.conf" for folder in (*_FOLDERS, "/etc/neutron/neutron-server.conf.d"))
